import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { test } from 'node:test';
import { loadNativeBinding } from '../../../src/native/binding.js';
import { POSIX_BODY, readMultistatus, readToEnd, startShare, type TestShare } from './fixture.js';

async function list(
  t: TestShare,
  target: string,
  headers: Readonly<Record<string, string>>,
  body = '',
): Promise<string[]> {
  const answer = await t.request('PROPFIND', target, { headers, body });
  assert.equal(answer.status, 207, answer.text);
  return readMultistatus(answer).map(({ href }) => href);
}

const infinite = { Depth: 'infinity' };

/** /a/b/c with a file in each. */
function plant(t: TestShare): void {
  fs.mkdirSync(t.at('a', 'b', 'c'), { recursive: true });
  for (const names of [['1'], ['a', '2'], ['a', 'b', '3'], ['a', 'b', 'c', '4']]) {
    fs.writeFileSync(t.at(...names), 'x');
  }
}

test('infinite depth tells every member once, and is what no Depth means', async () => {
  const t = await startShare();
  plant(t);
  const everything = ['/', '/1', '/a/', '/a/2', '/a/b/', '/a/b/3', '/a/b/c/', '/a/b/c/4'];
  assert.deepEqual((await list(t, '/', infinite)).sort(), everything);
  assert.deepEqual((await list(t, '/', {})).sort(), everything);
  assert.deepEqual(await list(t, '/a/b/c/', infinite), ['/a/b/c/', '/a/b/c/4']);
  assert.deepEqual(await list(t, '/1', infinite), ['/1']);
});

test('more members than the bound: refused with the condition before the first byte', async () => {
  const t = await startShare({ infinityMembers: 7 });
  plant(t);
  assert.equal((await list(t, '/', infinite)).length, 8);
  fs.writeFileSync(t.at('a', 'one too many'), '');
  const refused = await t.request('PROPFIND', '/', { headers: infinite });
  assert.equal(refused.status, 403);
  assert.match(refused.text, /<D:error[^>]*><D:propfind-finite-depth\/><\/D:error>/);
  assert.equal((await list(t, '/', { Depth: '1' })).length, 3);
  assert.equal((await list(t, '/a/b/', infinite)).length, 4);
});

test('a tree that grows over the bound while it is told ends with 507 for the collection', async () => {
  const t = await startShare({ infinityMembers: 2500 });
  fs.mkdirSync(t.at('z'));
  for (let at = 0; at < 2000; at++) fs.writeFileSync(t.at(`file-${at}`), '');
  const socket = await t.connect();
  socket.write('PROPFIND / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  // It has been counted by the first byte; and as long as nobody reads, the share can't come to the folder.
  await new Promise((resolve) => socket.once('readable', resolve));
  for (let at = 0; at < 1000; at++) fs.writeFileSync(t.at('z', `more-${at}`), '');
  const text = await readToEnd(socket);
  assert.match(text, /^HTTP\/1.1 207 /);
  assert.match(text, /<D:href>\/<\/D:href><D:status>HTTP\/1.1 507 [^<]*<\/D:status>/);
  assert.match(text, /<\/D:multistatus>\n\r\n0\r\n\r\n$/);
  assert.equal([...text.matchAll(/<D:response>/g)].length, 2502);
});

test('links to folders are entered, but never in a circle', async () => {
  const t = await startShare();
  plant(t);
  fs.symlinkSync('..', t.at('a', 'b', 'up'));
  fs.symlinkSync('/a/b'.slice(1), t.at('short'));
  fs.symlinkSync('.', t.at('self'));
  const hrefs = await list(t, '/', infinite);
  assert.equal(new Set(hrefs).size, hrefs.length);
  for (const href of ['/self/', '/short/', '/short/c/4', '/a/b/up/']) {
    assert.ok(hrefs.includes(href), href);
  }
  assert.ok(!hrefs.some((href) => href.startsWith('/a/b/up/') && href !== '/a/b/up/'));
  assert.ok(!hrefs.some((href) => href.startsWith('/self/') && href !== '/self/'));
  // Who knows links is shown them, and where they lead is told once.
  const known = await list(t, '/', infinite, POSIX_BODY);
  assert.ok(known.includes('/a/b/up') && known.includes('/short'));
  assert.equal(known.length, 11);
});

test('folders nested too deeply are too much as well', async () => {
  const t = await startShare();
  const levels = 210;
  fs.mkdirSync(t.at(...Array.from({ length: levels }, () => 'd')), { recursive: true });
  const ask = (target: string) => t.request('PROPFIND', target, { headers: infinite });
  const refused = await ask('/');
  assert.equal(refused.status, 403);
  assert.match(refused.text, /propfind-finite-depth/);
  assert.equal(readMultistatus(await ask('/d'.repeat(20))).length, levels - 19);
});

test('depth-noroot leaves out the collection itself, and says so', async () => {
  const t = await startShare();
  plant(t);
  const ask = (Depth: string, Prefer: string) =>
    t.request('PROPFIND', '/a/', { headers: { Depth, Prefer } });
  const members = await ask('1', 'depth-noroot');
  assert.equal(members.headers['preference-applied'], 'depth-noroot');
  const hrefs = readMultistatus(members).map(({ href }) => href);
  assert.deepEqual(hrefs.sort(), ['/a/2', '/a/b/']);
  const both = await ask('infinity', 'wait=10, return="minimal"; foo="a,b", Depth-NoRoot');
  assert.equal(both.headers['preference-applied'], 'return=minimal, depth-noroot');
  assert.equal(readMultistatus(both).length, 5);
  const alone = await ask('0', 'depth-noroot');
  assert.equal(alone.headers['preference-applied'], undefined);
  assert.equal(readMultistatus(alone).length, 1);
  // The first of two counts.
  const first = await ask('1', 'return=representation, return=minimal');
  assert.equal(first.headers['preference-applied'], undefined);
});

test('return=minimal: only what is there, and an empty answer to a PROPPATCH that went well', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), 'x');
  const Prefer = 'return=minimal';
  const body =
    '<propfind xmlns="DAV:"><prop><getcontentlength/><quota-used-bytes/><x xmlns="urn:x"/></prop></propfind>';
  const found = await t.request('PROPFIND', '/f', { headers: { Depth: '0', Prefer }, body });
  assert.deepEqual(readMultistatus(found)[0]!, {
    href: '/f',
    found: { getcontentlength: '1' },
    other: {},
  });
  const patch = (properties: string) =>
    t.request('PROPPATCH', '/f', {
      headers: { Prefer },
      body: `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>${properties}</D:prop></D:set></D:propertyupdate>`,
    });
  const done = await patch('<x xmlns="urn:x">1</x>');
  assert.deepEqual([done.status, done.text], [200, '']);
  assert.equal(done.headers['preference-applied'], 'return=minimal');
  assert.ok(done.headers.etag !== undefined);
  const failed = await patch('<D:getetag>1</D:getetag>');
  assert.equal(failed.status, 207);
  assert.match(failed.text, /cannot-modify-protected-property/);
});

