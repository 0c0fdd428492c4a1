import type {
  Attributes,
  AttributesAnswer,
  Entry,
  OpenAnswer,
  StatfsAnswer,
} from '../vfs/filesystem.js';
import {
  ATTR,
  ATTR_OUT,
  ENTRY_OUT,
  LK_OUT,
  OPEN_OUT,
  OUT_HEADER_BYTES,
  STATFS_OUT,
  STATFS_OUT_BYTES,
} from './protocol.js';
import { FOPEN } from './protocol-flags.js';

/** Little struct writer over one piece of memory; offsets are bytes. */
export class StructWriter {
  readonly bytes: Buffer;
  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;

  constructor(size: number) {
    const memory = new ArrayBuffer(size);
    this.bytes = Buffer.from(memory);
    this.#words = new Uint32Array(memory);
    this.#halves = new Uint16Array(memory);
  }

  u32(at: number, value: number): void {
    this.#words[at >> 2] = value;
  }

  u16(at: number, value: number): void {
    this.#halves[at >> 1] = value;
  }

  /** Two's complement for negative values (times before 1970, notifications). */
  u64(at: number, value: number): void {
    this.#words[at >> 2] = value;
    this.#words[(at >> 2) + 1] = Math.floor(value / 0x1_0000_0000);
  }

  /** 2^63 - 1, the last place in any file. */
  offsetMax(at: number): void {
    this.#words[at >> 2] = 0xffff_ffff;
    this.#words[(at >> 2) + 1] = 0x7fff_ffff;
  }

  /** A duration as the seconds at `at` and the nanoseconds at `nsecAt`. */
  duration(at: number, nsecAt: number, ms: number): void {
    const bounded = Math.min(Math.max(ms, 0), MAX_TIMEOUT_MS);
    const seconds = Math.floor(bounded / 1000);
    this.u64(at, seconds);
    this.u32(nsecAt, Math.floor((bounded - seconds * 1000) * 1e6));
  }

  attributes(at: number, attributes: Attributes): void {
    this.u64(at + ATTR.at.ino, attributes.ino);
    this.u64(at + ATTR.at.size, attributes.size);
    this.u64(at + ATTR.at.blocks, attributes.blocks);
    this.u64(at + ATTR.at.atime, attributes.atime.sec);
    this.u64(at + ATTR.at.mtime, attributes.mtime.sec);
    this.u64(at + ATTR.at.ctime, attributes.ctime.sec);
    this.u32(at + ATTR.at.atimensec, attributes.atime.nsec);
    this.u32(at + ATTR.at.mtimensec, attributes.mtime.nsec);
    this.u32(at + ATTR.at.ctimensec, attributes.ctime.nsec);
    this.u32(at + ATTR.at.mode, attributes.mode);
    this.u32(at + ATTR.at.nlink, attributes.nlink);
    this.u32(at + ATTR.at.uid, attributes.uid);
    this.u32(at + ATTR.at.gid, attributes.gid);
    this.u32(at + ATTR.at.rdev, attributes.rdev);
    this.u32(at + ATTR.at.blksize, attributes.blksize);
    this.u32(at + ATTR.at.flags, 0);
  }

  entry(at: number, entry: Entry): void {
    this.u64(at + ENTRY_OUT.at.nodeid, entry.nodeId);
    this.u64(at + ENTRY_OUT.at.generation, 0);
    this.duration(
      at + ENTRY_OUT.at.entryValid,
      at + ENTRY_OUT.at.entryValidNsec,
      entry.entryTimeoutMs,
    );
    this.duration(
      at + ENTRY_OUT.at.attrValid,
      at + ENTRY_OUT.at.attrValidNsec,
      entry.attrTimeoutMs,
    );
    this.attributes(at + ENTRY_OUT.at.attr, entry.attributes);
  }
}

/** A century: the kernel's own sum of now and timeout must not overflow. */
const MAX_TIMEOUT_MS = 100 * 365 * 86_400_000;
/** The longest reply without data: CREATE. */
const FIXED_REPLY_BYTES = OUT_HEADER_BYTES + ENTRY_OUT.bytes + OPEN_OUT.bytes;
const NO_PIECES: readonly Uint8Array[] = [];

/**
 * One reply being built: a fixed struct in reused memory, then pieces of data that are sent from where they lie. Only for one
 * synchronous turn: fill, send, forget.
 */
export class ReplyWriter {
  readonly #out = new StructWriter(FIXED_REPLY_BYTES);
  /** Views of the first n bytes, by n: a reply of a usual size allocates nothing. */
  readonly #views: Uint8Array[] = [];
  readonly #message: Uint8Array[] = [];
  #fixedBytes = 0;
  #pieces = NO_PIECES;
  #pieceBytes = 0;

  /** No data: the answer is "done". */
  empty(): void {
    this.#fixedBytes = 0;
    this.#pieces = NO_PIECES;
    this.#pieceBytes = 0;
  }

