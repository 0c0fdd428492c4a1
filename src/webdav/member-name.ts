/** Which member of a collection an entry of a multistatus speaks of. */
import {
  decodeSegment,
  hrefSegments,
  isUnsafeName,
  nameOf,
  segmentMeans,
  type HrefOptions,
} from './href.js';
import type { MultistatusEntry } from './multistatus.js';
import type { ServerProfile } from './types.js';

export type Place =
  | { readonly kind: 'self' }
  | { readonly kind: 'member'; readonly name: string }
  /** Not in the collection, or without a name that could be one. */
  | { readonly kind: 'stray' };

const SELF: Place = { kind: 'self' };
const STRAY: Place = { kind: 'stray' };

/** GLib's display name of what is no UTF-8: not the name. */
const SPOILED = /\ufffd| \(invalid encoding\)$/;

export class MemberNames {
  readonly #collection: string;
  /** Segments of the collection's target, decoded. */
  readonly #segments: readonly string[];
  readonly #phodav: boolean;
  readonly #hrefOptions: HrefOptions;
  #selfSeen = false;
  /** Of hrefs of members, as sent. */
  #prefix: string | undefined;

  /** `basePath`: encoded; `collection`: path. */
  constructor(basePath: string, collection: string, profile: ServerProfile) {
    this.#collection = collection;
    this.#segments = [
      ...basePath.split('/').slice(1).map(decodeSegment),
      ...collection.split('/').slice(1),
    ];
    this.#phodav = profile.name === 'phodav';
    this.#hrefOptions = { rawDelimiters: this.#phodav };
  }

  place(entry: MultistatusEntry): Place {
    if (this.#phodav && entry.href === '') return this.#placeByDisplayName(entry);
    const usual = this.#afterPrefix(entry.href);
    if (usual !== undefined) return member(decodeSegment(usual));
    const segments = hrefSegments(entry.href, this.#hrefOptions);
    if (segments === undefined) return STRAY;
    const depth = this.#segments.length;
    if (!this.#beginsWithCollection(segments)) return STRAY;
    if (segments.length === depth) return this.#self();
    if (segments.length !== depth + 1) return STRAY;
    this.#notePrefix(entry.href, segments[depth]!);
    return member(this.#nameOf(segments[depth]!, entry));
  }

  /** Servers write all members alike: what was before the name of the first is before the others. */
  #notePrefix(href: string, segment: string): void {
    if (this.#phodav || this.#prefix !== undefined) return;
    const path = href.endsWith('/') ? href.slice(0, -1) : href;
    if (path.endsWith(`/${segment}`)) this.#prefix = path.slice(0, -segment.length);
  }

  /** The last segment of a member's href. Undefined: it has to be read in full. */
  #afterPrefix(href: string): string | undefined {
    const prefix = this.#prefix;
    if (prefix === undefined || !href.startsWith(prefix)) return undefined;
    const end = href.endsWith('/') ? href.length - 1 : href.length;
    const segment = href.slice(prefix.length, end);
    return segment === '' || /[/?#]/.test(segment) ? undefined : segment;
  }

  #beginsWithCollection(segments: readonly string[]): boolean {
    if (segments.length < this.#segments.length) return false;
    // phodav doesn't escape the collection's path in hrefs: `&lt;` of a name arrives as `<`. The number of segments has to do.
    if (this.#phodav && this.#collection.includes('&')) return true;
    return this.#segments.every((name, at) => segmentMeans(segments[at]!, name, this.#hrefOptions));
  }

  #self(): Place {
    this.#selfSeen = true;
    return SELF;
  }

  /** phodav's displayname is the file's name, and decides whether the href was escaped or raw. */
  #nameOf(segment: string, entry: MultistatusEntry): string {
    const shown = this.#phodav ? entry.properties.get('DAV: displayname') : undefined;
    return shown !== undefined && shown === segment ? shown : decodeSegment(segment);
  }

  /**
   * phodav leaves the href empty where it can't make a URI of a path: for names with a bare `%`, and for everything below such a
   * name or one with `&`. A collection in a collection of the same such name can't be told from that: the first one is it.
   */
  #placeByDisplayName(entry: MultistatusEntry): Place {
    const shown = entry.properties.get('DAV: displayname');
    if (shown === undefined || SPOILED.test(shown)) return STRAY;
    const isCollection = entry.properties.get('DAV: resourcetype')?.includes('DAV: collection ');
    if (!this.#selfSeen && isCollection === true && shown === nameOf(this.#collection)) {
      return this.#self();
    }
    return member(shown);
  }
}

function member(name: string): Place {
  return isUnsafeName(name) ? STRAY : { kind: 'member', name };
}
