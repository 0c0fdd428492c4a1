/**
 * `-o locks=server`: what programs lock here, and what they have open for writing, is locked at the peer as a whole. The ranges of fcntl(2)
 * are exact between the programs of this mount.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { hasLocks } from '../../webdav/server-profile.js';
import { NEVER } from '../awaitable.js';
import type { Core } from '../core.js';
import { FsError } from '../filesystem.js';
import type { Handles } from '../handles.js';
import type { Node } from '../node.js';
import { sameVersion, versionOf } from '../reader/versions.js';
import { disposeData, type Uploads } from '../uploads.js';
import { LockTable, type FileLock, type LockHolder, type LockType } from './lock-table.js';
import { ServerLock } from './server-lock.js';

/** Another client's lock ends without a word: who waits for it asks again, ever less often. */
const FIRST_WAIT_MS = 50;
const MAX_WAIT_MS = 2000;
/** The kernel tells the last close of a file after close(2) has returned. */
const MAX_OPEN_WAIT_MS = 400;

/** One file, by its name at the peer: locks stay with names. */
interface LockedFile {
  /** Undefined: it has no name any more, and is known here alone. */
  path: string | undefined;
  readonly table: LockTable;
  readonly server: ServerLock;
  /** Who knew it by this name. */
  readonly nodes: Set<Node>;
  /** Handles that may write. */
  writers: number;
  /** Changes come one after the other. */
  turn: Promise<unknown>;
  lost: FsError | undefined;
}

interface LockingHandle {
  readonly file: LockedFile;
  readonly writes: boolean;
}

export class FileLocks {
  readonly #core: Core;
  readonly #uploads: Uploads;
  readonly #handles: Handles;
  readonly #timeoutSec: number;
  readonly #files = new Map<string, LockedFile>();
  readonly #nameless = new WeakMap<Node, LockedFile>();
  readonly #byHandle = new Map<number, LockingHandle>();
  #told = false;

  constructor(core: Core, uploads: Uploads, handles: Handles, timeoutSec: number) {
    this.#core = core;
    this.#uploads = uploads;
    this.#handles = handles;
    this.#timeoutSec = timeoutSec;
    core.client.locks.onDoubt = (path) => this.#files.get(path)?.server.check();
  }

