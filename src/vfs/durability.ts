/** fsync(2): what the peer has is on its disk, too, where it can say so. Elsewhere it has it, and that is all that is known. */
import type { Core } from './core.js';
import type { Node } from './node.js';
import { sameTag } from './reader/versions.js';
import type { Uploads } from './uploads.js';

export class Durability {
  readonly #core: Core;
  readonly #uploads: Uploads;

  constructor(core: Core, uploads: Uploads) {
    this.#core = core;
    this.#uploads = uploads;
  }

  async syncFile(node: Node, signal: AbortSignal): Promise<void> {
    await this.#uploads.upload(node, signal, true);
    const profile = await this.#core.profile(signal);
    if (!profile.sync || node.unlinked) return;
    const { syncedEtag, resource } = node;
    if (syncedEtag !== undefined && sameTag(syncedEtag, resource.etag)) return;
    // It came there by a close(2), or somebody else's, and may still be in the peer's memory only.
    const told = await this.#core.client.stat(node.path, { signal, durable: true });
    node.syncedEtag = told.etag;
  }

  /** With `-o writeback` also the files below that are closed and not at the peer: `sync FOLDER`. */
  async syncDirectory(node: Node, signal: AbortSignal): Promise<void> {
    const closed = this.#uploads.dirty
      .below(node)
      .filter(({ data }) => data?.committed !== undefined);
    await this.#uploads.uploadAll(signal, closed);
    const profile = await this.#core.profile(signal);
    if (!profile.sync || node.unlinked || this.#isSynced(node)) return;
    const { sequence } = this.#core;
    await this.#core.client.stat(node.path, { signal, durable: true });
    node.syncedAt = sequence;
  }

  #isSynced({ syncedAt, changes, parent, name }: Node): boolean {
    if (syncedAt === undefined) return false;
    const own = parent?.changes.last(name) ?? 0;
    return own <= syncedAt && changes.since(syncedAt)?.length === 0;
  }
}
