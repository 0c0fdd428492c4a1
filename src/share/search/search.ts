/** Runs a query: walks the scope in slices, tells what meets the condition while it is found. */
import fs from 'node:fs';
import type { Context } from '../context.js';
import { ClientGoneError, ShareError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import type { MultistatusWriter } from '../multistatus-writer.js';
import type { Subject } from '../live-properties.js';
import { openRegularFile } from '../place.js';
import type { Report } from '../property-report.js';
import { Slices } from '../slices.js';
import { Needles } from './content-search.js';
import { contentReader } from './property-value.js';
import { compileCondition, type Predicate, type Truth } from './evaluate.js';
import type { SearchQuery } from './query.js';
import { Ranking } from './ranking.js';
import type { Candidate, ScopeWalk } from './walk.js';

/** Ours: what is held of an ordered result, and sorted at the end. */
const ORDERED_BOUNDS = { results: 10_000, characters: 32 * 1024 * 1024 };

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
  /** One resource may be much work. */
  readonly #slices = new Slices(1);
  #found = 0;
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
    if (query.order.length > 0) {
      const results = Math.min(this.#limit, ORDERED_BOUNDS.results);
      const bounds = { ...ORDERED_BOUNDS, results };
      this.#ranking = new Ranking(query.order, read, bounds);
    }
  }

  /** Gives whether all of the scope was looked at and all that was found was told. */
  async run(): Promise<boolean> {
    for (let candidate = this.#walk.next(); candidate; candidate = this.#walk.next()) {
      if (this.#found >= this.#limit) return false;
      await this.#consider(candidate);
      const breath = this.#breathe();
      if (breath) await breath;
    }
    for (const response of this.#ranking?.take() ?? []) {
      const wait = this.#writer.add(response);
      if (wait) await wait;
    }
    return !this.#walk.incomplete && this.#ranking?.incomplete !== true;
  }

  async #consider(candidate: Candidate): Promise<void> {
    try {
      if ((await this.#meets(candidate)) !== 'true') return;
      const wait = this.#tell(candidate);
      if (wait) await wait;
    } catch (error) {
      // What goes, or fails, while it is looked at is no result; the rest is.
      const isOfFile =
        error instanceof ShareError || (error instanceof Error && 'syscall' in error);
      if (!isOfFile) throw error;
      const { log } = this.#context.options;
      log.debug('a search left out a file', { href: candidate.href, error: error.message });
    }
  }

  #meets({ subject }: Candidate): Truth | Promise<Truth> {
    if (!this.#predicate) return 'true';
    const first = this.#predicate(subject);
    return first === 'undecided' ? this.#lookInside(this.#predicate, subject) : first;
  }

  async #lookInside(predicate: Predicate, subject: Subject): Promise<Truth> {
    const { fd, stat } = openRegularFile(subject.path);
    try {
      return predicate(subject, await this.#needles.findIn(fd, Number(stat.size), this.#breathe));
    } finally {
      fs.closeSync(fd);
    }
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
