/**
 * The file system that does nothing, with the names, sizes and folders that the workloads expect (files.ts): what a mount costs when the
 * file system itself costs nothing. Files are zeros, and what is written is gone.
 */
import type {
  Attributes,
  AttributesAnswer,
  DirectoryEntry,
  Entry,
  FsError,
  OpenAnswer,
} from '../../src/vfs/filesystem.js';
import { NullFileSystem } from '../support/null-file-system.js';
import { BIG_BYTES, CACHED_BYTES } from './files.js';

const DIRECTORY = 0o40000;
const FILE = 0o100000;
const TIME = { sec: 1_700_000_000, nsec: 0 };
const MAY_KEEP: OpenAnswer = { fh: 1, keepCache: true, directIo: false };

interface Folder {
  readonly ino: number;
  readonly entries: readonly DirectoryEntry[];
  readonly byName: ReadonlyMap<string, DirectoryEntry>;
}

const numbered = (count: number, name: (index: number) => string): string[] =>
  Array.from({ length: count }, (_, index) => name(index));
const five = (index: number): string => `f${String(index).padStart(5, '0')}`;
const two = (index: number): string => String(index).padStart(2, '0');

export class BenchFileSystem extends NullFileSystem {
  readonly #keepMs: number;
  readonly #Error: typeof FsError;
  readonly #folders = new Map<number, Folder>();
  readonly #sizes = new Map<number, number>();
  #lastIno = 1;

  /** `error`: of the build that serves it; the session knows no other. */
  constructor(keepMs: number, error: typeof FsError) {
    super(keepMs);
    this.#keepMs = keepMs;
    this.#Error = error;
    const files = (count: number, bytes: number, name: (index: number) => string): number =>
      this.#folder(numbered(count, name).map((each) => [each, this.#file(bytes)]));
    const tree = numbered(100, (at) => `d${two(at)}`).map((name): [string, number] => [
      name,
      files(100, 216, (at) => `f${two(at)}.txt`),
    ]);
    this.#folder(
      [
        ['big', this.#file(BIG_BYTES)],
        ['cached', this.#file(CACHED_BYTES)],
        ['parallel', files(4, BIG_BYTES / 4, (at) => `p${at}`)],
        ['small', files(1000, 4096, five)],
        ['flat', files(10_000, 16, five)],
        ['tree', this.#folder(tree)],
        // Every name is there already.
        ['written', this.#folder([['out', this.#file(0)], ...this.#empty(1000)])],
      ],
      1,
    );
  }

  #empty(count: number): [string, number][] {
    return numbered(count, five).map((name) => [name, this.#file(0)]);
  }

  #file(bytes: number): number {
    this.#sizes.set(++this.#lastIno, bytes);
    return this.#lastIno;
  }

  #folder(members: readonly (readonly [string, number])[], ino = ++this.#lastIno): number {
    const entries = members.map(([name, member], at): DirectoryEntry => {
      const type = this.#folders.has(member) ? DIRECTORY : FILE;
      return { name, offset: at + 1, type, ino: member };
    });
    this.#folders.set(ino, {
      ino,
      entries,
      byName: new Map(entries.map((entry) => [entry.name, entry])),
    });
    return ino;
  }

  override lookup(parent: number, name: string): Entry {
    const found = this.#folders.get(parent)?.byName.get(name);
    if (found === undefined) throw new this.#Error('ENOENT');
    return this.#entry(found.ino);
  }

  #entry(nodeId: number): Entry {
    const attributes = this.#attributes(nodeId);
    return { nodeId, attributes, attrTimeoutMs: this.#keepMs, entryTimeoutMs: this.#keepMs };
  }

  #attributes(ino: number): Attributes {
    const isFolder = this.#folders.has(ino);
    const size = this.#sizes.get(ino) ?? 4096;
    return {
      ino,
      size,
      mode: isFolder ? DIRECTORY | 0o755 : FILE | 0o644,
      nlink: 1,
      uid: 0,
      gid: 0,
      rdev: 0,
      blksize: 4096,
      blocks: Math.ceil(size / 512),
      atime: TIME,
      mtime: TIME,
      ctime: TIME,
    };
  }

  override getattr(nodeId: number): AttributesAnswer {
    return { attributes: this.#attributes(nodeId), attrTimeoutMs: this.#keepMs };
  }

  override open(): OpenAnswer {
    return MAY_KEEP;
  }

  override opendir(): OpenAnswer {
    return MAY_KEEP;
  }

  override readdir(
    nodeId: number,
    _fh: number,
    offset: number,
    add: (entry: DirectoryEntry) => boolean,
  ): void {
    const { entries } = this.#folders.get(nodeId)!;
    for (let at = offset; at < entries.length; at++) if (!add(entries[at]!)) return;
  }

  override readdirplus(
    nodeId: number,
    fh: number,
    offset: number,
    add: (entry: DirectoryEntry, lookup: Entry) => boolean,
  ): void {
    this.readdir(nodeId, fh, offset, (entry) => add(entry, this.#entry(entry.ino)));
  }

  override getxattr(): Uint8Array {
    throw new this.#Error('EOPNOTSUPP');
  }
}
