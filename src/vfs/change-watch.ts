/**
 * What may be used for longer than `attr_timeout`, because our own share tells when it changes; and what is known to have changed.
 *
 * A line of the feed and an answer may overtake each other, as they come on streams of their own. So an answer counts as covered
 * only if the feed was there for its directory when the question was asked, and nothing else was said of the name since.
 */
import { LRUCache } from 'lru-cache';
import type { Change, CoveredQuestion } from '../webdav/change.js';
import type { Resource } from '../webdav/types.js';
import { ChangeFeed } from './change-feed.js';
import type { Core } from './core.js';
import { Coverage, SELF, isSame, isSameFile, type Said, type Verdict } from './coverage.js';
import type { CachedListing } from './name-cache.js';
import type { Node } from './node.js';

/**
 * Bound for all that the kernel of the peer doesn't tell: writes through a mapping that is still open, or through another name that a
 * file has got elsewhere.
 */
const COVERED_TTL_MS = 60_000;
/** Directories; the share watches as many. */
const MAX_DIRECTORIES = 8192;

/** A question on its way. */
export interface Inquiry {
  readonly question: CoveredQuestion;
  readonly about: readonly Asked[];
}

interface Asked {
  readonly coverage: Coverage;
  readonly count: number;
}

export class ChangeWatch {
  readonly #core: Core;
  readonly #feed: ChangeFeed;
  readonly #coverages = new LRUCache<number, Coverage>({ max: MAX_DIRECTORIES });

