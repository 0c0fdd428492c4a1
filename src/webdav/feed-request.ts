import type { HttpBodySource } from '../http/types.js';
import type { FeedQuestions } from './change.js';

/** The body of the request for a feed of changes: the report, and questions for as long as it lasts. */
export class FeedRequest implements HttpBodySource, FeedQuestions {
  readonly size = undefined;
  #waiting: string;
  #wake: (() => void) | undefined;

  constructor(report: Buffer) {
    // A line end ends the report.
    this.#waiting = `${report.toString('latin1').replaceAll('\n', ' ')}\n`;
  }

  ask(question: number): void {
    this.#waiting += `told? ${question}\n`;
    this.#wake?.();
  }

  async *open(): AsyncGenerator<Uint8Array> {
    for (;;) {
      if (this.#waiting === '') await new Promise<void>((wake) => (this.#wake = wake));
      const piece = Buffer.from(this.#waiting);
      this.#waiting = '';
      yield piece;
    }
  }
}
