import { DavportError } from '../errors.js';
import type { BodySink, HttpBody } from '../http/types.js';
import type { AskOptions, ChangesListener } from './change.js';
import type { LockTokens } from './lock-tokens.js';

/** Seconds and nanoseconds since the epoch; `sec` may be negative, `nsec` is 0..999999999. */
export interface Timespec {
  readonly sec: number;
  readonly nsec: number;
}

/** Namespace of davport's own properties. */
export const DAVPORT_NS = 'urn:davport:ns';
/** Namespace of mod_dav's properties: `executable`. */
export const APACHE_NS = 'http://apache.org/dav/props/';
/** Namespace of extended attributes stored as dead properties. */
export const XATTR_NS = 'urn:davport:xattr';

/**
 * What POSIX knows of a file and WebDAV does not, as the one property {urn:davport:ns}posix (one, because phodav stores only the
 * first property of a PROPPATCH). Text: space-separated `key=value`, e.g. `mode=100755 mtime=1700000000.000000001 etag="…"`;
 * unknown keys are ignored. `mode` is octal with the file type (regular 100000, symbolic link 120000, directory 040000).
 * `etag` (percent-encoded) names the version it was said of (compared weakly): of another version only the permission bits hold.
 * Our own share reports it live, without `etag`.
 */
export interface PosixProperty {
  readonly mode?: number;
  readonly mtime?: Timespec;
  readonly atime?: Timespec;
  readonly etag?: string;
  /** Symbolic links of our own share: the target. Elsewhere the target is the content of the resource. */
  readonly target?: string;
  /** Inode number where the peer tells (our own share). */
  readonly ino?: number;
  readonly nlink?: number;
  /** With `nlink` above 1: the file system that `ino` is of. */
  readonly dev?: number;
}

/** Live state of a resource as one PROPFIND told it. */
export interface Resource {
  /** Last path segment, decoded as names.ts has it; '' for the requested resource itself. */
  readonly name: string;
  /** special: FIFO, socket, device, dangling link: listed, never opened. */
  readonly kind: 'file' | 'collection' | 'special';
  readonly size: number;
  /** Best that the server tells: `posix`, else finer ETag (phodav), else getlastmodified. Undefined when it tells nothing. */
  readonly mtime: Timespec | undefined;
  readonly created: Timespec | undefined;
  /** As received, with quotes and W/. */
  readonly etag: string | undefined;
  /** Server-side executable flag of a file: true, false, or not told. On phodav: the host's user may execute it. */
  readonly executable: boolean | undefined;
  /** The posix property if present and (where it names an etag) of this version; mode alone if of another. */
  readonly posix: PosixProperty | undefined;
}

