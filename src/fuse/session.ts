import { DavportError } from '../errors.js';
import type { Logger } from '../log.js';
import { ERRNO } from '../vfs/errno-names.js';
import { FsError, type FileSystem } from '../vfs/filesystem.js';
import { DirentMemory } from './dirent-buffer.js';
import { answerInit, MAX_WRITE_BYTES, type Negotiated } from './init.js';
import { MessageReader, type RequestBuffer } from './message-reader.js';
import { Notifier } from './notifier.js';
import type { Operation, OperationContext } from './operations/operation.js';
import { OPERATIONS } from './operations/table.js';
import { PrivilegeBits } from './privilege-bits.js';
import {
  BATCH_FORGET_IN,
  FORGET_IN,
  FORGET_ONE,
  INIT_IN_OLD_BYTES,
  INTERRUPT_IN,
  MIN_READ_BUFFER_BYTES,
  OPCODES,
  opcodeName,
} from './protocol.js';
import { ReplyWriter } from './reply-writer.js';
import { FuseRequest } from './request.js';
import { RequestBuffers } from './request-buffers.js';

/** Where replies go. That it is /dev/fuse is known to the kernel bridge alone. */
export interface FuseTransport {
  /** Sends one whole message, at once. Throws an error with `code`: ENOENT when nobody waits for it any more. */
  send(message: readonly Uint8Array[]): void;
  /** As send, but away from the event loop, because the kernel may block it until a request that we hold is answered. */
  sendBlocking(message: Uint8Array): Promise<void>;
}

export interface SessionOptions {
  readonly fs: FileSystem;
  readonly transport: FuseTransport;
  readonly log: Logger;
  /** `allow_root`: users other than this one and root get EACCES. */
  readonly onlyUid?: number;
}

/** Room that a request of the largest kind needs. */
export const REQUEST_BYTES = MAX_WRITE_BYTES + MIN_READ_BUFFER_BYTES;

/**
 * FUSE requests in, one call of the file system each, replies out. Decides nothing.
 *
 * INVARIANT: every request that has an answer is answered exactly once, whatever the file system does, unless close() came first:
 * then it is not answered (nobody is there).
 */
export class FuseSession {
  readonly #fs: FileSystem;
  readonly #transport: FuseTransport;
  readonly #log: Logger;
  readonly #onlyUid: number | undefined;
  readonly #context: OperationContext;
  readonly #input = new MessageReader();
  readonly #out = new ReplyWriter();
  /** Requests whose promise is pending, by `unique`. */
  readonly #pending = new Map<number, FuseRequest>();
  readonly #debug: boolean;
  #closed = false;
  readonly notifier: Notifier;
  /** Memory to read requests into. */
  readonly buffers: RequestBuffers;
  /** What was agreed on with the kernel; rejects when it is too old, or the session ends before. */
  readonly initialised: Promise<Negotiated>;
  #resolveInit!: (negotiated: Negotiated) => void;
  #rejectInit!: (reason: Error) => void;

