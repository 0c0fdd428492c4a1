import { FsError, type RequestContext } from '../vfs/filesystem.js';
import type { DirentBuffer } from './dirent-buffer.js';
import type { MessageReader, RequestBuffer } from './message-reader.js';

/** One request between its arrival and its answer. It is the context that the file system gets. */
export class FuseRequest implements RequestContext {
  readonly opcode: number;
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  readonly nodeId: number;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** INVARIANT: turns true when the reply is written (or given up), and no reply is written after. */
  answered = false;
  /** Space that the caller has for the answer: READ, READDIR, GETXATTR, LISTXATTR. */
  size = 0;
  /** READDIR and READDIRPLUS: the answer being filled. */
  dirents: DirentBuffer | undefined;
  /** WRITE: the request buffer that the data lies in, held until the answer. */
  heldBuffer: RequestBuffer | undefined;
  #controller: AbortController | undefined;
  #interrupted = false;

  constructor(input: MessageReader) {
    this.opcode = input.opcode;
    this.uniqueLow = input.uniqueLow;
    this.uniqueHigh = input.uniqueHigh;
    this.nodeId = input.nodeId;
    this.uid = input.uid;
    this.gid = input.gid;
    this.pid = input.pid;
  }

  /** The kernel counts up by 2 from 0, so a double holds it. */
  get unique(): number {
    return this.uniqueHigh * 0x1_0000_0000 + this.uniqueLow;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#interrupted) this.#abort(this.#controller);
    }
    return this.#controller.signal;
  }

  interrupt(): void {
    this.#interrupted = true;
    if (this.#controller !== undefined) this.#abort(this.#controller);
  }

  #abort(controller: AbortController): void {
    controller.abort(new FsError('EINTR', 'interrupted by the caller'));
  }
}
