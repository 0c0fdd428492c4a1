/** Requests on nodes and names; layouts are spelled out from fuse.h. */
import { FH, type Exchange } from './exchange.js';
import { ATTR_BYTES, ATTRIBUTES, ENTRY, ENTRY_BYTES } from './samples.js';
import { bytes, name, u32, u64 } from './wire.js';

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

export const NODE_EXCHANGES: readonly Exchange[] = [
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
];
