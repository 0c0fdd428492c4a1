/** The body of a request as it comes, chunk by chunk: each costs one call, no promise. */
import type { IncomingMessage } from 'node:http';
import type { ClientsTurn } from './connections.js';
import { ClientGoneError } from './errors.js';

/** Gets the next chunk, its own from now on. A promise: no more of them until it settles. Throws, or rejects: nobody wants the rest. */
export type TakeChunk = (chunk: Buffer) => Promise<void> | undefined;

/**
 * Resolves when the body came whole; rejects with ClientGoneError when it didn't, and with what `take` failed with. Never while `take` is
 * at work. An answer is still possible then: the rest of the body is thrown away as it comes.
 */
export async function receiveBody(
  req: IncomingMessage,
  turn: ClientsTurn,
  take: TakeChunk,
): Promise<void> {
  // What came in one piece with the head is parsed before the first microtask: a short body needs none of the listeners below.
  await Promise.resolve();
  if (req.complete && !req.destroyed) {
    const whole = req.read() as Buffer | null;
    if (whole) await take(whole);
    return;
  }
  await new Promise<void>((resolve, reject) => {
    new Receiver(req, turn, take, (error) => {
      if (error === undefined) resolve();
      else reject(error);
    }).start();
  });
}

class Receiver {
  readonly #req: IncomingMessage;
  readonly #turn: ClientsTurn;
  readonly #take: TakeChunk;
  readonly #settle: (error: Error | undefined) => void;
  /** `take` has given a promise that is pending. */
  #busy = false;
  #closed = false;

  constructor(
    req: IncomingMessage,
    turn: ClientsTurn,
    take: TakeChunk,
    settle: (error: Error | undefined) => void,
  ) {
    this.#req = req;
    this.#turn = turn;
    this.#take = take;
    this.#settle = settle;
  }

  start(): void {
    const req = this.#req;
    if (req.destroyed) {
      this.#end(cutShort());
      return;
    }
    req.on('end', this.#onEnd);
    req.on('close', this.#onClose);
    req.on('data', this.#onData);
    this.#turn.begin();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#turn.moved(chunk.length);
    let pending: Promise<void> | undefined;
    try {
      pending = this.#take(chunk);
    } catch (error) {
      this.#end(error as Error);
      return;
    }
    if (pending) void this.#waitFor(pending);
  };

  async #waitFor(pending: Promise<void>): Promise<void> {
    this.#busy = true;
    this.#turn.end();
    this.#req.pause();
    let failure: Error | undefined;
    try {
      await pending;
    } catch (error) {
      failure = error as Error;
    }
    this.#busy = false;
    if (failure ?? this.#closed) {
      this.#end(failure ?? cutShort());
      return;
    }
    this.#turn.begin();
    this.#req.resume();
  }

  readonly #onEnd = (): void => {
    this.#end(this.#req.complete ? undefined : cutShort());
  };

  readonly #onClose = (): void => {
    this.#closed = true;
    if (!this.#busy) this.#end(cutShort());
  };

  #end(error: Error | undefined): void {
    const req = this.#req;
    this.#turn.end();
    req.off('data', this.#onData);
    req.off('end', this.#onEnd);
    req.off('close', this.#onClose);
    // The rest must go, or the next request never comes.
    if (error !== undefined) req.resume();
    this.#settle(error);
  }
}

function cutShort(): ClientGoneError {
  return new ClientGoneError('the connection closed during the request');
}
