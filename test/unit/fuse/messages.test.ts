/** Every message, byte for byte: request → call of the file system → reply. Layouts are spelled out from fuse.h. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { RequestContext } from '../../../src/vfs/filesystem.js';
import { ATTR_BYTES, ATTRIBUTES, ENTRY, ENTRY_BYTES } from './support/samples.js';
import {
  bytes,
  feed,
  makeSession,
  name,
  reply,
  request,
  scriptedFileSystem,
  u32,
  u64,
  type Header,
} from './support/wire.js';

interface Exchange {
  readonly what: string;
  readonly header: Header;
  readonly body?: readonly Buffer[];
  readonly method: string;
  /** Arguments before the context. */
  readonly args: readonly unknown[];
  readonly answer?: unknown;
  /** Body of the reply. */
  readonly out?: readonly Buffer[];
}

const DATA = Buffer.from('some data');
const OPENED = { fh: 0x1_0000_0009, keepCache: false, directIo: false };
const LIST_OFFSET = 0x2_0000_0001;
const FH = 0x1_0000_0007;
const setattrBody = (valid: number): Buffer =>
  bytes(
    u32(valid),
    u32(0), // padding
    u64(FH), // fh
    u64(12345), // size
    u64(0), // lock_owner
    u64(100), // atime
    u64(-200), // mtime
    u64(300), // ctime
    u32(11), // atimensec
    u32(22), // mtimensec
    u32(33), // ctimensec
    u32(0o640), // mode
    u32(0), // unused4
    u32(1001), // uid
    u32(1002), // gid
    u32(0), // unused5
  );
const ATTR_OUT = [u64(2), u32(0), u32(0), ATTR_BYTES];
const ATTR_ANSWER = { attributes: ATTRIBUTES, attrTimeoutMs: 2000 };
const readIn = (size: number): Buffer =>
  bytes(u64(FH), u64(LIST_OFFSET), u32(size), u32(0), u64(0), u32(0), u32(0));

