import type { DavContext } from './context.js';
import { options } from './methods/options.js';
import type { CallOptions, ServerProfile } from './types.js';

/**
 * What is known of the server: asked once per connection of the peer, and again after a reconnect, as another share may have
 * come to the other end.
 *
 *     unknown ──OPTIONS──► known ──reconnect──► stale ──OPTIONS──► known
 */
export class ProfileKeeper {
  readonly #context: Pick<DavContext, 'http' | 'log'>;
  readonly #unsubscribe: () => void;
  #known: ServerProfile | undefined;
  #fresh = false;
  /** One OPTIONS for all who wait for it. */
  #asking: Promise<ServerProfile> | undefined;

  constructor(context: Pick<DavContext, 'http' | 'log'>) {
    this.#context = context;
    // An OPTIONS that is under way when the session ends is answered by the next one: it stays good.
    this.#unsubscribe = context.http.onConnectedChange((connected) => {
      if (!connected) this.#fresh = false;
    });
  }

  get known(): ServerProfile | undefined {
    return this.#known;
  }

  async profile(call?: CallOptions): Promise<ServerProfile> {
    if (this.#fresh && this.#known !== undefined) return this.#known;
    call?.signal?.throwIfAborted();
    this.#asking ??= this.#ask();
    return call?.signal === undefined ? this.#asking : untilAborted(this.#asking, call.signal);
  }

  close(): void {
    this.#unsubscribe();
  }

  /** Without the signal of who asks first: others wait for the same answer. */
  #ask(): Promise<ServerProfile> {
    return options(this.#context).then(
      (profile) => {
        this.#take(profile);
        return profile;
      },
      (error: unknown) => {
        this.#asking = undefined;
        throw error;
      },
    );
  }

  #take(profile: ServerProfile): void {
    this.#asking = undefined;
    if (this.#known !== undefined && this.#known.name !== profile.name) {
      const { log } = this.#context;
      log.warn('another server is at the other end now', {
        before: this.#known.server,
        now: profile.server,
      });
    }
    this.#known = profile;
    this.#fresh = true;
  }
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
