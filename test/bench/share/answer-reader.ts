/** Reads answers of one connection as cheaply as can be: the head for its status and length, the body by counting. */

const HEAD_END = '\r\n\r\n';
const CHUNKED_END = '0\r\n\r\n';

export class AnswerReader {
  readonly #onAnswer: (status: number) => void;
  #head = '';
  #status = 0;
  /** Of the body; -1: until the last chunk. */
  #left = 0;
  #inBody = false;
  #tail = '';

  constructor(onAnswer: (status: number) => void) {
    this.#onAnswer = onAnswer;
  }

  feed(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) at = this.#inBody ? this.#body(chunk, at) : this.#readHead(chunk, at);
  }

  #readHead(chunk: Buffer, at: number): number {
    const before = this.#head.length;
    const found = before === 0 ? chunk.indexOf(HEAD_END, at) : -1;
    this.#head += chunk.toString('latin1', at, found < 0 ? chunk.length : found + HEAD_END.length);
    const end = this.#head.indexOf(HEAD_END);
    if (end < 0) return chunk.length;
    const head = this.#head.slice(0, end + 2);
    this.#head = '';
    this.#begin(head);
    return at + end + HEAD_END.length - before;
  }

  #begin(head: string): void {
    this.#status = Number(head.slice(9, 12));
    if (this.#status === 100) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(head);
    const bodyless = this.#status === 204 || this.#status === 304;
    this.#left = bodyless
      ? 0
      : Number(length?.[1] ?? (/\r\ntransfer-encoding:/i.test(head) ? -1 : 0));
    this.#tail = '';
    if (this.#left === 0) this.#onAnswer(this.#status);
    else this.#inBody = true;
  }

  #body(chunk: Buffer, at: number): number {
    if (this.#left < 0) {
      // One request at a time: nothing follows the last chunk.
      this.#tail = (this.#tail + chunk.toString('latin1', Math.max(at, chunk.length - 8))).slice(
        -8,
      );
      if (this.#tail.endsWith(CHUNKED_END)) this.#end();
      return chunk.length;
    }
    const taken = Math.min(this.#left, chunk.length - at);
    this.#left -= taken;
    if (this.#left === 0) this.#end();
    return at + taken;
  }

  #end(): void {
    this.#inBody = false;
    this.#onAnswer(this.#status);
  }
}
