/** Requests on open files, extended attributes and the whole; layouts are spelled out from fuse.h. */
import { FH, type Exchange } from './exchange.js';
import { ENTRY, ENTRY_BYTES } from './samples.js';
import { bytes, name, u32, u64 } from './wire.js';

const DATA = Buffer.from('some data');
const OPENED = { fh: 0x1_0000_0009, keepCache: false, directIo: false };
const LIST_OFFSET = 0x2_0000_0001;
const readIn = (size: number): Buffer =>
  bytes(u64(FH), u64(LIST_OFFSET), u32(size), u32(0), u64(0), u32(0), u32(0));

export const HANDLE_EXCHANGES: readonly Exchange[] = [
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
    what: 'COPY_FILE_RANGE',
    header: { opcode: 47, nodeId: 9 },
    body: [u64(FH), u64(10), u64(11), u64(7), u64(20), u64(30), u64(0)],
    method: 'copyFileRange',
    args: [
      { nodeId: 9, fh: FH, offset: 10, length: 30 },
      { nodeId: 11, fh: 7, offset: 20 },
    ],
    answer: 30,
    out: [u32(30), u32(0)],
  },
  {
    what: 'COPY_FILE_RANGE_64',
    header: { opcode: 53, nodeId: 9 },
    body: [u64(FH), u64(0), u64(11), u64(7), u64(0), u64(0x1_0000_0000), u64(0)],
    method: 'copyFileRange',
    args: [
      { nodeId: 9, fh: FH, offset: 0, length: 0x1_0000_0000 },
      { nodeId: 11, fh: 7, offset: 0 },
    ],
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
