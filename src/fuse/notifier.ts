import type { Logger } from '../log.js';
import { encodeName } from '../names.js';
import type { Invalidator } from '../vfs/filesystem.js';
import {
  NOTIFY_CODES,
  NOTIFY_INVAL_ENTRY_OUT,
  NOTIFY_INVAL_INODE_OUT,
  NOTIFY_PRUNE_OUT,
  NOTIFY_STORE_OUT,
  OUT_HEADER_BYTES,
} from './protocol.js';
import { StructWriter } from './reply-writer.js';

interface Waiting {
  readonly message: Uint8Array;
  readonly done: Promise<void>;
  readonly resolve: () => void;
}

export interface NotificationSink {
  /** At once, from the event loop. */
  send(message: readonly Uint8Array[]): void;
  sendBlocking(message: Uint8Array): Promise<void>;
}

/**
 * Tells the kernel to drop what it caches. The kernel may let such a write wait: for a page that a READ under way has locked, or, when
 * a name is dropped, for the folder of a LOOKUP or CREATE under way. So it is written on a thread. Attributes and pages don't wait
 * behind names: the very open that has its folder locked may have to tell of them before it is answered.
 */
export class Notifier implements Invalidator {
  readonly #sink: NotificationSink;
  readonly #inodes: NotificationQueue;
  readonly #entries: NotificationQueue;
  readonly #prunes: NotificationQueue;
  /** Set when it is known that the kernel understands it. */
  prune: ((nodeIds: readonly number[]) => Promise<void>) | undefined;

  constructor(sink: NotificationSink, log: Logger) {
    this.#sink = sink;
    this.#inodes = new NotificationQueue(sink, log);
    this.#entries = new NotificationQueue(sink, log);
    this.#prunes = new NotificationQueue(sink, log);
  }

  inode(nodeId: number, offset: number, length: number): Promise<void> {
    return this.#inodes.add(`inode ${nodeId} ${offset} ${length}`, () =>
      encodeInvalInode(nodeId, offset, length),
    );
  }

  entry(parent: number, name: string): Promise<void> {
    return this.#entries.add(`entry ${parent} ${name}`, () => encodeInvalEntry(parent, name));
  }

  allowPrune(): void {
    this.prune = (nodeIds) => this.#prunes.add(`prune ${nodeIds[0]}`, () => encodePrune(nodeIds));
  }

  /** Not from a thread: where no READ is under way no page of the file is locked for long. */
  store(nodeId: number, content: readonly Uint8Array[]): boolean {
    try {
      this.#sink.send([encodeStore(nodeId, content), ...content]);
      return true;
    } catch {
      // The kernel doesn't take it, or not now: it asks for what it needs.
      return false;
    }
  }

  /** Nothing is written any more; what waits resolves. */
  close(): void {
    this.#inodes.close();
    this.#entries.close();
    this.#prunes.close();
  }

  /** Resolves when no write is under way: only then may the descriptor be closed. */
  async idle(): Promise<void> {
    await Promise.all([this.#inodes, this.#entries, this.#prunes].map((queue) => queue.idle()));
  }
}

/** Written one at a time: the thread pool has four threads, and files are read on it too. */
class NotificationQueue {
  readonly #sink: NotificationSink;
  readonly #log: Logger;
  /** Not written yet; a second notification of the same thing joins the first. Keys in order of arrival. */
  readonly #waiting = new Map<string, Waiting>();
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(sink: NotificationSink, log: Logger) {
    this.#sink = sink;
    this.#log = log;
  }

  close(): void {
    this.#closed = true;
    for (const waiting of this.#waiting.values()) waiting.resolve();
    this.#waiting.clear();
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  add(key: string, encode: () => Uint8Array): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const known = this.#waiting.get(key);
    if (known !== undefined) return known.done;
    let resolve!: () => void;
    const done = new Promise<void>((settle) => {
      resolve = settle;
    });
    this.#waiting.set(key, { message: encode(), done, resolve });
    this.#running ??= this.#run();
    return done;
  }

  async #run(): Promise<void> {
    for (;;) {
      const next = this.#waiting.entries().next();
      if (next.done) break;
      const [key, waiting] = next.value;
      this.#waiting.delete(key);
      await this.#write(key, waiting);
    }
    this.#running = undefined;
  }

  async #write(key: string, waiting: Waiting): Promise<void> {
    try {
      await this.#sink.sendBlocking(waiting.message);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      // ENOENT: the kernel has nothing of it. ENOTDIR, ENODEV, ECONNABORTED: it, or the mount, is gone.
      const expected = ['ENOENT', 'ENOTDIR', 'ENODEV', 'ECONNABORTED'].includes(code);
      if (!expected) this.#log.error('FUSE notification refused', { what: key, code });
    }
    waiting.resolve();
  }
}