const EXCHANGES: readonly Exchange[] = [
  {
    what: 'LOOKUP',
    header: { opcode: 1, nodeId: 7 },
    body: [name('näme')],
    method: 'lookup',
    args: [7, 'näme'],
    answer: ENTRY,
    out: [ENTRY_BYTES],
  },
  {
    what: 'GETATTR',
    header: { opcode: 3, nodeId: 9 },
    body: [u32(0), u32(0), u64(FH)],
    method: 'getattr',
    args: [9, undefined],
    answer: ATTR_ANSWER,
    out: ATTR_OUT,
  },
  {
    what: 'GETATTR with a handle',
    header: { opcode: 3, nodeId: 9 },
    body: [u32(1), u32(0), u64(FH)],
    method: 'getattr',
    args: [9, FH],
    answer: ATTR_ANSWER,
    out: ATTR_OUT,
  },
  {
    what: 'SETATTR of everything',
    header: { opcode: 4, nodeId: 9 },
    body: [setattrBody(0b1111111)],
    method: 'setattr',
    args: [
      9,
      {
        mode: 0o640,
        uid: 1001,
        gid: 1002,
        size: 12345,
        atime: { sec: 100, nsec: 11 },
        mtime: { sec: -200, nsec: 22 },
      },
      FH,
    ],
    answer: ATTR_ANSWER,
    out: ATTR_OUT,
  },
  {
    what: 'SETATTR of times to now',
    header: { opcode: 4, nodeId: 9 },
    body: [setattrBody((1 << 4) | (1 << 5) | (1 << 7) | (1 << 8))],
    method: 'setattr',
    args: [9, { atime: 'now', mtime: 'now' }, undefined],
    answer: ATTR_ANSWER,
    out: ATTR_OUT,
  },
  {
    what: 'READLINK',
    header: { opcode: 5, nodeId: 9 },
    method: 'readlink',
    args: [9],
    answer: 'some/tärget',
    out: [Buffer.from('some/tärget')],
  },
  {
    what: 'SYMLINK',
    header: { opcode: 6, nodeId: 9 },
    body: [name('link'), name('target')],
    method: 'symlink',
    args: [9, 'link', 'target'],
    answer: ENTRY,
    out: [ENTRY_BYTES],
  },
  {
    what: 'MKNOD',
    header: { opcode: 8, nodeId: 9 },
    body: [u32(0o100644), u32(0), u32(0o22), u32(0), name('file')],
    method: 'mknod',
    args: [9, 'file', 0o100644],
    answer: ENTRY,
    out: [ENTRY_BYTES],
  },
  {
    what: 'MKDIR',
    header: { opcode: 9, nodeId: 9 },
    body: [u32(0o755), u32(0o22), name('dir')],
    method: 'mkdir',
    args: [9, 'dir', 0o755],
    answer: ENTRY,
    out: [ENTRY_BYTES],
  },
  {
    what: 'UNLINK',
    header: { opcode: 10, nodeId: 9 },
    body: [name('file')],
    method: 'unlink',
    args: [9, 'file'],
  },
  {
    what: 'RMDIR',
    header: { opcode: 11, nodeId: 9 },
    body: [name('dir')],
    method: 'rmdir',
    args: [9, 'dir'],
  },
  {
    what: 'RENAME',
    header: { opcode: 12, nodeId: 9 },
    body: [u64(0x1_0000_0003), name('old'), name('new')],
    method: 'rename',
    args: [9, 'old', 0x1_0000_0003, 'new', 0],
  },
  {
    what: 'RENAME2',
    header: { opcode: 45, nodeId: 9 },
    body: [u64(10), u32(2), u32(0), name('old'), name('new')],
    method: 'rename',
    args: [9, 'old', 10, 'new', 2],
  },
  {
    what: 'LINK',
    header: { opcode: 13, nodeId: 9 },
    body: [u64(33), name('new')],
    method: 'link',
    args: [33, 9, 'new'],
    answer: ENTRY,
    out: [ENTRY_BYTES],
  },
  {
    what: 'OPEN',
    header: { opcode: 14, nodeId: 9 },
    body: [u32(0o1002), u32(0)],
    method: 'open',
    args: [9, 0o1002],
    answer: OPENED,
    out: [u64(OPENED.fh), u32(0), u32(0)],
  },
  {
    what: 'OPEN keeping the cache, with direct I/O',
    header: { opcode: 14, nodeId: 9 },
    body: [u32(0), u32(0)],
    method: 'open',
    args: [9, 0],
    answer: { fh: 1, keepCache: true, directIo: true },
    // KEEP_CACHE 2, DIRECT_IO 1, PARALLEL_DIRECT_WRITES 64
    out: [u64(1), u32(67), u32(0)],
  },
  {
    what: 'CREATE',
    header: { opcode: 35, nodeId: 9 },
    body: [u32(0o102), u32(0o100644), u32(0o22), u32(0), name('new')],
    method: 'create',
    args: [9, 'new', 0o100644, 0o102],
    answer: { ...OPENED, entry: ENTRY },
    out: [ENTRY_BYTES, u64(OPENED.fh), u32(0), u32(0)],
  },
  {
    what: 'READ',
    header: { opcode: 15, nodeId: 9 },
    body: [readIn(4096)],
    method: 'read',
    args: [9, FH, LIST_OFFSET, 4096],
    answer: [Buffer.from('two '), Buffer.from('pieces')],
    out: [Buffer.from('two pieces')],
  },
  {
    what: 'WRITE',
    header: { opcode: 16, nodeId: 9 },
    body: [u64(FH), u64(0x1_0000_0000), u32(DATA.length), u32(0), u64(0), u32(0), u32(0), DATA],
    method: 'write',
    args: [9, FH, 0x1_0000_0000, DATA],
    answer: DATA.length,
    out: [u32(DATA.length), u32(0)],
  },
  {
    what: 'STATFS',
    header: { opcode: 17, nodeId: 9 },
    method: 'statfs',
    args: [9],
    answer: {
      blockSize: 512,
      blocks: 2 ** 40,
      blocksFree: 2 ** 39,
      blocksAvailable: 3,
      files: 4,
      filesFree: 5,
      nameMax: 255,
    },
    out: [
      u64(2 ** 40), // blocks
      u64(2 ** 39), // bfree
      u64(3), // bavail
      u64(4), // files
      u64(5), // ffree
      u32(512), // bsize
      u32(255), // namelen
      u32(512), // frsize
      u32(0), // padding
      Buffer.alloc(24), // spare
    ],
  },
  {
    what: 'RELEASE',
    header: { opcode: 18, nodeId: 9 },
    body: [u64(FH), u32(2), u32(1), u64(0)],
    method: 'release',
    args: [9, FH],
  },
  {
    what: 'FSYNC',
    header: { opcode: 20, nodeId: 9 },
    body: [u64(FH), u32(0), u32(0)],
    method: 'fsync',
    args: [9, FH, false],
  },
  {
    what: 'FSYNC of data only',
    header: { opcode: 20, nodeId: 9 },
    body: [u64(FH), u32(1), u32(0)],
    method: 'fsync',
    args: [9, FH, true],
  },
  {
    what: 'SETXATTR',
    header: { opcode: 21, nodeId: 9 },
    body: [u32(DATA.length), u32(2), name('user.x'), DATA],
    method: 'setxattr',
    args: [9, 'user.x', DATA, 2],
  },
  {
    what: 'GETXATTR',
    header: { opcode: 22, nodeId: 9 },
    body: [u32(100), u32(0), name('user.x')],
    method: 'getxattr',
    args: [9, 'user.x'],
    answer: DATA,
    out: [DATA],
  },
  {
    what: 'GETXATTR of the size',
    header: { opcode: 22, nodeId: 9 },
    body: [u32(0), u32(0), name('user.x')],
    method: 'getxattr',
    args: [9, 'user.x'],
    answer: DATA,
    out: [u32(DATA.length), u32(0)],
  },
  {
    what: 'LISTXATTR',
    header: { opcode: 23, nodeId: 9 },
    body: [u32(100), u32(0)],
    method: 'listxattr',
    args: [9],
    answer: ['user.a', 'user.ä'],
    out: [name('user.a'), name('user.ä')],
  },
  {
    what: 'REMOVEXATTR',
    header: { opcode: 24, nodeId: 9 },
    body: [name('user.x')],
    method: 'removexattr',
    args: [9, 'user.x'],
  },
  {
    what: 'FLUSH',
    header: { opcode: 25, nodeId: 9 },
    body: [u64(FH), u32(0), u32(0), u64(0)],
    method: 'flush',
    args: [9, FH],
  },
  {
    what: 'OPENDIR',
    header: { opcode: 27, nodeId: 9 },
    body: [u32(0), u32(0)],
    method: 'opendir',
    args: [9],
    answer: OPENED,
    out: [u64(OPENED.fh), u32(0), u32(0)],
  },
  {
    what: 'RELEASEDIR',
    header: { opcode: 29, nodeId: 9 },
    body: [u64(FH), u32(0), u32(0), u64(0)],
    method: 'releasedir',
    args: [9, FH],
  },
  {
    what: 'FSYNCDIR',
    header: { opcode: 30, nodeId: 9 },
    body: [u64(FH), u32(0), u32(0)],
    method: 'fsyncdir',
    args: [9, FH],
  },
  {
    what: 'ACCESS',
    header: { opcode: 34, nodeId: 9 },
    body: [u32(6), u32(0)],
    method: 'access',
    args: [9, 6],
  },
  {
    what: 'FALLOCATE',
    header: { opcode: 43, nodeId: 9 },
    body: [u64(FH), u64(10), u64(20), u32(1), u32(0)],
    method: 'fallocate',
    args: [9, FH, 1, 10, 20],
  },
  {
    what: 'LSEEK',
    header: { opcode: 46, nodeId: 9 },
    body: [u64(FH), u64(10), u32(4), u32(0)],
    method: 'lseek',
    args: [9, FH, 10, 4],
    answer: 0x1_0000_0000,
    out: [u64(0x1_0000_0000)],
  },
  {
    what: 'SYNCFS',
    header: { opcode: 50 },
    body: [u64(0)],
    method: 'syncAll',
    args: [],
  },
];

