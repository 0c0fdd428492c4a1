/** SEARCH: what is refused, what is never seen, and where it ends. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import type net from 'node:net';
import { test } from 'node:test';
import { waitUntil } from '../../support/wait-until.js';
import { startShare, type TestShare } from './fixture.js';
import { body, fill, find, found, NAME_LIKE } from './search-fixture.js';

test('a query that is wrong, or asks for more than there is, is refused precisely', async () => {
  const share = await startShare();
  fill(share);
  const cases: [string, number, RegExp][] = [
    ['', 400, /./],
    ['<x/>', 400, /searchrequest/],
    ['<searchrequest xmlns="DAV:"/>', 400, /one query/],
    ['<searchrequest xmlns="DAV:"><sql>x</sql></searchrequest>', 422, /search-grammar-supported/],
    ['<query-schema-discovery xmlns="DAV:"/>', 422, /search-grammar-discovery-supported/],
    [body({ depth: '2' }), 400, /depth/],
    [body({ select: '' }), 400, /select/],
    [body({ where: '<eq><literal>1</literal></eq>' }), 400, /prop/],
    [body({ where: '<eq><prop><a/></prop></eq>' }), 400, /literal/],
    [body({ where: '<and/>' }), 400, /operand/],
    [body({ where: '<not><is-collection/><is-collection/></not>' }), 400, /operand/],
    [body({ where: NAME_LIKE('a\\b') }), 400, /backslash/],
    [body({ where: '<contains/>' }), 400, /text/],
    [
      body({
        where: '<language-matches><prop><a/></prop><literal>de</literal></language-matches>',
      }),
      422,
      /language-matches/,
    ],
    [
      body({ where: '<language-defined><prop><a/></prop></language-defined>' }),
      422,
      /language-defined/,
    ],
    [body({ where: '<P:near/>' }), 422, /near/],
    [body({ where: `<contains>${'x'.repeat(257)}</contains>` }), 422, /too much/],
    [body({ where: `<and>${'<is-collection/>'.repeat(100)}</and>` }), 422, /too many/],
    [body({ where: NAME_LIKE('x'.repeat(5000)) }), 422, /too much/],
    [body({ rest: '<limit><nresults>0</nresults></limit>' }), 400, /nresults/],
    [body({ rest: '<orderby><order><score/></order></orderby>' }), 422, /score/],
    [
      body({}).replace('</from>', '<scope><href>/</href><depth>0</depth></scope></from>'),
      422,
      /search-multiple-scope-supported/,
    ],
  ];
  for (const [text, status, says] of cases) {
    const answer = await share.request('SEARCH', '/', { body: text });
    assert.deepEqual(
      [answer.status, says.test(answer.text)],
      [status, true],
      `${text} ${answer.text}`,
    );
  }
});

test('it sees what the client is shown, and nothing outside', async () => {
  for (const symlinks of ['inside', 'show', 'hide'] as const) {
    const share = await startShare({ symlinks });
    fill(share);
    fs.writeFileSync(`${share.outside}/secret-plan.txt`, 'Hello');
    fs.symlinkSync('docs/old', share.at('link-in'));
    fs.symlinkSync('..', share.at('docs', 'link-up'));
    fs.symlinkSync(share.outside, share.at('link-out'));
    fs.symlinkSync(`${share.outside}/secret-plan.txt`, share.at('link-secret'));
    execFileSync('mkfifo', [share.at('pipe')]);
    const posix = '<prop><displayname/><P:posix/></prop>';
    const hello = await found(share, '<contains>hello</contains>');
    assert.deepEqual(hello, ['/readme.md'], symlinks);
    const links = await found(share, NAME_LIKE('link-%'));
    const folders = await found(share, `<and><is-collection/>${NAME_LIKE('link-%')}</and>`);
    const seen = await found(share, NAME_LIKE('link-%'), { select: posix });
    const shown = ['/docs/link-up', '/link-in', '/link-out', '/link-secret'];
    if (symlinks === 'hide') assert.deepEqual([links, folders, seen], [[], [], []]);
    if (symlinks === 'show') assert.deepEqual([links, folders, seen], [shown, [], shown]);
    if (symlinks === 'inside') {
      const followed = ['/docs/link-up/', '/link-in/', '/link-out', '/link-secret'];
      assert.deepEqual([links, folders, seen], [followed, followed.slice(0, 2), shown]);
      assert.deepEqual((await find(share, { href: '/link-in', where: NAME_LIKE('plan%') })).hrefs, [
        '/link-in/plan.txt',
      ]);
    }
    assert.equal((await found(share, NAME_LIKE('pipe'))).length, 1);
    await share.close();
  }
});

test('what lies too deep ends the search there, and the result says so', async () => {
  const share = await startShare();
  fs.writeFileSync(share.at('top.txt'), '');
  const levels = Array.from({ length: 300 }, () => 'd');
  fs.mkdirSync(share.at(...levels), { recursive: true });
  const { hrefs, cut } = await find(share, { where: '<is-collection/>' });
  assert.equal(hrefs.length, 257);
  assert.equal(cut, true);
  assert.equal((await find(share, { where: NAME_LIKE('top%'), depth: '1' })).cut, false);
});

/** Sparse files: each is read for a while, and takes no room. */
function fillSlowly(share: TestShare): void {
  for (let at = 0; at < 100; at++) {
    fs.writeFileSync(share.at(`big-${at}`), '');
    fs.truncateSync(share.at(`big-${at}`), 256 * 1024 * 1024);
  }
}

/** A search that tells the root at once, and then nothing for long. */
async function startLongSearch(
  share: TestShare,
): Promise<{ sofar: () => string; socket: net.Socket }> {
  const socket = await share.connect();
  const text = body({ where: '<or><is-collection/><contains>needle</contains></or>' });
  const length = Buffer.byteLength(text);
  socket.write(`SEARCH / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${text}`);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { sofar: () => Buffer.concat(chunks).toString(), socket };
}

test('a long search is told while it goes on, and ends when nobody listens', async () => {
  const share = await startShare();
  fillSlowly(share);
  const { sofar, socket } = await startLongSearch(share);
  await waitUntil('first result', () => sofar().includes('<D:href>/</D:href>'), 15_000);
  assert.ok(!sofar().includes('</D:multistatus>'));
  const other = await share.request('OPTIONS', '/');
  assert.equal(other.status, 200);
  socket.destroy();
  await waitUntil('end of the search', () => share.share.stats.active === 0, 5000);
  assert.ok(openFiles().every((file) => !file.includes('/big-')));
});

test('a few search at a time; the others wait, and are told that they do', async () => {
  const share = await startShare();
  fillSlowly(share);
  const searches = await Promise.all(
    Array.from({ length: 4 }, async () => await startLongSearch(share)),
  );
  for (const { sofar } of searches)
    await waitUntil('a result', () => sofar().includes('</D:href>'), 15_000);
  const waiting = await startLongSearch(share);
  await waitUntil('a sign of life', () => waiting.sofar().includes('<D:multistatus'), 15_000);
  assert.ok(!waiting.sofar().includes('<D:response>'));
  searches[0]!.socket.destroy();
  await waitUntil('its turn', () => waiting.sofar().includes('<D:href>/</D:href>'), 15_000);
  for (const { socket } of [...searches, waiting]) socket.destroy();
  await waitUntil('end of all searches', () => share.share.stats.active === 0, 5000);
});

function openFiles(): string[] {
  return fs.readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [fs.readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}
