/** Answers what other davport commands ask the process of a mount. */
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { Logger } from '../log.js';
import { controlSocketOf, parseLine, type ControlLine } from './control-protocol.js';
import { processStart } from './runtime-state.js';

/** Answers one question. What it throws is told as the error. `signal`: whoever asked has gone. */
export type ControlHandler = (
  question: ControlLine,
  tell: (line: ControlLine) => void,
  signal: AbortSignal,
) => Promise<void>;

const MAX_QUESTION_BYTES = 64 * 1024;
const MAX_CONNECTIONS = 16;
/** A question is there by then. */
const QUESTION_TIMEOUT_MS = 10_000;
/** Whoever doesn't read what was asked for is given up. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;
/** Of Linux: sun_path with its final NUL (unix(7)). */
const MAX_PATH_BYTES = 107;

export class ControlServer {
  readonly #server: net.Server;
  readonly #log: Logger;
  readonly #sockets = new Set<net.Socket>();

  private constructor(handlers: ReadonlyMap<string, ControlHandler>, log: Logger) {
    this.#log = log;
    this.#server = net.createServer((socket) => this.#serve(socket, handlers));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Undefined where there can be none: the mount works without it. */
  static async listen(
    stateFile: string | undefined,
    handlers: ReadonlyMap<string, ControlHandler>,
    log: Logger,
  ): Promise<ControlServer | undefined> {
    if (stateFile === undefined) return undefined;
    const file = controlSocketOf(stateFile, process.pid);
    if (Buffer.byteLength(file) > MAX_PATH_BYTES) {
      log.warn('the path of the control socket is too long', { file });
      return undefined;
    }
    const control = new ControlServer(handlers, log);
    try {
      removeStale(stateFile);
      await control.#listen(file);
      return control;
    } catch (error) {
      log.warn('no control socket', { file, error: String(error) });
      await control.close();
      return undefined;
    }
  }

  #listen(file: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(file, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => {
          this.#log.warn('the control socket failed', { error: error.message });
        });
        resolve();
      });
      // The folder is its owner's alone; this is for one that isn't.
      if (this.#server.listening) chmodSync(file, 0o600);
      this.#server.unref();
    });
  }

  #serve(socket: net.Socket, handlers: ReadonlyMap<string, ControlHandler>): void {
    this.#sockets.add(socket);
    const gone = new AbortController();
    socket.once('close', () => {
      this.#sockets.delete(socket);
      gone.abort(new Error('whoever asked has gone'));
    });
    socket.on('error', () => undefined);
    socket.setTimeout(QUESTION_TIMEOUT_MS, () => socket.destroy());
    readLine(socket, (line) => {
      socket.setTimeout(0);
      void answer(socket, line, handlers, gone.signal);
    });
  }

  /** Ends what is being answered, takes the socket away. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Sockets of processes that were killed. */
function removeStale(stateFile: string): void {
  const folder = path.dirname(stateFile);
  const prefix = path.basename(stateFile, '.json');
  for (const name of readdirSync(folder)) {
    const pid = /^([0-9a-f]+)\.(\d+)\.sock$/.exec(name);
    if (pid?.[1] !== prefix || processStart(Number(pid[2])) !== undefined) continue;
    rmSync(path.join(folder, name), { force: true });
  }
}

/** The first line; what is longer than a question ends the connection. */
function readLine(socket: net.Socket, onLine: (line: string) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  const onData = (chunk: Buffer): void => {
    chunks.push(chunk);
    size += chunk.length;
    const end = chunk.indexOf(0x0a);
    if (end < 0 && size <= MAX_QUESTION_BYTES) return;
    socket.off('data', onData);
    // Else the end of the other side would go unnoticed.
    socket.resume();
    if (end < 0) socket.destroy();
    else onLine(Buffer.concat(chunks).toString().split('\n', 1)[0]!);
  };
  socket.on('data', onData);
}

async function answer(
  socket: net.Socket,
  line: string,
  handlers: ReadonlyMap<string, ControlHandler>,
  signal: AbortSignal,
): Promise<void> {
  const tell = (reply: ControlLine): void => {
    socket.write(`${JSON.stringify(reply)}\n`);
    if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy();
  };
  try {
    const question = parseLine(line);
    const handler = handlers.get(String(question?.['op']));
    if (!question || !handler) throw new Error('no such question');
    await handler(question, tell, signal);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    tell({ error: { code, message: error instanceof Error ? error.message : String(error) } });
  }
  socket.end();
}