test('members that may be listed but not looked at are told as forbidden', async (context) => {
  if (process.getuid?.() === 0) process.seteuid!('nobody');
  context.after(() => {
    if (process.getuid?.() === 0) process.seteuid!(0);
  });
  const t = await startShare({ readOnly: true });
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('d', 'f'), '');
  fs.chmodSync(t.at('d'), 0o600);
  const answer = await t.request('PROPFIND', '/d/', { headers: { Depth: '1' } });
  fs.chmodSync(t.at('d'), 0o700);
  assert.equal(answer.status, 207, answer.text);
  assert.match(answer.text, /<D:href>\/d\/f<\/D:href><D:status>HTTP\/1.1 403 /);
});

test('the first members are told while a thread reads the next ones', async () => {
  const attributes = loadNativeBinding();
  assert.ok(!(attributes instanceof Error));
  let proceed!: () => void;
  const told = new Promise<void>((resolve) => (proceed = resolve));
  const readMembersAhead: typeof attributes.readMembersAhead = async (...call) => {
    await told;
    return attributes.readMembersAhead(...call);
  };
  const t = await startShare({ attributes: { ...attributes, readMembersAhead } });
  for (let at = 0; at < 300; at++) fs.writeFileSync(t.at(`file-${at}`), '');
  const socket = await t.connect();
  socket.write('PROPFIND / HTTP/1.1\r\nHost: x\r\nDepth: 1\r\nConnection: close\r\n\r\n');
  let text = '';
  const count = (): number => text.split('<D:href>/file-').length - 1;
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  // The addon looks at the clock at every 16th.
  while (count() < 16) await once(socket, 'data');
  assert.ok(count() <= 128);
  proceed();
  await once(socket, 'end');
  assert.equal(count(), 300);
});

test('without the addon a listing says the same', async () => {
  const [fast, plain] = [await startShare(), await startShare({ attributes: undefined })];
  for (const t of [fast, plain]) {
    plant(t);
    fs.symlinkSync('1', t.at('link'));
    fs.writeFileSync(Buffer.concat([Buffer.from(`${t.dir}/`), Buffer.from([0xff])]), '');
  }
  const headers = { Depth: '1' };
  const told = async (t: TestShare) =>
    readMultistatus(await t.request('PROPFIND', '/', { headers }))
      .map(({ href, found, other }) => [href, Object.keys(found), other])
      .sort();
  assert.deepEqual(await told(fast), await told(plain));
});
