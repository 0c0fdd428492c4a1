/**
 * What the peer told about names: single answers (also "no such name") and whole listings, both bounded. Keyed by node id, which is
 * never used twice, so a renamed directory keeps its cache and a dropped one's entries just age out.
 */
import { LRUCache } from 'lru-cache';
import type { Resource } from '../webdav/types.js';
import { typeOf } from './attributes.js';
import { fileKeyOf } from './node-table.js';

export interface CachedName {
  /** Undefined: no such name. */
  readonly resource: Resource | undefined;
  /** Monotonic ms of the answer. */
  readonly at: number;
}

export interface CachedListing {
  readonly members: Map<string, Resource>;
  readonly at: number;
  /** Counts changes of the names and their types. */
  version: number;
}

export interface NameCacheLimits {
  readonly maxNames: number;
  /** Entries over all listings. */
  readonly maxListed: number;
}

/** Files with several names of which a change of ours is remembered; longer than any answer is used. */
const MAX_CHANGED_FILES = 10_000;

export class NameCache {
  /** When a file with several names was last changed by us: what was told before under any of its names is outdated. */
  readonly #changedFiles = new LRUCache<string, number>({ max: MAX_CHANGED_FILES });
  readonly #names: LRUCache<string, CachedName>;
  readonly #listings: LRUCache<number, CachedListing>;

  constructor(limits: NameCacheLimits) {
    this.#names = new LRUCache({ max: limits.maxNames });
    this.#listings = new LRUCache({ maxSize: limits.maxListed });
  }

  /** The newest answer about a name that is younger than `since`; a listing without it says "no such name". */
  find(directoryId: number, name: string, since: number): CachedName | undefined {
    const found = this.#find(directoryId, name, since);
    return found !== undefined && this.isOutdated(found) ? undefined : found;
  }

  #find(directoryId: number, name: string, since: number): CachedName | undefined {
    const single = this.#names.get(`${directoryId}/${name}`);
    const listing = this.#listings.get(directoryId);
    if (
      listing !== undefined &&
      listing.at > since &&
      (single === undefined || listing.at >= single.at)
    ) {
      return { resource: listing.members.get(name), at: listing.at };
    }
    return single !== undefined && single.at > since ? single : undefined;
  }

  /** The last answer about just this name, however old. */
  single(directoryId: number, name: string): CachedName | undefined {
    const found = this.#names.peek(`${directoryId}/${name}`);
    return found !== undefined && this.isOutdated(found) ? undefined : found;
  }

  noteFileChange(resource: Resource, at: number): void {
    const key = fileKeyOf(resource);
    if (key !== undefined) this.#changedFiles.set(key, at);
  }

  isOutdated({ resource, at }: CachedName): boolean {
    const key = resource && fileKeyOf(resource);
    return key !== undefined && (this.#changedFiles.peek(key) ?? -Infinity) > at;
  }

  listing(directoryId: number, since: number): CachedListing | undefined {
    const listing = this.#listings.get(directoryId);
    return listing !== undefined && listing.at > since ? listing : undefined;
  }

  /** Entries in the last known listing, however old. */
  knownSize(directoryId: number): number {
    return this.#listings.peek(directoryId)?.members.size ?? 0;
  }

  put(directoryId: number, name: string, resource: Resource | undefined, at: number): void {
    this.#names.set(`${directoryId}/${name}`, { resource, at });
    const listing = this.#listings.peek(directoryId);
    if (listing === undefined) return;
    const { members } = listing;
    const before = members.get(name);
    if (resource === undefined) members.delete(name);
    else members.set(name, resource);
    if ((before && typeOf(before)) !== (resource && typeOf(resource))) listing.version += 1;
  }

  putListing(directoryId: number, members: Map<string, Resource>, at: number): void {
    this.#listings.set(directoryId, { members, at, version: 0 }, { size: members.size + 1 });
  }

  dropName(directoryId: number, name: string): void {
    this.#names.delete(`${directoryId}/${name}`);
    this.#listings.delete(directoryId);
  }

  clear(): void {
    this.#names.clear();
    this.#listings.clear();
  }
}
