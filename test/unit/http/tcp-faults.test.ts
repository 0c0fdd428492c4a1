import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTcpHttpClient } from '../../../src/http/tcp-client.js';
import type { HttpError } from '../../../src/http/types.js';
import { freePort } from '../../support/ports.js';
import { waitUntil } from '../../support/wait-until.js';
import { startRawServer } from './raw-server.js';
import { OK, withCode, withServer, type Answer } from './tcp-rig.js';
import { countRunningSteps } from '../../support/running-steps.js';

test('what is no HTTP is said to be none, at once', async () => {
  await withServer(
    (socket) => void socket.write('SSH-2.0-OpenSSH_9.2\r\n'),
    async (client, server) => {
      await assert.rejects(
        client.request({ method: 'GET', target: '/' }),
        (error) => withCode('HTTP_PROTOCOL')(error) && /is no HTTP/.test((error as Error).message),
      );
      assert.equal(server.heads.length, 1);
    },
  );
});

test('a connection that is lost: asked again what may be asked again', async () => {
  const answer: Answer = (socket, _head, index) => {
    if (index <= 2) socket.destroy();
    else socket.write(OK);
  };
  await withServer(answer, async (client, server) => {
    const error = client.request({ method: 'PUT', target: '/', body: Buffer.from('x') });
    await assert.rejects(error, withCode('HTTP_LOST'));
    const response = await client.request({ method: 'PROPFIND', target: '/' });
    assert.equal(response.status, 200);
    assert.equal(server.heads.length, 3);
    assert.equal(client.counters.get('PROPFIND'), 2);
  });
});

test('a retriable PUT is sent again with its whole body', async () => {
  const answer: Answer = (socket, _head, index) => {
    if (index === 1) socket.destroy();
    else socket.write(OK);
  };
  await withServer(answer, async (client) => {
    let opened = 0;
    const body = {
      size: 3,
      async *open() {
        opened += 1;
        yield Buffer.from('abc');
      },
    };
    const request = { method: 'PUT', target: '/', body, retriable: true };
    assert.equal((await client.request(request)).status, 200);
    assert.equal(opened, 2);
  });
});

test('a response that breaks off is an error, or starts again where the sink can', async () => {
  const answer: Answer = (socket, _head, index) => {
    if (index === 2) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood');
    else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nba');
  };
  await withServer(answer, async (client) => {
    const parts: string[] = [];
    const sink = {
      onData: (chunk: Buffer) => parts.push(chunk.toString()),
      onRestart: () => parts.splice(0),
    };
    await client.request({ method: 'GET', target: '/', sink });
    assert.equal(parts.join(''), 'good');
    const once = { method: 'GET', target: '/', sink: { onData: () => undefined } };
    await assert.rejects(client.request(once), withCode('HTTP_PROTOCOL'));
  });
});

test('silence ends at the deadline', async () => {
  await withServer(
    () => undefined,
    async (client) => {
      const took = countRunningSteps();
      const request = client.request({ method: 'GET', target: '/' });
      await assert.rejects(request, withCode('HTTP_TIMEOUT')).finally(took.stop);
      assert.ok(took.ms < 2000, `${took.ms} ms`);
    },
    { timeoutMs: 200 },
  );
});

test('a slow response is no silence', async () => {
  await withServer(
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n');
      let left = 10;
      const timer = setInterval(() => {
        socket.write('x');
        left -= 1;
        if (left === 0) clearInterval(timer);
      }, 60);
    },
    async (client) => {
      const response = await client.request({ method: 'GET', target: '/' });
      assert.equal(response.body.length, 10);
    },
    { timeoutMs: 300 },
  );
});

test('an absent server', async () => {
  const client = createTcpHttpClient(`http://127.0.0.1:${await freePort()}`, { timeoutMs: 30_000 });
  await assert.rejects(
    client.request({ method: 'MKCOL', target: '/' }),
    (error) => withCode('HTTP_UNREACHABLE')(error) && (error as HttpError).unsent,
  );
  await client.close();
});

test('aborted before, in the queue and in flight', async () => {
  await withServer(
    () => undefined,
    async (client, server) => {
      const reason = new Error('no more');
      const gone = AbortSignal.abort(reason);
      await assert.rejects(client.request({ method: 'GET', target: '/', signal: gone }), reason);
      assert.equal(server.heads.length, 0);
      const flying = new AbortController();
      const waiting = new AbortController();
      const first = client.request({ method: 'GET', target: '/1', signal: flying.signal });
      const second = client.request({ method: 'GET', target: '/2', signal: waiting.signal });
      const both = Promise.allSettled([first, second]);
      await waitUntil('request', () => server.heads.length === 1);
      waiting.abort(reason);
      flying.abort(reason);
      for (const result of await both) {
        assert.equal(result.status === 'rejected' ? result.reason : undefined, reason);
      }
      assert.equal(server.heads.length, 1);
    },
    { connections: 1 },
  );
});

test('a body that does not have the size that was told', async () => {
  await withServer(
    (socket) => void socket.write(OK),
    async (client) => {
      for (const pieces of [['a'], ['abc', 'd']]) {
        const body = {
          size: 3,
          async *open() {
            for (const piece of pieces) yield Buffer.from(piece);
          },
        };
        const request = client.request({ method: 'PUT', target: '/', body });
        await assert.rejects(request, withCode('HTTP_PROTOCOL'));
      }
    },
  );
});

test('what the source of a body throws is what the request rejects with', async () => {
  const error = new Error('disk is gone');
  await withServer(
    (socket) => void socket.write(OK),
    async (client) => {
      const body = {
        size: 3,
        async *open() {
          yield Buffer.from('a');
          throw error;
        },
      };
      await assert.rejects(client.request({ method: 'PUT', target: '/', body }), error);
    },
  );
});

test('an early answer stops the body, and its source is given back', async () => {
  const answer = 'HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';
  await withServer(
    (socket) => void socket.end(answer),
    async (client) => {
      let returned = false;
      const size = 64 * 1024 * 1024;
      const body = {
        size,
        async *open() {
          try {
            for (let sent = 0; sent < size; sent += 65_536) yield Buffer.alloc(65_536);
          } finally {
            returned = true;
          }
        },
      };
      const headers = { 'x-at-once': '1' };
      const settled = client.request({ method: 'PUT', target: '/', headers, body }).then(
        (response) => response.status,
        (error: unknown) => (error as HttpError).code,
      );
      // Which of the two comes first, the answer or the reset, is up to the kernel.
      assert.ok([413, 'HTTP_LOST', 'HTTP_PROTOCOL'].includes(await settled));
      await waitUntil('end of the source', () => returned);
    },
  );
});

test('closing ends everything', async () => {
  const server = await startRawServer(() => undefined);
  const client = createTcpHttpClient(server.url, { connections: 1 });
  const all = Promise.allSettled(
    ['/1', '/2', '/3'].map((target) => client.request({ method: 'GET', target })),
  );
  await waitUntil('request', () => server.heads.length > 0);
  await client.close();
  for (const result of await all) {
    assert.ok(result.status === 'rejected' && withCode('HTTP_CLOSED')(result.reason));
  }
  await assert.rejects(client.request({ method: 'GET', target: '/' }), withCode('HTTP_CLOSED'));
  await server.close();
});
