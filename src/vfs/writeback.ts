/**
 * `-o writeback`: a close returns when the content is in the journal on local disk; it is uploaded in the background, in the order of
 * the closes, some at a time.
 *
 *     dirty ──close──► committed ──upload──► clean
 *                        │  └──refused──► stays, told to the next close or fsync and by davport status; tried again now and then
 *                        └──removed, replaced, in conflict──► done in the journal before anybody is told
 *
 * INVARIANT: where a removal or rename has been answered, the journal on disk no longer asks for what it took away.
 */
import { isDeepStrictEqual } from 'node:util';
import type { StagingSnapshot } from './content.js';
import type { Core } from './core.js';
import { isUnavailable } from './errno.js';
import type { Committed, FileData } from './file-data.js';
import { FsError } from './filesystem.js';
import { gateOf } from './gate.js';
import type { Intent } from './journal/frame.js';
import type { JournalFolder } from './journal/journal-folder.js';
import { JournalOwner } from './journal/journal-owner.js';
import { JournalRoom } from './journal/journal-room.js';
import { JournaledContent } from './journal/journaled-content.js';
import { plantPending } from './journal/plant-pending.js';
import { carriedOut, noteFormer } from './journal/carried-out.js';
import { Refusals } from './journal/refusals.js';
import type { Node } from './node.js';
import { pendingOf, posixOf, withKeptMode } from './pending.js';
import { withSignal } from './shared-call.js';
import { createStaging } from './staging.js';
import type { Uploads } from './uploads.js';

const PARALLEL_UPLOADS = 16;

export interface WritebackOptions {
  readonly folder: JournalFolder;
  /** False: only what is in the journal is brought. */
  readonly accepts: boolean;
  /** What may be pending. */
  readonly limitBytes: number;
  /** A writer waits no longer for room without any upload getting through. */
  readonly timeoutMs: number;
}

export class Writeback {
  readonly #core: Core;
  readonly #uploads: Uploads;
  readonly #folder: JournalFolder;
  readonly #accepts: boolean;
  readonly #room: JournalRoom;
  readonly #owner: JournalOwner;
  readonly #refusals: Refusals;
  /** To be uploaded, in the order in which they were closed. */
  readonly #queue = new Set<Node>();
  #running = 0;
  /** What a former mount left waits until this one has found out whether it can be. */
  #isStarted = false;

  constructor(core: Core, uploads: Uploads, options: WritebackOptions) {
    this.#core = core;
    this.#uploads = uploads;
    const { folder } = options;
    this.#folder = folder;
    this.#accepts = options.accepts;
    this.#room = new JournalRoom(folder.journal, options.limitBytes, options.timeoutMs);
    this.#owner = new JournalOwner(core, folder);
    this.#refusals = new Refusals(core, (node) => this.enqueue(node));
    for (const node of plantPending(core, uploads, folder.journal)) this.enqueue(node);
  }

  get folder(): string {
    return this.#folder.journal.folder;
  }

  get accepts(): boolean {
    return this.#accepts && !this.#owner.isOther && !this.#folder.journal.broken;
  }

  /** The peer may be another. */
  peerReturned(): void {
    this.#owner.forget();
    this.#room.noteProgress();
  }

  /** For a close: resolves when what was written is in the journal, or at the peer. */
  async commit(node: Node, signal: AbortSignal): Promise<void> {
    for (;;) {
      const { data } = node;
      if (data?.lost !== undefined) throw data.lost;
      if (data?.dirty !== true || node.unlinked) return;
      const busy = gateOf(node) ?? data.committing;
      if (busy !== undefined) {
        await withSignal(busy, signal);
        continue;
      }
      if (data.isCommitted) {
        this.#refusals.tell(data.committed!);
        return;
      }
      const size = data.staging?.size ?? 0;
      if (!this.accepts || !this.#room.mayHold(size)) return this.#direct(node, signal);
      if (!this.#room.hasRoom(size)) {
        if (!(await this.#room.wait(signal))) return this.#direct(node, signal);
        continue;
      }
      const refused = data.committed;
      const isThere = await this.#committing(data, this.#commitOnce(node, data));
      if (isThere !== true) return this.#direct(node, signal);
      if (refused !== undefined) this.#refusals.tell(refused);
    }
  }

  /** Undefined: the journal takes nothing. Others wait until it is over. REQUIRES: nothing else is being added. Never rejects. */
  #committing<T>(data: FileData, adding: Promise<T>): Promise<T | undefined> {
    const outcome = adding.catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      const { folder } = this;
      this.#core.log.warn('the journal takes nothing; uploading at once', { folder, reason });
      return undefined;
    });
    data.committing = outcome.then(() => {
      data.committing = undefined;
    });
    return outcome;
  }

