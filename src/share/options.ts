import type { Duplex } from 'node:stream';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { UsageError } from '../errors.js';
import { silentLogger, type Logger } from '../log.js';
import type { WatchCalls } from './change-feed/inotify.js';
import type { SymlinkPolicy } from './root.js';

/**
 * System calls that node:fs lacks, injected because this layer doesn't load the addon (which has them). None follows a symbolic link
 * as the last component. Errors carry `code`.
 */
export interface SystemCalls {
  /** Undefined: no such attribute. */
  getxattr(path: string | Uint8Array, name: string): Buffer | undefined;
  setxattr(path: string | Uint8Array, name: string, value: Uint8Array): void;
  listxattr(path: string | Uint8Array): string[];
  removexattr(path: string | Uint8Array, name: string): void;
  /** Names and states of the members of the open folder `fd`, many by one call; as the addon's binding has it. */
  readMembers?(
    fd: number,
    names: Uint8Array,
    states: BigInt64Array,
    withAttributes: boolean,
    limitMs: number,
  ): number;
  readMembersAhead?(
    fd: number,
    names: Uint8Array,
    states: BigInt64Array,
    withAttributes: boolean,
    limitMs: number,
  ): Promise<number>;
  /** What the kernel has at hand of a file; -1: it would have to wait. As the addon's binding has it. */
  readCached?(fd: number, buffer: Uint8Array, length: number, position: number): number;
  /** Calls on names in an open folder, as the addon's binding has them; without them the way leads through /proc. */
  statAt?(fd: number, name: string | Uint8Array, state: BigInt64Array): boolean;
  findBeneath?(
    fd: number,
    path: string | Uint8Array,
    flags: number,
    name: string | Uint8Array,
    state: BigInt64Array,
  ): number;
  createAt?(
    fd: number,
    name: string | Uint8Array,
    mode: number,
    content: Uint8Array,
    other: string | Uint8Array,
    states: BigInt64Array,
  ): number;
  renameAt?(
    fd: number,
    from: string | Uint8Array,
    to: string | Uint8Array,
    flags: number,
    opened: number,
    beside: string | Uint8Array,
    state: BigInt64Array,
  ): boolean;
  readFileAt?(
    fd: number,
    name: string | Uint8Array,
    buffer: Uint8Array,
    state: BigInt64Array,
  ): number;
  /** Whole small files of the open folder, in a thread; as the addon's binding has it. */
  readFiles?(
    folder: number,
    names: Uint8Array,
    bytes: Uint8Array,
    lengths: Int32Array,
    limitMs: number,
  ): Promise<number>;
  /** utimensat(2) with AT_SYMLINK_NOFOLLOW; an nsec of -1 leaves that time. Without it times are set to the microsecond below. */
  settimes?(
    path: string | Uint8Array,
    atimeSec: number,
    atimeNsec: number,
    mtimeSec: number,
    mtimeNsec: number,
  ): void;
}

/** One answered request, for an access log. */
export interface RequestRecord {
  readonly method: string;
  /** As it came, encoded. */
  readonly target: string;
  /** 0: the client was gone before an answer. */
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly durationMs: number;
  readonly userAgent: string;
  readonly referer: string;
  /** "1.1"; empty for what was no HTTP. */
  readonly httpVersion: string;
  /** Address of the client; empty on a channel or a unix socket. */
  readonly client: string;
}

export interface ShareOptions {
  /** The folder. No default: what is shared is always said. */
  readonly root: string;
  readonly readOnly?: boolean;
  readonly symlinks?: SymlinkPolicy;
  readonly log?: Logger;
  /** Every change is on disk before it is answered, whether the client asks for it or not. */
  readonly sync?: boolean;
  /** Without it there are no dead properties. */
  readonly attributes?: SystemCalls | undefined;
  /** Without it there is no feed of changes. */
  readonly watches?: WatchCalls | undefined;
  readonly onRequest?: (record: RequestRecord) => void;
  /**
   * Longest wait for the next byte from a client, or for it to take the next piece of a response, up to 256 KiB (default 60 s). Waits
   * that end with a few bytes add up: a client has to move at least 16 KiB in this time.
   */
  readonly stallTimeoutMs?: number;
  /** Longest wait for (the rest of) a request's head, and longest idle time of a connection. */
  readonly headTimeoutMs?: number;
  /** Most members that a PROPFIND of infinite depth tells; of more it is refused. */
  readonly infinityMembers?: number;
  /** Most locks of clients at once. */
  readonly maxLocks?: number;
  /** Milliseconds that never go backwards: by it locks expire. */
  readonly clock?: () => number;
  /** At a time (default 1024); one more takes the place of an idle one, or is answered with 503. */
  readonly maxConnections?: number;
}

export interface ShareStats {
  readonly requests: number;
  readonly active: number;
  readonly connections: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Answers of 500 and above. */
  readonly failures: number;
}

export interface Share {
  /** Canonical path of the shared folder. */
  readonly root: string;
  readonly handler: (req: IncomingMessage, res: ServerResponse) => void;
  /** The stream (of a multiplexer or a socket) becomes an HTTP connection. */
  attach(stream: Duplex): void;
  /** Ends all connections, waits for what is being done to end. Idempotent. */
  close(): Promise<void>;
  readonly stats: ShareStats;
  /** Resolves when leftovers of former processes have been looked for everywhere. */
  readonly swept: Promise<number>;
}

export interface ResolvedOptions {
  readonly root: string;
  readonly readOnly: boolean;
  readonly symlinks: SymlinkPolicy;
  readonly log: Logger;
  readonly sync: boolean;
  readonly attributes: SystemCalls | undefined;
  readonly watches: WatchCalls | undefined;
  readonly onRequest: ((record: RequestRecord) => void) | undefined;
  readonly stallTimeoutMs: number;
  readonly headTimeoutMs: number;
  readonly infinityMembers: number;
  readonly maxLocks: number;
  readonly clock: () => number;
  readonly maxConnections: number;
}

export const SYMLINK_POLICIES = ['inside', 'hide', 'show'] as const;

export function resolveOptions(options: ShareOptions): ResolvedOptions {
  const symlinks = options.symlinks ?? 'inside';
  if (!SYMLINK_POLICIES.includes(symlinks)) {
    throw new UsageError(`symlinks must be one of ${SYMLINK_POLICIES.join(', ')}`);
  }
  if (options.root === '') throw new UsageError('say which folder to share');
  return {
    root: options.root,
    readOnly: options.readOnly ?? false,
    symlinks,
    log: options.log ?? silentLogger,
    sync: options.sync ?? false,
    attributes: options.attributes,
    watches: options.watches,
    onRequest: options.onRequest,
    stallTimeoutMs: options.stallTimeoutMs ?? 60_000,
    headTimeoutMs: options.headTimeoutMs ?? 30_000,
    infinityMembers: options.infinityMembers ?? 20_000,
    maxLocks: options.maxLocks ?? 4096,
    clock: options.clock ?? (() => performance.now()),
    maxConnections: options.maxConnections ?? 1024,
  };
}
