/** Operations on the attributes of a node. */
import type { AttributeChange, AttributesAnswer } from '../../vfs/filesystem.js';
import { encodeName } from '../../names.js';
import { FsError } from '../../vfs/filesystem.js';
import {
  ACCESS_IN,
  GETATTR_IN,
  GETXATTR_IN,
  GETXATTR_OUT,
  SETATTR_IN,
  SETXATTR_IN,
  type OpcodeName,
} from '../protocol.js';
import { FATTR, GETATTR_FH } from '../protocol-flags.js';
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

/** The longest target that fits the kernel's page. */
const MAX_LINK_BYTES = 4095;

/** Reply: fuse_attr_out. */
function replyAttributes(
  out: ReplyWriter,
  answer: AttributesAnswer,
  request: FuseRequest,
  context: OperationContext,
): void {
  context.privileges.saw(request.nodeId, answer.attributes);
  out.attributes(answer);
}

/** fuse_setattr_in: the fields that `valid` names. ctime is not ours to set. */
function decodeChange(input: MessageReader): AttributeChange {
  const at = SETATTR_IN.at;
  const valid = input.u32(at.valid);
  const change: { -readonly [K in keyof AttributeChange]: AttributeChange[K] } = {};
  if (valid & FATTR.MODE) change.mode = input.u32(at.mode);
  if (valid & FATTR.UID) change.uid = input.u32(at.uid);
  if (valid & FATTR.GID) change.gid = input.u32(at.gid);
  if (valid & FATTR.SIZE) {
    change.size = input.u64(at.size);
    checkRange(change.size, 0);
  }
  if (valid & FATTR.ATIME_NOW) change.atime = 'now';
  else if (valid & FATTR.ATIME) {
    change.atime = { sec: input.i64(at.atime), nsec: input.u32(at.atimensec) };
  }
  if (valid & FATTR.MTIME_NOW) change.mtime = 'now';
  else if (valid & FATTR.MTIME) {
    change.mtime = { sec: input.i64(at.mtime), nsec: input.u32(at.mtimensec) };
  }
  return change;
}

/** Reply of GETXATTR and LISTXATTR: fuse_getxattr_out with the size when the caller has no room, else the bytes. */
function replyXattr(out: ReplyWriter, value: Uint8Array, request: FuseRequest): void {
  if (request.size === 0) out.words(GETXATTR_OUT.bytes, value.length);
  else if (value.length > request.size) throw new FsError('ERANGE', 'extended attribute is larger');
  else out.data([value], value.length);
}

export const ATTRIBUTE_OPERATIONS = {
  /** fuse_getattr_in → fuse_attr_out */
  GETATTR: operation({
    inBytes: GETATTR_IN.bytes,
    call({ fs }, input, request) {
      const hasHandle = (input.u32(GETATTR_IN.at.flags) & GETATTR_FH) !== 0;
      const fh = hasHandle ? input.u64(GETATTR_IN.at.fh) : undefined;
      return fs.getattr(request.nodeId, fh, request);
    },
    reply: replyAttributes,
  }),

  /** fuse_setattr_in → fuse_attr_out */
  SETATTR: operation({
    inBytes: SETATTR_IN.bytes,
    call({ fs, privileges }, input, request) {
      const valid = input.u32(SETATTR_IN.at.valid);
      const fh = valid & FATTR.FH ? input.u64(SETATTR_IN.at.fh) : undefined;
      const change = decodeChange(input);
      const apply = () => fs.setattr(request.nodeId, change, fh, request);
      // A chmod in the same request says itself what the mode shall be.
      const kills = (valid & FATTR.KILL_SUIDGID) !== 0 && change.mode === undefined;
      return kills ? privileges.clearedFirst(fs, fh, request, apply) : apply();
    },
    reply: replyAttributes,
  }),

  /** nothing → target, without NUL */
  READLINK: operation({
    inBytes: 0,
    call: ({ fs }, _input, request) => fs.readlink(request.nodeId, request),
    reply(out, target: string) {
      const bytes = encodeName(target);
      if (bytes.length > MAX_LINK_BYTES) throw new FsError('ENAMETOOLONG', 'link target too long');
      out.data([bytes], bytes.length);
    },
  }),

  /** nothing → fuse_statfs_out */
  STATFS: operation({
    inBytes: 0,
    call: ({ fs }, _input, request) => fs.statfs(request.nodeId, request),
    reply: (out, answer) => out.statfs(answer),
  }),

  /** fuse_access_in → nothing */
  ACCESS: operation({
    inBytes: ACCESS_IN.bytes,
    call: ({ fs }, input, request) =>
      fs.access(request.nodeId, input.u32(ACCESS_IN.at.mask), request),
    reply: replyEmpty,
  }),

  /** fuse_setxattr_in, name, value → nothing */
  SETXATTR: operation({
    inBytes: SETXATTR_IN.bytes,
    call({ fs }, input, request) {
      const size = input.u32(SETXATTR_IN.at.size);
      const flags = input.u32(SETXATTR_IN.at.flags);
      input.skip(SETXATTR_IN.bytes);
      const name = input.name();
      return fs.setxattr(request.nodeId, name, Buffer.from(input.data(size)), flags, request);
    },
    reply: replyEmpty,
  }),

  /** fuse_getxattr_in, name → fuse_getxattr_out or value */
  GETXATTR: operation({
    inBytes: GETXATTR_IN.bytes,
    call({ fs }, input, request) {
      request.size = input.u32(GETXATTR_IN.at.size);
      input.skip(GETXATTR_IN.bytes);
      return fs.getxattr(request.nodeId, input.name(), request);
    },
    reply: replyXattr,
  }),

  /** fuse_getxattr_in → fuse_getxattr_out or names, each with a NUL */
  LISTXATTR: operation({
    inBytes: GETXATTR_IN.bytes,
    call({ fs }, input, request) {
      request.size = input.u32(GETXATTR_IN.at.size);
      return fs.listxattr(request.nodeId, request);
    },
    reply(out, names: string[], request) {
      replyXattr(out, encodeName(names.map((name) => `${name}\0`).join('')), request);
    },
  }),

  /** name → nothing */
  REMOVEXATTR: operation({
    inBytes: 0,
    call: ({ fs }, input, request) => fs.removexattr(request.nodeId, input.name(), request),
    reply: replyEmpty,
  }),
} satisfies Partial<Record<OpcodeName, Operation<unknown>>>;
