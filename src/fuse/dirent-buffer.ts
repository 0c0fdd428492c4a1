import { encodeName } from '../names.js';
import { FsError, type DirectoryEntry, type Entry } from '../vfs/filesystem.js';
import { DIRENT, ENTRY_OUT } from './protocol.js';
import { StructWriter } from './reply-writer.js';

/** More is not used of what a caller offers; the kernel offers a page up to max_pages. */
const MAX_BYTES = 256 * 1024;
/** Kept for the next listing. */
const MAX_IDLE = 8;

/**
 * The answer to one READDIR or READDIRPLUS: records of fuse_dirent or fuse_direntplus up to the size the caller has room for.
 * `add` and `addPlus` are handed to the file system; once closed they take nothing, as the memory may serve another listing.
 */
export class DirentBuffer {
  readonly #out: StructWriter;
  readonly #limit: number;
  #length = 0;
  #open = true;
  /** Set when an entry did not fit though nothing was there yet: an empty answer would say "end". */
  #tooSmall = false;
  /** READDIRPLUS: the lookup answers in it; each counted a reference on its node. */
  readonly lookups: Entry[] = [];

  constructor(memory: StructWriter, limit: number) {
    this.#out = memory;
    this.#limit = limit;
  }

  readonly add = (entry: DirectoryEntry): boolean => this.#put(entry, undefined);

  readonly addPlus = (entry: DirectoryEntry, lookup: Entry): boolean => this.#put(entry, lookup);

  /** The records. */
  bytes(): Buffer {
    if (this.#tooSmall) throw new FsError('EINVAL', 'no room for one directory entry');
    return this.#out.bytes.subarray(0, this.#length);
  }

  close(): StructWriter {
    this.#open = false;
    return this.#out;
  }

  #put(entry: DirectoryEntry, lookup: Entry | undefined): boolean {
    if (!this.#open) return false;
    const name = encodeName(entry.name);
    const start = this.#length;
    const at = start + (lookup === undefined ? 0 : ENTRY_OUT.bytes);
    const nameAt = at + DIRENT.bytes;
    const end = (nameAt + name.length + 7) & ~7;
    if (end > this.#limit) {
      this.#tooSmall = start === 0;
      return false;
    }
    const out = this.#out;
    if (lookup !== undefined) this.#putLookup(start, lookup);
    out.u64(at + DIRENT.at.ino, entry.ino);
    out.u64(at + DIRENT.at.off, entry.offset);
    out.u32(at + DIRENT.at.namelen, name.length);
    out.u32(at + DIRENT.at.type, (entry.type >> 12) & 15);
    name.copy(out.bytes, nameAt);
    out.bytes.fill(0, nameAt + name.length, end);
    this.#length = end;
    return true;
  }

  #putLookup(at: number, lookup: Entry): void {
    // nodeId 0 ("." and ".."): the kernel takes the name only.
    if (lookup.nodeId === 0) {
      this.#out.bytes.fill(0, at, at + ENTRY_OUT.bytes);
      return;
    }
    this.#out.entry(at, lookup);
    this.lookups.push(lookup);
  }
}

/** Listings are answered late and in parallel, so each has its own memory while it lasts. */
export class DirentMemory {
  readonly #idle: StructWriter[] = [];

  take(size: number): DirentBuffer {
    const limit = Math.min(size, MAX_BYTES) & ~7;
    const idle = this.#idle.pop();
    const fits = idle !== undefined && idle.bytes.length >= limit;
    return new DirentBuffer(fits ? idle : new StructWriter(limit), limit);
  }

  give(buffer: DirentBuffer): void {
    const memory = buffer.close();
    if (this.#idle.length < MAX_IDLE) this.#idle.push(memory);
  }
}
