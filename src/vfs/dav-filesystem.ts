/**
 * The file system of one share: hands each operation to the part that knows it. Everything that fails, fails as FsError.
 */
import type { Logger } from '../log.js';
import type { WebDavClient } from '../webdav/types.js';
import { NEVER, chain, isPromise } from './awaitable.js';
import { CORE_DEFAULTS, Core, type CoreOptions } from './core.js';
import { Directories } from './directories.js';
import type { ContentCache } from './content-cache/content-cache.js';
import { Contents } from './contents.js';
import { Durability } from './durability.js';
import type {
  AttributeChange,
  AttributesAnswer,
  Awaitable,
  CreateAnswer,
  DirectoryEntry,
  Entry,
  FilePosition,
  FileRange,
  FileSystem,
  Invalidator,
  LockAnswer,
  LockRequest,
  OpenAnswer,
  RequestContext,
  StatfsAnswer,
} from './filesystem.js';
import { FsError } from './filesystem.js';
import { FileLocks } from './locks/file-locks.js';
import { isWriter } from './open-flags.js';
import { keepContent, type KeptFile } from './keep-content.js';
import { Handles } from './handles.js';
import { HardLinks } from './hard-links.js';
import { Metadata } from './metadata.js';
import { Names } from './names.js';
import type { Node } from './node.js';
import { Opening } from './opening.js';
import { release } from './reader/index.js';
import { Renames } from './rename.js';
import { ServerCopies } from './server-copies.js';
import { Space } from './space.js';
import { createUploader } from './uploader.js';
import type { PendingFile } from './upload/dirty-files.js';
import { Uploads } from './uploads.js';
import { withErrno } from './with-errno.js';
import { Writeback, type WritebackOptions } from './writeback.js';
import { Xattrs } from './xattr.js';

export type { KeptFile } from './keep-content.js';
export type { PendingFile } from './upload/dirty-files.js';

export interface DavFileSystemOptions {
  readonly client: WebDavClient;
  readonly log: Logger;
  /** Folder for staged and spooled content; made with mode 0700. */
  readonly cacheDir: string;
  readonly readAheadBytes: number;
  readonly contents?: ContentCache | undefined;
  readonly uid: number;
  readonly gid: number;
  readonly fmask: number;
  readonly dmask: number;
  readonly readOnly?: boolean;
  readonly attrTtlMs?: number;
  readonly negativeTtlMs?: number;
  readonly maxNames?: number;
  readonly maxListed?: number;
  readonly maxNodes?: number;
  readonly closeToOpen?: boolean;
  readonly heartbeatMs?: number;
  /** Locks hold against other clients; what is left of them when this process is killed ends after so long. Absent: they are the kernel's. */
  readonly lockTimeoutSec?: number;
  /** Where content is kept that the peer has refused for good. */
  readonly keepDir?: string;
  readonly now?: () => number;
  /** The journal and what is to be done with it. The file system closes it. */
  readonly writeback?: WritebackOptions | undefined;
}

/** What a mount needs beyond the operations. */
export interface DavFileSystem extends FileSystem {
  /** Files whose content is not at the peer yet. */
  pending(): PendingFile[];
  /** Writes the content of those files below `folder`, before the process ends without having brought them. Never rejects. */
  keepPending(folder: string): Promise<KeptFile[]>;
  /** The mount is there: what a former one left in the journal may be brought. */
  mounted(): void;
  /** The peer appeared (again): nothing known before is sure, and what is dirty can be brought. */
  peerReturned(): void;
}

/** Asked for (security.capability) before the first write to each file: one error for all, because a stack costs more than the rest. */
const OTHER_NAMESPACE = new FsError('EOPNOTSUPP');

export function createDavFileSystem(options: DavFileSystemOptions): DavFileSystem {
  return withErrno(new Implementation(options), options.log);
}

class Implementation implements DavFileSystem {
  readonly #core: Core;
  readonly #uploads: Uploads;
  readonly #handles: Handles;
  readonly #contents: Contents;
  readonly #serverCopies: ServerCopies;
  readonly #locks: FileLocks | undefined;
  readonly #opening: Opening;
  readonly #names: Names;
  readonly #renames: Renames;
  readonly #hardLinks: HardLinks;
  readonly #durability: Durability;
  readonly #metadata: Metadata;
  readonly #directories: Directories;
  readonly #xattrs: Xattrs;

