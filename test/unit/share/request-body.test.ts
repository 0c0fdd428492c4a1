/** The body of a request: taken in order, not while the taker is at work, and never left between two answers. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Connections } from '../../../src/share/connections.js';
import { ClientGoneError } from '../../../src/share/errors.js';
import { receiveBody, type TakeChunk } from '../../../src/share/request-body.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { waitUntil } from '../../support/wait-until.js';

const NO_LIMITS = { stallTimeoutMs: 60_000, headTimeoutMs: 60_000, maxConnections: 10 };

interface Served {
  readonly port: number;
  readonly connections: Connections;
  /** How many have come. */
  requests(): number;
  /** Of the first request; settled. */
  readonly received: Promise<unknown>;
  /** It has settled. */
  settled(): boolean;
}

/** The first request's body goes to `take`; all are answered. */
async function serve(t: TestContext, take: TakeChunk, before = Promise.resolve()): Promise<Served> {
  const connections = new Connections(NO_LIMITS);
  let done = (_outcome: unknown): void => undefined;
  let [requests, settled] = [0, false];
  const received = new Promise<unknown>((resolve) => (done = resolve));
  const answer = async (req: http.IncomingMessage, res: http.ServerResponse): Promise<void> => {
    if (requests++ === 0) {
      await before;
      const turn = connections.clientsTurns(req.socket);
      const outcome = await receiveBody(req, turn, take).catch((error: unknown) => error);
      settled = true;
      done(outcome);
    }
    res.end('answer');
  };
  const server = http.createServer((req, res) => void answer(req, res));
  server.on('connection', (socket) => connections.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    connections.destroyAll();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    requests: () => requests,
    received,
    settled: () => settled,
  };
}

async function connect(t: TestContext, { port }: Served): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  t.after(() => socket.destroy());
  return socket;
}

const head = (length: number): string =>
  `PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;

async function read(socket: net.Socket, answers: number): Promise<void> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  await waitUntil(`${answers} answers`, () => text.split('HTTP/1.1 200').length === answers + 1);
}

test('every chunk once, in order, and none while the one before is being taken', async (t) => {
  const random = new SeededRandom();
  t.diagnostic(`TEST_SEED=${random.seed}`);
  const body = random.bytes(3_000_000);
  const parts: Buffer[] = [];
  let busy = false;
  const served = await serve(t, (chunk) => {
    assert.ok(!busy);
    parts.push(chunk);
    if (random.between(0, 2) === 0) return undefined;
    busy = true;
    return new Promise((resolve) =>
      setImmediate(() => {
        busy = false;
        resolve();
      }),
    );
  });
  const socket = await connect(t, served);
  socket.write(head(body.length));
  socket.write(body);
  assert.equal(await served.received, undefined);
  assert.ok(Buffer.concat(parts).equals(body));
  await read(socket, 1);
});

test('a body that is cut short', async (t) => {
  const served = await serve(t, () => undefined);
  const socket = await connect(t, served);
  socket.write(`${head(10)}12345`);
  socket.destroy();
  assert.ok((await served.received) instanceof ClientGoneError);
});

test('a connection that was gone before anybody asked for the body', async (t) => {
  let proceed = (): void => undefined;
  const before = new Promise<void>((resolve) => (proceed = resolve));
  const served = await serve(t, () => undefined, before);
  const socket = await connect(t, served);
  socket.write(`${head(10)}12345`);
  await waitUntil('the request', () => served.requests() === 1);
  served.connections.destroyAll();
  await waitUntil('the end', () => served.connections.size === 0);
  proceed();
  assert.ok((await served.received) instanceof ClientGoneError);
});

test('it does not settle under a chunk that is being taken, though the connection has gone', async (t) => {
  let finish = (): void => undefined;
  const taken = new Promise<void>((resolve) => (finish = resolve));
  let chunks = 0;
  const served = await serve(t, () => {
    chunks++;
    return taken;
  });
  const socket = await connect(t, served);
  socket.write(head(10_000_000));
  socket.write(Buffer.alloc(5_000_000));
  await waitUntil('the first chunk', () => chunks === 1);
  served.connections.destroyAll();
  await waitUntil('the end', () => served.connections.size === 0);
  await new Promise(setImmediate);
  assert.ok(!served.settled());
  finish();
  assert.ok((await served.received) instanceof ClientGoneError);
  assert.equal(chunks, 1);
});

for (const [how, fail] of [
  ['throws', () => assert.fail('full')],
  ['rejects', () => Promise.reject(new Error('full'))],
] as const) {
  for (const size of [5, 5_000_000]) {
    test(`a taker that ${how} at one of ${size} bytes: the next request is answered`, async (t) => {
      const served = await serve(t, fail);
      const socket = await connect(t, served);
      socket.write(head(size));
      socket.write(Buffer.alloc(size));
      socket.write(head(0));
      await read(socket, 2);
      assert.match(String(await served.received), /full/);
    });
  }
}

for (const [how, takes] of [
  ['at once', () => undefined],
  ['slowly', () => new Promise<void>((resolve) => setImmediate(resolve))],
  ['not', () => assert.fail('full')],
] as const) {
  for (const size of [0, 5, 40_000]) {
    test(`${size} bytes in one piece with the head and with the next request, taken ${how}`, async (t) => {
      const parts: Buffer[] = [];
      const served = await serve(t, (chunk) => {
        parts.push(chunk);
        return takes();
      });
      const socket = await connect(t, served);
      socket.write(`${head(size)}${'x'.repeat(size)}${head(0)}`);
      await read(socket, 2);
      const outcome = await served.received;
      if (how === 'not' && size > 0) assert.match(String(outcome), /full/);
      else assert.equal(outcome, undefined);
      assert.equal(Buffer.concat(parts).toString(), 'x'.repeat(size));
    });
  }
}
