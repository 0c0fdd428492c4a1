import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { DirectoryEntry, Entry } from '../../../src/vfs/filesystem.js';
import { ENTRY, ENTRY_BYTES } from './support/samples.js';
import {
  bytes,
  feed,
  makeSession,
  reply,
  request,
  scriptedFileSystem,
  settled,
  u32,
  u64,
} from './support/wire.js';

const FH = 5;
const readIn = (offset: number, size: number): Buffer =>
  bytes(u64(FH), u64(offset), u32(size), u32(0), u64(0), u32(0), u32(0));

/** fuse_dirent */
const dirent = (ino: number, off: number, type: number, text: string): Buffer => {
  const raw = Buffer.from(text);
  return bytes(
    u64(ino),
    u64(off),
    u32(raw.length),
    u32(type),
    raw,
    Buffer.alloc((8 - (raw.length % 8)) % 8),
  );
};

const file = (name: string, offset: number): DirectoryEntry => {
  return { name, offset, type: 0o100000, ino: 100 + offset };
};

type Add = (entry: DirectoryEntry) => boolean;
type AddPlus = (entry: DirectoryEntry, lookup: Entry) => boolean;

describe('listings', () => {
  test('READDIR packs entries and stops at the size asked for', () => {
    const taken: boolean[] = [];
    const { fs, calls } = scriptedFileSystem({
      readdir: (_node: number, _fh: number, _offset: number, add: Add) => {
        for (const entry of [file('a', 1), file('eight888', 2), file('c', 3)]) {
          taken.push(add(entry));
        }
      },
    });
    const { session, transport } = makeSession(fs);
    // 32 bytes for "a", 32 for "eight888", and "c" finds 31 left.
    feed(session, request({ opcode: 28, nodeId: 9 }, readIn(0x1_0000_0000, 95)));
    assert.deepEqual(taken, [true, true, false]);
    assert.deepEqual(calls[0]!.args.slice(0, 3), [9, FH, 0x1_0000_0000]);
    assert.deepEqual(transport.sent, [
      reply(2, 0, dirent(101, 1, 8, 'a'), dirent(102, 2, 8, 'eight888')),
    ]);
  });

  test('READDIRPLUS carries the lookup answers; "." has none', () => {
    const { fs } = scriptedFileSystem({
      readdirplus: (_node: number, _fh: number, _offset: number, add: AddPlus) => {
        add({ name: '.', offset: 1, type: 0o040000, ino: 1 }, { ...ENTRY, nodeId: 0 });
        add(file('näme', 2), ENTRY);
      },
    });
    const { session, transport } = makeSession(fs);
    feed(session, request({ opcode: 44 }, readIn(0, 4096)));
    assert.deepEqual(transport.sent, [
      reply(
        2,
        0,
        bytes(Buffer.alloc(128), dirent(1, 1, 4, '.')),
        bytes(ENTRY_BYTES, dirent(102, 2, 8, 'näme')),
      ),
    ]);
  });

  test('an empty listing says end', () => {
    const { session, transport } = makeSession(scriptedFileSystem({}).fs);
    feed(session, request({ opcode: 28 }, readIn(0, 4096)));
    assert.deepEqual(transport.sent, [reply(2, 0)]);
  });

  test('no room for a single entry is an error, not the end', () => {
    const { fs } = scriptedFileSystem({
      readdir: (_node: number, _fh: number, _offset: number, add: Add) => add(file('long', 1)),
    });
    const { session, transport } = makeSession(fs);
    feed(session, request({ opcode: 28 }, readIn(0, 16)));
    assert.deepEqual(transport.sent, [reply(2, -22)]);
  });

  test('listings under way at once do not mix', async () => {
    const adds: Add[] = [];
    const ends: (() => void)[] = [];
    const { fs } = scriptedFileSystem({
      readdir: (_node: number, _fh: number, _offset: number, add: Add) => {
        adds.push(add);
        return new Promise<void>((resolve) => ends.push(resolve));
      },
    });
    const { session, transport } = makeSession(fs);
    feed(session, request({ opcode: 28, unique: 2 }, readIn(0, 4096)));
    feed(session, request({ opcode: 28, unique: 4 }, readIn(0, 4096)));
    adds[1]!(file('second', 1));
    adds[0]!(file('first', 1));
    ends[0]!();
    await settled();
    // The memory of the first is free for others now; its late entries must go nowhere.
    assert.equal(adds[0]!(file('late', 2)), false);
    adds[1]!(file('more', 2));
    ends[1]!();
    await settled();
    assert.deepEqual(transport.sent, [
      reply(2, 0, dirent(101, 1, 8, 'first')),
      reply(4, 0, dirent(101, 1, 8, 'second'), dirent(102, 2, 8, 'more')),
    ]);
  });

  test('references of a listing that fails, or that nobody takes, are given back', async () => {
    for (const outcome of ['fails', 'undelivered'] as const) {
      const { fs, calls } = scriptedFileSystem({
        readdirplus: (_node: number, _fh: number, _offset: number, add: AddPlus) => {
          add(file('a', 1), ENTRY);
          add(file('b', 2), { ...ENTRY, nodeId: 77 });
          return outcome === 'fails' ? Promise.reject(new Error('late')) : Promise.resolve();
        },
      });
      const { session, transport } = makeSession(fs);
      if (outcome === 'undelivered') transport.failures.push('ENOENT');
      feed(session, request({ opcode: 44 }, readIn(0, 4096)));
      await settled();
      assert.deepEqual(
        calls.filter(({ method }) => method === 'forget').map(({ args }) => args),
        [
          [ENTRY.nodeId, 1],
          [77, 1],
        ],
      );
    }
  });
});
