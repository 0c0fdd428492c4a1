import type { DavContext } from '../context.js';
import { parseDate } from '../http-date.js';
import { isPhodavInternal, isUploadName } from '../hidden-names.js';
import { MemberNames } from '../member-name.js';
import type { MultistatusEntry } from '../multistatus.js';
import { statProperties, toResource } from '../properties.js';
import { propfindBody } from '../request-body.js';
import type { Listing, ListOptions, Resource, ServerProfile } from '../types.js';
import { propfind } from './propfind.js';

/** PROPFIND Depth 1. */
export async function list(
  context: DavContext,
  path: string,
  call?: ListOptions,
): Promise<Listing> {
  const profile = await context.profile(call);
  const listing = new ListingBuilder(context, path, profile, call);
  const head = await propfind(context, {
    path,
    depth: '1',
    body: propfindBody(statProperties(profile)),
    profile,
    call,
    onEntry: (entry) => listing.add(entry),
    onRestart: () => listing.clear(),
  });
  return listing.build(parseDate(head.headers.date ?? '')?.sec);
}

class ListingBuilder {
  readonly #context: DavContext;
  readonly #path: string;
  readonly #profile: ServerProfile;
  readonly #reader: ListOptions | undefined;
  #names: MemberNames;
  #self: Resource | undefined;
  #members = new Map<string, Resource>();
  #uploads: Resource[] = [];

  constructor(
    context: DavContext,
    path: string,
    profile: ServerProfile,
    reader: ListOptions | undefined,
  ) {
    this.#context = context;
    this.#path = path;
    this.#profile = profile;
    this.#reader = reader;
    this.#names = this.#newNames();
  }

  clear(): void {
    this.#names = this.#newNames();
    this.#self = undefined;
    this.#members = new Map();
    this.#uploads = [];
    this.#reader?.onRestart?.();
  }

  add(entry: MultistatusEntry): void {
    // Gone between the listing and the look at it.
    if (entry.status !== undefined && entry.status >= 300) return;
    const place = this.#names.place(entry);
    if (place.kind === 'self') {
      this.#self = toResource(entry, '', this.#profile);
    } else if (place.kind === 'member') {
      this.#addMember(entry, place.name);
    } else {
      this.#warn('left out an entry whose href is no member of the collection', entry.href);
    }
  }

  build(toldAt: number | undefined): Listing {
    return { toldAt, self: this.#self, members: this.#members, uploads: this.#uploads };
  }

  #addMember(entry: MultistatusEntry, name: string): void {
    if (isUploadName(name)) {
      this.#uploads.push(toResource(entry, name, this.#profile));
      return;
    }
    if (this.#profile.name === 'phodav' && isPhodavInternal(this.#path, name)) return;
    if (this.#members.has(name)) {
      this.#warn('left out an entry that came twice', entry.href);
      return;
    }
    const resource = toResource(entry, name, this.#profile);
    this.#members.set(name, resource);
    this.#reader?.onMember?.(resource);
  }

  #newNames(): MemberNames {
    return new MemberNames(this.#context.http.basePath, this.#path, this.#profile);
  }

  #warn(message: string, href: string): void {
    this.#context.log.warn(message, { collection: this.#path || '/', href });
  }
}
