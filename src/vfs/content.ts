/**
 * What the name-space half of the vfs (inodes, caches, operations) asks of the data half (reading, staging, uploading).
 */
import type { PosixProperty, WebDavClient, Resource, Timespec } from '../webdav/types.js';
import type { Logger } from '../log.js';
import type { ContentCache } from './content-cache/content-cache.js';
import type { ByteExtent } from './extent-set.js';
import type { Attempts } from './upload/attempts.js';
import type { Awaitable, Waiting } from './filesystem.js';

/** One version of a file at the peer. */
export interface FileVersion {
  readonly size: number;
  readonly etag: string | undefined;
  readonly mtime: Timespec | undefined;
}

export interface DataOptions {
  readonly client: WebDavClient;
  readonly log: Logger;
  /** Folder for staging and spool files; made with mode 0700. */
  readonly cacheDir: string;
  /** Bytes of read-ahead held in memory over all files. */
  readonly readAheadBytes: number;
  /** Contents on disk that outlive the mount, where that is wanted. */
  readonly contents?: ContentCache | undefined;
}

/**
 * Reads one version of one file. Made at open, shared by all handles on that version. Every byte it returns is of `version`, or it
 * fails with FsError ESTALE; once failed so it stays failed.
 */
export interface ContentReader {
  readonly version: FileVersion;
  /** The same content has another ETag, by a change of ours of its name, mode or times. */
  retag(version: FileVersion): void;
  /** As FileSystem.read: exactly min(length, size - offset) bytes. Synchronous when the bytes are in memory. */
  read(offset: number, length: number, waiting: Waiting): Awaitable<readonly Uint8Array[]>;
  /** True: a `read` of all of it is synchronous. */
  readonly isHere?: boolean;
  /** The whole content streamed into `staging` from offset 0 (for copy-up); uses what is spooled already. */
  copyTo(staging: StagingFile, length: number, signal: AbortSignal): Promise<void>;
  /** Stops fetching, frees memory and files. */
  close(): void;
}

/** A local, unlinked file that holds what a program writes until the peer has it. Offsets are bytes; holes read as zeros. */
export interface StagingFile {
  readonly size: number;
  /** Grows with every write and truncate: tells whether an upload still describes the content. */
  readonly generation: number;
  read(offset: number, length: number): Awaitable<readonly Uint8Array[]>;
  write(offset: number, data: Uint8Array): Awaitable<void>;
  truncate(size: number): Awaitable<void>;
  /** Content from 0 to the size at the call, in pieces of about 256 KiB, for an upload. Later writes wait or are not seen, never mixed. */
  snapshot(): StagingSnapshot;
  close(): Promise<void>;
}

export interface StagingSnapshot {
  /** As long as it grows: so far. */
  readonly size: number;
  /** It is still being written; `open` goes on until it is complete. */
  readonly grows?: boolean;
  readonly generation: number;
  /** What of it the version at the peer doesn't have. Absent: no version there is known. */
  readonly changes?: ContentChanges | undefined;
  open(): AsyncIterable<Uint8Array>;
  /** REQUIRES: all of it is within the size. */
  read(offset: number, length: number): Awaitable<Buffer>;
  release(): void;
}

/** Content that the peer has already, under another name. */
export interface ContentAtPeer {
  readonly path: string;
  readonly version: FileVersion;
}

export interface ContentChanges {
  /** The version that these are changes of. */
  readonly base: FileVersion;
  /** What was written, or is zero since a truncation. What is beyond the base's end and not in here is zero, too. */
  readonly extents: readonly ByteExtent[];
  /** All bytes are here. False: those outside of the extents may be at the peer only, and reading them may fail with ESTALE. */
  readonly isWhole: boolean;
  /** A copy that is whole; fails as reading does. */
  complete(signal: AbortSignal): Promise<StagingSnapshot>;
}

/** What of a file is at the peer only. */
export interface BaseContent {
  /** Exactly `length` bytes. */
  read(offset: number, length: number, options: BaseReadOptions): Awaitable<readonly Uint8Array[]>;
  /** The peer has another version, by our own doing; what is read here is the same in it. */
  rebase(version: FileVersion): void;
  close(): void;
}

export interface BaseReadOptions extends Waiting {
  /** By the upload itself, for which nothing must wait then. */
  readonly forUpload?: boolean;
}

/** The content of an open file: what was written here over a version of the peer, of which only what is wanted is fetched. */
export interface StagedFile extends StagingFile {
  read(offset: number, length: number, waiting?: Waiting): Awaitable<readonly Uint8Array[]>;
  /** A copy of all of it, if all is in memory. */
  inMemory(): Buffer | undefined;
  /** Fetches what is at the peer only. */
  complete(options: BaseReadOptions): Promise<void>;
  /** The peer has what the snapshot has, as this version. REQUIRES: it is a snapshot of this file that was not released yet. */
  confirm(snapshot: StagingSnapshot, version: FileVersion): void;
  /** The version at the peer has another ETag by a change of ours of its name, mode or times. */
  retag(version: FileVersion): void;
}

/** How a new content takes the place of the old. */
export interface UploadTarget {
  /** Path at the peer when the upload begins. */
  readonly path: string;
  /** What must be there: that version, 'absent' (nothing), or 'any' (O_TRUNC on a file whose version was never seen is not a reason). */
  readonly expect: FileVersion | 'absent' | 'any';
  /** With 'absent': somebody else's file with the same content is a conflict, too. */
  readonly exclusive?: boolean;
  /** On disk there before it is confirmed, where the peer can promise that. */
  readonly durable?: boolean;
  /** What earlier attempts, and this one if it gets no answer, may have left there. */
  readonly attempts?: Attempts;
  /** To store with the content where the peer can (mode, times). */
  readonly posix: Pick<PosixProperty, 'mode' | 'mtime' | 'atime'> | undefined;
}

export interface UploadResult {
  /** The resource as confirmed by the peer. */
  readonly resource: Resource;
  /** It is on disk there. False: the peer doesn't say so. */
  readonly durable: boolean;
}

/**
 * Puts content to the peer: whole or not at all, verified (size and ETag as the peer tells them afterwards), never over a version that
 * was not expected. Fails with FsError ESTALE on a conflict after it has stored the content beside as a named conflict copy.
 */
export interface Uploader {
  /** False: it has to have the whole content. */
  takesChanges(
    target: Pick<UploadTarget, 'path' | 'attempts'>,
    content: StagingSnapshot,
    signal: AbortSignal,
  ): Awaitable<boolean>;
  upload(
    target: UploadTarget,
    content: StagingSnapshot,
    signal: AbortSignal,
  ): Promise<UploadResult>;
  /** The same for content that still grows. Whatever else it fails with than a conflict, `upload` may do better. */
  stream(
    target: UploadTarget,
    content: StagingSnapshot,
    signal: AbortSignal,
  ): Promise<UploadResult>;
  /**
   * Has the peer make the content, by a copy of what it has. `posix` of the target is what the copy shall have, and no more is changed
   * than has to be. Fails with FsError EOPNOTSUPP, and changes nothing, where bytes have to be sent instead; with ESTALE or EEXIST on a
   * conflict.
   */
  copy(target: UploadTarget, source: ContentAtPeer): Promise<UploadResult>;
}
