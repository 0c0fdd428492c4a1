import type { FileState } from './file-state.js';

/** Of one file in the table that `readMembers` and other calls of the addon fill; the order is that of its C source. */
const FIELDS = [
  'nameEnd',
  'mode',
  'nlink',
  'size',
  'ino',
  'dev',
  'atimeNs',
  'mtimeNs',
  'ctimeNs',
  'birthtimeNs',
  'attributes',
  'uid',
  'gid',
] as const;

export const MEMBER_FIELDS = FIELDS.length;

const fieldOf = Object.fromEntries(FIELDS.map((name, at) => [name, at])) as Record<
  (typeof FIELDS)[number],
  number
>;
const { nameEnd, mode, nlink, size, ino, dev, uid, gid } = fieldOf;
const { atimeNs, mtimeNs, ctimeNs, birthtimeNs, attributes } = fieldOf;

const S_IFMT = 0o170000;
const [S_IFSOCK, S_IFLNK, S_IFREG, S_IFBLK, S_IFDIR, S_IFIFO] = [
  0o140000, 0o120000, 0o100000, 0o060000, 0o040000, 0o010000,
];

/** A row of that table, read where it lies: most of it is never asked for. */
export class MemberState implements FileState {
  readonly #table: BigInt64Array;
  readonly #base: number;
  readonly #mode: number;

  constructor(table: BigInt64Array, row: number) {
    this.#table = table;
    this.#base = row * FIELDS.length;
    this.#mode = Number(table[this.#base + mode]);
  }

  /** Where the bytes of its name end. */
  static nameEnd(table: BigInt64Array, row: number): number {
    return Number(table[row * FIELDS.length + nameEnd]);
  }

  /** There was nothing to have a state. */
  get isMissing(): boolean {
    return this.#mode === 0;
  }

  /** The state could not be had. */
  get isUnknown(): boolean {
    return this.#mode < 0;
  }

  /** False: the file has no extended attributes for sure. */
  get mayHaveAttributes(): boolean {
    return this.#field(attributes) !== 0n;
  }

  get mode(): bigint {
    return BigInt(this.#mode);
  }

  get nlink(): bigint {
    return this.#field(nlink);
  }

  get size(): bigint {
    return this.#field(size);
  }

  get ino(): bigint {
    return BigInt.asUintN(64, this.#field(ino));
  }

  get dev(): bigint {
    return BigInt.asUintN(64, this.#field(dev));
  }

  get uid(): bigint {
    return this.#field(uid);
  }

  get gid(): bigint {
    return this.#field(gid);
  }

  get atimeNs(): bigint {
    return this.#field(atimeNs);
  }

  get mtimeNs(): bigint {
    return this.#field(mtimeNs);
  }

  get ctimeNs(): bigint {
    return this.#field(ctimeNs);
  }

  get birthtimeNs(): bigint {
    return this.#field(birthtimeNs);
  }

  isFile(): boolean {
    return (this.#mode & S_IFMT) === S_IFREG;
  }

  isDirectory(): boolean {
    return (this.#mode & S_IFMT) === S_IFDIR;
  }

  isSymbolicLink(): boolean {
    return (this.#mode & S_IFMT) === S_IFLNK;
  }

  isFIFO(): boolean {
    return (this.#mode & S_IFMT) === S_IFIFO;
  }

  isSocket(): boolean {
    return (this.#mode & S_IFMT) === S_IFSOCK;
  }

  isBlockDevice(): boolean {
    return (this.#mode & S_IFMT) === S_IFBLK;
  }

  #field(at: number): bigint {
    return this.#table[this.#base + at]!;
  }
}

/** False: the file has no extended attributes for sure. */
export function mayHaveAttributes(stat: FileState): boolean {
  return !(stat instanceof MemberState) || stat.mayHaveAttributes;
}
