/** Operations on open files. */
import type { Awaitable, CreateAnswer, OpenAnswer } from '../../vfs/filesystem.js';
import { FsError } from '../../vfs/filesystem.js';
import {
  COPY_FILE_RANGE_IN,
  CREATE_IN,
  FALLOCATE_IN,
  FLUSH_IN,
  FSYNC_IN,
  LSEEK_IN,
  OPEN_IN,
  READ_IN,
  RELEASE_IN,
  WRITE_IN,
  WRITE_OUT,
  type OpcodeName,
} from '../protocol.js';
import {
  FSYNC_FDATASYNC,
  OPEN_KILL_SUIDGID,
  RELEASE_FLOCK_UNLOCK,
  WRITE_CACHE,
  WRITE_KILL_SUIDGID,
} from '../protocol-flags.js';
import type { MessageReader } from '../message-reader.js';
import type { ReplyWriter } from '../reply-writer.js';
import type { FuseRequest } from '../request.js';
import {
  checkRange,
  operation,
  replyEmpty,
  type Operation,
  type OperationContext,
} from './operation.js';

const NO_DATA: readonly Uint8Array[] = [];
/** writev(2) takes 1024 buffers, one of which is the header. */
const MAX_PIECES = 1000;

/** The handle is not in the kernel's hands, so no RELEASE will come. */
function releaseHandle(context: OperationContext, fh: number, nodeId: number): void {
  const released = context.fs.release(nodeId, fh);
  // Nobody is left to tell: the opener was answered with an error already.
  if (released instanceof Promise) released.catch(() => undefined);
}

function replyRead(out: ReplyWriter, pieces: readonly Uint8Array[], request: FuseRequest): void {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length;
  if (bytes > request.size) {
    throw new Error(`read answered ${bytes} bytes where ${request.size} were asked for`);
  }
  out.data(pieces.length > MAX_PIECES ? [Buffer.concat(pieces)] : pieces, bytes);
}

const COPY_FILE_RANGE = {
  inBytes: COPY_FILE_RANGE_IN.bytes,
  onHandle: true,
  call({ fs }: OperationContext, input: MessageReader, request: FuseRequest): Awaitable<number> {
    const at = COPY_FILE_RANGE_IN.at;
    const from = { fh: input.u64(at.fhIn), offset: input.u64(at.offsetIn) };
    const to = { fh: input.u64(at.fhOut), offset: input.u64(at.offsetOut) };
    const length = input.u64(at.length);
    checkRange(to.offset, 0);
    return fs.copyFileRange(
      { ...from, nodeId: request.nodeId, length },
      { ...to, nodeId: input.u64(at.nodeidOut) },
      request,
    );
  },
};

