import type { ChangeFeeds } from './change-feed/change-feeds.js';
import type { Connections } from './connections.js';
import type { ContentLocks } from './content-locks.js';
import type { DeadProperties } from './dead-properties.js';
import type { VersionKeeper } from './etag.js';
import type { LockTable } from './locks/lock-table.js';
import type { NameLocks } from './name-locks.js';
import type { ResolvedOptions } from './options.js';
import type { Root } from './root.js';
import type { TempNames } from './temp-names.js';

/** What all requests of a share have in common. */
export interface Context {
  readonly options: ResolvedOptions;
  readonly root: Root;
  readonly connections: Connections;
  readonly versions: VersionKeeper;
  readonly contentLocks: ContentLocks;
  readonly tempNames: TempNames;
  readonly changeFeeds: ChangeFeeds;
  readonly nameLocks: NameLocks;
  /** Those of clients. */
  readonly locks: LockTable;
  readonly deadProperties: DeadProperties;
  /** Aborted when the share closes: long work stops at its next step. */
  readonly closing: AbortSignal;
}
