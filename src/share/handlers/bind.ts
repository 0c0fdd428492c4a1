import fs from 'node:fs';
import {
  bindingRefused,
  readBindingRequest,
  requireCollectionConditions,
  type BindingRequest,
} from '../binding.js';
import { parseOverwrite } from '../destination.js';
import { errnoCode } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { install } from '../install.js';
import { locksRootedIn, requireCompatible, requireUnlocked } from '../locks/enforcement.js';
import { unlinkIfThere } from '../fs-path.js';
import type { Place } from '../place.js';
import { copyStored } from '../property-store.js';
import { storedHeaders } from '../stored-answer.js';
import { formatHref } from '../target-path.js';
import { syncFile, syncFolder } from '../temp-file.js';

/** RFC 5842 section 4: a hard link, of a file or of a symbolic link itself. */
export async function handleBind(exchange: Exchange): Promise<void> {
  const { context } = exchange;
  const request = await readBindingRequest(exchange, 'bind');
  const { member, source } = request;
  const overwrite = parseOverwrite(exchange);
  const from = locateSource(exchange, source);
  try {
    const to = context.root.locate(member, false);
    try {
      const { nameLocks } = context;
      for (let busy = nameLocks.inUse(from, to); busy; busy = nameLocks.inUse(from, to)) {
        await busy;
      }
      from.refresh();
      to.refresh();
      requireCollectionConditions(exchange);
      checkSource(exchange, from);
      if (to.kind !== 'missing' && !overwrite) {
        throw bindingRefused(412, 'can-overwrite', 'there is something already');
      }
      checkLocks(exchange, request, from, to);
      const created = to.kind === 'missing';
      // A lock ends with what it was a lock of.
      const replaced = locksRootedIn(context, to, member);
      await bind(exchange, from, to, overwrite);
      for (const lock of replaced) context.locks.remove(lock);
      if (exchange.durable) await Promise.all([syncFile(to), syncFolder(to)]);
      await context.versions.settle(to);
      const headers = { Location: formatHref(member, false), ...storedHeaders(to) };
      exchange.respond(created ? 201 : 204, headers);
    } finally {
      to.close();
    }
  } finally {
    from.close();
  }
}

function locateSource(exchange: Exchange, source: readonly string[]): Place {
  try {
    return exchange.context.root.locate(source, false);
  } catch (cause) {
    const refused = noSource();
    refused.cause = cause;
    throw refused;
  }
}

function noSource(): Error {
  return bindingRefused(409, 'bind-source-exists', 'there is no such resource');
}

function checkSource({ context }: Exchange, from: Place): void {
  if (from.kind === 'missing' || context.tempNames.isActive(from.name)) throw noSource();
  if (from.kind === 'file' || from.kind === 'link') return;
  throw bindingRefused(403, 'binding-allowed', 'only a file can have several names');
}

function checkLocks(
  exchange: Exchange,
  { member, source }: BindingRequest,
  from: Place,
  to: Place,
): void {
  requireUnlocked(exchange, to, 'name', member);
  const resource = { place: from, segments: source };
  requireCompatible(exchange.context, resource, { place: to, segments: member });
}

/** In one turn of the loop up to the rename, which `install` guards. */
async function bind(
  { context }: Exchange,
  from: Place,
  to: Place,
  overwrite: boolean,
): Promise<void> {
  if (to.kind === 'missing' && link(from, to.path)) return;
  if (!overwrite) throw bindingRefused(412, 'can-overwrite', 'there is something already');
  const name = context.tempNames.take();
  const staged = to.sibling(name);
  try {
    to.refresh();
    link(from, staged);
    await install({ context, from: staged, kind: from.kind, to, overwrite });
  } finally {
    unlinkIfThere(staged);
    context.tempNames.release(name);
  }
}

/** False: the name is taken, by another program since the look at it. */
function link(from: Place, path: Place['path']): boolean {
  try {
    fs.linkSync(from.path, path);
    copyStored(from.path, path);
    return true;
  } catch (error) {
    switch (errnoCode(error)) {
      case 'EEXIST':
        return false;
      // Another file system, one without hard links, too many links, or somebody else's file.
      case 'EXDEV':
      case 'EPERM':
      case 'EOPNOTSUPP':
      case 'EMLINK':
        throw bindingRefused(403, 'binding-allowed', 'no further name for this file here');
      default:
        throw error;
    }
  }
}
