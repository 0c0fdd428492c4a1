/**
 * What one client is to be told, until it takes it: names of what has changed, not what they have become. So a slow client costs
 * no more than a set of names, and beyond a bound one word: that everything it knows is uncertain.
 */
import { randomBytes } from 'node:crypto';

const ID_BYTES = 16;
/** Names waiting to be told. */
const MAX_PENDING = 4096;
/** A burst of events about one name (open, writes, close) becomes one line; and lines follow each other no faster than this. */
const FIRST_DELAY_MS = 15;
const NEXT_DELAY_MS = 80;

/** A folder that is watched for a feed, by the path that the client asked for. */
export interface WatchedFolder {
  readonly feed: Feed;
  /** Names joined by '/'; '' for the root. */
  readonly path: string;
  readonly watch: number;
  readonly dev: bigint;
  readonly ino: bigint;
}

export interface News {
  /** All that was ever told is uncertain; nothing is watched any more. */
  readonly reset: boolean;
  /** Folders that are watched no more. */
  readonly forgotten: readonly string[];
  /** Paths of what has changed. */
  readonly changed: readonly string[];
}

export class Feed {
  readonly id = randomBytes(ID_BYTES).toString('base64url');
  /** By path, the one asked for longest ago first. */
  readonly folders = new Map<string, WatchedFolder>();
  readonly #changed = new Set<string>();
  readonly #forgotten = new Set<string>();
  /** The last question whether everything has been told. */
  #asked: string | undefined;
  #reset = false;
  #ended = false;
  #dueAt = Infinity;
  #takenAt = -Infinity;
  /** Of `wait`: sets its timer anew, ends it. */
  #rearm: (() => void) | undefined;
  #wake: (() => void) | undefined;

  get ended(): boolean {
    return this.#ended;
  }

  noteChange(path: string): void {
    if (this.#reset) return;
    this.#changed.add(path);
    this.#schedule();
  }

  noteForgotten(path: string): void {
    if (this.#reset) return;
    this.#forgotten.add(path);
    this.#schedule();
  }

  /** REQUIRES: `folders` is empty. */
  noteReset(): void {
    this.#reset = true;
    this.#changed.clear();
    this.#forgotten.clear();
    this.#schedule();
  }

  /** Too much is waiting: to be followed by `noteReset`. */
  get isFull(): boolean {
    return this.#changed.size + this.#forgotten.size >= MAX_PENDING;
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** To be answered when everything has been told that has happened until now; so are all before it. */
  ask(question: string): void {
    this.#asked = question;
    this.#wake?.();
  }

  takeAsked(): string | undefined {
    const asked = this.#asked;
    this.#asked = undefined;
    return asked;
  }

  /**
   * Resolves when there is something to tell, or to answer, at `until` (performance.now()), or when the feed has ended.
   */
  wait(until: number): Promise<void> {
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      this.#wake = () => {
        clearTimeout(timer);
        this.#rearm = this.#wake = undefined;
        resolve();
      };
      this.#rearm = () => {
        clearTimeout(timer);
        const delay = Math.max(0, Math.min(until, this.#dueAt) - performance.now());
        timer = setTimeout(() => this.#wake?.(), delay);
      };
      if (this.#ended || this.#asked !== undefined) this.#wake();
      else this.#rearm();
    });
  }

  /** Undefined: nothing is due, or, `atOnce`, nothing is there. */
  take(atOnce: boolean): News | undefined {
    const now = performance.now();
    if (this.#dueAt === Infinity || (now < this.#dueAt && !atOnce)) return undefined;
    const news = {
      reset: this.#reset,
      forgotten: [...this.#forgotten],
      changed: [...this.#changed],
    };
    this.#reset = false;
    this.#forgotten.clear();
    this.#changed.clear();
    this.#dueAt = Infinity;
    this.#takenAt = now;
    return news;
  }

  #schedule(): void {
    if (this.#dueAt !== Infinity) return;
    this.#dueAt = Math.max(performance.now() + FIRST_DELAY_MS, this.#takenAt + NEXT_DELAY_MS);
    this.#rearm?.();
  }
}
