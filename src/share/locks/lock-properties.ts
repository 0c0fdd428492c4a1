/** Locks as clients are told of them (RFC 4918 sections 14 and 15). Needs `D` declared as the prefix of DAV:. */
import type { Context } from '../context.js';
import type { FsPath } from '../fs-path.js';
import { formatHref } from '../target-path.js';
import type { Lock, LockTable } from './lock-table.js';
import { keyOfPath } from './resource-keys.js';

const entry = (scope: string): string =>
  `<D:lockentry><D:lockscope><D:${scope}/></D:lockscope>` +
  '<D:locktype><D:write/></D:locktype></D:lockentry>';

/** Content of the property supportedlock, of every resource. */
export const SUPPORTED_LOCKS = entry('exclusive') + entry('shared');

/** Content of the property lockdiscovery of what is at the path. */
export type LockDiscovery = (path: FsPath) => string;

/** Undefined: the share has no locks. */
export function lockDiscovery({ locks, root, options }: Context): LockDiscovery | undefined {
  if (options.readOnly) return undefined;
  return (path) => {
    if (locks.size === 0) return '';
    const key = keyOfPath(root, path);
    return key === undefined ? '' : formatLocks(locks, locks.covering([key]));
  };
}

export function formatLocks(table: LockTable, locks: readonly Lock[]): string {
  return locks
    .map((lock) => {
      const { scope, deep, owner, token } = lock;
      const seconds = Math.ceil(table.remainingMs(lock) / 1000);
      return (
        '<D:activelock><D:locktype><D:write/></D:locktype>' +
        `<D:lockscope><D:${scope}/></D:lockscope><D:depth>${deep ? 'infinity' : '0'}</D:depth>` +
        `${owner}<D:timeout>Second-${seconds}</D:timeout>` +
        `<D:locktoken><D:href>${token}</D:href></D:locktoken>` +
        `<D:lockroot><D:href>${lockRoot(lock)}</D:href></D:lockroot></D:activelock>`
      );
    })
    .join('');
}

export function lockRoot({ segments, collection }: Lock): string {
  return formatHref(segments, collection);
}