/** fuse_out_header { len, error: code, unique: 0 }, fuse_notify_inval_inode_out */
function encodeInvalInode(nodeId: number, offset: number, length: number): Uint8Array {
  const out = beginNotification(NOTIFY_CODES.INVAL_INODE, NOTIFY_INVAL_INODE_OUT.bytes);
  const { at } = NOTIFY_INVAL_INODE_OUT;
  out.u64(OUT_HEADER_BYTES + at.ino, nodeId);
  out.u64(OUT_HEADER_BYTES + at.off, offset);
  out.u64(OUT_HEADER_BYTES + at.len, length);
  return out.bytes;
}

/** fuse_out_header, fuse_notify_inval_entry_out, name, NUL */
function encodeInvalEntry(parent: number, name: string): Uint8Array {
  const bytes = encodeName(name);
  const total = NOTIFY_INVAL_ENTRY_OUT.bytes + bytes.length + 1;
  const out = beginNotification(NOTIFY_CODES.INVAL_ENTRY, total);
  const { at } = NOTIFY_INVAL_ENTRY_OUT;
  out.u64(OUT_HEADER_BYTES + at.parent, parent);
  out.u32(OUT_HEADER_BYTES + at.namelen, bytes.length);
  bytes.copy(out.bytes, OUT_HEADER_BYTES + NOTIFY_INVAL_ENTRY_OUT.bytes);
  return out.bytes.subarray(0, OUT_HEADER_BYTES + total);
}

/** fuse_out_header, fuse_notify_store_out; the bytes follow. */
function encodeStore(nodeId: number, content: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const { length } of content) size += length;
  const out = beginNotification(NOTIFY_CODES.STORE, NOTIFY_STORE_OUT.bytes);
  const { at } = NOTIFY_STORE_OUT;
  out.u32(0, OUT_HEADER_BYTES + NOTIFY_STORE_OUT.bytes + size);
  out.u64(OUT_HEADER_BYTES + at.nodeid, nodeId);
  out.u64(OUT_HEADER_BYTES + at.offset, 0);
  out.u32(OUT_HEADER_BYTES + at.size, size);
  return out.bytes;
}

/** fuse_out_header, fuse_notify_prune_out, node ids */
function encodePrune(nodeIds: readonly number[]): Uint8Array {
  const body = NOTIFY_PRUNE_OUT.bytes;
  const out = beginNotification(NOTIFY_CODES.PRUNE, body + 8 * nodeIds.length);
  out.u32(OUT_HEADER_BYTES + NOTIFY_PRUNE_OUT.at.count, nodeIds.length);
  for (const [index, id] of nodeIds.entries()) out.u64(OUT_HEADER_BYTES + body + 8 * index, id);
  return out.bytes;
}

function beginNotification(code: number, bodyBytes: number): StructWriter {
  const bytes = OUT_HEADER_BYTES + bodyBytes;
  const out = new StructWriter((bytes + 7) & ~7);
  out.u32(0, bytes);
  out.u32(4, code);
  return out;
}