  #direct(node: Node, signal: AbortSignal): Promise<void> {
    return this.#uploads.upload(node, signal);
  }

  /** False: it can't be there. */
  async #commitOnce(node: Node, data: FileData): Promise<boolean> {
    const { staging } = data;
    if (staging === undefined) throw new FsError('EIO', `${node.path}: dirty without content`);
    const snapshot = staging.snapshot();
    try {
      // The rest of a part is at the peer only: a crash would have half a file.
      if (snapshot.changes?.isWhole === false) return false;
      await this.#add(node, data, snapshot);
      return true;
    } finally {
      snapshot.release();
    }
  }

  async #add(node: Node, data: FileData, snapshot: StagingSnapshot): Promise<void> {
    const { journal } = this.#folder;
    const intent = this.#intentOf(node, data);
    const entry = await this.#room.adding(snapshot.size, () => journal.add(intent, snapshot));
    if (node.data !== data || !data.dirty || node.unlinked) {
      journal.remove(entry);
      return;
    }
    const before = data.committed;
    const former = before === undefined ? [] : [...before.former];
    if (before?.entry.tried === true) former.push(before.entry);
    else if (before !== undefined) journal.remove(before.entry);
    data.committed = { entry, generation: snapshot.generation, former };
    // While it was written an upload may have been confirmed, a mode set.
    const changed = this.#intentOf(node, data);
    if (!isDeepStrictEqual(changed, intent)) await journal.change(entry, changed);
    this.enqueue(node);
  }

  #intentOf(node: Node, data: FileData): Intent {
    const { options, client } = this.#core;
    const pending = withKeptMode(node, pendingOf(data), options, client.knownProfile);
    return {
      path: node.path,
      expect: data.expect,
      exclusive: data.exclusive,
      posix: posixOf(node, pending) ?? {},
      mtime: data.mtime,
      removing: false,
    };
  }

  /** Mode or times of a committed content were set. */
  async noteAttributes(node: Node, data: FileData): Promise<void> {
    if (data.committed === undefined) return;
    const { posix, mtime } = this.#intentOf(node, data);
    await this.#folder.journal.change(data.committed.entry, { posix, mtime });
  }

  /** The version that the content is to take the place of has another ETag, by a change of ours. */
  async noteVersion({ committed, expect }: FileData): Promise<void> {
    if (committed === undefined) return;
    await this.#folder.journal.change(committed.entry, { expect });
  }

  /** The file has another name, or one name less. */
  async noteName(node: Node): Promise<void> {
    const entry = node.data?.committed?.entry;
    if (entry === undefined) return;
    await this.#folder.journal.change(entry, { path: node.path, removing: false });
  }

  /** After the last close: the journal has the bytes, memory and other files need not. */
  leaveToJournal(data: FileData): void {
    const { committed, staging, upload } = data;
    if (!data.isCommitted || data.handles > 0 || staging instanceof JournaledContent) return;
    if (upload !== undefined) {
      // It may be reading.
      void upload.then(() => this.leaveToJournal(data));
      return;
    }
    const { journal } = this.#folder;
    const { entry, generation } = committed!;
    data.staging = new JournaledContent(journal, entry, generation, () =>
      createStaging(this.#core.options),
    );
    data.stream?.abandon();
    data.stream = undefined;
    void staging!.close();
  }

  // ---- uploads

  enqueue(node: Node): void {
    this.#queue.add(node);
    this.#pump();
  }

  start(): void {
    this.#isStarted = true;
    this.#pump();
  }

  #pump(): void {
    if (!this.#isStarted) return;
    for (const node of this.#queue) {
      if (this.#running >= PARALLEL_UPLOADS) return;
      this.#queue.delete(node);
      this.#running += 1;
      void this.#uploads.background.bring(node).finally(() => {
        this.#running -= 1;
        this.#pump();
      });
    }
  }

  /** Before an upload of the node. False: there is nothing to upload, the peer has carried out its removal. */
  async prepare(node: Node, data: FileData, signal: AbortSignal): Promise<boolean> {
    const { committed } = data;
    if (committed === undefined) return true;
    await this.#owner.check(signal);
    const { journal } = this.#folder;
    const { entry, former } = committed;
    if (former.length > 0 || entry.intent.removing) {
      const outcome = await carriedOut(this.#core, journal, data, committed, signal);
      if (outcome === 'removed') return false;
      await noteFormer(journal, committed, data.attempts);
      if (outcome !== undefined) {
        data.attempts.arrived();
        data.expect = outcome;
        data.exclusive = false;
        await journal.change(entry, { expect: outcome, exclusive: false });
      }
      if (entry.intent.removing) await journal.change(entry, { removing: false });
    }
    // What is there may be our own by now, and can't be told from a rival's with the same content.
    if (entry.tried) data.exclusive = false;
    entry.tried = true;
    return true;
  }

  /**
   * An upload begins. What was written since the close goes along; should nobody hear of it, the journal has to know it, or the next mount
   * would take it for somebody else's.
   */
  async begin(node: Node, data: FileData, snapshot: StagingSnapshot): Promise<void> {
    while (data.committing !== undefined) await data.committing;
    const { committed } = data;
    if (committed === undefined) return this.beforeUnknown();
    const isNewer = committed.generation < snapshot.generation;
    const isWhole = snapshot.changes?.isWhole !== false;
    if (isNewer && isWhole && this.accepts && this.#room.hasRoom(snapshot.size)) {
      await this.#committing(data, this.#add(node, data, snapshot));
    }
    if (data.committed !== undefined) data.committed.entry.tried = true;
  }

  /** Before a name gets a content that is not in the journal: an older one that is done must not be found there by the next mount. */
  async beforeUnknown(): Promise<void> {
    await this.settle().catch(() => undefined);
  }

  /** The peer has confirmed the content of that generation. */
  confirmed(data: FileData, generation: number): void {
    const { committed } = data;
    this.#room.noteProgress();
    if (committed === undefined) return;
    const { journal } = this.#folder;
    const { entry, former } = committed;
    const isNewer = committed.generation > generation;
    const isLeft =
      data.dirty && (isNewer || (committed.generation === generation && hasMore(data)));
    if (!isLeft) {
      data.committed = undefined;
      const forget = (): void => this.#forget(committed);
      // What is being added now is told first that it follows this one: else a crash in between would leave it a stranger.
      if (data.committing === undefined) forget();
      else void data.committing.then(forget);
      return;
    }
    // Both are written in this order: without its forerunner an entry knows what it follows.
    void journal.change(entry, { expect: data.expect, exclusive: false }).catch(() => undefined);
    for (const each of former) journal.remove(each);
    data.committed = { ...committed, former: [] };
    this.#room.made();
  }

  /** What is in the journal is no longer wanted. On disk with `settle`. */
  discard(data: FileData): void {
    const { committed } = data;
    if (committed === undefined) return;
    data.committed = undefined;
    this.#forget(committed);
  }

  #forget({ entry, former }: Committed): void {
    const { journal } = this.#folder;
    for (const each of former) journal.remove(each);
    journal.remove(entry);
    this.#room.made();
  }

  /** The peer doesn't take it. It stays. */
  refuse(node: Node, committed: Committed, error: unknown): void {
    this.#refusals.add(node, committed, error);
  }

  // ---- removals

  /**
   * Before a file loses a name, outside of gates. What the peer may have without our knowing must be known, to be removed there; and a
   * content of which another name stays is brought by that one.
   */
  async beforeLoss(node: Node, signal: AbortSignal): Promise<void> {
    await node.data?.committing;
    const { data } = node;
    if (data?.committed === undefined) return;
    const { entry, former } = data.committed;
    const isUnclear = data.created && (entry.tried || former.length > 0);
    if (!isUnclear && node.links.length === 0) return;
    try {
      await this.#uploads.upload(node, signal);
    } catch (error) {
      // Refused: it is not there.
      if (isUnavailable(error) || node.links.length > 0) throw error;
    }
  }

  /** Before a request that takes the name away: should it be carried out and nobody hear of it, the content must not come back. */
  async beforeRemoval(data: FileData | undefined): Promise<void> {
    await data?.committing;
    const entry = data?.committed?.entry;
    if (entry !== undefined) {
      await this.#folder.journal.change(entry, { removing: true });
    }
    await this.settle();
  }

  /** The request failed. */
  async removalFailed(data: FileData | undefined): Promise<void> {
    const entry = data?.committed?.entry;
    if (entry !== undefined) {
      await this.#folder.journal.change(entry, { removing: false });
    }
  }

  /** What was confirmed or discarded is so on disk. */
  settle(): Promise<void> {
    return this.#folder.journal.settle();
  }

  async close(): Promise<void> {
    this.#refusals.close();
    await this.#folder.close();
  }
}

/** Mode or times that the peer hasn't got. */
function hasMore(data: FileData): boolean {
  const { mode, mtime, atime } = pendingOf(data);
  return mode !== undefined || mtime !== undefined || atime !== undefined;
}
