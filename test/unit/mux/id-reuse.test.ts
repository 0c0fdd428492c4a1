/** Ids of spice-webdavd come back with a new connection, and nothing says that the old one is gone. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { createAcceptorMux } from '../../../src/mux/mux.js';
import { portOfRequest } from '../../../src/mux/request-head.js';
import type { MuxStream } from '../../../src/mux/types.js';
import { createMemoryChannelPair } from '../../support/memory-channel.js';
import { RawPeer, settle } from '../../support/raw-peer.js';

const GET = 'GET /a%20b HTTP/1.1\r\nUser-Agent: x\r\nHost: localhost:9843\r\n\r\n';

async function acceptorAndPeer(t: TestContext) {
  const ends = createMemoryChannelPair();
  const streams: MuxStream[] = [];
  const received: string[] = [];
  const mux = createAcceptorMux(ends.host, {
    onStream: (stream) => {
      const at = streams.push(stream) - 1;
      let text = '';
      stream.on('data', (chunk: Buffer) => (received[at] = text += chunk.toString('latin1')));
    },
  });
  t.after(() => Promise.all([mux.close(), ends.guest.close()]));
  const peer = await RawPeer.open(ends.guest);
  await peer.until(() => mux.connected);
  return { peer, streams, received };
}

for (const id of [128n, -128n]) {
  test(`id ${id}: a request in the middle of an upload is not taken for its content`, async (t) => {
    const { peer, streams, received } = await acceptorAndPeer(t);
    const put = 'PUT /f HTTP/1.1\r\nHost: localhost:9843\r\nContent-Length: 1000\r\n\r\n';
    peer.send(id, put);
    peer.send(id, 'the beginning');
    await peer.until(() => received[0] === `${put}the beginning`);
    peer.send(id, GET);
    await peer.until(() => received[1] === GET);
    assert.equal(received[0], `${put}the beginning`);
    assert.ok(streams[0]!.destroyed);
    streams[1]!.write('an answer');
    await peer.until(() => peer.payload(id) === 'an answer');
    assert.equal(peer.ends(id), 0);
  });

  test(`id ${id}: the rest of an answer is not sent to the next connection`, async (t) => {
    const { peer, streams } = await acceptorAndPeer(t);
    peer.send(id, GET);
    await peer.until(() => streams.length === 1);
    let failed: Error | null | undefined;
    peer.send(id, GET.replace('localhost', '127.0.0.1'));
    await peer.until(() => streams.length === 2);
    streams[0]!.write('of the old', (error) => (failed = error));
    streams[1]!.write('of the new');
    await peer.until(() => peer.payload(id) !== '');
    await settle();
    assert.equal(peer.payload(id), 'of the new');
    assert.ok(failed instanceof Error);
  });
}

test('a frame is part of the request before it unless it begins with one for the same port', async (t) => {
  const { peer, streams, received } = await acceptorAndPeer(t);
  const id = 7n;
  const parts = [
    'PUT /f HTTP/1.1\r\nHost: localhost:9843\r\nContent-Length: 1000\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: example.org\r\n\r\n',
    `  ${GET}`,
    'GET / HTTP/1.1\r\n',
    'Host: localhost:9843\r\n\r\n',
    'GENERAL TERMS\r\n',
  ];
  for (const part of parts) peer.send(id, part);
  await peer.until(() => received[0] === parts.join(''));
  assert.equal(streams.length, 1);
});

test('ids that are never used twice are not looked into', async (t) => {
  const { peer, streams, received } = await acceptorAndPeer(t);
  const id = (5n << 32n) | 1n;
  peer.send(id, GET);
  peer.send(id, GET);
  await peer.until(() => received[0] === GET + GET);
  assert.equal(streams.length, 1);
});

test('portOfRequest reads heads and nothing else', () => {
  const port = (text: string): string | undefined => portOfRequest(Buffer.from(text, 'latin1'));
  assert.equal(port(GET), '9843');
  assert.equal(port('OPTIONS * HTTP/1.0\r\nHOST:\t[::1]:80 \r\n'), '80');
  assert.equal(port('GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n'), '');
  assert.equal(port('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n'), '');
  assert.equal(port('GET / HTTP/1.1\r\n\r\nHost: a:1\r\n'), undefined);
  assert.equal(port('GET / HTTP/1.1\r\nHost: a:1'), undefined);
  assert.equal(port('GET /a b HTTP/1.1\r\nHost: a:1\r\n'), undefined);
  assert.equal(port('HTTP/1.1 200 OK\r\nHost: a:1\r\n'), undefined);
  assert.equal(port('get / HTTP/1.1\r\nHost: a:1\r\n'), undefined);
  assert.equal(portOfRequest(Buffer.alloc(0)), undefined);
});