  constructor(options: DavFileSystemOptions) {
    const coreOptions: CoreOptions = {
      ...CORE_DEFAULTS,
      ...options,
      uploader: createUploader(options),
    };
    this.#core = new Core(coreOptions);
    this.#uploads = new Uploads(this.#core);
    this.#handles = new Handles(this.#core, this.#uploads);
    const space = new Space(this.#core, () => this.#uploads.dirty.growth());
    this.#contents = new Contents(this.#core, this.#uploads, this.#handles, space);
    this.#serverCopies = new ServerCopies(this.#core, this.#uploads, this.#handles, this.#contents);
    const { lockTimeoutSec } = options;
    if (lockTimeoutSec !== undefined) {
      this.#locks = new FileLocks(this.#core, this.#uploads, this.#handles, lockTimeoutSec);
    }
    this.#opening = new Opening(this.#core, this.#uploads, this.#handles, this.#contents);
    this.#names = new Names(
      this.#core,
      this.#uploads,
      this.#handles,
      this.#contents,
      this.#opening,
    );
    this.#renames = new Renames(this.#core, this.#uploads, this.#contents, this.#names);
    this.#hardLinks = new HardLinks(this.#core, this.#uploads);
    this.#durability = new Durability(this.#core, this.#uploads);
    this.#metadata = new Metadata(this.#core, this.#opening, space);
    this.#directories = new Directories(this.#core);
    this.#xattrs = new Xattrs(this.#core, this.#uploads);
    if (options.writeback !== undefined) {
      this.#core.writeback = new Writeback(this.#core, this.#uploads, options.writeback);
    }
  }

  // ---- names

