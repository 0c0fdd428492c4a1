import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { createTcpHttpClient } from '../../../src/http/tcp-client.js';
import { silentLogger } from '../../../src/log.js';
import { createWebDavClient } from '../../../src/webdav/client.js';
import { DavError, type WebDavClient } from '../../../src/webdav/types.js';
import { multistatus, response as entry } from './read-multistatus.js';

interface Seen {
  readonly line: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

type Listener = (seen: Seen, response: ServerResponse, count: number) => void;

/** A server that says it is `headers`, answers OPTIONS, and leaves the rest to `listener`. */
async function withServer(
  headers: Record<string, string>,
  listener: Listener,
  body: (client: WebDavClient, seen: Seen[]) => Promise<void>,
): Promise<void> {
  const seen: Seen[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const line = `${request.method} ${request.url}`;
    seen.push({ line, headers: request.headers, body: (await buffer(request)).toString() });
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (request.method === 'OPTIONS') response.end();
    else listener(seen.at(-1)!, response, seen.length);
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const http = createTcpHttpClient(`http://127.0.0.1:${port}/dav`, { timeoutMs: 3000 });
  const client = createWebDavClient(http, { log: silentLogger });
  try {
    await body(client, seen);
  } finally {
    await client.close();
    server.closeAllConnections();
    server.close();
  }
}

const plain = { DAV: '1, 2' };
const davport = { DAV: '1, <urn:davport:posix>' };

function sendMultistatus(response: ServerResponse, content: string): void {
  response.writeHead(207);
  response.end(multistatus(content));
}

test('servers are told apart by what they say', async () => {
  for (const [headers, name] of [
    [{ Server: 'PhodavServer libsoup/3.2.3', DAV: '1,2' }, 'phodav'],
    [{ Server: 'Apache/2.4', DAV: '1,2, <http://apache.org/dav/propset/fs/1>' }, 'apache'],
    [{ Server: 'Apache/2.4', DAV: '1,2' }, 'unknown'],
    [{ Server: 'Apache/2.4', DAV: '1, 3', 'X-Sabre-Version': '4.1' }, 'sabredav'],
    [davport, 'davport'],
    [{}, 'unknown'],
  ] as [Record<string, string>, string][]) {
    await withServer(
      headers,
      () => undefined,
      async (client) => {
        assert.equal((await client.profile()).name, name);
      },
    );
  }
});

test('a listing is asked for by name, below the base path', async () => {
  await withServer(
    plain,
    (_seen, response) => {
      sendMultistatus(
        response,
        entry('/dav/d%20d/', '<D:resourcetype><D:collection/></D:resourcetype>') +
          entry('/dav/d%20d/a', '<D:resourcetype/><D:getcontentlength>5</D:getcontentlength>') +
          entry('/dav/d%20d/a', '<D:resourcetype/>') +
          entry('/dav/d%20d/.davport-0123456789abcdef.part') +
          entry('/etc/passwd'),
      );
    },
    async (client, seen) => {
      const { self, members } = await client.list('/d d');
      assert.equal(self?.kind, 'collection');
      assert.deepEqual(
        [...members.values()].map(({ name, size }) => [name, size]),
        [['a', 5]],
      );
      const request = seen.at(-1)!;
      assert.equal(request.line, 'PROPFIND /dav/d%20d/');
      assert.equal(request.headers.depth, '1');
      assert.match(request.body, /<D:prop><D:resourcetype\/>/);
      assert.doesNotMatch(request.body, /allprop|quota/);
    },
  );
});

test('a listing that breaks off is asked for again and comes whole', async () => {
  await withServer(
    plain,
    (_seen, response, count) => {
      if (count > 2) {
        sendMultistatus(response, entry('/dav/') + entry('/dav/new'));
        return;
      }
      response.writeHead(207, { 'content-length': 5000 });
      response.write(multistatus(entry('/dav/') + entry('/dav/old')), () => response.destroy());
    },
    async (client) => {
      const { members } = await client.list('');
      assert.deepEqual([...members.keys()], ['new']);
    },
  );
});

test('an answer that is no whole multistatus is no listing', async () => {
  const answers: ((response: ServerResponse) => void)[] = [
    (response) => response.end('<html></html>'),
    (response) => response.writeHead(207).end('<html></html>'),
    (response) => response.writeHead(207).end(multistatus(entry('/dav/')).slice(0, -5)),
    (response) => response.writeHead(207).end(),
    (response) => response.writeHead(207).end('<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'),
  ];
  for (const answer of answers) {
    await withServer(
      plain,
      (_seen, response) => answer(response),
      async (client) => {
        await assert.rejects(client.list(''), { code: 'XML_INVALID' });
      },
    );
  }
});

test('errors name the method, the path, the status and the condition', async () => {
  await withServer(
    plain,
    (_seen, response) => {
      response.writeHead(403);
      response.end('<D:error xmlns:D="DAV:"><D:propfind-finite-depth/></D:error>');
    },
    async (client) => {
      await assert.rejects(client.stat('/a b'), (error) => {
        assert.ok(error instanceof DavError);
        assert.deepEqual(
          [error.code, error.method, error.path, error.condition],
          ['DAV_403', 'PROPFIND', '/a b', 'propfind-finite-depth'],
        );
        return true;
      });
    },
  );
});

test('our own share takes metadata along and tells what it stored', async () => {
  await withServer(
    davport,
    (_seen, response) => {
      response.setHeader('ETag', '"v1"');
      response.setHeader('Davport-Posix', 'size=2 mode=100755 mtime=5.000000007 ino=9 nlink=1');
      response.writeHead(201);
      response.end();
    },
    async (client, seen) => {
      const posix = { mode: 0o100755, mtime: { sec: 5, nsec: 7 } };
      const precondition = { absent: true };
      const { created, resource } = await client.put('/x', Buffer.from('hi'), {
        posix,
        precondition,
      });
      assert.equal(created, true);
      assert.deepEqual(resource, {
        name: '',
        kind: 'file',
        size: 2,
        mtime: { sec: 5, nsec: 7 },
        created: undefined,
        etag: '"v1"',
        executable: true,
        posix: { ...posix, ino: 9, nlink: 1 },
      });
      const { headers } = seen.at(-1)!;
      assert.equal(headers['davport-posix'], 'mode=100755 mtime=5.000000007');
      assert.equal(headers['if-none-match'], '*');
      assert.equal(headers['content-length'], '2');
    },
  );
});

test('a server of which nothing is known is looked at before it is changed', async () => {
  await withServer(
    plain,
    ({ line }, response) => {
      if (!line.startsWith('PROPFIND')) response.writeHead(204).end();
      else sendMultistatus(response, entry('/dav/x', '<D:getetag>"now"</D:getetag>'));
    },
    async (client, seen) => {
      const body = Buffer.from('x');
      for (const precondition of [{ absent: true }, { etag: '"before"' }]) {
        await assert.rejects(client.put('/x', body, { precondition }), { code: 'DAV_412' });
        assert.ok(!seen.some(({ line }) => line.startsWith('PUT')));
      }
      await assert.rejects(client.move('/n', '/x', { destinationEtag: '"before"' }), {
        code: 'DAV_412',
      });
      await client.put('/x', body, { precondition: { etag: '"now"' } });
      assert.equal(seen.at(-1)!.headers['if-match'], '"now"');
    },
  );
});

test('aborting one who waits for the profile leaves the others', async () => {
  await withServer(
    plain,
    (_seen, response) => sendMultistatus(response, entry('/dav/')),
    async (client, seen) => {
      const controller = new AbortController();
      const aborted = client.stat('', { signal: controller.signal });
      const other = client.stat('');
      controller.abort(new Error('interrupted'));
      await assert.rejects(aborted, /interrupted/);
      assert.equal((await other).kind, 'file');
      assert.equal(seen.filter(({ line }) => line.startsWith('OPTIONS')).length, 1);
    },
  );
});
