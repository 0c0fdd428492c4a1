/**
 * raw-client.ts CHANNEL|URL: a plain undici client, over the multiplexer where the address is a channel. Takes jobs (rows.ts) as messages
 * and answers with bytes or requests, and seconds. Bodies are counted and thrown away: what nothing but the wire and the server cost.
 */
import { once } from 'node:events';
import { Client, type Dispatcher } from 'undici';
import type { Mux, MuxStream } from '../../src/mux/types.js';
import { silentLogger } from '../../src/log.js';
import { built } from './built.js';
import { BIG_BYTES } from './files.js';
import type { RawJob } from './rows.js';
import { COMMON_PROPERTIES } from './share/listing-probe.js';

interface Request {
  readonly method: Dispatcher.HttpMethod | 'PROPFIND';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One request at a time. Gives the bytes of the body. */
type Lane = (request: Request, status: number) => Promise<number>;

const BLOCK = 4096;
/** Of 1 MiB on each lane. */
const WARM_UP = 25;
const address = process.argv[2]!;
const mux = address.startsWith('http') ? undefined : openMux();

function openMux(): Mux {
  const parsed = built.parseAddress(address);
  if (!built.isChannelAddress(parsed)) throw new Error(address);
  const options = { log: silentLogger, binding: new Error('not needed') };
  return built.createOpenerMux(built.openChannel(parsed, options));
}

function openLane(): Lane {
  let stream: MuxStream | undefined;
  const connect = (_: object, callback: (error: null, stream: MuxStream) => void): void => {
    // undici never writes the request when its connector calls back at once.
    queueMicrotask(() => callback(null, (stream = mux!.openStream())));
  };
  const client = mux
    ? new Client('http://localhost', { connect: connect as never })
    : new Client(address);
  return async (request, status) => {
    const bytes = await ask(client, request, status, mux !== undefined);
    if (stream === undefined) return bytes;
    // A fresh id for each request, as davport has it.
    const { closed } = stream;
    stream.destroy();
    if (!closed) await once(stream, 'close');
    return bytes;
  };
}

function ask(client: Client, request: Request, status: number, reset: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0;
    const options = { ...request, reset } as Dispatcher.DispatchOptions;
    client.dispatch(options, {
      onRequestStart: () => undefined,
      onResponseStart: (_, got) => {
        if (got !== status) throw new Error(`${request.method} ${request.path}: ${got}`);
      },
      onResponseData: (_, chunk) => {
        bytes += chunk.length;
      },
      onResponseEnd: () => resolve(bytes),
      onResponseError: (_, error) => reject(error),
    });
  });
}

const lanes: Lane[] = [];

async function run(job: RawJob): Promise<number> {
  const [first] = lanes;
  switch (job.kind) {
    case 'get': {
      const paths = [...job.paths];
      let bytes = 0;
      const one = async (lane: Lane): Promise<void> => {
        for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
          bytes += await lane({ method: 'GET', path }, 200);
        }
      };
      await Promise.all(lanes.slice(0, job.atOnce).map(one));
      return bytes;
    }
    case 'ranges': {
      for (let at = 0; at < job.count; at++) {
        const block = job.count === 1 ? 0 : Math.floor(Math.random() * (BIG_BYTES / BLOCK));
        const headers = { range: `bytes=${block * BLOCK}-${(block + 1) * BLOCK - 1}` };
        await first!({ method: 'GET', path: job.path, headers }, 206);
      }
      return job.count;
    }
    case 'list': {
      const headers = { depth: '1', 'content-type': 'application/xml' };
      const { path } = job;
      return first!({ method: 'PROPFIND', path, headers, body: COMMON_PROPERTIES }, 207);
    }
  }
}

if (mux && !mux.connected) {
  await new Promise<void>((resolve) => mux.onConnectedChange(() => resolve()));
}
for (let at = 0; at < 4; at++) lanes.push(openLane());
// The connections, and code that is compiled by now: of a process that has just begun the first bytes cost three times as much.
for (let times = 0; times < WARM_UP; times++) {
  for (const lane of lanes) await lane({ method: 'GET', path: '/cached' }, 200);
}
process.on('message', (job: RawJob) => {
  const began = performance.now();
  run(job).then(
    (done) => process.send!({ done, seconds: (performance.now() - began) / 1000 }),
    (error: unknown) => process.send!({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send!('ready');
