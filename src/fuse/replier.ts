import type { Logger } from '../log.js';
import { ERRNO } from '../vfs/errno-names.js';
import { opcodeName } from './protocol.js';
import { ReplyWriter } from './reply-writer.js';
import type { FuseRequest } from './request.js';

/** Where replies go. That it is /dev/fuse is known to the kernel bridge alone. */
export interface FuseTransport {
  /** Sends one whole message, at once. Throws an error with `code`: ENOENT when nobody waits for it any more. */
  send(message: readonly Uint8Array[]): void;
  /** As send, but away from the event loop, because the kernel may block it until a request that we hold is answered. */
  sendBlocking(message: Uint8Array): Promise<void>;
}

/** Sends what `out` holds as the answer to a request. INVARIANT: at most one answer per request, and none once closed. */
export class Replier {
  readonly out = new ReplyWriter();
  readonly #transport: FuseTransport;
  readonly #log: Logger;
  readonly #debug: boolean;
  #closed = false;

  constructor(transport: FuseTransport, log: Logger) {
    this.#transport = transport;
    this.#log = log;
    this.#debug = log.enabled('debug');
  }

  get closed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
  }

  /** An answer without data. `errno` is positive, or 0 for "done". */
  sendEmpty(request: FuseRequest, errno: number): void {
    this.out.empty();
    this.send(request, errno);
  }

  /** False when the kernel did not take it. */
  send(request: FuseRequest, errno: number): boolean {
    if (request.answered || this.#closed) return false;
    request.answered = true;
    if (this.#debug) this.#log.debug('fuse reply', { unique: request.unique, errno });
    try {
      this.#transport.send(this.out.finish(-errno, request.uniqueLow, request.uniqueHigh));
      return true;
    } catch (error) {
      this.#handleRefusal(request, error);
      return false;
    }
  }

  #handleRefusal(request: FuseRequest, error: unknown): void {
    const code = errorCode(error);
    // The caller was killed, or the mount is going: nobody waits.
    if (code === 'ENOENT' || code === 'ENODEV') return;
    const op = opcodeName(request.opcode);
    this.#log.error('FUSE reply refused', { op, code });
    this.out.empty();
    try {
      // The kernel may have ended the request with EIO already; then this one is refused with ENOENT.
      this.#transport.send(this.out.finish(-ERRNO.EIO, request.uniqueLow, request.uniqueHigh));
    } catch (second) {
      this.#log.debug('FUSE error reply refused', { op, code: errorCode(second) });
    }
  }
}

function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
