/** Members of folders: what is cached of them, and how the peer is asked. */
import { Slices } from '../slices.js';
import type { Listing, Resource } from '../webdav/types.js';
import type { Core } from './core.js';
import type { CachedListing } from './name-cache.js';
import { Members } from './members.js';
import type { Node } from './node.js';

const CHILDREN_AT_ONCE = 256;

export class Listings {
  readonly #core: Core;
  /** Of the listings that are on their way, by directory. */
  readonly #arriving = new Map<number, Members>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** What is known of the members and may be used. */
  fresh(directory: Node): CachedListing | undefined {
    const cached = this.#core.cache.listing(directory.id, -Infinity);
    return cached && this.#core.watch.isListingFresh(directory, cached) ? cached : undefined;
  }

  /** The names at the peer, where every change of them is told, and there are no others. */
  covered(directory: Node): CachedListing | undefined {
    const cached = this.#core.cache.listing(directory.id, -Infinity);
    if (cached === undefined || !this.#core.watch.coversListing(directory, cached))
      return undefined;
    return localNames(directory, cached.members).length === 0 ? cached : undefined;
  }

  /** The members, to be read while they arrive: for as long as `signal` is not aborted, or others want them. */
  members(directory: Node, signal: () => AbortSignal): Members {
    const fresh = this.fresh(directory);
    if (fresh !== undefined) {
      const members = new Members(this.#core.sequence, fresh.at, fresh.members);
      members.end(fresh.at, localNames(directory, fresh.members));
      return members;
    }
    // Who reads is told by the members why they don't come.
    this.list(directory, signal()).catch(() => undefined);
    return this.#arriving.get(directory.id)!;
  }

  /** Asks for the members and remembers them. */
  list(directory: Node, signal: AbortSignal): Promise<ReadonlyMap<string, Resource>> {
    return this.#core.calls.run(`list ${directory.id}`, signal, (shared) =>
      this.#listTo(directory, shared),
    );
  }

  async #listTo(directory: Node, signal: AbortSignal): Promise<ReadonlyMap<string, Resource>> {
    const arriving = new Members(this.#core.sequence, this.#core.now());
    this.#arriving.set(directory.id, arriving);
    try {
      const members = await this.#list(directory, arriving, signal);
      const ours = directory.changes.since(arriving.sequence) ?? members.keys();
      const here = [...ours].filter((name) => members.has(name));
      arriving.end(this.#core.now(), [...here, ...localNames(directory, members)]);
      return members;
    } catch (error) {
      arriving.fail(error);
      throw error;
    } finally {
      if (this.#arriving.get(directory.id) === arriving) this.#arriving.delete(directory.id);
    }
  }

  async #list(
    directory: Node,
    arriving: Members,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Resource>> {
    await this.#core.profile(signal);
    const before = arriving.sequence;
    const selfBefore = directory.parent?.changes.last(directory.name);
    const inquiry = this.#core.watch.ask(directory, directory.parent);
    const answer = await this.#core.client
      .list(directory.path, {
        signal,
        question: inquiry?.question,
        onMember: (resource) => arriving.add(resource, this.#core.now()),
        onRestart: () => arriving.restart(),
      })
      .finally(() => this.#core.watch.end(inquiry));
    const { members } = answer;
    const selfChanged = selfBefore !== directory.parent?.changes.last(directory.name);
    if (answer.self?.kind === 'collection' && !selfChanged && directory.gate === undefined) {
      directory.resource = answer.self;
      directory.resourceAt = this.#core.now();
      this.#core.watch.noteDirectory(inquiry, directory, directory.resourceAt);
    }
    if (this.#mergeOwn(directory, members, before)) {
      this.#core.watch.noteListing(inquiry, directory, this.#core.now());
      await this.#remember(directory, answer, members);
    }
    return members;
  }

  /** What we changed while the listing was on its way is known better here. False: not for all names. */
  #mergeOwn(directory: Node, members: Map<string, Resource>, before: number): boolean {
    const changed = directory.changes.since(before);
    if (changed === undefined) return false;
    let complete = true;
    for (const name of changed) {
      if (directory.children.get(name)?.isLocal === true) continue;
      const own = this.#core.cache.single(directory.id, name);
      if (own === undefined) complete = false;
      else if (own.resource === undefined) members.delete(name);
      else members.set(name, own.resource);
    }
    return complete;
  }

  async #remember(directory: Node, answer: Listing, members: Map<string, Resource>): Promise<void> {
    const at = this.#core.now();
    directory.misses = 0;
    this.#core.cache.putListing(directory.id, members, at);
    this.#core.sweep.look(directory.path, answer.uploads, answer.toldAt);
    const slices = new Slices(CHILDREN_AT_ONCE);
    for (const [name, child] of directory.children) {
      const resource = members.get(name);
      if (resource === undefined || child.isLocal) continue;
      // Adopted while the listing came.
      if (child.resource === resource) child.resourceAt = Math.max(child.resourceAt, at);
      else this.#core.adopt(directory, name, resource, at);
      // What is known better by then is kept by its age.
      const pause = slices.pause();
      if (pause) await pause;
    }
  }
}

/** Of files that the peer doesn't have yet. */
function localNames(directory: Node, members: ReadonlyMap<string, Resource>): string[] {
  const names: string[] = [];
  for (const [name, child] of directory.children) {
    if (child.isLocal && !members.has(name)) names.push(name);
  }
  return names;
}
