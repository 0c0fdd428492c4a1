/**
 * Small contents that were uploaded and closed a moment ago. A log is opened, made longer by a line and closed again and again: where the
 * server takes whole files only, what it has would have to come back for each line.
 */
import { LRUCache } from 'lru-cache';
import type { WebDavClient } from '../webdav/types.js';
import type { FileVersion } from './content.js';
import type { FileData } from './file-data.js';
import type { Node } from './node.js';
import { sameVersion } from './reader/versions.js';
import { partsWay, SMALL_BYTES } from './upload/strategy.js';

const MAX_BYTES = 4 * 1024 * 1024;
/** Of an entry beside its bytes. */
const ENTRY_BYTES = 256;

interface Recent {
  readonly version: FileVersion;
  readonly bytes: Buffer;
}

export class RecentContents {
  readonly #client: WebDavClient;
  readonly #contents = new LRUCache<number, Recent>({
    maxSize: MAX_BYTES,
    sizeCalculation: ({ bytes }) => bytes.length + ENTRY_BYTES,
  });

  constructor(client: WebDavClient) {
    this.#client = client;
  }

  /** Before the content of the node, which nobody uses any more, is given up. */
  keep(node: Node, { staging, expect: version, dirty, lost }: FileData): void {
    const profile = this.#client.knownProfile;
    // Where the line alone is sent nobody would ask for the rest.
    if (profile === undefined || partsWay(profile) === 'extents') return;
    if (dirty || lost !== undefined || node.unlinked || node.replaced) return;
    if (staging === undefined || version === 'absent' || version.etag === undefined) return;
    if (staging.size === 0 || staging.size > SMALL_BYTES || staging.size !== version.size) return;
    const bytes = staging.inMemory();
    if (bytes !== undefined) this.#contents.set(node.id, { version, bytes });
  }

  /** The content of that version of the node. It is the caller's then. */
  take(node: Node, version: FileVersion): Buffer | undefined {
    const recent = this.#contents.get(node.id);
    this.#contents.delete(node.id);
    return recent !== undefined && sameVersion(recent.version, version) ? recent.bytes : undefined;
  }
}
