/**
 * One version of one file on disk, or the parts of it that were read:
 *
 *     0       magic, block size, file size, SHA-256 of the key
 *     4096    for each block 8 bytes: CRC-32 and PRESENT, or zeros
 *     …       the blocks, each at its place: a sparse file
 *
 * The word of a block is written after its bytes and says what they must be, so that nothing that was torn by a crash is believed.
 * Nothing is synchronised: what is lost is fetched again. Several processes may use one file; they write the same.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { constants } from 'node:fs';
import { crc32 } from 'node:zlib';

export const BLOCK_BYTES = 64 * 1024;
const MAGIC = Buffer.from('davport\x01', 'latin1');
const TABLE_OFFSET = 4096;
const WORD_BYTES = 8;
const PRESENT = 0x5eed;
/** The most that one read gives. */
const MAX_READ_BLOCKS = 16;

export interface CacheKey {
  readonly hash: Buffer;
  readonly size: number;
}

export class CacheFile {
  readonly #file: FileHandle;
  readonly #key: CacheKey;
  readonly #dataOffset: number;
  /** As on disk. */
  readonly #table: Buffer;

  private constructor(file: FileHandle, key: CacheKey, table: Buffer) {
    this.#file = file;
    this.#key = key;
    this.#table = table;
    this.#dataOffset = dataOffsetOf(key.size);
  }

  /** Undefined: there is none, or it is not of this key. */
  static async open(path: string, key: CacheKey): Promise<CacheFile | undefined> {
    const file = await openIfThere(path);
    if (!file) return undefined;
    try {
      const expected = headerOf(key);
      const head = await readFully(file, 0, expected.length);
      const table = head.equals(expected)
        ? await readFully(file, TABLE_OFFSET, tableBytesOf(key.size))
        : undefined;
      if (table) return new CacheFile(file, key, table);
    } catch (error) {
      await file.close();
      throw error;
    }
    await file.close();
    return undefined;
  }

  static async create(path: string, key: CacheKey): Promise<CacheFile> {
    const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
    const file = await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
    try {
      await file.truncate(0);
      await file.truncate(dataOffsetOf(key.size) + key.size);
      await file.write(headerOf(key), 0, undefined, 0);
      return new CacheFile(file, key, Buffer.alloc(tableBytesOf(key.size)));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  has(block: number): boolean {
    return this.#table.readUInt32LE(block * WORD_BYTES + 4) === PRESENT;
  }

  /** The bytes from `offset` on, up to `end` at most, as far as they are there and whole. */
  async read(offset: number, end: number): Promise<Buffer | undefined> {
    const first = Math.floor(offset / BLOCK_BYTES);
    let last = first;
    const limit = Math.min(first + MAX_READ_BLOCKS, Math.ceil(end / BLOCK_BYTES));
    while (last < limit && this.has(last)) last += 1;
    if (last === first) return undefined;
    const start = first * BLOCK_BYTES;
    const upTo = Math.min(last * BLOCK_BYTES, this.#key.size);
    const bytes = await readFully(this.#file, this.#dataOffset + start, upTo - start);
    const good = start + this.#wholeBytes(first, bytes);
    return good > offset ? bytes.subarray(offset - start, Math.min(good, end) - start) : undefined;
  }

  /** Of `bytes`, which begin with the block `first`: how many are of blocks that are what was written. */
  #wholeBytes(first: number, bytes: Buffer): number {
    let at = 0;
    for (let block = first; at < bytes.length; block += 1) {
      const piece = bytes.subarray(at, at + BLOCK_BYTES);
      if (crc32(piece) !== this.#table.readUInt32LE(block * WORD_BYTES)) {
        this.#table.fill(0, block * WORD_BYTES, (block + 1) * WORD_BYTES);
        break;
      }
      at += piece.length;
    }
    return at;
  }

  /** `bytes`: the whole block; the last one of the file may be shorter. */
  async write(block: number, bytes: Buffer): Promise<void> {
    await this.#file.write(bytes, 0, undefined, this.#dataOffset + block * BLOCK_BYTES);
    const word = Buffer.alloc(WORD_BYTES);
    word.writeUInt32LE(crc32(bytes), 0);
    word.writeUInt32LE(PRESENT, 4);
    await this.#file.write(word, 0, undefined, TABLE_OFFSET + block * WORD_BYTES);
    word.copy(this.#table, block * WORD_BYTES);
  }

  /** What is used last goes last, also after a restart. */
  async touch(): Promise<void> {
    const now = new Date();
    await this.#file.utimes(now, now);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function headerOf({ hash, size }: CacheKey): Buffer {
  const numbers = Buffer.alloc(16);
  numbers.writeBigUInt64LE(BigInt(BLOCK_BYTES), 0);
  numbers.writeBigUInt64LE(BigInt(size), 8);
  return Buffer.concat([MAGIC, numbers, hash]);
}

function tableBytesOf(size: number): number {
  return Math.ceil(size / BLOCK_BYTES) * WORD_BYTES;
}

function dataOffsetOf(size: number): number {
  return Math.ceil((TABLE_OFFSET + tableBytesOf(size)) / 4096) * 4096;
}

/** Zeros beyond the end. */
async function readFully(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return buffer;
}
