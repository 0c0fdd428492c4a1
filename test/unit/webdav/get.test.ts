import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTcpHttpClient } from '../../../src/http/tcp-client.js';
import { silentLogger } from '../../../src/log.js';
import { createWebDavClient } from '../../../src/webdav/client.js';
import type { GetOptions, GetResult } from '../../../src/webdav/types.js';
import { startRawServer } from '../http/raw-server.js';

interface Outcome {
  readonly text: string;
  readonly result: GetResult;
  readonly head: string;
}

/** GET /a with these options from a server that answers so. */
async function getFrom(answer: string, options: GetOptions = {}): Promise<Outcome> {
  const server = await startRawServer((socket) => socket.end(answer.replace(/\n/g, '\r\n')));
  const http = createTcpHttpClient(server.url, { timeoutMs: 2000 });
  const client = createWebDavClient(http, { log: silentLogger });
  try {
    const parts: Buffer[] = [];
    const result = await client.get('/a', { onData: (part) => parts.push(part) }, options);
    return { text: Buffer.concat(parts).toString(), result, head: server.heads[0] ?? '' };
  } finally {
    await client.close();
    await server.close();
  }
}

const whole = 'HTTP/1.1 200 OK\nContent-Length: 10\nETag: "e"\n\n0123456789';
const partial = (range: string, body: string): string =>
  `HTTP/1.1 206 Partial\nContent-Range: bytes ${range}\nContent-Length: ${body.length}\n\n${body}`;

test('a whole file', async () => {
  const { text, result, head } = await getFrom(whole, { etag: 'W/"e"' });
  assert.equal(text, '0123456789');
  assert.deepEqual(result, { status: 200, etag: '"e"', totalSize: 10, start: 0 });
  assert.doesNotMatch(head, /^range/im);
  assert.match(head, /^accept-encoding: identity/im);
});

test('a range', async () => {
  const { text, result, head } = await getFrom(partial('2-4/10', '234'), { start: 2, end: 5 });
  assert.equal(text, '234');
  assert.deepEqual(result, { status: 206, etag: undefined, totalSize: 10, start: 2 });
  assert.match(head, /^range: bytes=2-4$/im);
});

test('a server that sends the whole file for a range', async () => {
  assert.equal((await getFrom(whole, { start: 2, end: 5 })).text, '234');
  assert.equal((await getFrom(whole, { start: 8 })).text, '89');
  assert.equal((await getFrom(whole, { end: 10 })).text, '0123456789');
});

test('the head comes before the first byte', async () => {
  const order: string[] = [];
  await getFrom(whole, { onHead: ({ totalSize }) => order.push(String(totalSize)) });
  assert.deepEqual(order, ['10']);
});

const LIES: Readonly<Record<string, readonly [answer: string, options: GetOptions]>> = {
  'an empty body for a range': [
    'HTTP/1.1 206 Partial\nContent-Range: bytes 2-4/10\nContent-Length: 0\n\n',
    { start: 2, end: 5 },
  ],
  'a shorter range': [partial('2-3/10', '23'), { start: 2, end: 5 }],
  'a longer range': [partial('2-5/10', '2345'), { start: 2, end: 5 }],
  'another range': [partial('3-5/10', '345'), { start: 2, end: 5 }],
  'a range beyond the file': [partial('2-4/3', '234'), { start: 2, end: 5 }],
  'a range without its place': [
    'HTTP/1.1 206 Partial\nContent-Length: 3\n\n234',
    { start: 2, end: 5 },
  ],
  'several ranges': [
    'HTTP/1.1 206 Partial\nContent-Type: multipart/byteranges; boundary=x\nContent-Length: 0\n\n',
    { start: 2, end: 5 },
  ],
  'fewer bytes than the range': [
    'HTTP/1.1 206 Partial\nContent-Range: bytes 2-4/10\n\n23',
    { start: 2, end: 5 },
  ],
  'more bytes than the range': [
    'HTTP/1.1 206 Partial\nContent-Range: bytes 2-4/10\n\n2345',
    { start: 2, end: 5 },
  ],
  'a smaller file': [whole, { start: 2, end: 11 }],
  'no length': ['HTTP/1.1 200 OK\n\n0123', {}],
  'compressed content': ['HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: 2\n\nxx', {}],
  'a partial file that nobody asked for': [partial('2-4/10', '234'), {}],
  'no content': ['HTTP/1.1 204 No Content\n\n', {}],
};

for (const [what, [answer, options]] of Object.entries(LIES)) {
  test(`refuses ${what}`, async () => {
    await assert.rejects(getFrom(answer, options), { code: 'HTTP_PROTOCOL' });
  });
}

test('another version', async () => {
  await assert.rejects(getFrom(whole, { etag: '"other"' }), { code: 'DAV_412' });
});

test('errors of the server keep their status', async () => {
  const answer = 'HTTP/1.1 416 No\nContent-Length: 0\n\n';
  await assert.rejects(getFrom(answer, { start: 2, end: 5 }), { code: 'DAV_416' });
  const moved = 'HTTP/1.1 302 Found\nLocation: https://other/a\nContent-Length: 0\n\n';
  await assert.rejects(getFrom(moved), /https:\/\/other\/a/);
});
