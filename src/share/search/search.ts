/** Runs a query: walks the scope in slices, tells what meets the condition while it is found. */
import fs from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import type { Context } from '../context.js';
import { ClientGoneError, errnoCode, ShareError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import type { MultistatusWriter } from '../multistatus-writer.js';
import { openRegularFile } from '../place.js';
import type { Report } from '../property-report.js';
import { Slices } from '../../slices.js';
import { ContentBatches, hasFiles, SMALL_BYTES } from './content-batches.js';
import { Needles } from './content-search.js';
import { contentReader } from './property-value.js';
import { compileCondition, type Predicate, type Truth } from './evaluate.js';
import type { SearchQuery } from './query.js';
import { Ranking } from './ranking.js';
import { isGone, isMember, type Candidate, type ScopeWalk } from './walk.js';

/** Ours: what is held of an ordered result, and sorted at the end. */
const ORDERED_BOUNDS = { results: 10_000, characters: 32 * 1024 * 1024 };

/** Ours: resources that are looked at between two pauses, at most. */
const SLICE_RESOURCES = 256;

/** Results go out at least so often. */
const FLUSH_MS = 200;
/** A client that hears nothing for long takes the server for dead (a mount after its timeout=, 1 s at least): it is told that there is somebody. */
export const HEARTBEAT_MS = 400;

export interface SearchParts {
  readonly query: SearchQuery;
  readonly walk: ScopeWalk;
  readonly report: Report;
  readonly writer: MultistatusWriter;
}

export class Search {
  readonly #exchange: Exchange;
  readonly #context: Context;
  readonly #walk: ScopeWalk;
  readonly #report: Report;
  readonly #writer: MultistatusWriter;
  readonly #limit: number;
  readonly #predicate: Predicate | undefined;
  readonly #needles: Needles;
  readonly #ranking: Ranking | undefined;
  /** Undefined without the addon. */
  readonly #batches: ContentBatches | undefined;
  /** One resource may be much work. */
  readonly #slices = new Slices(1, SLICE_RESOURCES);
  #found = 0;
  /** There are enough, and others. */
  #isFull = false;
  /** A file could not be looked at. */
  #failed = false;
  #flushedAt = performance.now();
  #unsent = false;

  constructor(exchange: Exchange, { query, walk, report, writer }: SearchParts) {
    this.#exchange = exchange;
    this.#context = exchange.context;
    this.#walk = walk;
    this.#report = report;
    this.#writer = writer;
    this.#limit = query.limit ?? Infinity;
    const read = contentReader(this.#context);
    this.#predicate = query.where && compileCondition(query.where, read);
    this.#needles = new Needles(query.needles);
    const calls = this.#context.options.attributes;
    if (calls && hasFiles(calls)) {
      this.#batches = new ContentBatches(calls, this.#take, () =>
        this.#afterPause(this.#slices.next()),
      );
    }
    if (query.order.length > 0) {
      const results = Math.min(this.#limit, ORDERED_BOUNDS.results);
      const bounds = { ...ORDERED_BOUNDS, results };
      this.#ranking = new Ranking(query.order, read, bounds);
    }
  }

  /** Gives whether all of the scope was looked at and all that was found was told. */
  async run(): Promise<boolean> {
    try {
      await this.#lookAround();
      await this.#batches?.drain();
    } finally {
      this.#batches?.close();
    }
    for (const response of this.#ranking?.take() ?? []) {
      const wait = this.#writer.add(response);
      if (wait) await wait;
    }
    return (
      !this.#isFull && !this.#failed && !this.#walk.incomplete && this.#ranking?.incomplete !== true
    );
  }

  async #lookAround(): Promise<void> {
    while (!this.#isFull) {
      const candidate = this.#walk.next();
      const wait = candidate ? this.#consider(candidate) : this.#walk.more();
      if (wait) await wait;
      else if (!candidate) return;
      const breath = this.#breathe();
      if (breath) await breath;
    }
  }

  #consider(candidate: Candidate): Promise<void> | undefined {
    if (this.#found >= this.#limit) {
      this.#isFull = true;
      return undefined;
    }
    try {
      const truth = this.#predicate?.(candidate.subject) ?? 'true';
      if (truth === 'undecided') return this.#lookInside(candidate);
      return truth === 'true' ? this.#tell(candidate) : undefined;
    } catch (error) {
      this.#leaveOutFor(candidate, error);
      return undefined;
    }
  }

  #lookInside(candidate: Candidate): Promise<void> | undefined {
    const size = Number(candidate.subject.stat.size);
    const contents = this.#needles.findBySize(size);
    if (contents) return this.#settle(candidate, contents);
    if (!this.#batches || !isMember(candidate) || size >= SMALL_BYTES) return this.#open(candidate);
    return this.#batches.add(candidate);
  }

  /** What a thread has read. */
  readonly #take = (candidate: Candidate, content: Buffer | number): Promise<void> | undefined => {
    // It has grown since the walk met it.
    if (content === constants.errno.EFBIG) return this.#open(candidate);
    if (typeof content === 'number') {
      this.#leaveOut(candidate, getSystemErrorName(-content));
      return undefined;
    }
    return this.#settle(candidate, this.#needles.findInWhole(content)) ?? this.#breathe();
  };

  async #open(candidate: Candidate): Promise<void> {
    let contents: Truth[];
    try {
      const { fd, stat } = openRegularFile(candidate.subject.path);
      try {
        contents = await this.#needles.findIn(fd, Number(stat.size), this.#breathe);
      } finally {
        fs.closeSync(fd);
      }
    } catch (error) {
      this.#leaveOutFor(candidate, error);
      return;
    }
    await this.#settle(candidate, contents);
  }

  #settle(candidate: Candidate, contents: readonly Truth[]): Promise<void> | undefined {
    if (this.#found >= this.#limit) {
      this.#isFull = true;
      return undefined;
    }
    try {
      const met = this.#predicate?.(candidate.subject, contents) === 'true';
      return met ? this.#tell(candidate) : undefined;
    } catch (error) {
      this.#leaveOutFor(candidate, error);
      return undefined;
    }
  }

  #leaveOutFor(candidate: Candidate, error: unknown): void {
    if (error instanceof ShareError) this.#leaveOut(candidate, 'EINVAL');
    else if (error instanceof Error && 'syscall' in error)
      this.#leaveOut(candidate, errnoCode(error) ?? '');
    else throw error;
  }

  /** What goes while it is looked at, or isn't for us to read, is no result. What fails for another reason may be one. */
  #leaveOut({ href }: Candidate, why: string): void {
    if (!isGone(why)) this.#failed = true;
    this.#context.options.log.debug('a search left out a file', { href, why });
  }

  #tell({ href, subject }: Candidate): Promise<void> | undefined {
    const ranking = this.#ranking;
    if (ranking) {
      const keys = ranking.keysOf(subject);
      if (ranking.wants(keys)) ranking.add(keys, this.#report(href, subject));
      return undefined;
    }
    const wait = this.#writer.add(this.#report(href, subject));
    this.#found++;
    this.#unsent = true;
    return wait;
  }

  /** Between two pieces of work: a promise when it is time to let others run, and to see whether anybody still wants the result. */
  readonly #breathe = (): Promise<void> | undefined => {
    const pause = this.#slices.pause();
    return pause && this.#afterPause(pause);
  };

  async #afterPause(pause: Promise<void>): Promise<void> {
    await pause;
    this.#checkWanted();
    await this.#keepTelling();
  }

  #checkWanted(): void {
    this.#context.closing.throwIfAborted();
    if (this.#exchange.res.destroyed) {
      throw new ClientGoneError('the connection closed during the search');
    }
  }

  async #keepTelling(): Promise<void> {
    const silence = performance.now() - this.#flushedAt;
    if (silence < (this.#unsent ? FLUSH_MS : HEARTBEAT_MS)) return;
    await this.#writer.flush();
    this.#flushedAt = performance.now();
    this.#unsent = false;
  }
}
