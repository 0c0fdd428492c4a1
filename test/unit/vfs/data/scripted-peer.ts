/**
 * A WebDAV peer in memory behind the client's interface, for what a real server can't be made to do on cue: answers cut at a byte,
 * versions that change in the middle, answers lost after the deed.
 */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { HttpError, type BodySink, type HttpBody } from '../../../../src/http/types.js';
import { silentLogger } from '../../../../src/log.js';
import { opaqueTag } from '../../../../src/webdav/etag.js';
import {
  DavError,
  type BytePart,
  type CallOptions,
  type CopyOptions,
  type GetOptions,
  type GetResult,
  type PatchOptions,
  type PropertyChange,
  type PutOptions,
  type PutResult,
  type Resource,
  type ServerProfile,
  type WebDavClient,
} from '../../../../src/webdav/types.js';
import type { ContentCache } from '../../../../src/vfs/content-cache/content-cache.js';
import type { DataOptions } from '../../../../src/vfs/content.js';

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly start?: number | undefined;
  readonly end?: number | undefined;
}

/** What goes wrong with one call. */
export interface Fault {
  /** GET: the answer breaks off after so many bytes; PUT: the request does. */
  readonly cutAfter?: number;
  /** Done, but the answer gets lost. */
  readonly loseAnswer?: boolean;
  /** PUT: done when this resolves; the answer gets lost before. */
  readonly doneLate?: Promise<void>;
  /** Awaited before the answer, or before each chunk of a GET. */
  readonly gate?: (position: number) => Promise<void> | undefined;
  readonly status?: number;
}

export interface StoredFile {
  readonly size: number;
  readonly bytes: (offset: number, length: number) => Buffer;
  readonly etag: string;
  properties: Map<string, string>;
}

const PHODAV: ServerProfile = {
  name: 'phodav',
  server: 'scripted',
  davClasses: new Set(['1', '2']),
  atomicPut: false,
  conditionalPut: false,
  moveNoReplace: true,
  putReturnsResource: false,
  cheapRanges: false,
  deadProperties: true,
  setsExecutable: false,
  livePosix: false,
  hardLinks: false,
  sync: false,
  quota: true,
  basicSearch: false,
  deleteFollowsLinks: true,
  moveClobbersCollections: true,
};

export const PROFILES = {
  phodav: PHODAV,
  unknown: { ...PHODAV, name: 'unknown', moveNoReplace: false },
  apache: {
    ...PHODAV,
    name: 'apache',
    atomicPut: true,
    conditionalPut: true,
    cheapRanges: true,
    setsExecutable: true,
    moveClobbersCollections: false,
  },
  davport: {
    ...PHODAV,
    name: 'davport',
    atomicPut: true,
    conditionalPut: true,
    cheapRanges: true,
    putReturnsResource: true,
    livePosix: true,
    moveClobbersCollections: false,
  },
} satisfies Record<string, ServerProfile>;

/** Our own share as it is now. */
export const SHARE: ServerProfile = {
  ...PROFILES.davport,
  davClasses: new Set(['1', '2', '<urn:davport:partial>', '<urn:davport:extents>']),
};

export class ScriptedPeer {
  readonly files = new Map<string, StoredFile>();
  readonly calls: Call[] = [];
  readonly profile: ServerProfile;
  chunkBytes = 64 * 1024;
  /** PUT with Content-Range changes a part; else it replaces the file. */
  takesRanges = true;
  /** Consulted for every call. */
  fault: (call: Call) => Fault | undefined = () => undefined;
  #versions = 0;

  constructor(profile: ServerProfile) {
    this.profile = profile;
  }

  get client(): WebDavClient {
    return this.#client;
  }

  options(
    cacheDir: string,
    readAheadBytes = 64 * 1024 * 1024,
    contents?: ContentCache,
  ): DataOptions {
    return { client: this.client, log: silentLogger, cacheDir, readAheadBytes, contents };
  }

  put(path: string, content: Buffer): StoredFile {
    return this.putVirtual(path, content.length, (offset, length) =>
      content.subarray(offset, offset + length),
    );
  }

  putVirtual(path: string, size: number, bytes: StoredFile['bytes']): StoredFile {
    const file = { size, bytes, etag: `"v${(this.#versions += 1)}"`, properties: new Map() };
    this.files.set(path, file);
    return file;
  }

  content(path: string): Buffer | undefined {
    const file = this.files.get(path);
    return file?.bytes(0, file.size);
  }

  resource(path: string): Resource {
    const file = this.files.get(path);
    if (!file) throw new DavError('PROPFIND', path, 404);
    return {
      name: '',
      kind: 'file',
      size: file.size,
      mtime: { sec: 1_700_000_000, nsec: 0 },
      created: undefined,
      etag: file.etag,
      executable: undefined,
      posix: undefined,
    };
  }

