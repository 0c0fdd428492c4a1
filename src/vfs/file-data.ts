/**
 * The content of a node while it is in use, of one version of the peer: who has it open, which version is read, what is staged and not yet at the peer.
 *
 *     clean ──write, truncate, create──► dirty ──upload──► clean        (an upload that can't reach the peer leaves it dirty)
 *                                          └──refused or in conflict──► lost (told to the writer; conflicts are kept as a copy)
 */
import type { Timespec } from '../webdav/types.js';
import type { ContentReader, FileVersion, StagedFile } from './content.js';
import { Attempts } from './upload/attempts.js';
import type { FsError } from './filesystem.js';
import type { UploadStream } from './upload/upload-stream.js';
import type { JournalEntry } from './journal/journal.js';

/** A dirty content that is in the journal (`-o writeback`). */
export interface Committed {
  readonly entry: JournalEntry;
  /** Of the staging file: what was written since is not in the journal. */
  readonly generation: number;
  /** Earlier contents of the name of which the peer may have one, as an upload of them was begun and its outcome is not known. */
  readonly former: readonly JournalEntry[];
  /** Why the peer doesn't take it. */
  refused?: FsError | undefined;
  /** Nobody was told so. */
  untold?: boolean;
}

export class FileData {
  /** Open handles. */
  handles = 0;
  /** Those of them that change it: their close brings what is dirty. */
  writers = 0;
  /** Reads the version of the last open; shared by the handles of that version. */
  reader: ContentReader | undefined;
  /** The content once something was written, as all handles then read it. */
  staging: StagedFile | undefined;
  /** Copy-up on the way. */
  stagingBusy: Promise<StagedFile> | undefined;
  /** Content, or the name itself, is not at the peer. */
  dirty = false;
  /** What must be at the peer for an upload to take its place. */
  expect: FileVersion | 'absent';
  /** Set while staged: local time of the last change, or what utimens said. */
  mtime: Timespec | undefined;
  /** utimens or chmod on a staged file: stored with the next upload. */
  pendingMtime: Timespec | undefined;
  pendingAtime: Timespec | undefined;
  pendingMode: number | undefined;
  /** Made by O_EXCL: of all who make the name, even with the same content, one may succeed. */
  exclusive = false;
  upload: Promise<void> | undefined;
  /** The content is being made local, before the name goes away. */
  keeping = false;
  readonly attempts = new Attempts();
  /** Content that is being written for the first time. */
  stream: UploadStream | undefined;
  committed: Committed | undefined;
  /** On its way into the journal. */
  committing: Promise<void> | undefined;
  /** A conflict was told; the handles that wrote may only be closed. */
  lost: FsError | undefined;

  constructor(expect: FileVersion | 'absent') {
    this.expect = expect;
  }

  get created(): boolean {
    return this.expect === 'absent';
  }

  /** The journal has what would be uploaded now. */
  get isCommitted(): boolean {
    return this.committed !== undefined && this.committed.generation === this.staging?.generation;
  }
}

export class Handle {
  readonly nodeId: number;
  readonly flags: number;
  reader: ContentReader | undefined;

  constructor(nodeId: number, flags: number, reader: ContentReader | undefined) {
    this.nodeId = nodeId;
    this.flags = flags;
    this.reader = reader;
  }
}