  data(pieces: readonly Uint8Array[], bytes: number): void {
    this.#fixedBytes = 0;
    this.#pieces = pieces;
    this.#pieceBytes = bytes;
  }

  /** A struct of `bytes`, zeroed but for the words given from its start. */
  words(bytes: number, first: number): void {
    this.#fixed(bytes);
    this.#out.bytes.fill(0, OUT_HEADER_BYTES, OUT_HEADER_BYTES + bytes);
    this.#out.u32(OUT_HEADER_BYTES, first);
  }

  u64(value: number): void {
    this.#fixed(8);
    this.#out.u64(OUT_HEADER_BYTES, value);
  }

  lock({ start, end, type, pid }: { start: number; end: number; type: number; pid: number }): void {
    const at = OUT_HEADER_BYTES;
    this.#fixed(LK_OUT.bytes);
    this.#out.u64(at + LK_OUT.at.start, start);
    if (Number.isFinite(end)) this.#out.u64(at + LK_OUT.at.end, end);
    else this.#out.offsetMax(at + LK_OUT.at.end);
    this.#out.u32(at + LK_OUT.at.type, type);
    this.#out.u32(at + LK_OUT.at.pid, pid);
  }

  entry(entry: Entry): void {
    this.#fixed(ENTRY_OUT.bytes);
    this.#out.entry(OUT_HEADER_BYTES, entry);
  }

  attributes(answer: AttributesAnswer): void {
    const at = OUT_HEADER_BYTES;
    this.#fixed(ATTR_OUT.bytes);
    this.#out.duration(
      at + ATTR_OUT.at.attrValid,
      at + ATTR_OUT.at.attrValidNsec,
      answer.attrTimeoutMs,
    );
    this.#out.u32(at + ATTR_OUT.at.dummy, 0);
    this.#out.attributes(at + ATTR_OUT.at.attr, answer.attributes);
  }

  opened(answer: OpenAnswer, kind: 'file' | 'directory'): void {
    this.#fixed(OPEN_OUT.bytes);
    this.#open(OUT_HEADER_BYTES, answer, kind);
  }

  created(entry: Entry, answer: OpenAnswer): void {
    this.#fixed(ENTRY_OUT.bytes + OPEN_OUT.bytes);
    this.#out.entry(OUT_HEADER_BYTES, entry);
    this.#open(OUT_HEADER_BYTES + ENTRY_OUT.bytes, answer, 'file');
  }

  statfs(answer: StatfsAnswer): void {
    const at = OUT_HEADER_BYTES;
    this.words(STATFS_OUT_BYTES, 0);
    this.#out.u64(at + STATFS_OUT.at.blocks, answer.blocks);
    this.#out.u64(at + STATFS_OUT.at.bfree, answer.blocksFree);
    this.#out.u64(at + STATFS_OUT.at.bavail, answer.blocksAvailable);
    this.#out.u64(at + STATFS_OUT.at.files, answer.files);
    this.#out.u64(at + STATFS_OUT.at.ffree, answer.filesFree);
    this.#out.u32(at + STATFS_OUT.at.bsize, answer.blockSize);
    this.#out.u32(at + STATFS_OUT.at.namelen, answer.nameMax);
    this.#out.u32(at + STATFS_OUT.at.frsize, answer.blockSize);
  }

  /** The whole message with its header; valid until the next reply is begun. `error` is 0 or a negative errno. */
  finish(error: number, uniqueLow: number, uniqueHigh: number): readonly Uint8Array[] {
    const fixed = OUT_HEADER_BYTES + this.#fixedBytes;
    this.#out.u32(0, fixed + this.#pieceBytes);
    this.#out.u32(4, error);
    this.#out.u32(8, uniqueLow);
    this.#out.u32(12, uniqueHigh);
    const message = this.#message;
    message.length = 0;
    message.push((this.#views[fixed] ??= this.#out.bytes.subarray(0, fixed)));
    for (const piece of this.#pieces) message.push(piece);
    this.#pieces = NO_PIECES;
    return message;
  }

  #fixed(bytes: number): void {
    this.#fixedBytes = bytes;
    this.#pieces = NO_PIECES;
    this.#pieceBytes = 0;
  }

  #open(at: number, answer: OpenAnswer, kind: 'file' | 'directory'): void {
    let flags = 0;
    if (answer.keepCache) flags |= FOPEN.KEEP_CACHE;
    if (answer.noFlush === true) flags |= FOPEN.NOFLUSH;
    if (kind === 'directory') {
      if (answer.cacheDir === true) flags |= FOPEN.CACHE_DIR;
    } else if (answer.directIo) {
      flags |= FOPEN.DIRECT_IO | FOPEN.PARALLEL_DIRECT_WRITES;
    }
    this.#out.u64(at + OPEN_OUT.at.fh, answer.fh);
    this.#out.u32(at + OPEN_OUT.at.openFlags, flags);
    this.#out.u32(at + OPEN_OUT.at.padding, 0);
  }
}
