import { FsError } from '../vfs/filesystem.js';

/** An open file or directory of the fuse-native bridge. It holds one reference on its node. */
export interface OpenHandle {
  readonly nodeId: number;
  readonly fh: number;
}

/** fuse-native keeps a handle in 32 bits and takes 0 for none, so it gets small numbers from 1. */
export class HandleTable {
  readonly #handles = new Map<number, OpenHandle>();
  #last = 0;

  add(handle: OpenHandle): number {
    do this.#last = (this.#last % 0x7fff_ffff) + 1;
    while (this.#handles.has(this.#last));
    this.#handles.set(this.#last, handle);
    return this.#last;
  }

  get(number: number): OpenHandle {
    const handle = this.#handles.get(number);
    if (handle === undefined) throw new FsError('EBADF', `no open file ${number}`);
    return handle;
  }

  find(number: number): OpenHandle | undefined {
    return this.#handles.get(number);
  }

  remove(number: number): OpenHandle {
    const handle = this.get(number);
    this.#handles.delete(number);
    return handle;
  }

  /** All that are open, and none after. */
  clear(): OpenHandle[] {
    const all = [...this.#handles.values()];
    this.#handles.clear();
    return all;
  }
}
