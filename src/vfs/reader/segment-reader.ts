import type { ContentReader, FileVersion, StagingFile } from '../content.js';
import { FsError, type Awaitable, type Waiting } from '../filesystem.js';
import type { ContentSource } from './content-source.js';
import { copyContent } from './copy-content.js';
import { lend } from './lent.js';
import type { MemoryBudget } from './memory-budget.js';
import type { Presence, Range, ReadPlan } from './read-plan.js';
import { Segment } from './segment.js';

/**
 * A reader whose bytes are in memory, as segments that are fetched when they are wanted and may go at any time.
 * INVARIANT: #segments is sorted by start and no two overlap.
 */
export class SegmentReader implements ContentReader, Presence {
  readonly #source: ContentSource;
  readonly #budget: MemoryBudget;
  readonly #plan: ReadPlan;
  readonly #segments: Segment[] = [];
  #closed = false;

  constructor(source: ContentSource, budget: MemoryBudget, plan: ReadPlan) {
    this.#source = source;
    this.#budget = budget;
    this.#plan = plan;
  }

  get version(): FileVersion {
    return this.#source.version;
  }

  get isHere(): boolean {
    if (this.#source.failure || this.#closed) return false;
    const [first] = this.#segments;
    return first?.start === 0 && first.end === this.version.size && !first.arriving;
  }

  retag(version: FileVersion): void {
    this.#source.retag(version);
  }

  /** Makes room for a GET of `range` that the caller runs itself; `begin` and `take` are then the caller's. */
  expect(range: Range): Segment {
    return this.#insert(range, false);
  }

  read(offset: number, length: number, waiting: Waiting): Awaitable<readonly Uint8Array[]> {
    this.#assertUsable();
    const end = Math.min(offset + length, this.version.size);
    if (offset >= end) return [];
    this.#plan.observe(offset, end - offset);
    this.#cover(offset, end);
    this.#fetchAhead();
    return this.#gather(offset, end, waiting, []);
  }

  copyTo(staging: StagingFile, length: number, signal: AbortSignal): Promise<void> {
    return copyContent(this, staging, length, signal);
  }

  close(): void {
    this.#closed = true;
    for (const segment of [...this.#segments]) segment.close(closedError);
    this.#source.close();
  }

  #assertUsable(): void {
    if (this.#source.failure) throw this.#source.failure;
    if (this.#closed) throw closedError();
  }

  #gather(
    offset: number,
    end: number,
    waiting: Waiting,
    pieces: Uint8Array[],
  ): Awaitable<readonly Uint8Array[]> {
    let at = offset;
    while (at < end) {
      // Absent only when it went while an earlier part was waited for.
      const segment = this.#segmentAt(at) ?? this.#fetch({ start: at, end });
      const upTo = Math.min(end, segment.end);
      const got = segment.read(at, upTo - at, waiting);
      if (got instanceof Promise) {
        return got.then((arrived) => {
          lend(pieces, segment);
          this.#assertUsable();
          pieces.push(...arrived);
          return this.#gather(upTo, end, waiting, pieces);
        });
      }
      lend(pieces, segment);
      pieces.push(...got);
      at = upTo;
    }
    return pieces;
  }

  /** Requests for all missing parts of a read start together. */
  #cover(offset: number, end: number): void {
    for (let at = offset; at < end;) {
      at = (this.#segmentAt(at) ?? this.#fetch({ start: at, end })).end;
    }
  }

  #fetch(want: Range): Segment {
    const gap = this.gapAround(want.start);
    const range = this.#plan.widen({ start: want.start, end: Math.min(want.end, gap.end) });
    const segment = this.#insert(
      { start: Math.max(range.start, gap.start), end: Math.min(range.end, gap.end) },
      false,
    );
    segment.begin();
    return segment;
  }

  #fetchAhead(): void {
    for (;;) {
      const range = this.#plan.ahead(this, this.#budget.shareOf(this));
      if (!range || this.#arriving >= this.#plan.depth) return;
      if (!this.#budget.roomFor(range.end - range.start)) return;
      this.#insert(range, true).begin();
      this.#plan.grow();
    }
  }

  get #arriving(): number {
    let count = 0;
    for (const { arriving } of this.#segments) if (arriving) count += 1;
    return count;
  }

  #insert(range: Range, ahead: boolean): Segment {
    const options = {
      lasting: this.#plan.lasting || range.end - range.start <= LASTING_BYTES,
      ahead,
      reader: this,
      onGone: (gone: Segment) => this.#segments.splice(this.#indexAfter(gone.start) - 1, 1),
    };
    const segment = new Segment(this.#source, this.#budget, range, options);
    this.#segments.splice(this.#indexAfter(range.start), 0, segment);
    return segment;
  }

  #segmentAt(offset: number): Segment | undefined {
    const segment = this.#segments[this.#indexAfter(offset) - 1];
    return segment !== undefined && offset < segment.end ? segment : undefined;
  }

  presentAt(offset: number): Range | undefined {
    return this.#segmentAt(offset);
  }

  gapAround(offset: number): Range {
    const index = this.#indexAfter(offset);
    return {
      start: this.#segments[index - 1]?.end ?? 0,
      end: this.#segments[index]?.start ?? this.version.size,
    };
  }

  /** Index of the first segment that starts after `offset`. */
  #indexAfter(offset: number): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#segments[middle]!.start <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Blocks of random reads; windows of sequential ones go once they were read, as the kernel has them then. */
const LASTING_BYTES = 128 * 1024;

function closedError(): FsError {
  return new FsError('EBADF', 'the file was closed');
}
