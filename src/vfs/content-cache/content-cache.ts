/**
 * Contents on disk that outlive the mount: `-o cache_size=`. What is there is used only for the very version that the peer has now (its
 * ETag), and only where the bytes are what was written. It is a cache: whatever goes wrong in it costs a request, and nobody an answer.
 */
import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, opendir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../log.js';
import type { FileVersion } from '../content.js';
import { BlockCollector } from './block-collector.js';
import { CacheFile, type CacheKey } from './cache-file.js';
import { CachedContent } from './cached-content.js';

/** A file's own cost: an inode, its header, the rest of the last page. */
const FILE_OVERHEAD_BYTES = 8192;

interface Kept {
  bytes: number;
}

export class ContentCache {
  readonly #folder: string;
  readonly #limitBytes: number;
  readonly #identity: string;
  readonly #log: Logger;
  /** By name, least recently used first. */
  readonly #files = new Map<string, Kept>();
  readonly #finding = new Set<Promise<unknown>>();
  readonly #open = new Set<CachedContent>();
  #usedBytes = 0;
  #failed = false;
  readonly #ready: Promise<void>;

  /** `identity`: what share this is, so that two never meet in one folder. */
  constructor(folder: string, limitBytes: number, identity: string, log: Logger) {
    this.#folder = folder;
    this.#limitBytes = limitBytes;
    this.#identity = identity;
    this.#log = log;
    this.#ready = this.#scan().catch((error: unknown) => this.fail(error));
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Is something of the version on disk, as far as is known now? */
  knows(path: string, version: FileVersion): boolean {
    const key = this.#keyOf(path, version);
    return key !== undefined && this.#files.has(key.hash.toString('hex'));
  }

  /** A content that is there whole. */
  keep(path: string, version: FileVersion, bytes: Buffer): void {
    const found = this.find(path, version);
    new BlockCollector(found, version.size).add(0, bytes);
    void found.then((content) => content?.close());
  }

  /** The content of the version, or where to put it; undefined: it can't be kept. Never rejects. */
  find(path: string, version: FileVersion): Promise<CachedContent | undefined> {
    const finding = this.#find(path, version);
    this.#finding.add(finding);
    void finding.then(() => this.#finding.delete(finding));
    return finding;
  }

  async #find(path: string, version: FileVersion): Promise<CachedContent | undefined> {
    await this.#ready;
    const key = this.#keyOf(path, version);
    if (!key || this.#failed) return undefined;
    const name = key.hash.toString('hex');
    try {
      const file = await CacheFile.open(join(this.#folder, name), key);
      await file?.touch();
      if (file) this.#use(name);
      const content = new CachedContent(this, name, key, file);
      this.#open.add(content);
      return content;
    } catch (error) {
      this.fail(error);
      return undefined;
    }
  }

  /** The content has been written and closed. */
  forget(content: CachedContent): void {
    this.#open.delete(content);
  }

  /** Resolves when everything is written, also what is only being looked for. */
  async close(): Promise<void> {
    await Promise.all(this.#finding);
    await Promise.all([...this.#open].map((content) => content.close()));
  }

  /** Makes the file, unless another reader of the version has. */
  async open(name: string, key: CacheKey): Promise<CacheFile> {
    const path = join(this.#folder, name);
    const file = (await CacheFile.open(path, key)) ?? (await CacheFile.create(path, key));
    // Room was made at its cost before it was there: it must not stay, uncounted.
    if (!this.#files.has(name)) await unlink(path).catch(() => undefined);
    return file;
  }

  /** Makes room for so many more bytes of the file. False: there is none, it would be all that is kept. */
  async grow(name: string, bytes: number): Promise<boolean> {
    const kept = this.#files.get(name) ?? { bytes: 0 };
    const cost = bytes + (kept.bytes === 0 ? FILE_OVERHEAD_BYTES : 0);
    if (this.#failed || kept.bytes + cost > this.#limitBytes) return false;
    kept.bytes += cost;
    this.#usedBytes += cost;
    this.#files.delete(name);
    this.#files.set(name, kept);
    await this.#makeRoom();
    return true;
  }

  /** The disk is full or broken: nothing is kept from now on. */
  fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#log.warn('contents are no longer kept on disk; check cache_dir', {
      folder: this.#folder,
      error: String(error),
    });
  }

  /** A weak tag, or none, doesn't say that the bytes are the same. */
  #keyOf(path: string, { etag, size }: FileVersion): CacheKey | undefined {
    if (etag?.startsWith('"') !== true || size === 0 || size > this.#limitBytes) return undefined;
    const hash = createHash('sha256');
    hash.update(JSON.stringify([this.#identity, path, size, etag]));
    return { hash: hash.digest(), size };
  }

  #use(name: string): void {
    const kept = this.#files.get(name);
    if (!kept) return;
    this.#files.delete(name);
    this.#files.set(name, kept);
  }

  async #makeRoom(): Promise<void> {
    for (const [name, { bytes }] of this.#files) {
      if (this.#usedBytes <= this.#limitBytes) return;
      this.#files.delete(name);
      this.#usedBytes -= bytes;
      await unlink(join(this.#folder, name)).catch(() => undefined);
    }
  }

  /** Where others could put files, they could put words into the peer's mouth. */
  async #takeFolder(): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const found = await lstat(this.#folder);
    if (!found.isDirectory() || found.uid !== process.getuid?.()) {
      throw new Error('the folder belongs to somebody else');
    }
    await chmod(this.#folder, 0o700);
  }

  /** What former mounts left. */
  async #scan(): Promise<void> {
    await this.#takeFolder();
    const found: { name: string; bytes: number; usedAt: number }[] = [];
    for await (const { name } of await opendir(this.#folder)) {
      if (!/^[0-9a-f]{64}$/.test(name)) continue;
      const status = await stat(join(this.#folder, name)).catch(() => undefined);
      if (status) found.push({ name, bytes: status.blocks * 512, usedAt: status.mtimeMs });
    }
    found.sort((a, b) => a.usedAt - b.usedAt);
    for (const { name, bytes } of found) {
      this.#files.set(name, { bytes });
      this.#usedBytes += bytes;
    }
    await this.#makeRoom();
  }
}
