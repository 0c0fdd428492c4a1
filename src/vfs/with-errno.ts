/**
 * Decorator: whatever an operation throws or rejects with becomes an FsError here, at one place, with a log line where the errno
 * alone would hide what happened.
 */
import type { Logger } from '../log.js';
import type { ErrnoName } from './errno-names.js';
import { toFsError } from './errno.js';
import type { FsError } from './filesystem.js';

/** These say all by themselves. */
const ORDINARY: ReadonlySet<ErrnoName> = new Set([
  'ENOENT',
  'EEXIST',
  'ENOTEMPTY',
  'ENOTDIR',
  'EISDIR',
  'ENODATA',
  'EOPNOTSUPP',
  'EINTR',
  'EINVAL',
  'ENXIO',
  // What WebDAV cannot do (hard links, owners): git and rsync try it for each file, and manage without.
  'EPERM',
]);

export function withErrno<T extends object>(target: T, log: Logger): T {
  const wrapped = new Map<PropertyKey, unknown>();
  return new Proxy(target, {
    get(object, key) {
      let method = wrapped.get(key);
      if (method === undefined) {
        const value: unknown = Reflect.get(object, key);
        method =
          typeof value === 'function' ? wrap(object, String(key), value as Operation, log) : value;
        wrapped.set(key, method);
      }
      return method;
    },
  });
}

type Operation = (...args: unknown[]) => unknown;

function wrap(object: object, name: string, operation: Operation, log: Logger): Operation {
  const fail = (error: unknown): FsError => {
    const fsError = toFsError(error);
    const fields = { errno: fsError.errno, reason: fsError.message };
    // The kernel looks the name up, and opens again.
    const retried = name === 'open' && fsError.errno === 'ESTALE';
    if (retried || ORDINARY.has(fsError.errno)) log.debug(`${name} refused`, fields);
    else log.warn(`${name} failed`, fields);
    return fsError;
  };
  return (...args) => {
    try {
      const answer = operation.apply(object, args);
      if (!(answer instanceof Promise)) return answer;
      return answer.catch((error: unknown) => {
        throw fail(error);
      });
    } catch (error) {
      throw fail(error);
    }
  };
}