  constructor(core: Core) {
    this.#core = core;
    this.#feed = new ChangeFeed(core, {
      onChange: (change) => this.#onChange(change),
      onLost: () => this.#coverages.clear(),
    });
  }

  close(): void {
    this.#feed.close();
  }

  /** There is a feed that tells of changes. */
  get tells(): boolean {
    return this.#feed.isLive;
  }

  // ---- Questions and answers

  /** Before the peer is asked about these directories, or names in them. Undefined: there is no feed. To be ended by `end`. */
  ask(...directories: readonly (Node | undefined)[]): Inquiry | undefined {
    const feed = this.#feed.id;
    if (feed === undefined) return undefined;
    const about: Asked[] = [];
    for (const directory of directories) {
      if (directory?.isDirectory !== true) continue;
      const coverage = this.#coverageOf(directory) ?? new Coverage();
      this.#coverages.set(directory.id, coverage);
      about.push({ coverage, count: coverage.begin() });
    }
    return { question: { feed, covered: false }, about };
  }

  end(inquiry: Inquiry | undefined): void {
    for (const { coverage } of inquiry?.about ?? []) coverage.end();
  }

  /** What the peer told of a name in `parent` at that time is used from now on. */
  noteAnswer(inquiry: Inquiry | undefined, parent: Node, name: string, at: number): void {
    const child = parent.children.get(name);
    if (child?.isDirectory === true) this.noteDirectory(inquiry, child, at);
    else this.#settle(inquiry, parent, name, at);
  }

  /** What the peer told of the directory itself is used from now on. */
  noteDirectory(inquiry: Inquiry | undefined, directory: Node, at: number): void {
    this.#settle(inquiry, directory, SELF, at);
    // The share watches the folder that it is in as well: the name leads here until told otherwise.
    const { parent, name } = directory;
    const asked = parent && this.#askedOf(inquiry, parent);
    if (parent === undefined || asked === undefined) return;
    asked.coverage.establish(parent, at);
    asked.coverage.settle(name, asked.count);
  }

  /** A listing of the directory is used from now on. */
  noteListing(inquiry: Inquiry | undefined, directory: Node, at: number): void {
    const asked = this.#askedOf(inquiry, directory);
    if (asked === undefined) {
      this.#coverages.delete(directory.id);
      return;
    }
    asked.coverage.establish(directory, at);
    asked.coverage.settleMembers(asked.count);
  }

  #settle(inquiry: Inquiry | undefined, directory: Node, name: string, at: number): void {
    const asked = this.#askedOf(inquiry, directory);
    if (asked === undefined) {
      this.#say(directory, name, undefined);
      return;
    }
    asked.coverage.establish(directory, at);
    asked.coverage.settle(name, asked.count);
  }

  /** Undefined: the answer isn't covered. */
  #askedOf(inquiry: Inquiry | undefined, directory: Node): Asked | undefined {
    if (inquiry?.question.covered !== true) return undefined;
    const current = this.#coverages.get(directory.id);
    return inquiry.about.find(({ coverage }) => coverage === current);
  }

  /** We have changed the name. */
  noteOwn(parent: Node, name: string): void {
    const coverage = this.#coverages.get(parent.id);
    if (coverage !== undefined) coverage.ownChangeAt = this.#core.now();
    this.#say(parent, name, undefined);
    this.#say(parent, SELF, undefined);
  }

  #say(directory: Node, name: string, said: Said): void {
    if (this.#coverages.get(directory.id)?.say(name, said) === false) {
      this.#coverages.delete(directory.id);
    }
  }

  // ---- What may be used

  /** `at`: when the peer told it. */
  isNameFresh(parent: Node, name: string, resource: Resource | undefined, at: number): boolean {
    const { negativeTtlMs, attrTtlMs } = this.#core.options;
    const ttlMs = resource === undefined ? negativeTtlMs : attrTtlMs;
    const coverage = this.#coverages.get(parent.id);
    if (coverage?.verdict(name, resource) === 'contradicted') return false;
    if (this.#core.now() - at < ttlMs) return true;
    return ttlMs > 0 && this.coversName(parent, name, resource, at);
  }

  /** Attributes of a node that the peer told. */
  isNodeFresh(node: Node): boolean {
    const { parent, name, resource, resourceAt } = node;
    if (node.isDirectory && this.#selfVerdict(node) === 'contradicted') return false;
    const coverage = parent && this.#coverages.get(parent.id);
    if (coverage?.verdict(name, resource) === 'contradicted') return false;
    return this.#core.now() - resourceAt < this.#core.options.attrTtlMs || this.coversNode(node);
  }

  isListingFresh(directory: Node, { members, at }: CachedListing): boolean {
    const coverage = this.#coverages.get(directory.id);
    const verdict = coverage?.worstVerdict(members) ?? 'nothing said';
    if (verdict === 'contradicted') return false;
    if (this.#core.now() - at < this.#core.options.attrTtlMs) return true;
    return verdict !== 'unsure' && this.#isCovered(directory, at);
  }

  /** Is every change of the names told? */
  coversListing(directory: Node, { members, at }: CachedListing): boolean {
    const verdict = this.#coverages.get(directory.id)?.worstVerdict(members) ?? 'nothing said';
    return isSure(verdict) && this.#isCovered(directory, at);
  }

  coversNode(node: Node): boolean {
    const { parent, name, resource, resourceAt } = node;
    if (!node.isDirectory) {
      return parent !== undefined && this.coversName(parent, name, resource, resourceAt);
    }
    const verdict = this.#selfVerdict(node);
    return isSure(verdict) && this.#isCovered(node, resourceAt);
  }

  coversName(parent: Node, name: string, resource: Resource | undefined, at: number): boolean {
    // Of a folder the parent's line doesn't tell its times; through other names a file changes unseen.
    if (resource?.kind === 'collection' || (resource?.posix?.nlink ?? 1) > 1) return false;
    const verdict = this.#coverages.get(parent.id)?.verdict(name, resource);
    return isSure(verdict) && this.#isCovered(parent, at);
  }

  /**
   * Is what is known of the file what the peer has at the call, under the name that leads to it? Costs no request, but an answer of the
   * feed. False: not known.
   */
  async isCurrent(node: Node): Promise<boolean> {
    if (!this.#isPathCovered(node)) return false;
    return (await this.#feed.caughtUp()) && this.coversNode(node) && this.#isPathCovered(node);
  }

  /** Is there nothing of that name at the peer at the call? Costs what `isCurrent` does. False: not known, or there is. */
  async isAbsent(parent: Node, name: string): Promise<boolean> {
    const isTold = (): boolean => {
      const known = this.#core.cache.find(parent.id, name, -Infinity);
      if (known === undefined || known.resource !== undefined) return false;
      return this.coversName(parent, name, undefined, known.at) && this.#isPathCovered(parent);
    };
    return isTold() && (await this.#feed.caughtUp()) && isTold();
  }

  /** All that changes of the names on the way to the file is told. */
  #isPathCovered(node: Node): boolean {
    for (let at = node; at.parent !== undefined; at = at.parent) {
      const { parent, name, resource, resourceAt } = at;
      if (!this.#isCovered(parent, resourceAt)) return false;
      if (this.#coverages.get(parent.id)?.verdict(name, resource) === 'contradicted') return false;
    }
    return true;
  }

  #isCovered(directory: Node, at: number): boolean {
    if (!this.#feed.isLive || this.#core.now() - at >= COVERED_TTL_MS) return false;
    return this.#coverageOf(directory)?.isSince(at) === true;
  }

  #coverageOf(directory: Node): Coverage | undefined {
    const coverage = this.#coverages.get(directory.id);
    return coverage?.isOf(directory) === true ? coverage : undefined;
  }

  /** Of the directory's own attributes. Our own changes of names change them too, and are no reason to ask at once. */
  #selfVerdict(directory: Node): Verdict {
    const coverage = this.#coverages.get(directory.id);
    if (coverage === undefined) return 'nothing said';
    const verdict = coverage.verdict(SELF, directory.resource);
    const own = this.#core.now() - coverage.ownChangeAt < this.#core.options.attrTtlMs;
    return verdict === 'contradicted' && own ? 'unsure' : verdict;
  }

  // ---- Lines

  #onChange(change: Change): void {
    if (change.kind === 'reset') {
      this.#coverages.clear();
      return;
    }
    const node = this.#find(change.path);
    if (change.kind === 'forget') {
      if (node !== undefined) this.#coverages.delete(node.id);
      return;
    }
    if (node?.isDirectory === true) this.#onSelf(node, change);
    const slash = change.path.lastIndexOf('/');
    const parent = slash < 0 ? undefined : this.#find(change.path.slice(0, slash));
    if (parent !== undefined) this.#onMember(parent, change.path.slice(slash + 1), change);
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#core.nodes.root;
    for (const name of path.split('/').slice(1)) node = node?.children.get(name);
    return node;
  }

  #onSelf(directory: Node, said: NonNullable<Said>): void {
    this.#say(directory, SELF, said);
    if (this.#selfVerdict(directory) === 'contradicted') this.#tellKernel(directory);
  }

  #onMember(parent: Node, name: string, said: NonNullable<Said>): void {
    if (!this.#coverages.has(parent.id)) return;
    this.#say(parent, name, said);
    const child = parent.children.get(name);
    if (child?.isLocal === true) return;
    // A name is taken from the kernel only where another thing, or nothing, is there: below a folder something may be mounted.
    if (child === undefined ? said.kind === 'changed' : !isSameFile(said, child.resource)) {
      void this.#core.invalidator?.entry(parent.id, name);
    }
    if (child !== undefined && !isSame(said, child.resource)) this.#tellKernel(child);
  }

  #tellKernel(node: Node): void {
    void this.#core.invalidator?.inode(node.id, -1, 0);
  }
}

function isSure(verdict: Verdict | undefined): boolean {
  return verdict === 'nothing said' || verdict === 'confirmed';
}
