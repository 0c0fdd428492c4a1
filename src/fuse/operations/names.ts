/** Operations on a name in a directory. fuse_in_header.nodeid is the directory. */
import type { Entry } from '../../vfs/filesystem.js';
import {
  LINK_IN,
  MKDIR_IN,
  MKNOD_IN,
  RENAME2_IN,
  RENAME_IN,
  type OpcodeName,
} from '../protocol.js';
import type { ReplyWriter } from '../reply-writer.js';
import type { FuseRequest } from '../request.js';
import { operation, replyEmpty, type Operation, type OperationContext } from './operation.js';

/** Reply: fuse_entry_out. */
function replyEntry(
  out: ReplyWriter,
  entry: Entry,
  _request: FuseRequest,
  context: OperationContext,
): void {
  context.privileges.sawEntry(entry);
  out.entry(entry);
}

function forgetEntry({ fs }: OperationContext, entry: Entry): void {
  if (entry.nodeId !== 0) fs.forget(entry.nodeId, 1);
}

const entryAnswer = { reply: replyEntry, undo: forgetEntry };

export const NAME_OPERATIONS = {
  /** name → fuse_entry_out; nodeid 0 is a negative answer that may be cached. */
  LOOKUP: operation({
    inBytes: 0,
    call: ({ fs }, input, request) => fs.lookup(request.nodeId, input.name(), request),
    ...entryAnswer,
  }),

  /** fuse_mknod_in, name → fuse_entry_out. The kernel has applied the umask. */
  MKNOD: operation({
    inBytes: MKNOD_IN.bytes,
    call({ fs }, input, request) {
      const mode = input.u32(MKNOD_IN.at.mode);
      input.skip(MKNOD_IN.bytes);
      return fs.mknod(request.nodeId, input.name(), mode, request);
    },
    ...entryAnswer,
  }),

  /** fuse_mkdir_in, name → fuse_entry_out */
  MKDIR: operation({
    inBytes: MKDIR_IN.bytes,
    call({ fs }, input, request) {
      const mode = input.u32(MKDIR_IN.at.mode);
      input.skip(MKDIR_IN.bytes);
      return fs.mkdir(request.nodeId, input.name(), mode, request);
    },
    ...entryAnswer,
  }),

  /** name, target → fuse_entry_out */
  SYMLINK: operation({
    inBytes: 0,
    call({ fs }, input, request) {
      const name = input.name();
      return fs.symlink(request.nodeId, name, input.name(), request);
    },
    ...entryAnswer,
  }),

  /** fuse_link_in, new name → fuse_entry_out. The header names the new directory. */
  LINK: operation({
    inBytes: LINK_IN.bytes,
    call({ fs }, input, request) {
      const nodeId = input.u64(LINK_IN.at.oldnodeid);
      input.skip(LINK_IN.bytes);
      return fs.link(nodeId, request.nodeId, input.name(), request);
    },
    ...entryAnswer,
  }),

  /** name → nothing */
  UNLINK: operation({
    inBytes: 0,
    call: ({ fs }, input, request) => fs.unlink(request.nodeId, input.name(), request),
    reply: replyEmpty,
  }),

  /** name → nothing */
  RMDIR: operation({
    inBytes: 0,
    call: ({ fs }, input, request) => fs.rmdir(request.nodeId, input.name(), request),
    reply: replyEmpty,
  }),

  /** fuse_rename_in, old name, new name → nothing */
  RENAME: operation({
    inBytes: RENAME_IN.bytes,
    call({ fs }, input, request) {
      const newParent = input.u64(RENAME_IN.at.newdir);
      input.skip(RENAME_IN.bytes);
      const name = input.name();
      return fs.rename(request.nodeId, name, newParent, input.name(), 0, request);
    },
    reply: replyEmpty,
  }),

  /** fuse_rename2_in, old name, new name → nothing */
  RENAME2: operation({
    inBytes: RENAME2_IN.bytes,
    call({ fs }, input, request) {
      const newParent = input.u64(RENAME2_IN.at.newdir);
      const flags = input.u32(RENAME2_IN.at.flags);
      input.skip(RENAME2_IN.bytes);
      const name = input.name();
      return fs.rename(request.nodeId, name, newParent, input.name(), flags, request);
    },
    reply: replyEmpty,
  }),
} satisfies Partial<Record<OpcodeName, Operation<unknown>>>;
