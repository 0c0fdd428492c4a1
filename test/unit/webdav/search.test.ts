/** The client's SEARCH before servers that answer this and that. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { createTcpHttpClient } from '../../../src/http/tcp-client.js';
import { silentLogger } from '../../../src/log.js';
import { matchesLike } from '../../../src/share/search/like.js';
import { parseSearch } from '../../../src/share/search/query.js';
import { createWebDavClient } from '../../../src/webdav/client.js';
import type { SearchCondition, WebDavClient } from '../../../src/webdav/types.js';
import { multistatus, response as entry } from './read-multistatus.js';

interface Scripted {
  readonly dasl?: string;
  readonly status?: number;
  readonly answer?: string;
  /** Breaks off after the answer. */
  readonly cut?: boolean;
}

async function withServer(
  { dasl = '<DAV:basicsearch>', status = 207, answer = multistatus(''), cut = false }: Scripted,
  body: (client: WebDavClient, bodies: Buffer[]) => Promise<void>,
): Promise<void> {
  const bodies: Buffer[] = [];
  const server = createServer((request, response) => {
    response.setHeader('DASL', dasl).setHeader('DAV', '1');
    if (request.method === 'OPTIONS') {
      response.end();
      return;
    }
    void buffer(request).then((sent) => {
      assert.equal(`${request.method} ${request.url}`, 'SEARCH /dav/');
      bodies.push(sent);
      response.writeHead(status, cut ? { 'Content-Length': answer.length + 1 } : {});
      if (cut) response.write(answer, () => response.destroy());
      else response.end(answer);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const http = createTcpHttpClient(`http://127.0.0.1:${port}/dav`, { timeoutMs: 3000 });
  const client = createWebDavClient(http, { log: silentLogger });
  try {
    await body(client, bodies);
  } finally {
    await client.close();
    server.closeAllConnections();
    server.close();
  }
}

async function paths(client: WebDavClient, where?: SearchCondition): Promise<string[]> {
  const found: string[] = [];
  const onFound = ({ path }: { path: string }): void => void found.push(path);
  await client.search('/sub', { onFound, ...(where && { where }) });
  return found;
}

test('what a server finds is told by its path below the base', async () => {
  const hrefs = [
    '/dav/a%20b/c.txt',
    'http://other.example/dav/x%2525',
    '/elsewhere/x',
    '/dav/%2e%2e/x',
    '/dav/a/.davport-0123456789abcdef.part',
  ];
  const answer = multistatus(hrefs.map((href) => entry(href, '')).join(''));
  await withServer({ answer }, async (client, bodies) => {
    assert.deepEqual(await paths(client), ['/a b/c.txt', '/x%25']);
    const query = parseSearch(bodies[0]!);
    assert.deepEqual([query.scope, query.depth, query.where], ['/dav/sub/', 'infinity', undefined]);
  });
});

test('a status of 507 means that there may be more', async () => {
  const status = '<D:status>HTTP/1.1 507 Insufficient Storage</D:status>';
  const truncated = `<D:response><D:href>/dav/</D:href>${status}</D:response>`;
  for (const [content, complete] of [
    [entry('/dav/a', '') + truncated, false],
    [entry('/dav/a', ''), true],
  ] as const) {
    await withServer({ answer: multistatus(content) }, async (client) => {
      const found: string[] = [];
      const result = await client.search('', { onFound: ({ path }) => found.push(path) });
      assert.deepEqual([found, result.complete], [['/a'], complete]);
    });
  }
});

test('patterns and texts arrive as they were meant', async () => {
  const cases: [string, string, boolean][] = [
    ['*.c', 'main.c', true],
    ['*.c', 'main.cc', false],
    ['100%_?', '100%_x', true],
    ['100%_?', '100yyx', false],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['<&>"', '<&>"', true],
    ['back\\\\slash\\', 'back\\slash\\', true],
  ];
  await withServer({}, async (client, bodies) => {
    for (const [pattern, name, matches] of cases) {
      await paths(client, { op: 'name', pattern });
      const { where } = parseSearch(bodies.at(-1)!);
      assert.ok(where?.op === 'like');
      assert.equal(matchesLike(where.pattern, name), matches, `${pattern} ${name}`);
    }
    await paths(client, { op: 'content', text: ' <&> ' });
    assert.deepEqual(parseSearch(bodies.at(-1)!).needles, [' <&> ']);
  });
});

test('a server without SEARCH is not asked, and one that fails is not believed', async () => {
  for (const dasl of ['', '<http://example/basicsearch>']) {
    await withServer({ dasl }, async (client, bodies) => {
      assert.equal((await client.profile()).basicSearch, false);
      await assert.rejects(paths(client), { code: 'DAV_405' });
      assert.equal(bodies.length, 0);
    });
  }
  await withServer({ dasl: 'DAV:basicsearch, <x:y>', status: 422, answer: '' }, async (client) => {
    await assert.rejects(paths(client), { code: 'DAV_422' });
  });
  await withServer({ status: 200, answer: 'hello' }, async (client) => {
    await assert.rejects(paths(client), { code: 'HTTP_PROTOCOL' });
  });
  const whole = multistatus(entry('/dav/a', ''));
  await withServer({ answer: whole.slice(0, -5) }, async (client) => {
    await assert.rejects(paths(client), { code: 'XML_INVALID' });
  });
  // What was told can't be taken back: it isn't asked again.
  await withServer({ answer: whole, cut: true }, async (client, bodies) => {
    await assert.rejects(paths(client), { code: /^HTTP_(LOST|PROTOCOL)$/ });
    assert.equal(bodies.length, 1);
  });
});
