/** Received bytes of our own share over a socket: their memory is used again, and never while somebody looks at it. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createMuxHttpClient } from '../../../../src/http/mux-client.js';
import { silentLogger } from '../../../../src/log.js';
import { createAcceptorMux, createOpenerMux } from '../../../../src/mux/mux.js';
import { createShare } from '../../../../src/share/share.js';
import type { ContentReader, DataOptions } from '../../../../src/vfs/content.js';
import { openContent, release } from '../../../../src/vfs/reader/index.js';
import { createWebDavClient } from '../../../../src/webdav/client.js';
import { channelOf } from '../../../support/channels.js';
import { makeTempDir } from '../../../support/temp-dir.js';
import { KiB, MiB, never, pattern, seededRandom } from './helpers.js';

const SIZE = 48 * MiB;
const content = pattern(5);

async function openShared(t: TestContext): Promise<ContentReader> {
  const root = makeTempDir('davport-received-');
  fs.writeFileSync(path.join(root, 'f'), content(0, SIZE));
  const share = await createShare({ root, log: silentLogger });
  const socket = path.join(makeTempDir('davport-received-'), 's');
  const host = createAcceptorMux(channelOf(`unix-listen:${socket}`), {
    onStream: (stream) => share.attach(stream),
  });
  const guest = createOpenerMux(channelOf(`unix:${socket}`));
  const client = createWebDavClient(createMuxHttpClient(guest), { log: silentLogger });
  t.after(async () => {
    await client.close();
    await guest.close();
    await host.close();
    await share.close();
  });
  const options: DataOptions = {
    client,
    log: silentLogger,
    cacheDir: makeTempDir('davport-received-'),
    readAheadBytes: 16 * MiB,
  };
  const known = await client.stat('/f', { signal: never });
  const profile = await client.profile();
  const { reader } = await openContent(() => '/f', known, profile, options, never);
  t.after(() => reader.close());
  return reader;
}

/** Reads, lets others go on for a while, and looks at the bytes then. Gives the memory they were in. */
async function readAndUse(
  reader: ContentReader,
  offset: number,
  length: number,
  turns: number,
): Promise<ArrayBufferLike[]> {
  const pieces = await reader.read(offset, length, { signal: never });
  for (let at = 0; at < turns; at++) await turn();
  const got = Buffer.concat(pieces);
  assert.ok(got.equals(content(offset, Math.min(length, SIZE - offset))), `at ${offset}`);
  release(pieces);
  return pieces.map(({ buffer }) => buffer);
}

test('a file is read through far less memory than it has bytes', async (t) => {
  const reader = await openShared(t);
  const memory = new Set<ArrayBufferLike>();
  for (let at = 0; at < SIZE; at += 128 * KiB) {
    for (const block of await readAndUse(reader, at, 128 * KiB, 0)) memory.add(block);
  }
  const bytes = [...memory].reduce((sum, block) => sum + block.byteLength, 0);
  assert.ok(bytes < SIZE / 2, `${bytes} bytes of memory`);
});

test('random reads are kept in memory of their own, which is used again as well', async (t) => {
  const random = seededRandom(t);
  const reader = await openShared(t);
  const memory = new Set<ArrayBufferLike>();
  const reads = 3000;
  for (let at = 0; at < reads; at++) {
    const offset = random(SIZE / (4 * KiB)) * 4 * KiB;
    for (const block of await readAndUse(reader, offset, 4 * KiB, 0)) memory.add(block);
  }
  const bytes = [...memory].reduce((sum, block) => sum + block.byteLength, 0);
  assert.ok(bytes < 64 * MiB, `${bytes} bytes of memory`);
});

test('what readers still use is not written over, however their reads overlap', async (t) => {
  const random = seededRandom(t);
  const reader = await openShared(t);
  const sequential = async (start: number, end: number): Promise<void> => {
    for (let at = start; at < end; at += 128 * KiB) {
      await readAndUse(reader, at, 128 * KiB, random(4));
    }
  };
  const jumping = async (): Promise<void> => {
    for (let reads = 0; reads < 60; reads++) {
      await readAndUse(reader, random(SIZE - MiB), 1 + random(MiB), random(30));
    }
  };
  await Promise.all([
    sequential(0, SIZE),
    sequential(0, SIZE / 2),
    sequential(SIZE / 2, SIZE),
    jumping(),
    jumping(),
  ]);
});
