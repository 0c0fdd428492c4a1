/**
 * A local file without a name, for bytes that don't fit in memory. Offsets are bytes up to 2^53; what was never written reads as zeros.
 */
import * as fs from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { FsError, type Awaitable } from './filesystem.js';

/** asm-generic/fcntl.h: __O_TMPFILE | O_DIRECTORY; O_DIRECTORY differs between machines, __O_TMPFILE doesn't. */
const O_TMPFILE = 0o20000000 | fs.constants.O_DIRECTORY;
/** What a kernel or a file system without O_TMPFILE answers (open(2)); libuv's name for EOPNOTSUPP is ENOTSUP. */
const NO_TMPFILE = new Set(['ENOTSUP', 'EOPNOTSUPP', 'EISDIR', 'ENOENT', 'EINVAL']);

/**
 * Calls of these sizes on the page cache cost less than the way to the thread pool and back (measured: write of 4 KiB 5 µs against
 * 60 µs, of 128 KiB 100 µs both; read of 4 KiB 5 against 60 µs, of 128 KiB 25 to 50 against 100 µs; the pool wins at 1 MiB), so up to
 * here they are made on the event loop …
 */
const SYNC_WRITE_BYTES = 32 * 1024;
const SYNC_READ_BYTES = 128 * 1024;
/** … unless a call was seen to wait for the disk: then everything goes to the pool for a while, so that the loop never waits for long. */
const SLOW_CALL_MS = 10;
const SLOW_PAUSE_MS = 10_000;

export class ScratchFile {
  readonly #fd: number;
  readonly #folder: string;
  #operations = 0;
  #users = 1;
  #slowUntil = 0;

  private constructor(fd: number, folder: string) {
    this.#fd = fd;
    this.#folder = folder;
  }

  static async open(folder: string): Promise<ScratchFile> {
    try {
      return new ScratchFile(await openUnlinked(folder), folder);
    } catch (error) {
      throw scratchError(error, folder);
    }
  }

  /** Exactly `length` bytes; zeros beyond the end. */
  read(position: number, length: number): Awaitable<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    if (length <= SYNC_READ_BYTES && this.#isFast()) {
      return this.#timed(() => {
        let done = 0;
        while (done < length) {
          const count = fs.readSync(this.#fd, buffer, done, length - done, position + done);
          if (count === 0) break;
          done += count;
        }
        buffer.fill(0, done);
        return buffer;
      });
    }
    return this.#run(async () => {
      let done = 0;
      while (done < length) {
        const count = await readAt(this.#fd, buffer, done, position + done);
        if (count === 0) break;
        done += count;
      }
      buffer.fill(0, done);
      return buffer;
    });
  }

  write(position: number, data: Uint8Array): Awaitable<void> {
    if (data.length <= SYNC_WRITE_BYTES && this.#isFast()) {
      this.#timed(() => {
        for (let done = 0; done < data.length;) {
          done += fs.writeSync(this.#fd, data, done, data.length - done, position + done);
        }
      });
      return undefined;
    }
    return this.writeAll(position, [data]);
  }

  writeAll(position: number, pieces: readonly Uint8Array[]): Promise<void> {
    return this.#run(async () => {
      let at = position;
      let rest = pieces;
      while (rest.length > 0) {
        const count = await writeAt(this.#fd, rest, at);
        at += count;
        rest = skipBytes(rest, count);
      }
    });
  }

  truncate(size: number): Promise<void> {
    return this.#run(
      () =>
        new Promise((done, fail) =>
          fs.ftruncate(this.#fd, size, (error) => (error ? fail(error) : done())),
        ),
    );
  }

  /** One more user; each calls `close` once. */
  retain(): void {
    this.#users += 1;
  }

  close(): void {
    this.#users -= 1;
    this.#closeIfUnused();
  }

  /** The descriptor must outlive every call that is in the thread pool: its number could be another file's by then. */
  #closeIfUnused(): void {
    if (this.#users === 0 && this.#operations === 0) {
      this.#users = -1;
      fs.close(this.#fd, () => undefined);
    }
  }

  #isFast(): boolean {
    return performance.now() >= this.#slowUntil;
  }

  #timed<T>(call: () => T): T {
    this.#assertOpen();
    const start = performance.now();
    try {
      return call();
    } catch (error) {
      throw scratchError(error, this.#folder);
    } finally {
      const end = performance.now();
      if (end - start > SLOW_CALL_MS) this.#slowUntil = end + SLOW_PAUSE_MS;
    }
  }

  async #run<T>(call: () => Promise<T>): Promise<T> {
    this.#assertOpen();
    this.#operations += 1;
    try {
      return await call();
    } catch (error) {
      throw scratchError(error, this.#folder);
    } finally {
      this.#operations -= 1;
      this.#closeIfUnused();
    }
  }

  #assertOpen(): void {
    if (this.#users <= 0) throw new FsError('EBADF', 'the local file was closed');
  }
}

async function openUnlinked(folder: string): Promise<number> {
  const attempt = async (): Promise<number> => {
    try {
      return await openFile(folder, O_TMPFILE | fs.constants.O_RDWR);
    } catch (error) {
      if (!NO_TMPFILE.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
    const { O_RDWR, O_CREAT, O_EXCL } = fs.constants;
    const path = join(folder, `.davport-${randomBytes(8).toString('hex')}.tmp`);
    const fd = await openFile(path, O_RDWR | O_CREAT | O_EXCL);
    await fs.promises.unlink(path);
    return fd;
  };
  try {
    return await attempt();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await fs.promises.mkdir(folder, { recursive: true, mode: 0o700 });
    return attempt();
  }
}

function openFile(path: string, flags: number): Promise<number> {
  return new Promise((done, fail) =>
    fs.open(path, flags, 0o600, (error, fd) => (error ? fail(error) : done(fd))),
  );
}

function readAt(fd: number, buffer: Buffer, offset: number, position: number): Promise<number> {
  return new Promise((done, fail) =>
    fs.read(fd, buffer, offset, buffer.length - offset, position, (error, count) =>
      error ? fail(error) : done(count),
    ),
  );
}

/** IOV_MAX of Linux. */
const MAX_VECTORS = 1024;

function writeAt(fd: number, pieces: readonly Uint8Array[], position: number): Promise<number> {
  const some = pieces.length > MAX_VECTORS ? pieces.slice(0, MAX_VECTORS) : pieces;
  return new Promise((done, fail) =>
    fs.writev(fd, some, position, (error, count) => (error ? fail(error) : done(count))),
  );
}

function skipBytes(pieces: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  for (let index = 0; index < pieces.length; index += 1) {
    const piece = pieces[index]!;
    if (left < piece.length) {
      return left === 0 ? pieces.slice(index) : [piece.subarray(left), ...pieces.slice(index + 1)];
    }
    left -= piece.length;
  }
  return [];
}

function scratchError(error: unknown, folder: string): FsError {
  if (error instanceof FsError) return error;
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new FsError(code, `no space left in cache_dir ${folder}`, { cause: error });
  }
  if (code === 'EFBIG')
    return new FsError(code, `too big for cache_dir ${folder}`, { cause: error });
  return new FsError('EIO', `cache_dir ${folder}: ${(error as Error).message}`, { cause: error });
}
