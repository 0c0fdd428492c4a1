/** A browser that runs no scripts, led through its debugging pipe (the Chrome DevTools protocol): `--dump-dom` is a script itself. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

const LIMIT_MS = 60_000;

/** The document as it is once it has loaded. */
export async function domWithoutScripts(
  browser: string,
  options: readonly string[],
  address: string,
): Promise<string> {
  const child = spawn(browser, [...options, '--remote-debugging-pipe', 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const exit = once(child, 'exit');
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const session = new Session(child);
  try {
    return await session.show(address);
  } finally {
    // Not killed: its helpers would be left.
    session.end();
    await exit;
    clearTimeout(limit);
    for (const stream of child.stdio) stream?.destroy();
  }
}

class Session {
  readonly #commands: Writable;
  readonly #waiting = new Map<number, (message: Message) => void>();
  /** The documents that have loaded, each by the loader that brought it; and who waits for the next. */
  readonly #loaded = new Set<unknown>();
  #onLoad = (): void => undefined;
  readonly #ended: Promise<never>;
  #session: string | undefined;
  #count = 0;
  #rest = '';

  constructor(child: ChildProcess) {
    this.#commands = child.stdio[3] as Writable;
    const answers = child.stdio[4] as Readable;
    answers.setEncoding('utf8').on('data', (text: string) => {
      this.#receive(text);
    });
    this.#ended = new Promise((_, reject) => {
      const end = (): void => {
        reject(new Error('the browser ended, or said nothing for long'));
      };
      child.once('error', end).once('exit', end);
      this.#commands.on('error', end);
    });
    this.#ended.catch(() => undefined);
  }

  async show(address: string): Promise<string> {
    const { targetId } = await this.#command('Target.createTarget', { url: 'about:blank' });
    const attached = await this.#command('Target.attachToTarget', { targetId, flatten: true });
    this.#session = attached['sessionId'] as string;
    await this.#command('Emulation.setScriptExecutionDisabled', { value: true });
    await this.#command('Page.enable', {});
    await this.#command('Page.setLifecycleEventsEnabled', { enabled: true });
    const { loaderId } = await this.#command('Page.navigate', { url: address });
    // The blank page that was there before may load as late as this.
    while (!this.#loaded.has(loaderId)) await this.#nextLoad();
    const { root } = await this.#command('DOM.getDocument', { depth: 0 });
    const { nodeId } = root as { nodeId: number };
    const { outerHTML } = await this.#command('DOM.getOuterHTML', { nodeId });
    return outerHTML as string;
  }

  end(): void {
    this.#session = undefined;
    this.#command('Browser.close', {}).catch(() => undefined);
  }

  async #command(
    method: string,
    params: Readonly<Record<string, unknown>>,
  ): Promise<Record<string, unknown>> {
    const id = ++this.#count;
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    this.#commands.write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    const { result, error } = await Promise.race([answer, this.#ended]);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  #nextLoad(): Promise<void> {
    const load = new Promise<void>((resolve) => (this.#onLoad = resolve));
    return Promise.race([load, this.#ended]);
  }

  #receive(text: string): void {
    const messages = (this.#rest + text).split('\0');
    this.#rest = messages.pop()!;
    for (const message of messages.map((json) => JSON.parse(json) as Message)) {
      const { id, method, params } = message;
      if (id !== undefined) {
        this.#waiting.get(id)?.(message);
        this.#waiting.delete(id);
      } else if (method === 'Page.lifecycleEvent' && params?.['name'] === 'load') {
        this.#loaded.add(params['loaderId']);
        this.#onLoad();
      }
    }
  }
}
