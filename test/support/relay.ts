/** A wire between davport and a peer that can be cut, at once or after a number of bytes, and mended; and that can be a slow one. */
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { onCleanup } from './cleanup.js';
import { SlowLine, type LineSpeed } from './slow-line.js';
import { makeTempDir } from './temp-dir.js';

export interface Relay {
  /** For davport: the address of this end of the wire. */
  readonly channel: string;
  /** Breaks all connections; new ones are made as before. */
  cut(): void;
  /** Breaks all connections as soon as `bytes` more have come from davport's side. */
  cutAfter(bytes: number): void;
  /** Breaks all connections and takes no more, until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Connections stay, but nothing passes until `thaw`. */
  freeze(): void;
  thaw(): void;
  readonly connections: number;
  /** That came through, both ways together. */
  readonly bytes: number;
  close(): Promise<void>;
}

/** What all connections share. */
export interface LinkSpeed {
  /** Added to what the peer itself takes. */
  readonly roundTripMs: number;
  /** In each direction; Infinity: no limit. */
  readonly bytesPerSecond: number;
}

type Target = { path: string } | { host: string; port: number };

function targetOf(channel: string): Target {
  if (channel.startsWith('unix:')) return { path: channel.slice('unix:'.length) };
  const url = new URL(channel);
  return { host: url.hostname, port: Number(url.port) };
}

export async function startRelay(peerChannel: string, speed?: LinkSpeed): Promise<Relay> {
  const target = targetOf(peerChannel);
  const own = 'path' in target ? join(makeTempDir('davport-relay-'), 'relay.sock') : undefined;
  const wires = new Wires(target, speed);
  let server: Server | undefined;
  let port = 0;
  const up = async (): Promise<void> => {
    if (own !== undefined) rmSync(own, { force: true });
    server = createServer((near) => wires.join(near));
    if (own === undefined) server.listen(port, '127.0.0.1');
    else server.listen(own);
    await once(server, 'listening');
    if (own === undefined) port = (server.address() as AddressInfo).port;
  };
  const down = async (): Promise<void> => {
    const closing = server;
    server = undefined;
    wires.cut();
    if (closing === undefined) return;
    const closed = once(closing, 'close');
    closing.close();
    await closed;
  };
  await up();
  const forget = onCleanup({ run: down, runSync: () => wires.cut() });
  return {
    channel: own === undefined ? `http://127.0.0.1:${port}/` : `unix:${own}`,
    cut: () => wires.cut(),
    cutAfter: (bytes) => {
      wires.left = bytes;
    },
    down,
    up,
    freeze: () => wires.freeze(true),
    thaw: () => wires.freeze(false),
    get connections() {
      return wires.size;
    },
    get bytes() {
      return wires.bytes;
    },
    async close() {
      await down();
      forget();
    },
  };
}

class Wires {
  /** Bytes from davport until the next cut. */
  left = Infinity;
  bytes = 0;
  readonly #target: Target;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #up: SlowLine | undefined;
  readonly #down: SlowLine | undefined;
  #frozen = false;

  constructor(target: Target, speed: LinkSpeed | undefined) {
    this.#target = target;
    if (speed === undefined) return;
    const { roundTripMs, bytesPerSecond } = speed;
    // Nobody can tell on which way the time is lost; on one, a timer of whole milliseconds does for short times too.
    this.#up = new SlowLine({ delayMs: 0, bytesPerSecond } satisfies LineSpeed);
    this.#down = new SlowLine({ delayMs: roundTripMs, bytesPerSecond } satisfies LineSpeed);
  }

  get size(): number {
    return this.#pairs.size;
  }

  join(near: Socket): void {
    const far = connect(this.#target);
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    for (const socket of pair) socket.on('data', ({ length }: Buffer) => (this.bytes += length));
    near.on('data', (chunk: Buffer) => this.#upstream(chunk, pair));
    far.on('data', (chunk: Buffer) => pass(chunk, far, near, this.#down));
    near.on('end', () => after(this.#up, () => far.end()));
    far.on('end', () => after(this.#down, () => near.end()));
    for (const socket of pair) {
      socket.on('error', () => undefined);
      // What came before it is still on its way.
      const line = socket === far ? this.#down : this.#up;
      socket.on('close', () => after(line, () => this.#drop(pair)));
      if (this.#frozen) socket.pause();
    }
  }

  cut(): void {
    this.left = Infinity;
    for (const pair of this.#pairs) this.#drop(pair);
  }

  freeze(frozen: boolean): void {
    this.#frozen = frozen;
    for (const socket of [...this.#pairs].flat()) {
      if (frozen) socket.pause();
      else socket.resume();
    }
  }

  #upstream(chunk: Buffer, [near, far]: readonly [Socket, Socket]): void {
    if (chunk.length < this.left) {
      this.left -= chunk.length;
      pass(chunk, near, far, this.#up);
      return;
    }
    // What was sent before the cut arrives, as on a wire.
    const part = chunk.subarray(0, this.left);
    this.left = Infinity;
    far.write(part, () => this.cut());
  }

  #drop(pair: readonly [Socket, Socket]): void {
    this.#pairs.delete(pair);
    for (const socket of pair) socket.destroy();
  }
}

/** Once everything before it is through. */
function after(line: SlowLine | undefined, act: () => void): void {
  if (line === undefined) act();
  else line.send(0, act);
}

function pass(chunk: Buffer, from: Socket, to: Socket, line: SlowLine | undefined): void {
  const write = (): void => {
    // Paused already: something waits for its turn, or for room in the line.
    if (to.destroyed || to.write(chunk) || from.isPaused()) return;
    from.pause();
    to.once('drain', () => from.resume());
  };
  if (line === undefined) {
    write();
    return;
  }
  if (line.send(chunk.length, write)) return;
  from.pause();
  line.onRoom(() => from.resume());
}
