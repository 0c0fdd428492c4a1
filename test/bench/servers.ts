/** The servers, all of the same folder. With a slow link each is behind a relay of its own. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { startDavport } from '../support/davport.js';
import { answersHttp } from '../support/peers/chezdav.js';
import { startPeer, type PeerKind } from '../support/peers/index.js';
import { freePort } from '../support/ports.js';
import { startRelay, type LinkSpeed } from '../support/relay.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

export interface Server {
  /** What `davport mount` is given. */
  readonly channel: string;
  /** Requests answered so far, where that can be counted. */
  requests(): Promise<number | undefined>;
  /** The files belong to whoever serves them. */
  adopt(): Promise<void>;
  stop(): Promise<void>;
}

/** `channel`: as davport has it, one client at a time where that is a channel; `http`: for any number of clients. */
export type Wire = 'channel' | 'http';

export class Servers {
  readonly #kind: PeerKind;
  readonly #dir: string;
  readonly #speed: LinkSpeed | undefined;
  readonly #started: Server[] = [];
  #shared: Promise<Server> | undefined;

  constructor(kind: PeerKind, dir: string, speed: LinkSpeed | undefined) {
    this.#kind = kind;
    this.#dir = dir;
    this.#speed = speed;
  }

  /** Undefined: it cannot be reached that way. */
  async get(wire: Wire): Promise<Server | undefined> {
    const direct = this.#kind === 'apache' || this.#kind === 'chezdav';
    if (this.#kind === 'spice' && wire === 'http') return undefined;
    if (!direct && wire === 'channel') return this.#start(wire);
    this.#shared ??= this.#start(wire);
    return this.#shared;
  }

  async stop(): Promise<void> {
    for (const server of this.#started) await server.stop();
  }

  async #start(wire: Wire): Promise<Server> {
    const server =
      this.#kind === 'share'
        ? await startShareServer(this.#dir, wire)
        : await startOther(this.#kind, this.#dir);
    this.#started.push(server);
    if (this.#speed === undefined) return server;
    const relay = await startRelay(server.channel, this.#speed);
    return { ...server, channel: relay.channel };
  }
}

async function startOther(kind: PeerKind, dir: string): Promise<Server> {
  const peer = await startPeer(kind, dir);
  return {
    channel: peer.channel,
    requests: async () => (await peer.requests())?.length,
    adopt: () => peer.adopt(),
    stop: () => peer.stop(),
  };
}

async function startShareServer(dir: string, wire: Wire): Promise<Server> {
  const state = makeTempDir('davport-bench-');
  const outputFile = path.join(state, 'log');
  const start = (...args: string[]) => startDavport(['share', dir, ...args], {}, { outputFile });
  const socket = path.join(state, 'channel');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const server =
    wire === 'channel'
      ? start(`unix-listen:${socket}`, '--log')
      : start(`tcp-listen:127.0.0.1:${port}`, '--http', '--log');
  await waitUntil('share', () => {
    if (!server.running) throw new Error(server.log());
    return wire === 'channel' ? existsSync(socket) : answersHttp(url);
  });
  const count = lineCounter(outputFile);
  return {
    channel: wire === 'channel' ? `unix:${socket}` : url,
    requests: async () => count(),
    adopt: async () => undefined,
    stop: () => server.stop().then(() => undefined),
  };
}

/** Lines that a file has; each call reads what is new. */
function lineCounter(file: string): () => number {
  const buffer = Buffer.alloc(1 << 16);
  let [at, lines] = [0, 0];
  return () => {
    const fd = openSync(file, 'r');
    for (let n = readSync(fd, buffer, 0, buffer.length, at); n > 0;) {
      for (let i = 0; i < n; i++) if (buffer[i] === 0x0a) lines += 1;
      at += n;
      n = readSync(fd, buffer, 0, buffer.length, at);
    }
    closeSync(fd);
    return lines;
  };
}