  methods(): string[] {
    return this.calls.map((call) => call.method);
  }

  #begin(call: Call, signal?: AbortSignal): Fault {
    signal?.throwIfAborted();
    this.calls.push(call);
    const fault = this.fault(call) ?? {};
    if (fault.status !== undefined) throw new DavError(call.method, call.path, fault.status);
    return fault;
  }

  async #get(
    path: string,
    sink: BodySink,
    options: CallOptions & GetOptions = {},
  ): Promise<GetResult> {
    const { start = 0, end, signal } = options;
    const fault = this.#begin({ method: 'GET', path, start: options.start, end }, signal);
    await fault.gate?.(-1);
    await turn();
    signal?.throwIfAborted();
    const file = this.files.get(path);
    if (!file) throw new DavError('GET', path, 404);
    if (options.etag !== undefined && opaqueTag(options.etag) !== opaqueTag(file.etag))
      throw new DavError('GET', path, 412);
    const ranged = options.start !== undefined;
    if (ranged && start >= file.size) throw new DavError('GET', path, 416);
    const until = Math.min(end ?? file.size, file.size);
    const head = {
      status: ranged ? 206 : 200,
      etag: file.etag,
      totalSize: file.size,
      start,
    } as const;
    options.onHead?.(head);
    for (let at = start; at < until;) {
      await fault.gate?.(at);
      await turn();
      signal?.throwIfAborted();
      const cut = Math.min(until, start + (fault.cutAfter ?? Infinity));
      if (at >= cut) throw new HttpError('HTTP_LOST', 'cut');
      const length = Math.min(this.chunkBytes, cut - at);
      sink.onData(Buffer.from(file.bytes(at, length)));
      at += length;
    }
    if (until < (end ?? file.size)) throw new HttpError('HTTP_PROTOCOL', 'short');
    return head;
  }

  async #put(path: string, body: HttpBody, options: PutOptions = {}): Promise<PutResult> {
    const { precondition, signal } = options;
    const fault = this.#begin({ method: 'PUT', path }, signal);
    const present = this.files.get(path);
    if (this.profile.conditionalPut && precondition) {
      const weak = present?.etag.startsWith('W/');
      const holds = precondition.absent ? !present : present?.etag === precondition.etag && !weak;
      if (!holds) throw new DavError('PUT', path, 412);
    }
    const whole = await collect(body);
    await fault.gate?.(-1);
    if (fault.cutAfter !== undefined) {
      if (!this.profile.atomicPut) this.put(path, whole.subarray(0, fault.cutAfter));
      throw new HttpError('HTTP_LOST', 'cut');
    }
    const properties = present?.properties ?? new Map<string, string>();
    if (fault.doneLate !== undefined) {
      void fault.doneLate.then(() => (this.put(path, whole).properties = properties));
      throw new HttpError('HTTP_LOST', 'the answer was lost');
    }
    signal?.throwIfAborted();
    this.put(path, whole).properties = properties;
    if (fault.loseAnswer) throw new HttpError('HTTP_LOST', 'the answer was lost');
    const resource = this.profile.putReturnsResource ? this.resource(path) : undefined;
    return { created: !present, resource };
  }

  async #patch(
    path: string,
    parts: readonly BytePart[],
    body: HttpBody | undefined,
    options: PatchOptions = {},
  ): Promise<PutResult> {
    const { precondition, signal } = options;
    const fault = this.#begin({ method: 'PATCH', path }, signal);
    const bytes = await collect(body ?? Buffer.alloc(0));
    await fault.gate?.(-1);
    if (fault.cutAfter !== undefined) throw new HttpError('HTTP_LOST', 'cut');
    signal?.throwIfAborted();
    const present = this.files.get(path);
    if (!present) throw new DavError('PATCH', path, 404);
    if (precondition?.etag !== undefined && precondition.etag !== present.etag)
      throw new DavError('PATCH', path, 412);
    const end = parts.at(-1)?.end ?? 0;
    const next = Buffer.alloc(options.size ?? Math.max(present.size, end));
    present.bytes(0, present.size).copy(next);
    let at = 0;
    for (const part of parts) {
      bytes.copy(next, part.start, at, at + part.end - part.start);
      at += part.end - part.start;
    }
    assert.equal(at, bytes.length, 'the body is what the parts say');
    this.put(path, next).properties = present.properties;
    if (fault.loseAnswer) throw new HttpError('HTTP_LOST', 'the answer was lost');
    return { created: false, resource: this.resource(path) };
  }

  /** As Apache has it: the bytes are in the file as far as they have come. */
  async #putRange(
    path: string,
    start: number,
    bytes: Uint8Array,
    { precondition, signal }: PutOptions = {},
  ): Promise<void> {
    const fault = this.#begin({ method: 'PUT', path, start }, signal);
    const present = this.files.get(path);
    const etag = precondition?.etag;
    if (etag !== undefined && (!present || opaqueTag(etag) !== opaqueTag(present.etag)))
      throw new DavError('PUT', path, 412);
    await fault.gate?.(-1);
    const part = Buffer.from(bytes).subarray(0, fault.cutAfter ?? bytes.length);
    const size = this.takesRanges ? Math.max(present?.size ?? 0, start + part.length) : part.length;
    const next = Buffer.alloc(size);
    if (this.takesRanges) present?.bytes(0, present.size).copy(next);
    part.copy(next, this.takesRanges ? start : 0);
    if (fault.doneLate !== undefined) {
      void fault.doneLate.then(() => {
        const later = Buffer.from(this.content(path)!);
        part.copy(later, start);
        this.put(path, later);
      });
      throw new HttpError('HTTP_LOST', 'the answer was lost');
    }
    if (part.length > 0) {
      this.put(path, next).properties = present?.properties ?? new Map<string, string>();
    }
    signal?.throwIfAborted();
    if (fault.cutAfter !== undefined) throw new HttpError('HTTP_LOST', 'cut');
    if (fault.loseAnswer) throw new HttpError('HTTP_LOST', 'the answer was lost');
  }

  async #move(
    from: string,
    to: string,
    options: CallOptions & { overwrite?: boolean } = {},
  ): Promise<void> {
    const fault = this.#begin({ method: 'MOVE', path: to }, options.signal);
    await turn();
    const file = this.files.get(from);
    if (!file) throw new DavError('MOVE', from, 404);
    if (options.overwrite === false && this.profile.moveNoReplace && this.files.has(to)) {
      throw new DavError('MOVE', to, 412);
    }
    this.files.set(to, file);
    this.files.delete(from);
    if (fault.loseAnswer) throw new HttpError('HTTP_LOST', 'the answer was lost');
  }

  readonly #client = {
    knownProfile: undefined,
    profile: () => Promise.resolve(this.profile),
    stat: async (path: string, options: CallOptions = {}) => {
      const fault = this.#begin({ method: 'PROPFIND', path }, options.signal);
      await fault.gate?.(-1);
      await turn();
      if (fault.loseAnswer) throw new HttpError('HTTP_LOST', 'the answer was lost');
      return this.resource(path);
    },
    get: this.#get.bind(this),
    put: this.#put.bind(this),
    patch: this.#patch.bind(this),
    putRange: this.#putRange.bind(this),
    move: this.#move.bind(this),
    quota: () => Promise.resolve({ availableBytes: undefined, usedBytes: undefined }),
    propertyNames: async (path: string) => {
      await turn();
      const keys = [...(this.files.get(path)?.properties.keys() ?? [])];
      return keys.map((key) => ({ ns: key.split(' ')[0]!, name: key.split(' ')[1]! }));
    },
    copy: async (from: string, to: string, options: CallOptions & CopyOptions = {}) => {
      const fault = this.#begin({ method: 'COPY', path: to }, options.signal);
      await turn();
      const file = this.files.get(from);
      if (!file) throw new DavError('COPY', from, 404);
      const taken = options.overwrite === false && this.files.has(to);
      if (taken || (options.sourceEtag ?? file.etag) !== file.etag) {
        throw new DavError('COPY', from, 412);
      }
      // phodav keeps the time of change, and with it the tag.
      this.files.set(to, { ...file, properties: new Map(file.properties) });
      if (fault.loseAnswer) throw new HttpError('HTTP_LOST', 'the answer was lost');
    },
    remove: async (path: string, options: CallOptions = {}) => {
      this.#begin({ method: 'DELETE', path }, options.signal);
      await turn();
      if (!this.files.delete(path)) throw new DavError('DELETE', path, 404);
    },
    proppatch: async (path: string, changes: readonly PropertyChange[]) => {
      this.#begin({ method: 'PROPPATCH', path });
      await turn();
      const file = this.files.get(path);
      if (!file) throw new DavError('PROPPATCH', path, 404);
      for (const { ns, name, value } of changes) {
        if (value === undefined) file.properties.delete(`${ns} ${name}`);
        else file.properties.set(`${ns} ${name}`, value);
      }
    },
  } as unknown as WebDavClient;
}

async function collect(body: HttpBody): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  if (body instanceof Uint8Array) pieces.push(Buffer.from(body));
  else for await (const piece of body.open()) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}
