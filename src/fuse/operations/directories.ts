/** Operations on open directories, and on the whole file system. */
import type { Awaitable, OpenAnswer } from '../../vfs/filesystem.js';
import { FSYNC_IN, OPEN_IN, READ_IN, RELEASE_IN, type OpcodeName } from '../protocol.js';
import type { DirentBuffer } from '../dirent-buffer.js';
import type { MessageReader } from '../message-reader.js';
import type { ReplyWriter } from '../reply-writer.js';
import type { FuseRequest } from '../request.js';
import { operation, replyEmpty, type Operation, type OperationContext } from './operation.js';

/** fuse_read_in of a listing: `offset` is the cookie after which it goes on. */
function beginListing(
  { dirents }: OperationContext,
  input: MessageReader,
  request: FuseRequest,
): DirentBuffer {
  request.dirents = dirents.take(input.u32(READ_IN.at.size));
  return request.dirents;
}

function replyListing(out: ReplyWriter, _answer: unknown, request: FuseRequest): void {
  const bytes = request.dirents?.bytes() ?? Buffer.alloc(0);
  out.data([bytes], bytes.length);
}

export const DIRECTORY_OPERATIONS = {
  /** fuse_open_in → fuse_open_out */
  OPENDIR: operation({
    inBytes: OPEN_IN.bytes,
    call: ({ fs }, _input, request) => fs.opendir(request.nodeId, request),
    reply: (out, answer) => out.opened(answer, 'directory'),
    undo: ({ fs }, answer: OpenAnswer, request) => fs.releasedir(request.nodeId, answer.fh),
  }),

  /** fuse_read_in → fuse_dirent records; none says end */
  READDIR: operation({
    inBytes: READ_IN.bytes,
    onHandle: true,
    call(context, input, request): Awaitable<void> {
      const buffer = beginListing(context, input, request);
      const fh = input.u64(READ_IN.at.fh);
      const offset = input.u64(READ_IN.at.offset);
      return context.fs.readdir(request.nodeId, fh, offset, buffer.add, request);
    },
    reply: replyListing,
  }),

  /** fuse_read_in → fuse_direntplus records; none says end */
  READDIRPLUS: operation({
    inBytes: READ_IN.bytes,
    onHandle: true,
    call(context, input, request): Awaitable<void> {
      const buffer = beginListing(context, input, request);
      const fh = input.u64(READ_IN.at.fh);
      const offset = input.u64(READ_IN.at.offset);
      return context.fs.readdirplus(request.nodeId, fh, offset, buffer.addPlus, request);
    },
    reply(out, answer, request, context) {
      for (const lookup of request.dirents?.lookups ?? []) context.privileges.sawEntry(lookup);
      replyListing(out, answer, request);
    },
  }),

  /** fuse_release_in → nothing */
  RELEASEDIR: operation({
    inBytes: RELEASE_IN.bytes,
    onHandle: true,
    call: ({ fs }, input, request) => fs.releasedir(request.nodeId, input.u64(RELEASE_IN.at.fh)),
    reply: replyEmpty,
  }),

  /** fuse_fsync_in → nothing */
  FSYNCDIR: operation({
    inBytes: FSYNC_IN.bytes,
    onHandle: true,
    call: ({ fs }, input, request) =>
      fs.fsyncdir(request.nodeId, input.u64(FSYNC_IN.at.fh), request),
    reply: replyEmpty,
  }),

  /** nothing that matters → nothing */
  SYNCFS: operation({
    inBytes: 0,
    call: ({ fs }, _input, request) => fs.syncAll(request.signal),
    reply: replyEmpty,
  }),
} satisfies Partial<Record<OpcodeName, Operation<unknown>>>;
