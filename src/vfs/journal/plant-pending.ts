/** What a former process left in the journal becomes files of this mount: there at once, whether the peer is or not. */
import type { Resource } from '../../webdav/types.js';
import { S_IFREG } from '../attributes.js';
import type { Core } from '../core.js';
import { FileData } from '../file-data.js';
import type { Node } from '../node.js';
import { unknownCollection } from '../node-table.js';
import { createStaging } from '../staging.js';
import type { Uploads } from '../uploads.js';
import type { Intent } from './frame.js';
import type { Journal, JournalEntry } from './journal.js';
import { JournaledContent } from './journaled-content.js';

/** The nodes, in the order in which they were closed. */
export function plantPending(core: Core, uploads: Uploads, journal: Journal): Node[] {
  const byPath = new Map<string, JournalEntry[]>();
  for (const entry of journal.entries) {
    const { path } = entry.intent;
    const same = byPath.get(path);
    if (same === undefined) byPath.set(path, [entry]);
    else same.push(entry);
  }
  return [...byPath.values()].map((entries) => plant(core, uploads, journal, entries));
}

function plant(core: Core, uploads: Uploads, journal: Journal, entries: JournalEntry[]): Node {
  const entry = entries.pop()!;
  const { intent } = entry;
  const parts = intent.path.split('/').slice(1);
  const name = parts.pop()!;
  const parent = parts.reduce((at, part) => folderIn(core, at, part), core.nodes.root);
  const node = core.nodes.create(parent, name, resourceOf(name, entry), -Infinity);
  const data = new FileData(intent.expect);
  data.staging = new JournaledContent(journal, entry, 0, () => createStaging(core.options));
  data.exclusive = intent.exclusive;
  data.mtime = intent.mtime;
  const { mode, mtime, atime } = intent.posix;
  data.pendingMode = mode === undefined ? undefined : mode & 0o7777;
  data.pendingMtime = mtime;
  data.pendingAtime = atime;
  data.committed = { entry, generation: 0, former: entries };
  data.attempts.mayArrive();
  node.data = data;
  uploads.dirty.add(node, data);
  return node;
}

/** Whether the peer still has it will be asked. */
function folderIn(core: Core, parent: Node, name: string): Node {
  const there = parent.children.get(name);
  if (there !== undefined) return there;
  return core.nodes.create(parent, name, unknownCollection(name), -Infinity);
}

function resourceOf(name: string, { intent, size }: JournalEntry & { intent: Intent }): Resource {
  const { mode } = intent.posix;
  return {
    name,
    kind: 'file',
    size,
    mtime: intent.mtime,
    created: intent.mtime,
    etag: undefined,
    executable: undefined,
    posix: mode === undefined ? undefined : { mode: S_IFREG | (mode & 0o7777) },
  };
}
