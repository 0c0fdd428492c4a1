/** Contents on their way into the journal, and what changes about them there until the peer has them. */
import { isDeepStrictEqual } from 'node:util';
import type { StagingSnapshot } from '../content.js';
import type { Core } from '../core.js';
import type { FileData } from '../file-data.js';
import { FsError } from '../filesystem.js';
import { gateOf } from '../gate.js';
import type { Node } from '../node.js';
import { pendingOf, posixOf, withKeptMode } from '../pending.js';
import { withSignal } from '../shared-call.js';
import type { Uploads } from '../uploads.js';
import type { Intent } from './frame.js';
import type { JournalRoom } from './journal-room.js';
import type { Journal } from './journal.js';
import type { Refusals } from './refusals.js';

export interface CommitsOptions {
  readonly core: Core;
  readonly uploads: Uploads;
  readonly journal: Journal;
  readonly room: JournalRoom;
  readonly refusals: Refusals;
  /** False: contents go to the peer at once. */
  readonly accepts: () => boolean;
  /** The content of the node is in the journal. */
  readonly committed: (node: Node) => void;
}

export class Commits {
  readonly #core: Core;
  readonly #uploads: Uploads;
  readonly #journal: Journal;
  readonly #room: JournalRoom;
  readonly #refusals: Refusals;
  readonly #accepts: () => boolean;
  readonly #committed: (node: Node) => void;

  constructor(options: CommitsOptions) {
    this.#core = options.core;
    this.#uploads = options.uploads;
    this.#journal = options.journal;
    this.#room = options.room;
    this.#refusals = options.refusals;
    this.#accepts = options.accepts;
    this.#committed = options.committed;
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
      if (!this.#accepts() || !this.#room.mayHold(size)) return this.#direct(node, signal);
      if (!this.#room.hasRoom(size)) {
        if (!(await this.#room.wait(signal))) return this.#direct(node, signal);
        continue;
      }
      const refused = data.committed;
      const isThere = await this.#adding(data, this.#commitOnce(node, data));
      if (isThere !== true) return this.#direct(node, signal);
      if (refused !== undefined) this.#refusals.tell(refused);
    }
  }

  /** Undefined: the journal takes nothing. Others wait until it is over. REQUIRES: nothing else is being added. Never rejects. */
  #adding<T>(data: FileData, adding: Promise<T>): Promise<T | undefined> {
    const outcome = adding.catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      const { folder } = this.#journal;
      this.#core.log.warn('the journal takes nothing; uploading at once', { folder, reason });
      return undefined;
    });
    data.committing = outcome.then(() => {
      data.committing = undefined;
    });
    return outcome;
  }

  /** A content that is being uploaded. REQUIRES: nothing else of the file is being added. Never rejects. */
  async add(node: Node, data: FileData, snapshot: StagingSnapshot): Promise<void> {
    await this.#adding(data, this.#addOnce(node, data, snapshot));
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
      await this.#addOnce(node, data, snapshot);
      return true;
    } finally {
      snapshot.release();
    }
  }

  async #addOnce(node: Node, data: FileData, snapshot: StagingSnapshot): Promise<void> {
    const journal = this.#journal;
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
    this.#committed(node);
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
    await this.#journal.change(data.committed.entry, { posix, mtime });
  }

  /** The version that the content is to take the place of has another ETag, by a change of ours. */
  async noteVersion({ committed, expect }: FileData): Promise<void> {
    if (committed === undefined) return;
    await this.#journal.change(committed.entry, { expect });
  }

  /** The file has another name, or one name less. */
  async noteName(node: Node): Promise<void> {
    const entry = node.data?.committed?.entry;
    if (entry === undefined) return;
    await this.#journal.change(entry, { path: node.path, removing: false });
  }
}
