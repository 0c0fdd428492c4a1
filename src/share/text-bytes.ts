/** Text that is made piece by piece, as bytes. */

/** A piece of this size is to be sent. */
const FULL_BYTES = 64 * 1024;
/** What is encoded at a time. V8 puts a long text together in memory of its own, which takes several times as long for each character. */
const TEXT_CHARACTERS = 2048;
/** Of UTF-8, for each unit of UTF-16. */
const MOST_BYTES = 3;
/** What doesn't fit although the piece is not full is a single long text. */
const ROOM = FULL_BYTES + 2 * TEXT_CHARACTERS * MOST_BYTES;

export class TextBytes {
  /** Comes after `#bytes`. */
  #text = '';
  #bytes: Buffer | undefined;
  #used = 0;

  get isEmpty(): boolean {
    return this.#text === '' && this.#used === 0;
  }

  /** True: there is enough for a piece. */
  add(text: string): boolean {
    this.#text += text;
    if (this.#text.length >= TEXT_CHARACTERS) this.#encode();
    return this.#used >= FULL_BYTES;
  }

  /** All there is, which is the caller's from now on. */
  take(): Buffer {
    if (this.#bytes) this.#encode();
    const taken = this.#bytes?.subarray(0, this.#used) ?? Buffer.from(this.#text);
    this.#text = '';
    this.#bytes = undefined;
    this.#used = 0;
    return taken;
  }

  #encode(): void {
    const bytes = this.#withRoom(this.#text.length * MOST_BYTES);
    this.#used += bytes.write(this.#text, this.#used);
    this.#text = '';
  }

  #withRoom(length: number): Buffer {
    const bytes = (this.#bytes ??= Buffer.allocUnsafeSlow(Math.max(ROOM, length)));
    if (length <= bytes.length - this.#used) return bytes;
    this.#bytes = Buffer.concat([bytes.subarray(0, this.#used)], this.#used + length);
    return this.#bytes;
  }
}
