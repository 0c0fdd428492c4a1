/** Uploads that begin while their content is written. */
import type { StagingFile } from './content.js';
import type { Core } from './core.js';
import type { FileData } from './file-data.js';
import type { Node } from './node.js';
import { pendingOf, posixOf } from './pending.js';
import { UploadStream, type SendStream, type StreamPlace } from './upload/upload-stream.js';

/** Each takes a slot for as long as its program writes. */
const MAX_STREAMS = 2;

export class Streams {
  readonly #core: Core;
  #running = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** The content of the node is empty, and nothing of what was there before is of use. */
  watch(node: Node, data: FileData, staging: StagingFile): void {
    data.stream?.abandon();
    data.stream = new UploadStream(staging, () => this.#start(node, data));
  }

  #start(node: Node, data: FileData): { place: StreamPlace; send: SendStream } | undefined {
    // The journal first: a content that the peer may have, and the next mount can't know of, would pass for somebody else's.
    if (this.#core.writeback?.accepts === true) return undefined;
    const { path, gate, unlinked, replaced } = node;
    const { expect, exclusive } = data;
    const busy = data.upload !== undefined || gate !== undefined;
    if (busy || unlinked || replaced || this.#running >= MAX_STREAMS) return undefined;
    if (expect !== 'absent' && !this.#replacesByStream()) return undefined;
    const posix = (): ReturnType<typeof posixOf> => posixOf(node, pendingOf(data));
    const target = {
      path,
      expect,
      exclusive,
      get posix() {
        return posix();
      },
    };
    this.#running += 1;
    const send: SendStream = (content, signal) =>
      this.#core.options.uploader
        .stream(target, content, signal)
        .finally(() => (this.#running -= 1));
    return { place: { path, expect }, send };
  }

  /** Elsewhere a PUT to the name itself keeps its properties, and one that lasts would not notice who changes the file meanwhile. */
  #replacesByStream(): boolean {
    const profile = this.#core.client.knownProfile;
    if (profile === undefined) return false;
    return profile.putReturnsResource || !(profile.atomicPut && profile.conditionalPut);
  }
}
