/** A line at the bottom of a terminal that is written again and again, and what is said above it. Without a terminal only the latter. */

/** What is needed of process.stderr. */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const INTERVAL_MS = 500;
/** To the first column, and away with what is there (ECMA-48 EL). */
const CLEAR = '\r\x1b[K';

export class StatusLine {
  readonly #terminal: Terminal;
  #timer: NodeJS.Timeout | undefined;
  #shown = '';

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** From now on shows what `text` gives. */
  start(text: () => string): void {
    if (this.#terminal.isTTY !== true) return;
    this.#timer = setInterval(() => this.#show(text()), INTERVAL_MS).unref();
  }

  say(line: string): void {
    const cleared = this.#shown === '' ? '' : CLEAR;
    this.#shown = '';
    this.#terminal.write(`${cleared}${line}\n`);
  }

  /** Idempotent. */
  stop(): void {
    clearInterval(this.#timer);
    if (this.#shown !== '') this.#terminal.write(CLEAR);
    this.#shown = '';
  }

  #show(text: string): void {
    // A line that wraps couldn't be taken back.
    const line = text.slice(0, (this.#terminal.columns ?? 80) - 1);
    if (line === this.#shown) return;
    this.#terminal.write(CLEAR + line);
    this.#shown = line;
  }
}
