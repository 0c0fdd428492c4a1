import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '../../support/wait-until.js';
import { answering, OK, withCode, withPeer, withServer } from './mux-rig.js';

test('each request has a stream of its own, which is over after the response', async () => {
  await withServer(
    (request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => response.end(`${request.method} ${Buffer.concat(parts).length}`));
    },
    async ({ client, opener, streams }) => {
      const bodies = [undefined, Buffer.alloc(10), Buffer.alloc(1_000_000)];
      for (const body of bodies) {
        const request = { method: 'PUT', target: '/x', ...(body && { body }) };
        const response = await client.request(request);
        assert.equal(response.body.toString(), `PUT ${body?.length ?? 0}`);
      }
      assert.equal((await client.request({ method: 'HEAD', target: '/' })).body.length, 0);
      await waitUntil('end of the streams', () => opener.stats.openStreams === 0);
      assert.equal(streams.length, 4);
      assert.equal(new Set(streams.map(({ clientId }) => clientId)).size, 4);
      assert.equal(client.absoluteUrl('/x'), 'http://localhost/x');
    },
  );
});

test('a large body goes to the sink while it arrives', async () => {
  const size = 20_000_000;
  await withServer(
    (_request, response) => {
      response.setHeader('content-length', size);
      response.end(Buffer.alloc(size, 'x'));
    },
    async ({ client }) => {
      let received = 0;
      let chunks = 0;
      const onData = (chunk: Buffer): void => {
        received += chunk.length;
        chunks += 1;
      };
      await client.request({ method: 'GET', target: '/', sink: { onData } });
      assert.equal(received, size);
      assert.ok(chunks > 10);
    },
  );
});

test('a peer that keeps its streams, one that ends them', async () => {
  await withPeer(answering(OK), async ({ client, opener }) => {
    assert.equal((await client.request({ method: 'GET', target: '/' })).body.toString(), 'ok');
    await waitUntil('end of the stream', () => opener.stats.openStreams === 0);
  });
  await withPeer(
    answering(OK, (stream) => stream.end()),
    async ({ client }) => {
      assert.equal((await client.request({ method: 'GET', target: '/' })).body.toString(), 'ok');
    },
  );
});

test('a response that ends before its length is an error', async () => {
  const cut = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok';
  const request = { method: 'GET', target: '/', retriable: false };
  await withPeer(
    answering(cut, (stream) => stream.end()),
    async ({ client }) => {
      await assert.rejects(client.request(request), withCode('HTTP_PROTOCOL'));
    },
  );
  await withPeer(
    answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n', (stream) =>
      stream.end(),
    ),
    async ({ client }) => {
      await assert.rejects(client.request(request), withCode('HTTP_PROTOCOL'));
    },
  );
});

test('a long upload to a slow peer is no silence', async () => {
  await withPeer(
    (stream) => {
      stream.pause();
      let received = 0;
      const timer = setInterval(() => {
        const chunk = stream.read() as Buffer | null;
        received += chunk?.length ?? 0;
        if (received < 4_000_000) return;
        clearInterval(timer);
        stream.write(OK);
      }, 20);
      stream.on('close', () => clearInterval(timer));
    },
    async ({ client }) => {
      const request = { method: 'PUT', target: '/', body: Buffer.alloc(4_000_000) };
      assert.equal((await client.request(request)).status, 200);
    },
    { timeoutMs: 2000 },
  );
});

test('an abort ends the stream at once', async () => {
  await withPeer(
    (stream) => {
      stream.once('data', () => stream.write('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx'));
    },
    async ({ client, opener, streams }) => {
      const controller = new AbortController();
      const reason = new Error('interrupted');
      const request = client.request({
        method: 'GET',
        target: '/',
        signal: controller.signal,
        sink: { onData: () => controller.abort(reason) },
      });
      await assert.rejects(request, reason);
      await waitUntil('end at the peer', () => streams[0]!.destroyed || streams[0]!.readableEnded);
      assert.equal(opener.stats.openStreams, 0);
    },
  );
});

test('limits hold, metadata goes before file content', async () => {
  const order: string[] = [];
  let inFlight = 0;
  let most = 0;
  await withServer(
    (request, response) => {
      order.push(request.url ?? '');
      inFlight += 1;
      most = Math.max(most, inFlight);
      setImmediate(() => {
        inFlight -= 1;
        response.end();
      });
    },
    async ({ client }) => {
      const requests = Array.from({ length: 30 }, (_, index) =>
        client.request({ method: index % 2 === 0 ? 'GET' : 'PROPFIND', target: `/${index}` }),
      );
      await Promise.all(requests);
      assert.equal(order.length, 30);
      assert.ok(most <= 4, `${most}`);
    },
    { metadataInFlight: 2, bulkInFlight: 2 },
  );
});