describe('messages', () => {
  for (const exchange of EXCHANGES) {
    test(exchange.what, () => {
      const { fs, calls } = scriptedFileSystem({ [exchange.method]: () => exchange.answer });
      const { session, transport } = makeSession(fs);
      const unique = 0x1_0000_0006;
      feed(session, request({ ...exchange.header, unique }, ...(exchange.body ?? [])));
      assert.equal(calls.length, 1);
      const call = calls[0]!;
      assert.equal(call.method, exchange.method);
      assert.deepEqual(call.args.slice(0, exchange.args.length), exchange.args);
      assert.deepEqual(transport.sent, [reply(unique, 0, ...(exchange.out ?? []))]);
    });
  }

  test('who asks is told to the file system', () => {
    const { fs, calls } = scriptedFileSystem({ lookup: () => ENTRY });
    const { session } = makeSession(fs);
    feed(session, request({ opcode: 1, uid: 7, gid: 8, pid: 9 }, name('a')));
    const ctx = calls[0]!.args[2] as RequestContext;
    assert.deepEqual([ctx.uid, ctx.gid, ctx.pid, ctx.signal.aborted], [7, 8, 9, false]);
  });

  test('a negative entry has node id 0', () => {
    const negative = { ...ENTRY, nodeId: 0 };
    const { session, transport } = makeSession(scriptedFileSystem({ lookup: () => negative }).fs);
    feed(session, request({ opcode: 1 }, name('a')));
    const body = transport.replies[0]!.body;
    assert.equal(body.readBigUInt64LE(0), 0n);
    assert.equal(body.readBigUInt64LE(16), 1n);
  });

  test('FORGET and BATCH_FORGET are passed on and not answered', () => {
    const { fs, calls } = scriptedFileSystem({});
    const { session, transport } = makeSession(fs);
    feed(session, request({ opcode: 2, nodeId: 5 }, u64(3)));
    feed(
      session,
      request({ opcode: 42 }, u32(2), u32(0), u64(6), u64(1), u64(0x1_0000_0001), u64(9)),
    );
    assert.deepEqual(
      calls.map(({ args }) => args),
      [
        [5, 3],
        [6, 1],
        [0x1_0000_0001, 9],
      ],
    );
    assert.equal(transport.sent.length, 0);
  });

  test('a BATCH_FORGET that says more than it holds is cut to what it holds', () => {
    const { fs, calls } = scriptedFileSystem({});
    feed(makeSession(fs).session, request({ opcode: 42 }, u32(1e9), u32(0), u64(6), u64(1)));
    assert.deepEqual(calls, [{ method: 'forget', args: [6, 1] }]);
  });

  for (const [what, opcode] of Object.entries({
    BMAP: 37,
    IOCTL: 39,
    POLL: 40,
    COPY_FILE_RANGE: 47,
    TMPFILE: 51,
    STATX: 52,
    'an opcode of the future': 4000,
  })) {
    test(`${what} is answered with ENOSYS`, () => {
      const { session, transport } = makeSession(scriptedFileSystem({}).fs);
      feed(session, request({ opcode, unique: 44 }, Buffer.alloc(64)));
      assert.deepEqual(transport.sent, [reply(44, -38)]);
    });
  }

  test('DESTROY is answered', () => {
    const { session, transport } = makeSession(scriptedFileSystem({}).fs);
    feed(session, request({ opcode: 38, unique: 44 }));
    assert.deepEqual(transport.sent, [reply(44, 0)]);
  });
});
