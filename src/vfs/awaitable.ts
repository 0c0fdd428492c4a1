/** Values that are there at once or later: what is cached costs no promise. */
import { setMaxListeners } from 'node:events';
import { FsError, type Awaitable, type RequestContext } from './filesystem.js';

/** Aborts never: for what goes on after its caller has left. */
export const NEVER: AbortSignal = new AbortController().signal;
// As many may wait with it as like: that is no leak.
setMaxListeners(0, NEVER);

export function isPromise<T>(value: Awaitable<T>): value is Promise<T> {
  return value instanceof Promise;
}

/** `next` on the value, at once when it is there: no promise for cached answers. */
export function chain<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> {
  return isPromise(value) ? value.then(next) : next(value);
}

export function checkNotInterrupted(ctx: RequestContext): void {
  if (ctx.signal.aborted) throw new FsError('EINTR');
}
