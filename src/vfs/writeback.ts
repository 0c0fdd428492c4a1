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
import type { StagingSnapshot } from './content.js';
import type { Core } from './core.js';
import { isUnavailable } from './errno.js';
import type { Committed, FileData } from './file-data.js';
import { Commits } from './journal/commits.js';
import type { JournalFolder } from './journal/journal-folder.js';
import { JournalOwner } from './journal/journal-owner.js';
import { JournalRoom } from './journal/journal-room.js';
import { JournaledContent } from './journal/journaled-content.js';
import { plantPending } from './journal/plant-pending.js';
import { carriedOut, noteFormer } from './journal/carried-out.js';
import { Refusals } from './journal/refusals.js';
import type { Node } from './node.js';
import { pendingOf } from './pending.js';
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
  readonly commits: Commits;
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
    this.commits = new Commits({
      core,
      uploads,
      journal: folder.journal,
      room: this.#room,
      refusals: this.#refusals,
      accepts: () => this.accepts,
      committed: (node) => this.enqueue(node),
    });
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
      await this.commits.add(node, data, snapshot);
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
