/** Locks of fcntl(2) and flock(2). The kernel asks only where FUSE_POSIX_LOCKS and FUSE_FLOCK_LOCKS were agreed on. */
import { FsError, type LockAnswer, type LockRequest } from '../../vfs/filesystem.js';
import type { MessageReader } from '../message-reader.js';
import { LK_IN, type OpcodeName } from '../protocol.js';
import { LK_FLOCK } from '../protocol-flags.js';
import { operation, replyEmpty, type Operation } from './operation.js';

/** F_RDLCK, F_WRLCK, F_UNLCK of fcntl(2). */
const TYPES = ['read', 'write', undefined] as const;
const F_UNLCK = 2;

/** fuse_lk_in */
function decode(input: MessageReader): LockRequest {
  const at = LK_IN.at;
  const type = input.u32(at.type);
  if (type > F_UNLCK) throw new FsError('EINVAL', `lock type ${type}`);
  const end = input.u64(at.end);
  return {
    fh: input.u64(at.fh),
    owner: input.bits64(at.owner),
    kind: (input.u32(at.lkFlags) & LK_FLOCK) !== 0 ? 'flock' : 'posix',
    type: TYPES[type],
    start: input.u64(at.start),
    // OFFSET_MAX says "to the end".
    end: end > Number.MAX_SAFE_INTEGER ? Infinity : end,
    pid: input.u32(at.pid),
  };
}

function setLock(wait: boolean): Operation<unknown> {
  return operation({
    inBytes: LK_IN.bytes,
    onHandle: true,
    call({ fs }, input, request) {
      const lock = decode(input);
      if (fs.setlk === undefined) throw new FsError('ENOSYS');
      return fs.setlk(request.nodeId, lock, wait, request);
    },
    reply: replyEmpty,
  });
}

export const LOCK_OPERATIONS = {
  /** fuse_lk_in → fuse_lk_out: the lock that is in the way, or F_UNLCK */
  GETLK: operation({
    inBytes: LK_IN.bytes,
    onHandle: true,
    call({ fs }, input, request) {
      const lock = decode(input);
      if (fs.getlk === undefined) throw new FsError('ENOSYS');
      return fs.getlk(request.nodeId, lock, request);
    },
    reply(out, answer: LockAnswer | undefined) {
      out.lock({
        start: answer?.start ?? 0,
        end: answer === undefined ? 0 : answer.end,
        type: answer === undefined ? F_UNLCK : TYPES.indexOf(answer.type),
        pid: answer?.pid ?? 0,
      });
    },
  }),

  /** fuse_lk_in → nothing */
  SETLK: setLock(false),

  /** fuse_lk_in → nothing, once the lock is had */
  SETLKW: setLock(true),
} satisfies Partial<Record<OpcodeName, Operation<unknown>>>;
