import type { Exchange } from '../exchange.js';
import { ShareError } from '../errors.js';

const MAX_LINE_BYTES = 64 * 1024;
const QUESTION = /^told\? (\d{1,15})$/;

/** The body of a request for a feed that goes on for as long (doc/EXTENSIONS.md): a line for the report, then one per question. */
export class FeedBody {
  readonly #exchange: Exchange;
  #rest = '';
  #onLine: (line: string) => void = () => undefined;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  report(): Promise<Buffer> {
    const { req, context } = this.#exchange;
    const turn = context.connections.clientsTurns(req.socket);
    turn.begin();
    return new Promise<Buffer>((resolve, reject) => {
      this.#onLine = (line) => resolve(Buffer.from(line, 'latin1'));
      const onEnd = (): void => reject(new ShareError(400, 'the body has no first line'));
      req.on('close', onEnd);
      req.on('end', onEnd);
      req.on('data', (chunk: Buffer) => this.#take(chunk));
    }).finally(() => turn.end());
  }

  /** Hands on the questions that come from now on; words that came later than this reader are ignored. */
  listen(onQuestion: (question: string) => void): void {
    this.#onLine = (line) => {
      const question = QUESTION.exec(line)?.[1];
      if (question !== undefined) onQuestion(question);
    };
  }

  #take(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('latin1')).split('\n');
    this.#rest = lines.pop()!;
    if (this.#rest.length > MAX_LINE_BYTES) this.#exchange.req.destroy();
    for (const line of lines) this.#onLine(line);
  }
}
