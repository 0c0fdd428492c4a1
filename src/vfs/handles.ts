/**
 * The table of open handles: which content each belongs to, and when that content is needed no more.
 */
import { mtimeOf } from './attributes.js';
import type { ContentReader, FileVersion } from './content.js';
import type { Core } from './core.js';
import { FileData, Handle } from './file-data.js';
import type { OpenAnswer } from './filesystem.js';
import { FsError } from './filesystem.js';
import type { Node } from './node.js';
import { changes } from './open-flags.js';
import { sameTag, sameVersion } from './reader/versions.js';
import type { Uploads } from './uploads.js';

export class Handles {
  readonly #core: Core;
  readonly #uploads: Uploads;
  readonly #byFh = new Map<number, Handle>();
  #nextFh = 1;

  constructor(core: Core, uploads: Uploads) {
    this.#core = core;
    this.#uploads = uploads;
  }

  /** INVARIANT: the data of a node is of one version; where the peer has another, the node is replaced (Core.replace). */
  dataOf(node: Node, version: FileVersion): FileData {
    if (node.replaced || (node.unlinked && node.data === undefined)) throw changedSinceOpen(node);
    const data = (node.data ??= new FileData(version));
    if (data.dirty || (data.expect !== 'absent' && sameVersion(data.expect, version))) return data;
    throw changedSinceOpen(node);
  }

  add(node: Node, data: FileData, flags: number, reader: ContentReader | undefined): OpenAnswer {
    const fh = this.#nextFh++;
    this.#byFh.set(fh, new Handle(node.id, flags, reader));
    data.handles += 1;
    if (changes(flags)) data.writers += 1;
    const etag = data.expect === 'absent' ? undefined : data.expect.etag;
    const keepCache = data.dirty || (node.pagesEtag !== undefined && sameTag(node.pagesEtag, etag));
    node.pagesEtag = etag;
    node.opened = true;
    return { fh, keepCache, directIo: false, noFlush: !changes(flags) };
  }

  get(fh: number): Handle {
    const handle = this.#byFh.get(fh);
    if (handle === undefined) throw new FsError('EBADF');
    return handle;
  }

  /** What is read from now on is of another version. */
  forgetReaders(node: Node): void {
    for (const handle of this.#byFh.values())
      if (handle.nodeId === node.id) handle.reader = undefined;
  }

  release(fh: number): void {
    const handle = this.#byFh.get(fh);
    if (handle === undefined) return;
    this.#byFh.delete(fh);
    const node = this.#core.nodes.get(handle.nodeId);
    const data = node?.data;
    if (node === undefined || data === undefined) return;
    data.handles -= 1;
    if (changes(handle.flags)) data.writers -= 1;
    if (data.dirty && !node.unlinked && data.writers === 0) {
      this.#uploads.background.leave(node, data);
      return;
    }
    if (data.handles > 0) return;
    this.#uploads.discard(node);
    this.dispose(node);
  }

  /** Nothing needs the content any more. REQUIRES: no open handle. */
  dispose(node: Node): void {
    const { data } = node;
    if (data === undefined) return;
    // Who has it without reading it (O_PATH) sees what became of it: nobody else will tell.
    if (node.unlinked && data.staging !== undefined) {
      node.resource = { ...node.resource, size: data.staging.size, mtime: mtimeOf(node) };
    }
    this.#uploads.dispose(node, data);
  }
}

/** The kernel then looks the name up again, and opens what it finds. */
export function changedSinceOpen(node: Node): FsError {
  return new FsError('ESTALE', `${node.path} was changed at the peer since it was opened`);
}
