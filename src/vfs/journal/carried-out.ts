/** After requests whose outcome nobody heard: what the peer made of them. */
import type { Resource } from '../../webdav/types.js';
import type { FileVersion, StagingSnapshot } from '../content.js';
import type { Core } from '../core.js';
import { isNotFound } from '../errno.js';
import type { Committed, FileData } from '../file-data.js';
import { sameVersion, versionOf } from '../reader/versions.js';
import { pieces } from '../snapshot-overlay.js';
import { noteSent, type Attempts } from '../upload/attempts.js';
import { contentIsAt } from '../upload/job.js';
import type { Journal, JournalEntry } from './journal.js';

/**
 * The version that the peer has by an earlier upload; 'removed' when the name was to be removed and is; undefined: it is as it was
 * before, or somebody else's.
 */
export async function carriedOut(
  core: Core,
  journal: Journal,
  { expect }: FileData,
  { entry, former }: Committed,
  signal: AbortSignal,
): Promise<FileVersion | 'removed' | undefined> {
  const { path } = entry.intent;
  const current = await statOrAbsent(core, path, signal);
  if (isExpected(current, expect)) return undefined;
  for (const each of [entry, ...former]) {
    const content = snapshotOf(journal, each);
    if (await contentIsAt(core.client, path, current, content, signal)) return versionOf(current!);
  }
  return entry.intent.removing ? 'removed' : undefined;
}

/** One of them may arrive yet: what a killed davport had sent can still be on its way. */
export async function noteFormer(
  journal: Journal,
  { former }: Committed,
  attempts: Attempts,
): Promise<void> {
  for (const each of former) {
    if (each.noted) continue;
    each.noted = true;
    await noteSent(attempts, snapshotOf(journal, each));
  }
}

async function statOrAbsent(
  core: Core,
  path: string,
  signal: AbortSignal,
): Promise<Resource | undefined> {
  try {
    return await core.client.stat(path, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function isExpected(current: Resource | undefined, expect: FileVersion | 'absent'): boolean {
  if (expect === 'absent') return current === undefined;
  return current?.kind === 'file' && sameVersion(current, expect);
}

function snapshotOf(journal: Journal, entry: JournalEntry): StagingSnapshot {
  const read = (offset: number, length: number): Promise<Buffer> =>
    journal.read(entry, offset, length);
  return {
    size: entry.size,
    generation: 0,
    open: () => pieces(read, entry.size),
    read,
    release: () => undefined,
  };
}