export interface Quota {
  /** Undefined: not told or unlimited. */
  readonly availableBytes: number | undefined;
  readonly usedBytes: number | undefined;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** Conditions that the client turns into whatever the server honours (If-Match, If, If-None-Match, Overwrite). */
export interface Precondition {
  /** The resource must be this version. */
  readonly etag?: string;
  /** Nothing must be there. */
  readonly absent?: boolean;
}

export interface PutOptions extends CallOptions, SyncOptions {
  readonly precondition?: Precondition;
  /** Sent as metadata where the server takes it along with the PUT (our own share): saves a PROPPATCH. */
  readonly posix?: PosixProperty;
}

/** A part of a file: [start, end). */
export interface BytePart {
  readonly start: number;
  readonly end: number;
}

export interface PatchOptions extends PutOptions {
  /** Length of the file afterwards; only for our own share. */
  readonly size?: number;
}

export interface SyncOptions {
  /** On disk before it is answered, where the server can promise that (`sync` of the profile). */
  readonly durable?: boolean;
}

export interface PutResult {
  readonly created: boolean;
  /** Only from a server whose PUT response is trusted to describe the stored version (our own share). */
  readonly resource: Resource | undefined;
}

export interface GetResult {
  readonly status: 200 | 206;
  readonly etag: string | undefined;
  /** Size of the whole file: Content-Range's total or Content-Length. */
  readonly totalSize: number;
  /** First byte delivered. */
  readonly start: number;
}

/** What the server is and which promises it keeps: one table in server-profile.ts, filled by OPTIONS and probes. */
export interface ServerProfile {
  readonly name: 'phodav' | 'apache' | 'sabredav' | 'davport' | 'unknown';
  /** Value of Server, for messages. */
  readonly server: string;
  readonly davClasses: ReadonlySet<string>;
  /** A PUT that is cut leaves the old file whole: PUT may go straight to the target. */
  readonly atomicPut: boolean;
  /** PUT honours If-Match / If-None-Match: * . Else the target is checked by PROPFIND right before. */
  readonly conditionalPut: boolean;
  /** MOVE with Overwrite: F onto an existing name fails with 412. */
  readonly moveNoReplace: boolean;
  /** PUT answers with the stored version's etag and size (no verification request needed). */
  readonly putReturnsResource: boolean;
  /** A ranged GET costs as much as its range. False: as much as the file (phodav): read whole files in one stream. */
  readonly cheapRanges: boolean;
  /** Unknown properties given by PROPPATCH are kept (dead properties). */
  readonly deadProperties: boolean;
  /** PROPPATCH {http://apache.org/dav/props/}executable changes the file's mode. */
  readonly setsExecutable: boolean;
  /** The posix property is live there (our own share): mode and times are the file's own. */
  readonly livePosix: boolean;
  /** Files may have several names, made by BIND (RFC 5842). */
  readonly hardLinks: boolean;
  /** A request may ask for its change, or what it tells of, to be on disk before it is answered. */
  readonly sync: boolean;
  /** Quota properties are told (RFC 4331). */
  readonly quota: boolean;
  /** Looks for resources itself (RFC 5323). Each server says so itself. */
  readonly basicSearch: boolean;
  /** DELETE of a collection may empty what a symbolic link points at: never delete one that was not seen empty. */
  readonly deleteFollowsLinks: boolean;
  /** MOVE onto an existing collection destroys it first. Always check before. */
  readonly moveClobbersCollections: boolean;
}

/** A whole file, of one version. */
export interface SmallContent {
  readonly name: string;
  readonly etag: string;
  readonly bytes: Buffer;
}

/**
 * RFC 4918 client. Paths are decoded, absolute, '/'-separated, without trailing slash; the root is ''.  Every method rejects with
 * DavError (a status that says no), XmlError (an answer that can't be trusted), HttpError (no answer) or signal.reason.
 */
export interface RemoveOptions extends CallOptions {
  readonly precondition?: Precondition;
  /** A collection with members is refused with 409. Only for our own share (`livePosix`): others remove all. */
  readonly onlyEmpty?: boolean;
}

export interface WebDavClient {
  /** Asks OPTIONS (and probes) once per connection of the peer and remembers. */
  profile(options?: CallOptions): Promise<ServerProfile>;
  /** The profile if it is known already. */
  readonly knownProfile: ServerProfile | undefined;
  /** Depth 0. */
  stat(path: string, options?: AskOptions & SyncOptions): Promise<Resource>;
  /** Depth 1 without the collection itself and without what is hidden (see hiddenName). Resolves when the document ended well. */
  list(path: string, options?: ListOptions): Promise<Listing>;
  /**
   * The feed of changes of our own share (see `hasChangeFeed`): resolves when the peer ends it, rejects when it is lost, and as
   * all others. `heartbeatMs`: time between signs of life.
   */
  changes(listener: ChangesListener, options: CallOptions & { heartbeatMs: number }): Promise<void>;
  /**
   * Whole small files of a collection of our own share (see `hasContents`), in any order; those that it can't tell like this are left
   * out.
   */
  contents(
    path: string,
    names: readonly string[],
    onContent: (content: SmallContent) => void,
    options?: CallOptions,
  ): Promise<void>;
  /** RFC 4331 at `path`. */
  quota(path: string, options?: CallOptions): Promise<Quota>;
  /**
   * Bytes [start, end) to `sink` in order, exactly that many, or an error: HTTP_PROTOCOL if short or long, STALE (DavError 412) when
   * `etag` is given and the answer is of another version. Without range: the whole file. `onHead` comes before the first byte.
   */
  get(path: string, sink: BodySink, options?: CallOptions & GetOptions): Promise<GetResult>;
  put(path: string, body: HttpBody, options?: PutOptions): Promise<PutResult>;
  /**
   * Changes parts of the file that is there, on a server that says that it takes them: several at once where it `takesExtents`, else
   * one (`takesPatch`). `body` has their bytes, one part behind the other.
   */
  patch(
    path: string,
    parts: readonly BytePart[],
    body: HttpBody | undefined,
    options?: PatchOptions,
  ): Promise<PutResult>;
  /**
   * PUT with Content-Range of the part of a file that begins at `start`. Only for a server that was seen to take it for a part: others
   * take it for the whole file.
   */
  putRange(path: string, start: number, bytes: Uint8Array, options?: PutOptions): Promise<void>;
  remove(path: string, options?: RemoveOptions): Promise<void>;
  mkcol(
    path: string,
    options?: CallOptions & Pick<PutOptions, 'posix'>,
  ): Promise<Resource | undefined>;
  /** A further name `name` in `collection`, where nothing has it yet (else DavError 412), for the file at `path`. */
  bind(
    collection: string,
    name: string,
    path: string,
    options?: CallOptions,
  ): Promise<Resource | undefined>;
  copy(
    from: string,
    to: string,
    options?: CallOptions & CopyOptions,
  ): Promise<Resource | undefined>;
  move(
    from: string,
    to: string,
    options?: CallOptions & MoveOptions,
  ): Promise<Resource | undefined>;
  /** Sets (text) or removes (undefined) properties. Rejects with DavError of the first refused property's status. */
  proppatch(
    path: string,
    changes: readonly PropertyChange[],
    options?: CallOptions,
  ): Promise<Resource | undefined>;
  /** Named dead properties' text, by `${ns} ${name}`; absent ones are missing. */
  properties(
    path: string,
    names: readonly PropertyName[],
    options?: CallOptions,
  ): Promise<Map<string, string>>;
  /** Names of all properties (propname, else allprop). */
  propertyNames(path: string, options?: CallOptions): Promise<PropertyName[]>;
  lock(path: string, options?: CallOptions & LockOptions): Promise<GrantedLock>;
  /** Gives the seconds granted; DavError 412 when the lock is no more. */
  refreshLock(
    path: string,
    token: string,
    options?: CallOptions & Pick<LockOptions, 'timeoutSec'>,
  ): Promise<number>;
  /** Tokens that go with every change of what they lock. */
  readonly locks: LockTokens;
  unlock(path: string, token: string, options?: CallOptions): Promise<void>;
  /** Looks below `path` on the server (RFC 5323), which must have `basicSearch`. Each resource is told when it arrives. */
  search(path: string, options: CallOptions & SearchOptions): Promise<SearchResult>;
  close(): Promise<void>;
}

export interface LockOptions {
  readonly timeoutSec?: number;
  /** Default: exclusive. */
  readonly scope?: 'exclusive' | 'shared';
}

export interface GrantedLock {
  readonly token: string;
  /** There was nothing: the lock has made an empty file. */
  readonly created: boolean;
  readonly timeoutSec: number;
}

export interface GetOptions {
  readonly start?: number;
  readonly end?: number;
  readonly etag?: string;
  readonly onHead?: (head: GetResult) => void;
}

export interface MoveOptions {
  /** Default true. False: fails with DavError 412 when something is there. */
  readonly overwrite?: boolean;
  /**
   * What is overwritten must be this version, else DavError 412. By the DAV If header where the server honours it, else the target
   * is looked at right before (phodav: for names that need escaping in a URL).
   */
  readonly destinationEtag?: string;
}

export interface CopyOptions extends MoveOptions {
  /** What is copied must be this version, else DavError 412. Where the server has no such condition it is looked at right before. */
  readonly sourceEtag?: string;
}

export interface ListOptions extends AskOptions {
  /** Told while the document arrives. */
  readonly onMember?: (member: Resource) => void;
  /** The document broke off and comes once more. */
  readonly onRestart?: () => void;
}

export interface Listing {
  /** The collection itself, with name ''. */
  readonly self: Resource | undefined;
  /** By name; the receiver's own. No copy is made of what may be 100,000 entries. */
  readonly members: Map<string, Resource>;
  /** Uploads on the way, or left by a client that died (see hidden-names.ts). */
  readonly uploads: readonly Resource[];
  /** By the server's clock, seconds since the epoch. */
  readonly toldAt: number | undefined;
}

/** What a search looks for, in words that each server's own query is made of. */
export type SearchCondition =
  | { readonly op: 'and' | 'or'; readonly operands: readonly SearchCondition[] }
  | { readonly op: 'not'; readonly operand: SearchCondition }
  /** `pattern`: `*` any characters, `?` one, `\\` takes what follows as it is; without regard to case. */
  | { readonly op: 'name'; readonly pattern: string }
  | { readonly op: 'size'; readonly is: SearchComparison; readonly bytes: number }
  | { readonly op: 'modified' | 'created'; readonly is: SearchComparison; readonly sec: number }
  | { readonly op: 'type'; readonly type: 'file' | 'collection' | 'link' }
  | { readonly op: 'content'; readonly text: string };

export type SearchComparison = 'eq' | 'lt' | 'lte' | 'gt' | 'gte';

export interface SearchOptions {
  /** Absent: everything. */
  readonly where?: SearchCondition;
  readonly limit?: number;
  readonly onFound: (found: FoundResource) => void;
}

export interface FoundResource {
  readonly path: string;
  readonly resource: Resource;
}

export interface SearchResult {
  /** False: the limit, or a bound of the server's, ended it; there may be more. */
  readonly complete: boolean;
}

export interface PropertyName {
  readonly ns: string;
  readonly name: string;
}
export interface PropertyChange extends PropertyName {
  readonly value: string | undefined;
}

/** A status that says no. `code` is DAV_<status>. */
export class DavError extends DavportError {
  readonly status: number;
  readonly method: string;
  readonly path: string;
  /** Precondition element of the error body (RFC 4918 §16), e.g. 'lock-token-submitted'. */
  readonly condition: string | undefined;

  constructor(
    method: string,
    path: string,
    status: number,
    options?: ErrorOptions & { condition?: string; message?: string },
  ) {
    super(`DAV_${status}`, options?.message ?? `${method} ${path || '/'}: ${status}`, options);
    this.method = method;
    this.path = path;
    this.status = status;
    this.condition = options?.condition;
  }
}

/** An XML answer that is ill-formed, truncated, hostile or not what was asked for. */
export class XmlError extends DavportError {
  constructor(message: string, options?: ErrorOptions) {
    super('XML_INVALID', message, options);
  }
}
