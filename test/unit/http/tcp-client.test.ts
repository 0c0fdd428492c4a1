import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTcpHttpClient } from '../../../src/http/tcp-client.js';
import { OK, withCode, withServer, type Answer } from './tcp-rig.js';

test('collects a body, joins fields, passes over informational responses', async () => {
  const answer =
    'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n' +
    'HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\n\r\nok';
  await withServer(
    (socket) => void socket.write(answer),
    async (client, server) => {
      const response = await client.request({ method: 'GET', target: '/a%20b' });
      assert.equal(response.status, 200);
      assert.equal(response.headers['x-a'], '1, 2');
      assert.equal(response.body.toString(), 'ok');
      assert.match(server.heads[0]!, /^GET \/a%20b HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\n/i);
      assert.equal(client.counters.get('GET'), 1);
    },
  );
});

test('a sink takes 2xx bodies, others are collected', async () => {
  const answer: Answer = (socket, head) =>
    void socket.write(
      head.includes('/gone') ? 'HTTP/1.1 404 No\r\nContent-Length: 4\r\n\r\ngone' : OK,
    );
  await withServer(answer, async (client) => {
    const seen: string[] = [];
    const sink = {
      onHeaders: ({ status }: { status: number }) => seen.push(String(status)),
      onData: (chunk: Buffer) => seen.push(chunk.toString()),
    };
    const good = await client.request({ method: 'GET', target: '/', sink });
    assert.deepEqual([good.body.length, seen], [0, ['200', 'ok']]);
    const gone = await client.request({ method: 'GET', target: '/gone', sink });
    assert.deepEqual([gone.body.toString(), seen.length], ['gone', 2]);
  });
});

test('a throw of the sink ends the request with that error', async () => {
  const error = new Error('enough');
  await withServer(
    (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nxx'),
    async (client) => {
      for (const method of ['onHeaders', 'onData'] as const) {
        const sink = {
          onData: () => undefined,
          [method]: () => {
            throw error;
          },
        };
        await assert.rejects(client.request({ method: 'GET', target: '/', sink }), error);
      }
    },
  );
});

test('a collected body has its limit', async () => {
  await withServer(
    (socket) => void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n${'x'.repeat(99)}`),
    async (client) => {
      const request = { method: 'GET', target: '/', maxBodyBytes: 98 };
      await assert.rejects(client.request(request), withCode('HTTP_BODY_TOO_LARGE'));
      assert.equal((await client.request({ ...request, maxBodyBytes: 99 })).body.length, 99);
    },
  );
});

test('a body without length ends with the connection', async () => {
  await withServer(
    (socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\nto the end'),
    async (client) => {
      const response = await client.request({ method: 'OPTIONS', target: '/' });
      assert.equal(response.body.toString(), 'to the end');
    },
  );
});

test('no more requests at once than connections', async () => {
  let inFlight = 0;
  let most = 0;
  await withServer(
    (socket) => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      setImmediate(() => {
        inFlight -= 1;
        socket.write(OK);
      });
    },
    async (client, server) => {
      const requests = Array.from({ length: 20 }, () =>
        client.request({ method: 'PROPFIND', target: '/' }),
      );
      await Promise.all(requests);
      assert.ok(most <= 2, `${most}`);
      assert.ok(server.connections <= 2);
    },
    { connections: 2 },
  );
});

test('requests that libsoup answers with 204 give up their connection', async () => {
  await withServer(
    (socket) => void socket.write('HTTP/1.1 204 No Content\r\n\r\n'),
    async (client, server) => {
      for (const method of ['DELETE', 'MOVE', 'COPY', 'UNLOCK', 'PROPFIND', 'PUT', 'MKCOL']) {
        await client.request({ method, target: '/' });
      }
      const closing = server.heads.filter((head) => /^connection: close/im.test(head));
      assert.equal(closing.length, 4);
    },
  );
});

test('a base address that has moved on the same server is followed, others are not', async () => {
  const answer: Answer = (socket, head) => {
    const to = head.startsWith('PROPFIND /old/ ') ? '/new/' : 'http://other.example/';
    const redirect = `HTTP/1.1 301 Moved\r\nLocation: ${to}\r\nContent-Length: 0\r\n\r\n`;
    socket.write(/^PROPFIND \/new\/ /.test(head) ? OK : redirect);
  };
  await withServer(
    answer,
    async (client, server) => {
      assert.equal(client.basePath, '/old');
      const response = await client.request({ method: 'PROPFIND', target: '/old/' });
      assert.equal(response.status, 200);
      assert.equal(client.basePath, '/new');
      assert.equal(client.absoluteUrl('/new/x'), `${server.url}/new/x`);
      const away = await client.request({ method: 'GET', target: '/new/' });
      assert.equal(away.status, 301);
      const moved = await client.request({ method: 'DELETE', target: '/new/' });
      assert.equal(moved.status, 301);
    },
    {},
    '/old/',
  );
});

test('credentials answer a challenge once, then go along', async () => {
  const answer: Answer = (socket, head) => {
    const challenge = 'WWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n';
    const good = head.includes('authorization: Basic dTpw');
    socket.write(good ? OK : `HTTP/1.1 401 Unauthorized\r\n${challenge}`);
  };
  const credentials = { username: 'u', password: 'p' };
  await withServer(
    answer,
    async (client, server) => {
      assert.equal((await client.request({ method: 'PROPFIND', target: '/' })).status, 200);
      assert.equal((await client.request({ method: 'PROPFIND', target: '/' })).status, 200);
      assert.equal(server.heads.length, 3);
    },
    { credentials },
  );
  await withServer(
    answer,
    async (client, server) => {
      assert.equal((await client.request({ method: 'GET', target: '/' })).status, 401);
      assert.equal(server.heads.length, 2);
    },
    { credentials: { ...credentials, password: 'wrong' } },
  );
});

test('addresses that make no sense are refused with a reason', () => {
  for (const url of ['', 'ftp://h/', 'http://u:p@h/', 'http://h/?q', 'http://h/#f', 'h:80']) {
    assert.throws(() => createTcpHttpClient(url), { code: 'USAGE' }, url);
  }
});
