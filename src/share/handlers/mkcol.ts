import fs from 'node:fs';
import { requireConditions } from '../conditional.js';
import { errnoCode, ShareError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { at, ofFd } from '../fs-path.js';
import { requireUnlocked } from '../locks/enforcement.js';
import { setTimes, settableMode } from '../metadata.js';
import type { Place } from '../place.js';
import { parsePosix } from '../posix-text.js';
import { resourceStates } from '../resource-states.js';
import { storedHeaders } from '../stored-answer.js';
import { syncFolder } from '../temp-file.js';
import { locateForWriting } from './put.js';

/** RFC 4918 section 9.3. */
export async function handleMkcol(exchange: Exchange): Promise<void> {
  if (exchange.hasBody) throw new ShareError(415, 'MKCOL with a body');
  const place = locateForWriting(exchange);
  try {
    if (place.kind !== 'missing') throw new ShareError(405, 'there is something already');
    requireConditions('MKCOL', exchange.req.headers, undefined, resourceStates(exchange));
    requireUnlocked(exchange, place, 'state');
    make(place);
    dress(exchange, place);
    if (exchange.durable) await syncFolder(place);
    place.refresh();
    exchange.respond(201, storedHeaders(place));
  } finally {
    place.close();
  }
}

function make(place: Place): void {
  try {
    fs.mkdirSync(place.path, 0o777);
  } catch (error) {
    if (errnoCode(error) === 'EEXIST') throw new ShareError(405, 'there is something already');
    if (errnoCode(error) === 'ENOENT') throw new ShareError(409, 'no such parent collection');
    throw error;
  }
}

function dress(exchange: Exchange, place: Place): void {
  const { mode, ...times } = parsePosix(exchange.header('davport-posix') ?? '');
  if (mode === undefined && !times.atime && !times.mtime) return;
  const { fd, stat } = place.pin();
  try {
    if (!stat.isDirectory()) return;
    if (mode !== undefined) fs.chmodSync(ofFd(fd), settableMode(mode));
    setTimes(at(fd, ''), stat, times, exchange.context.options.attributes);
  } finally {
    fs.closeSync(fd);
  }
}