  /** Opens a file for writing, locked. EBUSY where another client has it for longer than it takes to close a file. */
  async openLocked<T extends { readonly fh: number }>(
    node: Node,
    signal: AbortSignal,
    open: () => T | Promise<T>,
  ): Promise<T> {
    const file = this.#fileOf(node);
    file.writers += 1;
    try {
      for (let pause = FIRST_WAIT_MS; !(await this.#lockToWrite(node, file)); pause *= 2) {
        if (pause > MAX_OPEN_WAIT_MS) {
          throw new FsError('EBUSY', `${node.path} is locked by another client`);
        }
        await interruptible(pause, signal);
      }
      const answer = await open();
      this.#byHandle.set(answer.fh, { file, writes: true });
      return answer;
    } catch (error) {
      file.writers -= 1;
      void this.#shrink(file);
      throw error;
    }
  }

  /** What is only here has nothing to lock at the peer: there its name is made exclusively. */
  #lockToWrite(node: Node, file: LockedFile): Promise<boolean> {
    if (node.data?.created === true) return Promise.resolve(true);
    return inTurn(file, () => this.#lockFor(node, file, 'write'));
  }

  async set(
    node: Node,
    fh: number,
    wanted: FileLock,
    wait: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const file = this.#byHandle.get(fh)?.file ?? this.#fileOf(node);
    if (!this.#byHandle.has(fh)) this.#byHandle.set(fh, { file, writes: false });
    for (let pause = FIRST_WAIT_MS; ; pause = Math.min(2 * pause, MAX_WAIT_MS)) {
      if (await inTurn(file, () => this.#try(node, file, wanted))) return;
      if (!wait) throw new FsError('EAGAIN', `${node.path} is locked`);
      await interruptible(pause, signal);
    }
  }

  /** What was written under the lock is at the peer when others may have it. */
  async clear(
    node: Node,
    fh: number,
    holder: LockHolder,
    start: number,
    end: number,
  ): Promise<void> {
    const file = this.#byHandle.get(fh)?.file ?? this.#files.get(node.path);
    if (file?.table.has(holder) !== true) return;
    await inTurn(file, async () => {
      if (file.lost === undefined) await this.#uploads.upload(node, NEVER);
      file.table.clear(holder, start, end);
    });
    await this.#shrink(file);
  }

  /** The lock that stands against this one. */
  async test(node: Node, fh: number, wanted: FileLock): Promise<FileLock | undefined> {
    const file = this.#byHandle.get(fh)?.file ?? this.#fileOf(node);
    return inTurn(file, async () => {
      if (file.lost !== undefined) throw file.lost;
      const ours = file.table.conflict(wanted);
      if (ours !== undefined) return ours;
      if (await this.#lockFor(node, file, wanted.type)) return undefined;
      return { ...wanted, type: 'write', start: 0, end: Infinity, pid: 0 } as const;
    }).finally(() => void this.#shrink(file));
  }

  /** close(2) of a descriptor ends what its process has of fcntl(2) locks. */
  async flushed(node: Node, fh: number, owner: bigint): Promise<void> {
    await this.clear(node, fh, { kind: 'posix', owner }, 0, Infinity);
  }

  /** `flockOwner`: the handle had a flock(2). */
  async released(node: Node, fh: number, flockOwner: bigint | undefined): Promise<void> {
    const handle = this.#byHandle.get(fh);
    if (handle === undefined) return;
    this.#byHandle.delete(fh);
    const { file, writes } = handle;
    if (flockOwner !== undefined)
      file.table.clear({ kind: 'flock', owner: flockOwner }, 0, Infinity);
    if (writes) file.writers -= 1;
    // What is brought in the background is brought under the lock.
    await this.#uploads.upload(node, NEVER).catch(() => undefined);
    await this.#shrink(file);
  }

  /** After a removal or rename. */
  async namesChanged(): Promise<void> {
    for (const [path, file] of [...this.#files]) {
      const nodes = [...file.nodes].filter(({ replaced }) => !replaced);
      const node = nodes.find(({ unlinked }) => !unlinked);
      if (node?.path === path || nodes.length === 0) continue;
      this.#files.delete(path);
      file.path = node?.path;
      if (node === undefined) {
        await inTurn(file, () => file.server.release());
        continue;
      }
      this.#files.set(node.path, file);
      await inTurn(file, () => file.server.follow(node.path, NEVER));
    }
  }

  /** The peer was away, and may have given the locks to others. */
  check(): void {
    for (const { server } of this.#files.values()) server.check();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#files.values()].map(({ server }) => server.release()));
  }

  #fileOf(node: Node): LockedFile {
    const { path } = node;
    if (node.unlinked || node.replaced) {
      const nameless = this.#nameless.get(node) ?? this.#newFile(undefined);
      this.#nameless.set(node, nameless);
      return nameless;
    }
    const file = this.#files.get(path) ?? this.#newFile(path);
    this.#files.set(path, file);
    file.nodes.add(node);
    return file;
  }

  #newFile(path: string | undefined): LockedFile {
    const { client, log } = this.#core;
    const nodes = new Set<Node>();
    const file: LockedFile = {
      path,
      table: new LockTable(),
      server: new ServerLock({
        client,
        log,
        timeoutSec: this.#timeoutSec,
        isSame: async (at) => {
          for (const { data } of nodes) await data?.upload;
          return isKnown(nodes, versionOf(await client.stat(at)));
        },
        onLost: (why) => this.#lose(file, why),
      }),
      nodes,
      writers: 0,
      turn: Promise.resolve(),
      lost: undefined,
    };
    return file;
  }

  async #try(node: Node, file: LockedFile, wanted: FileLock): Promise<boolean> {
    if (file.lost !== undefined) throw file.lost;
    if (file.table.conflict(wanted) !== undefined) return false;
    const whole = file.writers > 0 || file.table.strongest === 'write' ? 'write' : wanted.type;
    if (!(await this.#lockFor(node, file, whole))) return false;
    file.table.set(wanted);
    return true;
  }

  async #lockFor(node: Node, file: LockedFile, type: LockType): Promise<boolean> {
    const { path } = file;
    if (path === undefined || file.server.covers(type)) return true;
    await this.#requireLocks();
    // A LOCK of what is not there would make an empty file.
    await this.#uploads.upload(node, NEVER);
    // It isn't broken off: a lock whose token got lost would be in everybody's way.
    if (!(await file.server.take(path, type, NEVER))) return false;
    await this.#renew(node);
    return true;
  }

  async #requireLocks(): Promise<void> {
    const profile = await this.#core.profile(NEVER);
    if (hasLocks(profile)) return;
    if (!this.#told) this.#core.log.error(noLocksMessage(profile.server));
    this.#told = true;
    throw new FsError('ENOLCK', 'this server has no locks that can be relied on');
  }

  /** Who waited for a lock reads what its last holder has written, though the file was opened before. */
  async #renew(node: Node): Promise<void> {
    const { data, parent, name } = node;
    if (data === undefined || data.dirty || node.replaced || node.unlinked) return;
    const resource = { ...(await this.#core.client.stat(node.path)), name };
    const version = versionOf(resource);
    if (data.expect !== 'absent' && sameVersion(data.expect, version)) return;
    // Written to meanwhile.
    if (node.data !== data || node.isLocal || data.stagingBusy !== undefined) return;
    this.#handles.forgetReaders(node);
    disposeData(data);
    data.expect = version;
    node.pagesEtag = undefined;
    this.#core.update(node, resource, this.#core.now());
    if (parent !== undefined) this.#core.cache.put(parent.id, name, resource, node.resourceAt);
    await this.#core.invalidator?.inode(node.id, 0, 0);
  }

  #shrink(file: LockedFile): Promise<void> {
    return inTurn(file, async () => {
      if (!file.table.isEmpty || file.writers > 0) return;
      await file.server.release();
      for (const [path, known] of this.#files) if (known === file) this.#files.delete(path);
    }).catch((error: unknown) => {
      this.#core.log.debug('a lock was not released', { error: String(error) });
    });
  }

  #lose(file: LockedFile, why: string): void {
    if (file.table.isEmpty && file.writers === 0) return;
    file.lost = new FsError('EIO', `the lock at the peer was lost: ${why}`);
    for (const [path, known] of this.#files) {
      if (known !== file) continue;
      this.#files.delete(path);
      this.#core.log.error('a lock was lost', { path, reason: why });
    }
    for (const { data } of file.nodes) if (data !== undefined) data.lost ??= file.lost;
  }
}

export function noLocksMessage(server: string): string {
  return (
    `-o locks=server: the server (${server}) has no locks that can be relied on; ` +
    'mount with -o locks=local (the default): locks then hold between programs of this machine'
  );
}

/** What a holder expects there, or has not brought yet. */
function isKnown(nodes: ReadonlySet<Node>, version: ReturnType<typeof versionOf>): boolean {
  return [...nodes].some(({ data }) => {
    const expect = data?.expect;
    return expect !== undefined && expect !== 'absent' && sameVersion(expect, version);
  });
}

async function interruptible(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
  if (signal.aborted) throw new FsError('EINTR');
}

function inTurn<T>(file: LockedFile, work: () => Promise<T>): Promise<T> {
  const done = file.turn.then(work);
  file.turn = done.catch(() => undefined);
  return done;
}
