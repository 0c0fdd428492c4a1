/** REPORT with P:changes: what is told, to whom, and in which order with the answers that it is about. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { waitUntil } from '../../support/wait-until.js';
import { loadNativeBinding } from '../../../src/native/binding.js';
import { ask, openFeed, REPORT, told, type Feed } from './feed-client.js';
import { readMultistatus, startShare, type TestShare } from './fixture.js';

test('a feed names its id, and the token is in OPTIONS', async () => {
  const share = await startShare();
  const options = await share.request('OPTIONS', '/');
  assert.match(options.headers.dav as string, /<urn:davport:changes>/);
  assert.match(options.headers.allow!, /\bREPORT\b/);
  const feed = await openFeed(share);
  assert.match(feed.id, /^[\w-]{22}$/);
  assert.equal(feed.response.headers['cache-control'], 'no-store');
  feed.close();
  await share.close();
});

test('changes by local programs and by clients are told, with the state that they led to', async () => {
  const share = await startShare();
  fs.mkdirSync(share.at('a b'));
  fs.writeFileSync(share.at('a b', 'file'), 'one');
  const feed = await openFeed(share);
  await ask(share, feed, '/a%20b/', '1');

  fs.writeFileSync(share.at('a b', 'file'), 'longer');
  await told(feed, 'changed /a%20b/file ');
  const { etag, posix } = await waitUntilTold(share, feed, '/a%20b/file');
  assert.ok(feed.lines.some((line) => line === `changed /a%20b/file ${etag} size=6 ${posix}`));

  const put = await share.request('PUT', '/a%20b/new', { body: 'x' });
  assert.equal(put.status, 201);
  const version = `${put.headers.etag} ${put.headers['davport-posix'] as string}`;
  await told(feed, `changed /a%20b/new ${version}`);
  await told(feed, 'changed /a%20b/ ');

  await share.request('MOVE', '/a%20b/new', { headers: { Destination: '/a%20b/newer' } });
  await told(feed, 'gone /a%20b/new');
  await told(feed, 'changed /a%20b/newer ');
  fs.chmodSync(share.at('a b'), 0o700);
  await waitUntil('the mode', () =>
    feed.lines.some((line) => / \/a%20b\/ .*mode=40700/.test(line)),
  );
  assert.ok(!feed.lines.some((line) => line.includes('.davport-')), feed.lines.join('\n'));
  await share.close();
});

async function waitUntilTold(
  share: TestShare,
  feed: Feed,
  target: string,
): Promise<{ etag: string; posix: string }> {
  let found: Readonly<Record<string, string>> = {};
  await waitUntil(`the line of what ${target} is`, async () => {
    [{ found } = { found: {} }] = readMultistatus(await ask(share, feed, target, '0'));
    return feed.lines.some((line) => line.startsWith(`changed ${target} ${found['getetag']!} `));
  });
  return { etag: found['getetag']!, posix: found['posix']! };
}

test('asked whether all is told, a feed tells it first, however young it is', async () => {
  const share = await startShare();
  assert.match((await share.request('OPTIONS', '/')).headers.dav as string, /<urn:davport:told>/);
  fs.writeFileSync(share.at('file'), '');
  const feed = await openFeed(share, undefined, true);
  await ask(share, feed, '/', '1');
  for (let question = 1; question <= 200; question++) {
    fs.writeFileSync(share.at('file'), 'x'.repeat(question));
    feed.ask(question);
    await told(feed, `told ${question}`);
    const before = feed.lines.slice(0, feed.lines.indexOf(`told ${question}`));
    const last = before.filter((line) => line.startsWith('changed /file ')).at(-1);
    assert.match(last ?? 'nothing', new RegExp(` size=${question} `));
  }
  // One answer for all that came together, and none for what isn't understood.
  feed.ask(300);
  feed.ask(301);
  await told(feed, 'told 301');
  feed.close();
  await share.close();
});

test('a feed with questions whose report is malformed, or does not come, is refused', async () => {
  const share = await startShare();
  for (const body of ['', '<other/>\n', REPORT(1)]) {
    const answer = await share.request('REPORT', '/', { headers: { 'Davport-Told': '1' }, body });
    assert.ok(answer.status === 400 || answer.status === 403, `${body}: ${answer.status}`);
  }
  await share.close();
});

test('what was not asked about with the id of the feed is not told', async () => {
  const share = await startShare();
  for (const name of ['asked', 'other']) fs.mkdirSync(share.at(name));
  const [feed, second] = [await openFeed(share), await openFeed(share)];
  await ask(share, feed, '/asked/', '1');
  const plain = await share.request('PROPFIND', '/other/', { headers: { Depth: '1' } });
  assert.equal(plain.headers['davport-feed'], undefined);
  const unknown = await share.request('PROPFIND', '/other/', {
    headers: { Depth: '1', 'Davport-Feed': 'unknown' },
  });
  assert.equal(unknown.headers['davport-feed'], undefined);
  fs.writeFileSync(share.at('other', 'file'), '');
  fs.writeFileSync(share.at('asked', 'file'), '');
  await told(feed, 'changed /asked/file');
  assert.ok(!feed.lines.some((line) => line.includes('/other')));
  assert.deepEqual(second.lines, []);
  await share.close();
});

test('an absent name and a file alone are covered by their folder', async () => {
  const share = await startShare();
  const feed = await openFeed(share);
  fs.writeFileSync(share.at('file'), '');
  await ask(share, feed, '/file', '0');
  const absent = await ask(share, feed, '/absent', '0');
  assert.equal(absent.status, 404);
  fs.mkdirSync(share.at('absent'));
  await told(feed, 'changed /absent/ ');
  fs.rmSync(share.at('file'));
  await told(feed, 'gone /file');
  // Its folder isn't there: nothing to watch.
  const below = await share.request('PROPFIND', '/no/where', {
    headers: { Depth: '0', 'Davport-Feed': feed.id },
  });
  assert.deepEqual([below.status, below.headers['davport-feed']], [404, undefined]);
  await share.close();
});

test('a folder that is moved or removed is forgotten with all below it; one in its place is another', async () => {
  const share = await startShare();
  fs.mkdirSync(share.at('top', 'sub'), { recursive: true });
  const feed = await openFeed(share);
  for (const folder of ['/', '/top/', '/top/sub/']) await ask(share, feed, folder, '1');
  fs.renameSync(share.at('top'), share.at('moved'));
  for (const start of ['gone /top', 'forget /top/', 'forget /top/sub/']) await told(feed, start);
  fs.mkdirSync(share.at('top', 'sub'), { recursive: true });
  await ask(share, feed, '/top/sub/', '1');
  fs.writeFileSync(share.at('moved', 'sub', 'old'), '');
  fs.writeFileSync(share.at('top', 'sub', 'new'), '');
  await told(feed, 'changed /top/sub/new ');
  assert.ok(!feed.lines.some((line) => line.includes('old')));
  fs.rmSync(share.at('top'), { recursive: true });
  await waitUntil(
    'the second end',
    () => feed.lines.filter((line) => line === 'forget /top/sub/').length === 2,
  );
  await share.close();
});

test('every change after the moment an answer is of is told', async () => {
  const share = await startShare();
  const feed = await openFeed(share);
  for (let round = 0; round < 20; round++) {
    fs.mkdirSync(share.at(`${round}`));
    // Asked and changed at once: the answer has it, or a line has.
    const asking = ask(share, feed, `/${round}/`, '1');
    const name = `/${round}/name`;
    setImmediate(() => fs.writeFileSync(share.at(`${round}`, 'name'), ''));
    const answer = await asking;
    if (!answer.text.includes(`<D:href>${name}<`)) await told(feed, `changed ${name} `);
  }
  await share.close();
});

test('a feed that nobody reads costs bounded memory: it is told to forget everything', async () => {
  const share = await startShare();
  const feed = await openFeed(share);
  await ask(share, feed, '/', '1');
  feed.response.pause();
  // More than socket buffers and the bound together.
  for (let round = 0; round < 6; round++) {
    for (let at = 0; at < 3000; at++) {
      fs.writeFileSync(share.at(`${round}-${at}-${'x'.repeat(200)}`), '');
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  feed.response.resume();
  await told(feed, 'reset');
  // Nothing is watched any more until it is asked about again.
  const after = feed.lines.length;
  fs.writeFileSync(share.at('late'), '');
  const isTold = (): boolean =>
    feed.lines.slice(after).some((line) => line.startsWith('changed /later '));
  const resets = (): number => feed.lines.filter((line) => line === 'reset').length;
  while (!isTold()) {
    // The kernel's queue may have run over, too, which another reset tells.
    const before = resets();
    await ask(share, feed, '/', '1');
    fs.writeFileSync(share.at('later'), `${before}`);
    await waitUntil('a line of the change', () => isTold() || resets() > before);
  }
  assert.ok(!feed.lines.slice(after).some((line) => line.startsWith('changed /late ')));
  await share.close();
});

test('signs of life come as often as asked for', async () => {
  const share = await startShare({ headTimeoutMs: 300, stallTimeoutMs: 300 });
  const feed = await openFeed(share, 0.1);
  const start = performance.now();
  await waitUntil('20 signs of life', () => feed.heartbeats >= 20);
  // Neither the limit for slow clients nor that for idle connections ends it.
  assert.ok(performance.now() - start > 1500 && !feed.ended);
  await share.close();
});

test('it ends with its client and with the share', async () => {
  const share = await startShare();
  const feed = await openFeed(share);
  feed.close();
  await waitUntil('the end', () => share.share.stats.active === 0);
  const answer = await share.request('PROPFIND', '/', {
    headers: { Depth: '0', 'Davport-Feed': feed.id },
  });
  assert.equal(answer.headers['davport-feed'], undefined);
  const other = await openFeed(share);
  await share.close();
  await waitUntil('the end of the other', () => other.ended);
});

test('what is no such report is refused; there are only so many feeds', async () => {
  const share = await startShare();
  const report = async (target: string, body: string): Promise<[number, string]> => {
    const answer = await share.request('REPORT', target, { body });
    return [answer.status, answer.text];
  };
  assert.equal((await report('/', ''))[0], 400);
  assert.equal((await report('/', REPORT(-1)))[0], 400);
  for (const [target, body] of [
    ['/', '<D:version-tree xmlns:D="DAV:"/>'],
    ['/below', REPORT()],
  ] as const) {
    const [status, text] = await report(target, body);
    assert.equal(status, 403);
    assert.match(text, /supported-report/);
  }
  const feeds: Feed[] = [];
  for (let at = 0; at < 64; at++) feeds.push(await openFeed(share));
  assert.equal((await report('/', REPORT()))[0], 503);
  feeds[0]!.close();
  await waitUntil('room', () => share.share.stats.active < 64);
  (await openFeed(share)).close();
  await share.close();
});

test('without the calls there is no feed, and nobody is told of one', async () => {
  const share = await startShare({ watches: undefined });
  const options = await share.request('OPTIONS', '/');
  assert.doesNotMatch(options.headers.dav as string, /changes/);
  assert.equal((await share.request('REPORT', '/', { body: REPORT() })).status, 403);
  await share.close();
});

test('the limit of the kernel: the folder asked about longest ago makes room', async () => {
  const binding = loadNativeBinding();
  assert.ok(!(binding instanceof Error));
  let left = 2;
  const share = await startShare({
    watches: {
      inotifyInit: () => binding.inotifyInit(),
      openFd: (fd) => binding.openFd(fd),
      inotifyAdd(fd, path, mask) {
        if (left === 0) throw Object.assign(new Error('no room'), { code: 'ENOSPC' });
        left -= 1;
        return binding.inotifyAdd(fd, path, mask);
      },
      inotifyRemove(fd, watch) {
        left += 1;
        binding.inotifyRemove(fd, watch);
      },
    },
  });
  for (const name of ['a', 'b', 'c']) fs.mkdirSync(share.at(name));
  const feed = await openFeed(share);
  for (const name of ['a', 'b', 'a', 'c']) await ask(share, feed, `/${name}/`, '1');
  await told(feed, 'forget /b/');
  for (const name of ['b', 'a', 'c']) fs.writeFileSync(share.at(name, 'file'), '');
  for (const name of ['a', 'c']) await told(feed, `changed /${name}/file`);
  assert.ok(!feed.lines.some((line) => line.startsWith('changed /b/')));
  await share.close();
});

test('a client that stops reading for good is ended as any other', async () => {
  const share = await startShare({ stallTimeoutMs: 400 });
  const socket = net.connect(share.socketPath);
  socket.on('error', () => undefined);
  const body = REPORT(0.1);
  socket.write(`REPORT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  const head = await new Promise<string>((resolve) =>
    socket.once('data', (data: Buffer) => resolve(data.toString())),
  );
  const id = /davport-feed: (\S+)/i.exec(head)![1]!;
  await share.request('PROPFIND', '/', { headers: { Depth: '1', 'Davport-Feed': id } });
  socket.pause();
  let round = 0;
  await waitUntil('the end of the feed', () => {
    for (let at = 0; at < 500; at++) {
      fs.writeFileSync(share.at(`${at}-${'x'.repeat(240)}`), `${round}`);
    }
    round += 1;
    return share.share.stats.active === 0;
  });
  socket.destroy();
  await share.close();
});