  constructor(options: SessionOptions) {
    this.#fs = options.fs;
    this.#transport = options.transport;
    this.#log = options.log;
    this.#onlyUid = options.onlyUid;
    this.#debug = options.log.enabled('debug');
    // Two of the largest requests: one more can be taken while one is held.
    this.buffers = new RequestBuffers(2 * REQUEST_BYTES);
    this.#context = {
      fs: options.fs,
      dirents: new DirentMemory(),
      buffers: this.buffers,
      privileges: new PrivilegeBits(),
    };
    this.notifier = new Notifier(options.transport, options.log);
    this.initialised = new Promise((resolve, reject) => {
      this.#resolveInit = resolve;
      this.#rejectInit = reject;
    });
    this.initialised.catch(() => undefined);
    options.fs.setInvalidator(this.notifier);
  }

  /** Requests not answered yet. */
  get pendingRequests(): number {
    return this.#pending.size;
  }

  /** Takes the message [start, end) of `buffer`. Never throws. */
  handle(buffer: RequestBuffer, start: number, end: number): void {
    const input = this.#input;
    if (this.#closed) return;
    if (!input.open(buffer, start, end)) {
      this.#log.error('malformed FUSE request', { bytes: end - start });
      return;
    }
    const opcode = input.opcode;
    switch (opcode) {
      case OPCODES.FORGET:
        return this.#handleForget();
      case OPCODES.BATCH_FORGET:
        return this.#handleBatchForget();
      case OPCODES.INTERRUPT:
        return this.#handleInterrupt();
      case OPCODES.NOTIFY_REPLY:
        return;
      default:
        this.#handleRequest(new FuseRequest(input));
    }
  }

  /** The kernel is gone: nothing is answered from now on, and what is under way is told so. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.notifier.close();
    this.#rejectInit(new DavportError('FUSE_ENDED', 'unmounted before the mount was complete'));
    for (const request of this.#pending.values()) request.interrupt();
  }

  #handleRequest(request: FuseRequest): void {
    const row = OPERATIONS[request.opcode];
    if (this.#debug) this.#logRequest(request);
    if (request.opcode === OPCODES.INIT) return this.#handleInit(request);
    if (request.opcode === OPCODES.DESTROY) return this.#sendEmpty(request, 0);
    if (row === undefined) return this.#sendEmpty(request, ERRNO.ENOSYS);
    if (this.#input.bodyBytes < row.inBytes) return this.#sendEmpty(request, ERRNO.EINVAL);
    if (this.#isDenied(request.uid) && row.onHandle !== true) {
      return this.#sendEmpty(request, ERRNO.EACCES);
    }
    let answer: unknown;
    try {
      answer = row.call(this.#context, this.#input, request);
    } catch (error) {
      return this.#fail(request, error);
    }
    if (answer instanceof Promise) this.#wait(row, request, answer);
    else this.#finish(row, request, answer);
  }

  #wait(row: Operation<unknown>, request: FuseRequest, answer: Promise<unknown>): void {
    const unique = request.unique;
    this.#pending.set(unique, request);
    answer.then(
      (value) => {
        this.#pending.delete(unique);
        this.#finish(row, request, value);
      },
      (error: unknown) => {
        this.#pending.delete(unique);
        this.#fail(request, error);
      },
    );
  }

  #finish(row: Operation<unknown>, request: FuseRequest, answer: unknown): void {
    try {
      row.reply(this.#out, answer, request, this.#context);
    } catch (error) {
      row.undo?.(this.#context, answer, request);
      return this.#fail(request, error);
    }
    const delivered = this.#send(request, 0);
    if (!delivered && !this.#closed) {
      row.undo?.(this.#context, answer, request);
      this.#undoLookups(request);
    }
    this.#drop(request);
  }

  #fail(request: FuseRequest, error: unknown): void {
    if (!this.#closed) this.#undoLookups(request);
    this.#sendEmpty(request, this.#errnoOf(request, error));
    this.#drop(request);
  }

  #errnoOf(request: FuseRequest, error: unknown): number {
    if (error instanceof FsError) return ERRNO[error.errno];
    const name = opcodeName(request.opcode);
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#log.error('file system failed in an unforeseen way', { op: name, error: text });
    return ERRNO.EIO;
  }

  /** A listing that never reached the kernel counted references that no FORGET will return. */
  #undoLookups(request: FuseRequest): void {
    for (const lookup of request.dirents?.lookups ?? []) this.#fs.forget(lookup.nodeId, 1);
  }

  /** Gives back the memory of the request. */
  #drop(request: FuseRequest): void {
    if (request.heldBuffer !== undefined) {
      this.buffers.drop(request.heldBuffer);
      request.heldBuffer = undefined;
    }
    if (request.dirents !== undefined) {
      this.#context.dirents.give(request.dirents);
      request.dirents = undefined;
    }
  }

  #sendEmpty(request: FuseRequest, errno: number): void {
    this.#out.empty();
    this.#send(request, errno);
  }

  /** Sends what the writer holds. False when the kernel did not take it. */
  #send(request: FuseRequest, errno: number): boolean {
    if (request.answered || this.#closed) return false;
    request.answered = true;
    if (this.#debug) this.#logReply(request, errno);
    try {
      this.#transport.send(this.#out.finish(-errno, request.uniqueLow, request.uniqueHigh));
      return true;
    } catch (error) {
      this.#handleSendError(request, error);
      return false;
    }
  }

  #handleSendError(request: FuseRequest, error: unknown): void {
    const code = errorCode(error);
    // The caller was killed, or the mount is going: nobody waits.
    if (code === 'ENOENT' || code === 'ENODEV') return;
    const op = opcodeName(request.opcode);
    this.#log.error('FUSE reply refused', { op, code: code ?? String(error) });
    this.#out.empty();
    try {
      // The kernel may have ended the request with EIO already; then this one is answered with ENOENT.
      this.#transport.send(this.#out.finish(-ERRNO.EIO, request.uniqueLow, request.uniqueHigh));
    } catch (second) {
      this.#log.debug('FUSE error reply refused', { op, code: errorCode(second) });
    }
  }

  /** fuse_init_in → fuse_init_out */
  #handleInit(request: FuseRequest): void {
    if (this.#input.bodyBytes < INIT_IN_OLD_BYTES) return this.#sendEmpty(request, ERRNO.EINVAL);
    const answer = answerInit(this.#input);
    if (answer.kind === 'too-old') {
      const message = `the kernel speaks FUSE ${answer.version}; davport needs 7.23 (Linux 3.15)`;
      this.#log.error(message);
      this.#sendEmpty(request, ERRNO.EPROTO);
      return this.#rejectInit(new DavportError('FUSE_TOO_OLD', message));
    }
    this.#out.data([answer.body], answer.body.length);
    this.#send(request, 0);
    if (answer.kind === 'negotiated') this.#resolveInit(answer.negotiated);
  }

  /** fuse_interrupt_in. It has no answer, but EAGAIN where the request is not known (yet): the kernel then says it again. */
  #handleInterrupt(): void {
    if (this.#input.bodyBytes < INTERRUPT_IN.bytes) return;
    const request = this.#pending.get(this.#input.u64(INTERRUPT_IN.at.unique));
    if (request === undefined) this.#sendEmpty(new FuseRequest(this.#input), ERRNO.EAGAIN);
    else request.interrupt();
  }

  /** fuse_forget_in; no answer */
  #handleForget(): void {
    if (this.#input.bodyBytes < FORGET_IN.bytes) return;
    this.#forget(this.#input.nodeId, this.#input.u64(FORGET_IN.at.nlookup));
  }

  /** fuse_batch_forget_in, fuse_forget_one …; no answer */
  #handleBatchForget(): void {
    const input = this.#input;
    const room = Math.floor((input.bodyBytes - BATCH_FORGET_IN.bytes) / FORGET_ONE.bytes);
    if (room <= 0) return;
    const count = Math.min(input.u32(BATCH_FORGET_IN.at.count), room);
    for (let index = 0; index < count; index += 1) {
      const at = BATCH_FORGET_IN.bytes + index * FORGET_ONE.bytes;
      this.#forget(input.u64(at), input.u64(at + FORGET_ONE.at.nlookup));
    }
  }

  #forget(nodeId: number, count: number): void {
    this.#context.privileges.forgot(nodeId);
    this.#fs.forget(nodeId, count);
  }

  #isDenied(uid: number): boolean {
    return this.#onlyUid !== undefined && uid !== this.#onlyUid && uid !== 0;
  }

  #logRequest(request: FuseRequest): void {
    const { unique, nodeId, uid, pid } = request;
    this.#log.debug('fuse request', { op: opcodeName(request.opcode), unique, nodeId, uid, pid });
  }

  #logReply(request: FuseRequest, errno: number): void {
    this.#log.debug('fuse reply', { unique: request.unique, errno });
  }
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
