/** From names to nodes: what is known of them here, and how the peer is asked. */
import type { Resource } from '../webdav/types.js';
import type { Inquiry } from './change-watch.js';
import { chain } from './awaitable.js';
import type { Core } from './core.js';
import { isNotFound } from './errno.js';
import { FsError, type Awaitable, type Waiting } from './filesystem.js';
import type { Node } from './node.js';
import { withSignal } from './shared-call.js';

/** Single questions within one directory before a listing is asked instead: 2, more where the listing is known to be long. */
const MISSES_BEFORE_LISTING = 2;
const ENTRIES_PER_MISS = 100;

export class Lookups {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  /** The child of that name if something is known here that the peer need not be asked for. Undefined: ask. Null: no such name. */
  known(parent: Node, name: string): Node | null | undefined {
    const live = parent.children.get(name);
    if (live?.isLocal === true) return live;
    const cached = this.#core.cache.find(parent.id, name, -Infinity);
    const named =
      cached !== undefined &&
      this.#core.watch.isNameFresh(parent, name, cached.resource, cached.at);
    if (named && !(live !== undefined && live.resourceAt > cached.at)) {
      if (cached.resource === undefined) return null;
      return this.#core.adopt(parent, name, cached.resource, cached.at);
    }
    // What was told of a file by one of its names says nothing of the others.
    const sure = live !== undefined && (named || live.links.length === 0);
    return sure && this.#core.isFresh(live) ? live : undefined;
  }

  /** The child of that name, from the cache or the peer. */
  child(parent: Node, name: string, waiting: Waiting): Awaitable<Node | null> {
    const known = this.known(parent, name);
    return known !== undefined ? known : this.askChild(parent, name, waiting.signal);
  }

  /**
   * As `child`, for a caller who changes nothing: a name that is being taken from a file leads nowhere for a moment at servers that
   * remove what a MOVE replaces. Only the outcome tells.
   */
  settledChild(parent: Node, name: string, waiting: Waiting): Awaitable<Node | null> {
    return chain(this.child(parent, name, waiting), (found) => {
      const gate = found === null ? parent.children.get(name)?.gate : undefined;
      if (gate === undefined) return found;
      return withSignal(gate, waiting.signal).then(() => this.settledChild(parent, name, waiting));
    });
  }

  /** As `child`, never from the cache (but local files are what they are). */
  async askChild(parent: Node, name: string, signal: AbortSignal): Promise<Node | null> {
    if (this.#listingPays(parent)) {
      await this.#core.listings.list(parent, signal);
      const known = this.known(parent, name);
      if (known !== undefined) return known;
    }
    return this.statChild(parent, name, signal);
  }

  async statChild(parent: Node, name: string, signal: AbortSignal): Promise<Node | null> {
    for (;;) {
      const before = parent.changes.last(name);
      const path = `${parent.path}/${name}`;
      // Joins only a question that was asked after our last change of the name.
      const about = [parent, parent.children.get(name)];
      const { resource, inquiry } = await this.#ask(path, `stat ${before} ${path}`, about, signal);
      const live = parent.children.get(name);
      if (live?.isLocal === true) return live;
      // Our own change overtook the question: the answer may be of before or after it.
      if (parent.changes.last(name) !== before) continue;
      const at = this.#core.now();
      this.#core.cache.put(parent.id, name, resource, at);
      if (resource !== undefined) {
        const node = this.#core.adopt(parent, name, resource, at);
        if (node.resource === resource) this.#core.watch.noteAnswer(inquiry, parent, name, at);
        return node;
      }
      this.#core.watch.noteAnswer(inquiry, parent, name, at);
      const inUse = live !== undefined && (live.data !== undefined || live.links.length > 0);
      if (inUse && live.gate === undefined) this.#core.loseName(live, parent, name);
      return null;
    }
  }

  /** Attributes of a node that are not older than they may be. */
  refresh(node: Node, waiting: Waiting): Awaitable<void> {
    return this.#core.isFresh(node) ? undefined : this.revalidate(node, waiting.signal);
  }

  /** Asks the peer about a node. Fails with ESTALE when its name is gone or something else. */
  async revalidate(node: Node, signal: AbortSignal, alone = false): Promise<void> {
    while (!(await this.#askAbout(node, signal, alone)));
  }

  /** False: under another name by now, which is to be asked for. */
  async #askAbout(node: Node, signal: AbortSignal, alone: boolean): Promise<boolean> {
    if (this.#isOurs(node)) return true;
    if (node.parent === undefined) {
      const { resource, inquiry } = await this.#ask('', 'stat', [node], signal);
      if (resource?.kind !== 'collection') throw new FsError('ESTALE', 'the shared folder is gone');
      node.resource = resource;
      node.resourceAt = this.#core.now();
      this.#core.watch.noteDirectory(inquiry, node, node.resourceAt);
      return true;
    }
    const { parent, name } = node;
    const now = alone
      ? await this.statChild(parent, name, signal)
      : await this.askChild(parent, name, signal);
    if (now === node || this.#isOurs(node)) return true;
    // A rename of ours may have come in between, or of several names this one is gone.
    const renamed = parent !== node.parent || name !== node.name;
    if (!renamed && now === null && node.gate !== undefined) {
      await withSignal(node.gate, signal);
      return false;
    }
    if (!renamed) throw new FsError(now === null ? 'ENOENT' : 'ESTALE', `${node.path} is gone`);
    return this.#core.isFresh(node);
  }

  /** The peer can't tell about it. */
  #isOurs(node: Node): boolean {
    return node.isLocal || node.unlinked;
  }

  /** One PROPFIND with depth 0, shared by all who ask at the same time. Undefined: not found. */
  #ask(
    path: string,
    key: string,
    about: readonly (Node | undefined)[],
    signal: AbortSignal,
  ): Promise<{ resource: Resource | undefined; inquiry: Inquiry | undefined }> {
    return this.#core.calls.run(key, signal, async (shared) => {
      await this.#core.profile(shared);
      const inquiry = this.#core.watch.ask(...about);
      const question = inquiry?.question;
      try {
        return {
          resource: await this.#core.client.stat(path, { signal: shared, question }),
          inquiry,
        };
      } catch (error) {
        if (isNotFound(error)) return { resource: undefined, inquiry };
        throw error;
      } finally {
        this.#core.watch.end(inquiry);
      }
    });
  }

  #listingPays(directory: Node): boolean {
    directory.misses += 1;
    return (
      directory.misses >
      MISSES_BEFORE_LISTING + this.#core.cache.knownSize(directory.id) / ENTRIES_PER_MISS
    );
  }
}
