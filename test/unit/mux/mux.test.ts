import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { Client } from 'undici';
import { createAcceptorMux, createOpenerMux } from '../../../src/mux/mux.js';
import type { Mux, MuxStream } from '../../../src/mux/types.js';
import { createMemoryChannelPair } from '../../support/memory-channel.js';

async function pair(onStream: (stream: MuxStream) => void) {
  const ends = createMemoryChannelPair();
  const opener = createOpenerMux(ends.guest);
  const acceptor = createAcceptorMux(ends.host, { onStream });
  await connected(opener);
  return {
    ...ends,
    opener,
    acceptor,
    close: () => Promise.all([opener.close(), acceptor.close()]),
  };
}

async function connected(mux: Mux): Promise<void> {
  if (mux.connected) return;
  await new Promise<void>((resolve) => {
    const stop = mux.onConnectedChange((is) => {
      if (!is) return;
      stop();
      resolve();
    });
  });
}

test('carries an answer', async () => {
  const { opener, close } = await pair((stream) => {
    stream.once('data', () => stream.end('HTTP/1.1 200 hi'));
  });
  const stream = opener.openStream();
  stream.write('GET');
  assert.equal((await buffer(stream)).toString(), 'HTTP/1.1 200 hi');
  await close();
});

test('undici and node:http talk over streams', async () => {
  const body = Buffer.alloc(3_000_000, 'abc');
  const server = createServer((request, response) => {
    const hash: Buffer[] = [];
    request.on('data', (piece: Buffer) => hash.push(piece));
    request.on('end', () => response.end(Buffer.concat(hash)));
  });
  const { opener, close } = await pair((stream) => server.emit('connection', stream));
  for (let i = 0; i < 5; i++) {
    const stream = opener.openStream();
    const client = new Client('http://localhost', {
      connect: (_options, callback) => queueMicrotask(() => callback(null, stream as never)),
    });
    const { statusCode, body: answer } = await client.request({ method: 'PUT', path: '/x', body });
    assert.equal(statusCode, 200);
    assert.ok(Buffer.from(await answer.arrayBuffer()).equals(body));
    await client.destroy();
    if (!stream.closed) await once(stream, 'close');
  }
  assert.equal(opener.stats.openStreams, 0);
  await close();
});
