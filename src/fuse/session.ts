import { DavportError } from '../errors.js';
import type { Logger } from '../log.js';
import { ERRNO } from '../vfs/errno-names.js';
import { FsError, type FileSystem } from '../vfs/filesystem.js';
import { DirentMemory } from './dirent-buffer.js';
import { answerInit, MAX_WRITE_BYTES, type Negotiated } from './init.js';
import { Interrupts } from './interrupts.js';
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
  PRUNE_MINOR_VERSION,
  opcodeName,
} from './protocol.js';
import { Replier, type FuseTransport } from './replier.js';
import { FuseRequest } from './request.js';
import { RequestBuffers } from './request-buffers.js';

export interface SessionOptions {
  readonly fs: FileSystem;
  readonly transport: FuseTransport;
  readonly log: Logger;
  /** `allow_root`: users other than this one and root get EACCES. */
  readonly onlyUid?: number;
  /** The file system keeps the locks of fcntl(2) and flock(2). */
  readonly withLocks?: boolean;
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
  readonly #log: Logger;
  readonly #onlyUid: number | undefined;
  readonly #withLocks: boolean;
  readonly #context: OperationContext;
  readonly #input = new MessageReader();
  readonly #interrupts = new Interrupts();
  readonly #replier: Replier;
  /** Requests whose promise is pending, by `unique`. */
  readonly #pending = new Map<number, FuseRequest>();
  readonly #debug: boolean;
  readonly notifier: Notifier;
  /** Memory to read requests into. */
  readonly buffers: RequestBuffers;
  /** What was agreed on with the kernel; rejects when it is too old, or the session ends before. */
  readonly initialised: Promise<Negotiated>;
  #resolveInit!: (negotiated: Negotiated) => void;
  #rejectInit!: (reason: Error) => void;

  constructor(options: SessionOptions) {
    this.#fs = options.fs;
    this.#log = options.log;
    this.#onlyUid = options.onlyUid;
    this.#withLocks = options.withLocks === true;
    this.#debug = options.log.enabled('debug');
    this.#replier = new Replier(options.transport, options.log);
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
    // Whoever mounts looks at it; the one who only closes does not.
    this.initialised.catch(() => undefined);
    options.fs.setInvalidator(this.notifier);
  }

  /** Requests not answered yet. */
  get pendingRequests(): number {
    return this.#pending.size;
  }

