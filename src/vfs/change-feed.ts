/** Our own share's feed of changes, one at a time: taken up when first wanted, and again after a loss when wanted then. */
import type { Change, FeedQuestions } from '../webdav/change.js';
import { hasChangeFeed } from '../webdav/server-profile.js';
import type { Core } from './core.js';

const FIRST_BACK_OFF_MS = 500;
const MAX_BACK_OFF_MS = 60_000;
/** Signs of life that may be late before what was covered isn't any more. */
const MISSED_SIGNS = 3;

export interface ChangeFeedListener {
  onChange(change: Change): void;
  onLost(): void;
}

export class ChangeFeed {
  readonly #core: Core;
  readonly #listener: ChangeFeedListener;
  readonly #closing = new AbortController();
  #running = false;
  #id: string | undefined;
  #signAt = -Infinity;
  #retryAt = -Infinity;
  #questions: FeedQuestions | undefined;
  #lastQuestion = 0;
  /** By question, in their order. */
  readonly #asking = new Map<number, (told: boolean) => void>();
  #backOffMs = FIRST_BACK_OFF_MS;

  constructor(core: Core, listener: ChangeFeedListener) {
    this.#core = core;
    this.#listener = listener;
  }

  /** What is told there can be relied on. */
  get isLive(): boolean {
    const { heartbeatMs } = this.#core.options;
    return (
      this.#id !== undefined && this.#signAt > this.#core.now() - (MISSED_SIGNS + 1) * heartbeatMs
    );
  }

  /** The id for questions that are to be covered; undefined while there is no feed. Takes it up. */
  get id(): string | undefined {
    if (!this.#running) this.#start();
    return this.#id;
  }

  /**
   * Resolves when everything has been told that had changed at the call. False: the feed can't say so, now or at all. Shorter than a
   * silent peer is waited for, as the request that is made in its place waits as well.
   */
  caughtUp(): Promise<boolean> {
    const questions = this.#questions;
    if (questions === undefined || !this.isLive) return Promise.resolve(false);
    const question = ++this.#lastQuestion;
    return new Promise((resolve) => {
      const timer = setTimeout(() => answer(false), this.#core.options.heartbeatMs / 2);
      const answer = (told: boolean): void => {
        clearTimeout(timer);
        this.#asking.delete(question);
        resolve(told);
      };
      this.#asking.set(question, answer);
      questions.ask(question);
    });
  }

  #onTold(last: number): void {
    for (const [question, answer] of this.#asking) if (question <= last) answer(true);
  }

  close(): void {
    this.#closing.abort(new Error('unmounted'));
  }

  #start(): void {
    const { client, options } = this.#core;
    const profile = client.knownProfile;
    // With -o strict nothing may be kept, whoever tells of changes.
    if (options.attrTtlMs === 0 || profile === undefined || !hasChangeFeed(profile)) return;
    if (this.#core.now() < this.#retryAt || this.#closing.signal.aborted) return;
    this.#running = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    const { client, options, log } = this.#core;
    let reason = 'the peer ended it';
    try {
      await client.changes(
        {
          onOpen: (feed, questions) => {
            this.#id = feed;
            this.#questions = questions;
            this.#signAt = this.#core.now();
            this.#backOffMs = FIRST_BACK_OFF_MS;
            log.debug('the feed of changes is open', { feed });
          },
          onSign: () => (this.#signAt = this.#core.now()),
          onTold: (question) => this.#onTold(question),
          onChange: (change) => this.#listener.onChange(change),
        },
        { signal: this.#closing.signal, heartbeatMs: options.heartbeatMs },
      );
    } catch (error) {
      reason = String(error);
    }
    this.#id = undefined;
    this.#questions = undefined;
    for (const answer of this.#asking.values()) answer(false);
    this.#running = false;
    this.#retryAt = this.#core.now() + this.#backOffMs;
    this.#backOffMs = Math.min(MAX_BACK_OFF_MS, this.#backOffMs * 2);
    this.#listener.onLost();
    log.debug('the feed of changes has ended', { reason });
  }
}
