/**
 * The upload of a new content while a program still writes it, from its begin to its end:
 *
 *     watching ──enough was written──► sending ──finish──► the peer has it
 *         └──────any other write───────────┴──► over: the upload that follows brings the whole content
 *
 * The peer puts the content in place when its body ends, which `finish` alone makes it do: until then it may be given up without a
 * trace, and everything is staged all the same.
 */
import { chain } from '../awaitable.js';
import type { StagingFile, StagingSnapshot, UploadResult, UploadTarget } from '../content.js';
import { withSignal } from '../shared-call.js';
import { noteUnanswered } from './attempts.js';
import { isConflict } from './conflict-copy.js';

/** Shorter contents are sent at once at their end. */
const WORTH_BYTES = 1024 * 1024;
const PIECE_BYTES = 256 * 1024;
/** A program that pauses for longer keeps no request waiting: servers and channels have deadlines. */
const MAX_PAUSE_MS = 5000;

/** Under which name, in place of what. */
export type StreamPlace = Pick<UploadTarget, 'path' | 'expect'>;

/** Resolves when the peer has confirmed what `content` has had when it ended. */
export type SendStream = (content: StagingSnapshot, signal: AbortSignal) => Promise<UploadResult>;

interface Sending {
  readonly place: StreamPlace;
  readonly controller: AbortController;
  readonly result: Promise<UploadResult>;
}

export class UploadStream {
  readonly #staging: StagingFile;
  readonly #start: () => { place: StreamPlace; send: SendStream } | undefined;
  #sending: Sending | undefined;
  /** End of what was written, and of what is in staging for sure. */
  #next = 0;
  #settled = 0;
  #handed = 0;
  #writing = 0;
  #end: number | undefined;
  #over = false;
  #wake: (() => void) | undefined;
  #pause: NodeJS.Timeout | undefined;

  /** `staging` is empty. `start`: undefined where there is nothing to send it to now. */
  constructor(
    staging: StagingFile,
    start: () => { place: StreamPlace; send: SendStream } | undefined,
  ) {
    this.#staging = staging;
    this.#start = start;
  }

  /** Bytes that the peer has not even begun to receive; undefined: nothing is being sent. */
  get unsent(): number | undefined {
    if (this.#sending === undefined || this.#over) return undefined;
    return Math.max(0, this.#next - this.#handed);
  }

  /**
   * Bytes are about to be written: behind all others, or this is over. True: `wrote` has to follow. What comes behind the end is the next
   * upload's.
   */
  writes(offset: number, length: number): boolean {
    if (this.#end !== undefined && offset >= this.#end) return false;
    if (offset !== this.#next) this.abandon();
    if (this.#over) return false;
    this.#next += length;
    this.#writing += 1;
    return true;
  }

  wrote(): void {
    this.#writing -= 1;
    if (this.#over || this.#writing > 0) return;
    this.#settled = this.#next;
    if (this.#sending === undefined && this.#settled >= WORTH_BYTES) this.#send();
    if (this.#sending === undefined || this.#end !== undefined) return;
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.abandon(), MAX_PAUSE_MS).unref();
    this.#wakeUp();
  }

  /**
   * The content is complete with `size` bytes. Undefined: it was not sent, or not all the way, and has to be uploaded. Fails when somebody
   * else's content is in its place, and this one has been kept beside.
   */
  async finish(
    size: number,
    target: UploadTarget,
    signal: AbortSignal,
  ): Promise<UploadResult | undefined> {
    const sending = this.#sending;
    const { place } = sending ?? {};
    const { path, expect } = target;
    const same = path === place?.path && expect === place.expect;
    if (!same || this.#writing > 0 || this.#next !== size) this.abandon();
    if (sending === undefined || this.#over) return undefined;
    this.#end = size;
    clearTimeout(this.#pause);
    this.#wakeUp();
    try {
      return await withSignal(sending.result, signal, () => this.abandon());
    } catch (error) {
      if (isConflict(error)) throw error;
      await noteUnanswered({ target, content: this.#content() }, error);
      signal.throwIfAborted();
      return undefined;
    }
  }

  /** The content is not, or not only, written from its begin to its end. */
  abandon(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#pause);
    this.#sending?.controller.abort(new Error('the upload was given up: its content has changed'));
    this.#wakeUp();
  }

  #send(): void {
    const start = this.#start();
    if (start === undefined) {
      this.abandon();
      return;
    }
    const controller = new AbortController();
    const result = start.send(this.#content(), controller.signal);
    this.#sending = { place: start.place, controller, result };
    result.catch(() => undefined).finally(() => this.abandon());
  }

  #content(): StagingSnapshot {
    const size = (): number => this.#end ?? this.#next;
    return {
      get size() {
        return size();
      },
      grows: true,
      generation: this.#staging.generation,
      open: () => this.#pieces(),
      read: (offset, length) =>
        chain(this.#staging.read(offset, length), (pieces) => Buffer.concat(pieces)),
      release: () => undefined,
    };
  }

  async *#pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; ;) {
      const length = Math.min(PIECE_BYTES, (this.#end ?? this.#settled) - at);
      if (this.#over) {
        // A body that just ended would be taken for whole.
        throw new Error('the upload was given up');
      } else if (length === PIECE_BYTES || (this.#end !== undefined && length > 0)) {
        yield* await this.#staging.read(at, length);
        at += length;
        this.#handed = at;
      } else if (this.#end !== undefined) {
        return;
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    }
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