  /** Takes the message [start, end) of `buffer`. Never throws. */
  handle(buffer: RequestBuffer, start: number, end: number): void {
    if (this.#replier.closed) return;
    if (!this.#input.open(buffer, start, end)) {
      this.#log.error('malformed FUSE request', { bytes: end - start });
      return;
    }
    try {
      this.#dispatch();
    } catch (error) {
      this.#log.error('FUSE request failed', { error: errorText(error) });
    }
  }

  /** The kernel is gone: nothing is answered from now on, and what is under way is told so. */
  close(): void {
    if (this.#replier.closed) return;
    this.#replier.close();
    this.notifier.close();
    this.#interrupts.close();
    this.#rejectInit(new DavportError('FUSE_ENDED', 'unmounted before the mount was complete'));
    for (const request of this.#pending.values()) request.interrupt();
  }

  #dispatch(): void {
    switch (this.#input.opcode) {
      case OPCODES.FORGET:
        this.#handleForget();
        break;
      case OPCODES.BATCH_FORGET:
        this.#handleBatchForget();
        break;
      case OPCODES.INTERRUPT:
        this.#handleInterrupt();
        break;
      case OPCODES.NOTIFY_REPLY:
        break;
      case OPCODES.INIT:
        this.#handleInit(new FuseRequest(this.#input));
        break;
      case OPCODES.DESTROY:
        this.#replier.sendEmpty(new FuseRequest(this.#input), 0);
        break;
      default:
        this.#handleOperation(new FuseRequest(this.#input));
    }
  }

  #handleOperation(request: FuseRequest): void {
    if (this.#debug) this.#logRequest(request);
    const row = OPERATIONS[request.opcode];
    const refusal = this.#refuse(row, request);
    if (row === undefined || refusal !== 0) {
      this.#replier.sendEmpty(request, refusal);
      return;
    }
    let answer: unknown;
    try {
      answer = row.call(this.#context, this.#input, request);
    } catch (error) {
      this.#fail(request, error);
      return;
    }
    if (answer instanceof Promise) this.#wait(row, request, answer);
    else this.#finish(row, request, answer);
  }

  /** The errno with which a request is refused unseen, or 0. */
  #refuse(row: Operation<unknown> | undefined, request: FuseRequest): number {
    if (row === undefined) return ERRNO.ENOSYS;
    if (this.#input.bodyBytes < row.inBytes) return ERRNO.EINVAL;
    if (this.#onlyUid === undefined || row.onHandle === true) return 0;
    return request.uid === this.#onlyUid || request.uid === 0 ? 0 : ERRNO.EACCES;
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
      row.reply(this.#replier.out, answer, request, this.#context);
    } catch (error) {
      this.#undo(row, request, answer);
      this.#fail(request, error);
      return;
    }
    if (!this.#replier.send(request, 0)) {
      this.#undo(row, request, answer);
      this.#undoLookups(request);
    }
    row.done?.(this.#context, answer);
    this.#drop(request);
  }

  #fail(request: FuseRequest, error: unknown): void {
    this.#undoLookups(request);
    this.#replier.sendEmpty(request, this.#errnoOf(request, error));
    this.#drop(request);
  }

  #errnoOf(request: FuseRequest, error: unknown): number {
    if (error instanceof FsError) return ERRNO[error.errno];
    this.#log.error('file system failed in an unforeseen way', {
      op: opcodeName(request.opcode),
      error: errorText(error),
    });
    return ERRNO.EIO;
  }

  /** The kernel will not give back what it never got. */
  #undo(row: Operation<unknown>, request: FuseRequest, answer: unknown): void {
    try {
      row.undo?.(this.#context, answer, request);
    } catch (error) {
      this.#log.error('giving back an undelivered answer failed', { error: errorText(error) });
    }
  }

  /** A listing that never reached the kernel counted references that no FORGET will return. */
  #undoLookups(request: FuseRequest): void {
    const lookups = request.dirents?.lookups.splice(0) ?? [];
    for (const lookup of lookups) this.#forget(lookup.nodeId, 1);
  }

  /** Gives back the memory of the request. */
  #drop(request: FuseRequest): void {
    if (request.heldBuffer !== undefined) this.buffers.drop(request.heldBuffer);
    if (request.dirents !== undefined) this.#context.dirents.give(request.dirents);
    request.heldBuffer = undefined;
    request.dirents = undefined;
  }

  /** fuse_init_in → fuse_init_out */
  #handleInit(request: FuseRequest): void {
    if (this.#input.bodyBytes < INIT_IN_OLD_BYTES) {
      this.#replier.sendEmpty(request, ERRNO.EINVAL);
      return;
    }
    const answer = answerInit(this.#input, this.#withLocks);
    if (answer.kind === 'too-old') {
      const message = `the kernel speaks FUSE ${answer.version}; davport needs 7.23 (Linux 3.15)`;
      this.#replier.sendEmpty(request, ERRNO.EPROTO);
      this.#rejectInit(new DavportError('FUSE_TOO_OLD', message));
      return;
    }
    this.#replier.out.data([answer.body], answer.body.length);
    this.#replier.send(request, 0);
    if (answer.kind !== 'negotiated') return;
    if (answer.negotiated.minor >= PRUNE_MINOR_VERSION) this.notifier.allowPrune();
    this.#resolveInit(answer.negotiated);
  }

  /** fuse_interrupt_in. No answer, but EAGAIN where the request is not known (yet): the kernel then says it again. */
  #handleInterrupt(): void {
    if (this.#input.bodyBytes < INTERRUPT_IN.bytes) return;
    const request = this.#pending.get(this.#input.u64(INTERRUPT_IN.at.unique));
    if (request !== undefined) this.#interrupts.take(request);
    else this.#replier.sendEmpty(new FuseRequest(this.#input), ERRNO.EAGAIN);
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
    try {
      this.#fs.forget(nodeId, count);
    } catch (error) {
      this.#log.error('forget failed', { nodeId, count, error: errorText(error) });
    }
  }

  #logRequest({ opcode, unique, nodeId, uid, pid }: FuseRequest): void {
    this.#log.debug('fuse request', { op: opcodeName(opcode), unique, nodeId, uid, pid });
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
