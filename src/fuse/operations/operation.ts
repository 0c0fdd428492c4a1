import type { Awaitable, FileSystem } from '../../vfs/filesystem.js';
import { FsError } from '../../vfs/filesystem.js';
import type { DirentMemory } from '../dirent-buffer.js';
import type { MessageReader } from '../message-reader.js';
import type { PrivilegeBits } from '../privilege-bits.js';
import type { ReplyWriter } from '../reply-writer.js';
import type { FuseRequest } from '../request.js';
import type { RequestBuffers } from '../request-buffers.js';

/** What operations share beside the file system. */
export interface OperationContext {
  readonly fs: FileSystem;
  readonly dirents: DirentMemory;
  readonly buffers: RequestBuffers;
  readonly privileges: PrivilegeBits;
}

/** One row of the opcode table: decode and call, then encode. */
export interface Operation<T> {
  /** Size of the fixed struct that the request begins with; a shorter request is refused with EINVAL. */
  readonly inBytes: number;
  /** True where other users than the owner of an `allow_root` mount are let through, as they hold a handle already. */
  readonly onHandle?: boolean;
  /** Reads all it needs of `input` before it returns. */
  call(context: OperationContext, input: MessageReader, request: FuseRequest): Awaitable<T>;
  reply(out: ReplyWriter, answer: T, request: FuseRequest, context: OperationContext): void;
  /** The kernel has copied the answer, or did not want it. */
  done?(context: OperationContext, answer: T): void;
  /** The kernel did not take the answer: give back the reference or handle that it stands for. */
  undo?(context: OperationContext, answer: T, request: FuseRequest): void;
}

/** Erases the type of the answer; `call` and `reply` of one row always belong together. */
export function operation<T>(row: Operation<T>): Operation<unknown> {
  return row;
}

export function replyEmpty(out: ReplyWriter): void {
  out.empty();
}

/** Offsets and sizes are 64 bits on the wire; what a double cannot hold is past any file here. */
export function checkRange(offset: number, length: number): void {
  if (offset < 0 || offset + length > Number.MAX_SAFE_INTEGER) {
    throw new FsError('EFBIG', 'offset beyond 2^53');
  }
}