  lookup(parent: number, name: string, ctx: RequestContext): Awaitable<Entry> {
    const directory = this.#core.directory(parent);
    this.#core.checkName(name);
    return chain(this.#core.lookups.settledChild(directory, name, ctx), (node) => {
      const told = this.#core.cache.find(parent, name, -Infinity)?.at;
      if (node === null) return this.#core.answers.absent(directory, name);
      return this.#core.answers.entry(node, node.links.length > 0 ? told : undefined);
    });
  }

  forget(nodeId: number, count: number): void {
    this.#core.nodes.forget(nodeId, count);
  }

  mknod(parent: number, name: string, mode: number, ctx: RequestContext): Awaitable<Entry> {
    return this.#change(this.#names.mknod(this.#core.directory(parent), name, mode, ctx));
  }

  mkdir(parent: number, name: string, mode: number, ctx: RequestContext): Awaitable<Entry> {
    return this.#change(this.#mkdir(this.#core.directory(parent), name, mode, ctx));
  }

  async #mkdir(parent: Node, name: string, mode: number, ctx: RequestContext): Promise<Entry> {
    const node = await this.#names.mkdir(parent, name, mode, ctx);
    await this.#metadata.setNewMode(node, mode, ctx);
    return this.#core.answers.entry(node);
  }

  unlink(parent: number, name: string, ctx: RequestContext): Awaitable<void> {
    return this.#renaming(this.#names.unlink(this.#core.directory(parent), name, ctx));
  }

  rmdir(parent: number, name: string, ctx: RequestContext): Awaitable<void> {
    return this.#change(this.#names.rmdir(this.#core.directory(parent), name, ctx));
  }

  symlink(parent: number, name: string, target: string, ctx: RequestContext): Awaitable<Entry> {
    return this.#change(this.#names.symlink(this.#core.directory(parent), name, target, ctx));
  }

  rename(
    parent: number,
    name: string,
    newParent: number,
    newName: string,
    flags: number,
    ctx: RequestContext,
  ): Awaitable<void> {
    this.#core.access.check();
    const from = { parent: this.#core.directory(parent), name };
    const to = { parent: this.#core.directory(newParent), name: newName };
    if (from.parent === to.parent && name === newName) return undefined;
    return this.#renaming(this.#renames.rename(from, to, flags, ctx));
  }

  link(nodeId: number, newParent: number, newName: string, ctx: RequestContext): Awaitable<Entry> {
    const parent = this.#core.directory(newParent);
    return this.#change(this.#hardLinks.link(this.#core.node(nodeId), parent, newName, ctx));
  }

  // ---- attributes

  getattr(
    nodeId: number,
    _fh: number | undefined,
    ctx: RequestContext,
  ): Awaitable<AttributesAnswer> {
    const node = this.#core.node(nodeId);
    return chain(this.#core.lookups.refresh(node, ctx), () => this.#core.answers.answer(node));
  }

  setattr(
    nodeId: number,
    change: AttributeChange,
    fh: number | undefined,
    ctx: RequestContext,
  ): Awaitable<AttributesAnswer> {
    return this.#change(this.#metadata.setattr(this.#core.node(nodeId), change, fh, ctx));
  }

  readlink(nodeId: number, ctx: RequestContext): Awaitable<string> {
    return this.#metadata.readlink(this.#core.node(nodeId), ctx);
  }

  access(nodeId: number, mask: number, ctx: RequestContext): Awaitable<void> {
    return this.#metadata.access(this.#core.node(nodeId), mask, ctx);
  }

  statfs(_nodeId: number, ctx: RequestContext): Awaitable<StatfsAnswer> {
    return this.#metadata.statfs(ctx);
  }

  setxattr(
    nodeId: number,
    name: string,
    value: Uint8Array,
    flags: number,
    ctx: RequestContext,
  ): Awaitable<void> {
    return this.#change(this.#xattrs.set(this.#core.node(nodeId), name, value, flags, ctx));
  }

  getxattr(nodeId: number, name: string, ctx: RequestContext): Awaitable<Uint8Array> {
    if (!name.startsWith('user.')) throw OTHER_NAMESPACE;
    return this.#xattrs.get(this.#core.node(nodeId), name, ctx);
  }

  listxattr(nodeId: number, ctx: RequestContext): Awaitable<string[]> {
    return this.#xattrs.list(this.#core.node(nodeId), ctx);
  }

  removexattr(nodeId: number, name: string, ctx: RequestContext): Awaitable<void> {
    return this.#change(this.#xattrs.remove(this.#core.node(nodeId), name, ctx));
  }

  // ---- files

  open(nodeId: number, flags: number, ctx: RequestContext): Awaitable<OpenAnswer> {
    const node = this.#core.node(nodeId);
    const open = (): Awaitable<OpenAnswer> => this.#opening.open(node, flags, ctx);
    if (this.#locks === undefined) return open();
    if (!isWriter(flags)) return chain(open(), flushed);
    this.#core.access.check();
    return this.#locks.openLocked(node, ctx.signal, open);
  }

  create(
    parent: number,
    name: string,
    mode: number,
    flags: number,
    ctx: RequestContext,
  ): Awaitable<CreateAnswer> {
    this.#core.checkNewName(name);
    const created = this.#opening.create(this.#core.directory(parent), name, mode, flags, ctx);
    return this.#locks === undefined ? created : chain(created, flushed);
  }

  read(
    nodeId: number,
    fh: number,
    offset: number,
    length: number,
    ctx: RequestContext,
  ): Awaitable<readonly Uint8Array[]> {
    return this.#contents.read(this.#core.node(nodeId), fh, offset, length, ctx);
  }

  readonly releaseRead = release;

  write(
    nodeId: number,
    fh: number,
    offset: number,
    data: Uint8Array,
    ctx: RequestContext,
    pages?: boolean,
  ): Awaitable<number> {
    return this.#contents.write(this.#core.node(nodeId), fh, offset, data, ctx, pages);
  }

  flush(nodeId: number, fh: number, ctx: RequestContext, lockOwner?: bigint): Awaitable<void> {
    const node = this.#core.node(nodeId);
    const flush = (): Awaitable<void> => this.#change(this.#contents.flush(node, fh, ctx));
    const locks = this.#locks;
    if (locks === undefined || lockOwner === undefined) return flush();
    return (async () => {
      try {
        await flush();
      } finally {
        await locks.flushed(node, fh, lockOwner);
      }
    })();
  }

  release(nodeId: number, fh: number, flockOwner?: bigint): Awaitable<void> {
    const node = this.#locks && this.#core.nodes.get(nodeId);
    this.#handles.release(fh);
    if (node !== undefined) void this.#locks?.released(node, fh, flockOwner);
  }

  getlk(nodeId: number, lock: LockRequest): Awaitable<LockAnswer | undefined> {
    const { type } = lock;
    if (this.#locks === undefined || type === undefined) throw new FsError('EINVAL');
    return this.#locks.test(this.#core.node(nodeId), lock.fh, { ...lock, type });
  }

  setlk(nodeId: number, lock: LockRequest, wait: boolean, ctx: RequestContext): Awaitable<void> {
    const node = this.#core.node(nodeId);
    const { fh, type, start, end } = lock;
    if (this.#locks === undefined) throw new FsError('ENOSYS');
    if (type === undefined) return this.#locks.clear(node, fh, lock, start, end);
    return this.#locks.set(node, fh, { ...lock, type }, wait, ctx.signal);
  }

  fsync(nodeId: number, fh: number, _dataOnly: boolean, ctx: RequestContext): Awaitable<void> {
    const node = this.#core.node(nodeId);
    this.#contents.checkNotLost(node, fh);
    return this.#change(this.#durability.syncFile(node, ctx.signal));
  }

  fallocate(
    nodeId: number,
    fh: number,
    mode: number,
    offset: number,
    length: number,
    ctx: RequestContext,
  ): Awaitable<void> {
    // KEEP_SIZE and punched holes promise what the peer can't be asked for.
    if (mode !== 0) throw new FsError('EOPNOTSUPP');
    return this.#contents.grow(this.#core.node(nodeId), fh, offset + length, ctx);
  }

  lseek(nodeId: number, _fh: number, offset: number, whence: number): Awaitable<number> {
    const SEEK_DATA = 3;
    const SEEK_HOLE = 4;
    const { size } = this.#core.answers.attributes(this.#core.node(nodeId));
    if (offset < 0 || offset >= size) throw new FsError('ENXIO');
    if (whence === SEEK_DATA) return offset;
    if (whence === SEEK_HOLE) return size;
    throw new FsError('EINVAL');
  }

  copyFileRange(source: FileRange, target: FilePosition, ctx: RequestContext): Awaitable<number> {
    return this.#change(this.#serverCopies.copyRange(source, target, ctx.signal));
  }

  // ---- directories

  opendir(nodeId: number): Awaitable<OpenAnswer> {
    return this.#directories.open(this.#core.node(nodeId));
  }

  readdir(
    nodeId: number,
    fh: number,
    offset: number,
    add: (entry: DirectoryEntry) => boolean,
    ctx: RequestContext,
  ): Awaitable<void> {
    return this.#directories.read(this.#core.directory(nodeId), fh, offset, add, ctx);
  }

  readdirplus(
    nodeId: number,
    fh: number,
    offset: number,
    add: (entry: DirectoryEntry, lookup: Entry) => boolean,
    ctx: RequestContext,
  ): Awaitable<void> {
    return this.#directories.readPlus(this.#core.directory(nodeId), fh, offset, add, ctx);
  }

  releasedir(_nodeId: number, fh: number): void {
    this.#directories.release(fh);
  }

  fsyncdir(nodeId: number, _fh: number, ctx: RequestContext): Awaitable<void> {
    return this.#durability.syncDirectory(this.#core.directory(nodeId), ctx.signal);
  }

  /** As a change; the locks at the peer stay with names. */
  #renaming(outcome: Promise<void>): Awaitable<void> {
    const locks = this.#locks;
    return this.#change(locks === undefined ? outcome : outcome.then(() => locks.namesChanged()));
  }

  /** A change that the peer may refuse because it takes none at all. */
  #change<T>(outcome: Awaitable<T>): Awaitable<T> {
    if (!isPromise(outcome)) return outcome;
    return outcome.catch(async (error: unknown) => {
      throw await this.#core.access.explain(error);
    });
  }

  // ---- the mount

  setInvalidator(invalidator: Invalidator): void {
    this.#core.invalidator = invalidator;
  }

  pending(): PendingFile[] {
    return this.#uploads.dirty.describe();
  }

  keepPending(folder: string): Promise<KeptFile[]> {
    return keepContent(this.#uploads.dirty.contents(this.#core.writeback?.folder), folder);
  }

  mounted(): void {
    this.#core.writeback?.start();
  }

  peerReturned(): void {
    this.#core.expireAll();
    this.#core.writeback?.peerReturned();
    this.#locks?.check();
    this.#uploads.background.kick();
  }

  syncAll(signal?: AbortSignal): Promise<void> {
    return this.#uploads.uploadAll(signal ?? NEVER);
  }

  async destroy(): Promise<void> {
    this.#uploads.background.close();
    this.#core.watch.close();
    await this.#locks?.close();
    await this.#core.client.close();
    await this.#core.writeback?.close();
  }
}

/** Each close ends locks. */
function flushed<T extends OpenAnswer>(answer: T): T {
  return { ...answer, noFlush: false };
}
