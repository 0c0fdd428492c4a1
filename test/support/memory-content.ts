/** Sparse bytes in memory, in pages that exist once something was written to them. */
const PAGE = 64 * 1024;

export class MemoryContent {
  size = 0;
  readonly #pages = new Map<number, Buffer>();

  get pages(): number {
    return this.#pages.size;
  }

  read(offset: number, length: number): Uint8Array[] {
    const end = Math.min(this.size, offset + length);
    const pieces: Uint8Array[] = [];
    for (let at = offset; at < end;) {
      const page = Math.floor(at / PAGE);
      const from = at - page * PAGE;
      const to = Math.min(PAGE, end - page * PAGE);
      const held = this.#pages.get(page);
      // A copy: what is returned belongs to the caller, and a later write must not change it.
      pieces.push(
        held === undefined ? Buffer.alloc(to - from) : Buffer.from(held.subarray(from, to)),
      );
      at = page * PAGE + to;
    }
    return pieces;
  }

  write(offset: number, data: Uint8Array): void {
    for (let done = 0; done < data.length;) {
      const at = offset + done;
      const page = Math.floor(at / PAGE);
      const from = at - page * PAGE;
      const count = Math.min(PAGE - from, data.length - done);
      let held = this.#pages.get(page);
      if (held === undefined) this.#pages.set(page, (held = Buffer.alloc(PAGE)));
      held.set(data.subarray(done, done + count), from);
      done += count;
    }
    this.size = Math.max(this.size, offset + data.length);
  }

  truncate(size: number): void {
    for (const [page, held] of this.#pages) {
      if (page * PAGE >= size) this.#pages.delete(page);
      else if ((page + 1) * PAGE > size) held.fill(0, size - page * PAGE);
    }
    this.size = size;
  }
}