export const FILE_OPERATIONS = {
  /** fuse_open_in → fuse_open_out */
  OPEN: operation({
    inBytes: OPEN_IN.bytes,
    call({ fs, privileges }, input, request) {
      const flags = input.u32(OPEN_IN.at.flags);
      const open = () => fs.open(request.nodeId, flags, request);
      const kills = (input.u32(OPEN_IN.at.openFlags) & OPEN_KILL_SUIDGID) !== 0;
      return kills ? privileges.clearedFirst(fs, undefined, request, open) : open();
    },
    reply: (out, answer) => out.opened(answer, 'file'),
    undo: (context, answer: OpenAnswer, request) =>
      releaseHandle(context, answer.fh, request.nodeId),
  }),

  /** fuse_create_in, name → fuse_entry_out, fuse_open_out. The kernel has applied the umask. */
  CREATE: operation({
    inBytes: CREATE_IN.bytes,
    call({ fs }, input, request) {
      const flags = input.u32(CREATE_IN.at.flags);
      const mode = input.u32(CREATE_IN.at.mode);
      input.skip(CREATE_IN.bytes);
      return fs.create(request.nodeId, input.name(), mode, flags, request);
    },
    reply(out, answer: CreateAnswer, _request, context) {
      context.privileges.sawEntry(answer.entry);
      out.created(answer.entry, answer);
    },
    undo(context, answer: CreateAnswer) {
      releaseHandle(context, answer.fh, answer.entry.nodeId);
      context.fs.forget(answer.entry.nodeId, 1);
    },
  }),

  /** fuse_read_in → data; less than `size` says end of file */
  READ: operation({
    inBytes: READ_IN.bytes,
    onHandle: true,
    call({ fs }, input, request): Awaitable<readonly Uint8Array[]> {
      const offset = input.u64(READ_IN.at.offset);
      request.size = input.u32(READ_IN.at.size);
      if (offset > Number.MAX_SAFE_INTEGER - request.size) return NO_DATA;
      return fs.read(request.nodeId, input.u64(READ_IN.at.fh), offset, request.size, request);
    },
    reply: replyRead,
    done: ({ fs }, pieces) => fs.releaseRead?.(pieces),
  }),

  /** fuse_write_in, data → fuse_write_out */
  WRITE: operation({
    inBytes: WRITE_IN.bytes,
    onHandle: true,
    call({ fs, buffers, privileges }, input, request) {
      const fh = input.u64(WRITE_IN.at.fh);
      const offset = input.u64(WRITE_IN.at.offset);
      const size = input.u32(WRITE_IN.at.size);
      checkRange(offset, size);
      input.skip(WRITE_IN.bytes);
      const kept = buffers.keep(input.buffer, input.data(size));
      request.heldBuffer = kept.held;
      request.size = size;
      const flags = input.u32(WRITE_IN.at.writeFlags);
      const pages = (flags & WRITE_CACHE) !== 0;
      const write = () => fs.write(request.nodeId, fh, offset, kept.data, request, pages);
      const kills = (flags & WRITE_KILL_SUIDGID) !== 0;
      return kills ? privileges.clearedFirst(fs, fh, request, write) : write();
    },
    reply(out, written: number, request) {
      if (written > request.size) throw new Error(`write answered ${written} of ${request.size}`);
      out.words(WRITE_OUT.bytes, written);
    },
  }),

  /** fuse_flush_in → nothing */
  FLUSH: operation({
    inBytes: FLUSH_IN.bytes,
    onHandle: true,
    call({ fs }, input, request) {
      const owner = input.bits64(FLUSH_IN.at.lockOwner);
      return fs.flush(request.nodeId, input.u64(FLUSH_IN.at.fh), request, owner);
    },
    reply: replyEmpty,
  }),

  /** fuse_release_in → nothing; nobody waits for the answer */
  RELEASE: operation({
    inBytes: RELEASE_IN.bytes,
    onHandle: true,
    call({ fs }, input, request) {
      const at = RELEASE_IN.at;
      const unlocks = (input.u32(at.releaseFlags) & RELEASE_FLOCK_UNLOCK) !== 0;
      const owner = unlocks ? input.bits64(at.lockOwner) : undefined;
      return fs.release(request.nodeId, input.u64(at.fh), owner);
    },
    reply: replyEmpty,
  }),

  /** fuse_fsync_in → nothing */
  FSYNC: operation({
    inBytes: FSYNC_IN.bytes,
    onHandle: true,
    call({ fs }, input, request) {
      const dataOnly = (input.u32(FSYNC_IN.at.fsyncFlags) & FSYNC_FDATASYNC) !== 0;
      return fs.fsync(request.nodeId, input.u64(FSYNC_IN.at.fh), dataOnly, request);
    },
    reply: replyEmpty,
  }),

  /** fuse_fallocate_in → nothing */
  FALLOCATE: operation({
    inBytes: FALLOCATE_IN.bytes,
    onHandle: true,
    call({ fs }, input, request) {
      const at = FALLOCATE_IN.at;
      const offset = input.u64(at.offset);
      const length = input.u64(at.length);
      checkRange(offset, length);
      const mode = input.u32(at.mode);
      return fs.fallocate(request.nodeId, input.u64(at.fh), mode, offset, length, request);
    },
    reply: replyEmpty,
  }),

  /** fuse_lseek_in → fuse_lseek_out; SEEK_DATA and SEEK_HOLE only, the kernel does the others */
  LSEEK: operation({
    inBytes: LSEEK_IN.bytes,
    onHandle: true,
    call({ fs }, input, request) {
      const offset = input.i64(LSEEK_IN.at.offset);
      if (offset > Number.MAX_SAFE_INTEGER) throw new FsError('ENXIO', 'offset beyond the file');
      const fh = input.u64(LSEEK_IN.at.fh);
      return fs.lseek(request.nodeId, fh, offset, input.u32(LSEEK_IN.at.whence), request);
    },
    reply: (out, offset: number) => out.u64(offset),
  }),
  /** fuse_copy_file_range_in → fuse_write_out */
  COPY_FILE_RANGE: operation({
    ...COPY_FILE_RANGE,
    reply: (out, copied: number) => out.words(WRITE_OUT.bytes, copied),
  }),

  /** fuse_copy_file_range_in → fuse_copy_file_range_out, which is one u64 */
  COPY_FILE_RANGE_64: operation({
    ...COPY_FILE_RANGE,
    reply: (out, copied: number) => out.u64(copied),
  }),
} satisfies Partial<Record<OpcodeName, Operation<unknown>>>;
