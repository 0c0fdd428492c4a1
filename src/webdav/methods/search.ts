import { HttpError, type BodySink, type HttpHead } from '../../http/types.js';
import { send, type DavContext } from '../context.js';
import { decodeSegment, hrefSegments, isUnsafeName, nameOf, toTarget } from '../href.js';
import { isUploadName } from '../hidden-names.js';
import { MultistatusReader, type MultistatusEntry } from '../multistatus.js';
import { searchProperties, toResource } from '../properties.js';
import { XML_CONTENT_TYPE } from '../request-body.js';
import { searchBody } from '../search-body.js';
import { requireStatus } from '../status.js';
import {
  DavError,
  type CallOptions,
  type FoundResource,
  type SearchOptions,
  type SearchResult,
  type ServerProfile,
} from '../types.js';

/** SEARCH of infinite depth (RFC 5323). */
export async function search(
  context: DavContext,
  path: string,
  options: CallOptions & SearchOptions,
): Promise<SearchResult> {
  const profile = await context.profile(options);
  if (!profile.basicSearch) throw new DavError('SEARCH', path, 405);
  const { basePath } = context.http;
  const sink = new ResultSink(basePath, profile, options.onFound);
  const response = await send(context, {
    method: 'SEARCH',
    path: '',
    headers: { 'content-type': XML_CONTENT_TYPE },
    body: searchBody({
      select: searchProperties(profile),
      scope: toTarget(basePath, path, true),
      where: options.where,
      limit: options.limit,
      profile,
    }),
    sink,
    compressible: true,
    // As long as it takes, beside what programs wait for. What was told can't be taken back: it isn't sent again.
    standing: true,
    call: options,
  });
  requireStatus('SEARCH', path, response, [207]);
  return { complete: sink.end() };
}

class ResultSink implements BodySink {
  readonly #reader: MultistatusReader;
  readonly #base: readonly string[];
  readonly #profile: ServerProfile;
  readonly #onFound: (found: FoundResource) => void;
  #complete = true;

  constructor(basePath: string, profile: ServerProfile, onFound: (found: FoundResource) => void) {
    this.#base = basePath.split('/').slice(1).map(decodeSegment);
    this.#profile = profile;
    this.#onFound = onFound;
    this.#reader = new MultistatusReader((entry) => this.#add(entry));
  }

  onHeaders({ status }: HttpHead): void {
    if (status === 207) return;
    throw new HttpError('HTTP_PROTOCOL', `SEARCH was answered with ${status}`);
  }

  onData(chunk: Buffer): void {
    this.#reader.write(chunk);
  }

  end(): boolean {
    this.#reader.end();
    return this.#complete;
  }

  #add(entry: MultistatusEntry): void {
    // RFC 5323 section 2.3.1.
    if (entry.status === 507) this.#complete = false;
    if (entry.status !== undefined && entry.status >= 300) return;
    const path = this.#pathOf(entry.href);
    if (path === undefined || isUploadName(nameOf(path))) return;
    this.#onFound({ path, resource: toResource(entry, nameOf(path), this.#profile) });
  }

  /** Undefined for what is outside of the base, or can't be a path. */
  #pathOf(href: string): string | undefined {
    const segments = hrefSegments(href, { rawDelimiters: false })?.map(decodeSegment);
    if (!segments || segments.some(isUnsafeName)) return undefined;
    if (!this.#base.every((name, at) => segments[at] === name)) return undefined;
    return segments
      .slice(this.#base.length)
      .map((name) => `/${name}`)
      .join('');
  }
}
