import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import { POSIX_BODY, readMultistatus, startShare } from './fixture.js';

const depth = (value: string) => ({ Depth: value });
const list = { headers: depth('1'), body: POSIX_BODY };

test('depth 0 and 1', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('d', 'f.txt'), 'abc', { mode: 0o640 });
  const hrefs = async (target: string, value: string): Promise<string[]> =>
    readMultistatus(await t.request('PROPFIND', target, { headers: depth(value) })).map(
      (r) => r.href,
    );
  assert.deepEqual(await hrefs('/', '0'), ['/']);
  assert.deepEqual((await hrefs('/', '1')).sort(), ['/', '/d/']);
  assert.deepEqual(await hrefs('/d', '1'), ['/d/', '/d/f.txt']);
  assert.deepEqual(await hrefs('/d/f.txt', '1'), ['/d/f.txt']);
  assert.equal((await t.request('PROPFIND', '/', { headers: depth('2') })).status, 400);
  assert.equal((await t.request('PROPFIND', '/none', { headers: depth('0') })).status, 404);
  const [file] = readMultistatus(await t.request('PROPFIND', '/d/f.txt', { headers: depth('0') }));
  const stat = fs.lstatSync(t.at('d', 'f.txt'), { bigint: true });
  assert.deepEqual(
    { ...file!.found, creationdate: undefined, getetag: undefined, supportedlock: undefined },
    {
      resourcetype: '',
      getcontentlength: '3',
      getlastmodified: new Date(Number(stat.mtimeNs / 1_000_000n)).toUTCString(),
      creationdate: undefined,
      getetag: undefined,
      getcontenttype: 'text/plain',
      supportedlock: undefined,
      lockdiscovery: '',
      displayname: 'f.txt',
      executable: 'F',
    },
  );
  assert.match(file!.found.creationdate!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const { etag } = (await t.request('HEAD', '/d/f.txt')).headers;
  assert.equal(file!.found.getetag, etag);
});

test('named properties: what is found, what is not', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), 'x');
  const body =
    '<p:propfind xmlns:p="DAV:"><p:prop><p:getcontentlength/><p:lockdiscovery/><p:quota-available-bytes/>' +
    '<x xmlns="urn:&lt;&quot;"/><y xmlns=""/></p:prop></p:propfind>';
  const [, file] = readMultistatus(await t.request('PROPFIND', '/', { headers: depth('1'), body }));
  assert.deepEqual(file!.found, { getcontentlength: '1', lockdiscovery: '' });
  assert.deepEqual(file!.other, {
    'quota-available-bytes': 404,
    x: 404,
    y: 404,
  });
  const minimal = await t.request('PROPFIND', '/f', {
    headers: { ...depth('0'), Prefer: 'return=minimal' },
    body,
  });
  assert.deepEqual(readMultistatus(minimal)[0]!.other, {});
  assert.equal(minimal.headers['preference-applied'], 'return=minimal');
  const quota =
    '<propfind xmlns="DAV:"><prop><quota-available-bytes/><quota-used-bytes/></prop></propfind>';
  const [root] = readMultistatus(
    await t.request('PROPFIND', '/', { headers: depth('0'), body: quota }),
  );
  assert.ok(Number(root!.found['quota-available-bytes']) > 0);
  assert.ok(Number(root!.found['quota-used-bytes']) > 0);
  const names = '<propfind xmlns="DAV:"><propname/></propfind>';
  const [told] = readMultistatus(
    await t.request('PROPFIND', '/f', { headers: depth('0'), body: names }),
  );
  assert.ok('posix' in told!.found && 'getetag' in told!.found);
});

test('quota is that of the file system, told of collections to who asks (RFC 4331)', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('f'), 'x');
  const body =
    '<propfind xmlns="DAV:"><prop><quota-available-bytes/><quota-used-bytes/></prop></propfind>';
  const [, ...members] = readMultistatus(
    await t.request('PROPFIND', '/', { headers: depth('1'), body }),
  );
  const [d, f] = ['/d/', '/f'].map((href) => members.find((told) => told.href === href)!);
  assert.deepEqual(f!.other, { 'quota-available-bytes': 404, 'quota-used-bytes': 404 });
  const { bavail, blocks, bfree, bsize } = fs.statfsSync(t.dir);
  // Others fill and empty the disk meanwhile.
  const near = (told: string | undefined, value: number): boolean =>
    Math.abs(Number(told) - value) <= blocks * bsize * 0.05;
  assert.ok(near(d!.found['quota-available-bytes'], bavail * bsize));
  assert.ok(near(d!.found['quota-used-bytes'], (blocks - bfree) * bsize));
  const patch =
    '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:quota-used-bytes>1</D:quota-used-bytes></D:prop></D:set></D:propertyupdate>';
  const refused = await t.request('PROPPATCH', '/d/', { body: patch });
  assert.match(refused.text, / 403 .*cannot-modify-protected-property/s);
});

test('allprop leaves out what is only for who asks, and include asks', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), 'x');
  await t.request('PROPPATCH', '/f', {
    body: '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><mine xmlns="urn:x">1</mine></D:prop></D:set></D:propertyupdate>',
  });
  const told = async (target: string, content: string): Promise<string[]> => {
    const body = `<D:propfind xmlns:D="DAV:" xmlns:P="urn:davport:ns"><D:allprop/>${content}</D:propfind>`;
    const answer = await t.request('PROPFIND', target, { headers: depth('0'), body });
    const [one] = readMultistatus(answer);
    assert.deepEqual(one!.other, {});
    return Object.keys(one!.found).sort();
  };
  const usual = await told('/f', '');
  for (const name of ['getetag', 'getcontentlength', 'executable', 'mine']) {
    assert.ok(usual.includes(name), name);
  }
  for (const name of ['posix', 'resource-id', 'quota-used-bytes']) {
    assert.ok(!usual.includes(name), name);
  }
  // A dead property is there anyway, and one that isn't there is no error.
  const include =
    '<D:include><P:posix/><D:resource-id/><D:getetag/><mine xmlns="urn:x"/><no xmlns="urn:x"/></D:include>';
  assert.deepEqual(await told('/f', include), [...usual, 'posix', 'resource-id'].sort());
  const quota = '<D:include><D:quota-used-bytes/></D:include>';
  assert.ok((await told('/', quota)).includes('quota-used-bytes'));
});

test('bodies that ask for nothing, for too much, or for two things', async () => {
  const t = await startShare();
  const wrap = (content: string): string => `<D:propfind xmlns:D="DAV:">${content}</D:propfind>`;
  const refusals: readonly (readonly [string, number])[] = [
    [wrap(''), 400],
    [wrap('<D:prop/><D:allprop/>'), 400],
    [wrap('<D:include><D:getetag/></D:include>'), 400],
    [wrap(`<D:prop>${'<D:a/>'.repeat(501)}</D:prop>`), 400],
    ['<propfind xmlns="urn:other"><allprop/></propfind>', 400],
    ['<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', 403],
  ];
  for (const [body, status] of refusals) {
    const answer = await t.request('PROPFIND', '/', { headers: depth('0'), body });
    assert.equal(answer.status, status, body.slice(0, 60));
  }
  const ask = (content: string) =>
    t.request('PROPFIND', '/', { headers: depth('0'), body: wrap(content) });
  assert.match((await ask('<D:prop/>')).text, /<D:propstat><D:prop><\/D:prop>.* 200 /);
  // What isn't known beside the one thing is ignored (RFC 4918 section 17).
  assert.equal((await ask('<x xmlns="urn:x"><D:prop/></x><D:allprop/>')).status, 207);
});

test('posix tells mode, times, inode and links', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), 'abc');
  fs.chmodSync(t.at('f'), 0o754);
  fs.linkSync(t.at('f'), t.at('g'));
  const stat = fs.statSync(t.at('f'), { bigint: true });
  const all = readMultistatus(await t.request('PROPFIND', '/', list));
  const [f, g] = ['/f', '/g'].map((href) => all.find((response) => response.href === href)!);
  const time = (ns: bigint): string =>
    `${ns / 1_000_000_000n}.${String(ns % 1_000_000_000n).padStart(9, '0')}`;
  const times = `mtime=${time(stat.mtimeNs)} atime=${time(stat.atimeNs)}`;
  const identity = `ino=${stat.ino} nlink=2 dev=${stat.dev}`;
  assert.equal(f!.found.posix, `mode=100754 ${times} ${identity}`);
  assert.equal(g!.found.posix, f!.found.posix);
  assert.match(all.find(({ href }) => href === '/')!.found.posix!, /^mode=40755 /);
});

test('odd names come through as they are', async () => {
  const t = await startShare();
  const odd = [
    'a b',
    '100%',
    '%20',
    '#?&',
    '<x>"\'',
    'ä',
    '💾',
    'a\nb\x01',
    ';=,+',
    '...',
    '-',
    'x'.repeat(255),
  ];
  for (const name of odd) fs.writeFileSync(t.at(name), name);
  const bytes = Buffer.concat([Buffer.from(`${t.dir}/`), Buffer.from([0xff, 0x41, 0xc3])]);
  fs.writeFileSync(bytes, 'bytes');
  const answers = readMultistatus(await t.request('PROPFIND', '/', { headers: depth('1') }));
  assert.equal(answers.length, odd.length + 2);
  const contents = new Set<string>();
  for (const { href } of answers.slice(1)) {
    const file = await t.request('GET', href);
    assert.equal(file.status, 200, href);
    contents.add(file.text);
  }
  assert.deepEqual(contents, new Set([...odd, 'bytes']));
  assert.equal((await t.request('PUT', '/%ff%C3%A4', { body: '' })).status, 201);
  assert.ok(
    fs.existsSync(Buffer.concat([Buffer.from(`${t.dir}/`), Buffer.from([0xff, 0xc3, 0xa4])])),
  );
  assert.equal(
    (await t.request('MOVE', '/%FF%41%C3', { headers: { Destination: '/%fe' } })).status,
    201,
  );
  assert.equal((await t.request('DELETE', '/%fe')).status, 204);
});

test('special files have no resourcetype', async () => {
  const t = await startShare();
  const server = net.createServer().listen(t.at('s'));
  await new Promise((resolve) => server.once('listening', resolve));
  const told = readMultistatus(await t.request('PROPFIND', '/', list)).find(
    ({ href }) => href === '/s',
  )!;
  assert.equal((await t.request('GET', '/s')).status, 403);
  server.close();
  assert.equal(told.other.resourcetype, 404);
  assert.match(told.found.posix!, /^mode=140/);
});

test('10,000 members: whole, streamed, without holding up other requests', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('many'));
  for (let at = 0; at < 10_000; at++) fs.writeFileSync(t.at('many', `file-${at}`), '');
  fs.writeFileSync(t.at('small'), 'x');
  let longest = 0;
  let turns = 0;
  let last = process.cpuUsage();
  const timer = setInterval(() => {
    // Of the processor: a machine that is busy elsewhere makes no slice longer.
    const { user, system } = process.cpuUsage(last);
    longest = Math.max(longest, (user + system) / 1000);
    last = process.cpuUsage();
    turns++;
  }, 1);
  const listing = t.request('PROPFIND', '/many/', list);
  const others = [];
  for (let count = 0; count < 20; count++) others.push(await t.request('GET', '/small'));
  const answer = await listing;
  clearInterval(timer);
  assert.equal(answer.headers['transfer-encoding'], 'chunked');
  assert.ok(others.every(({ status }) => status === 200));
  const hrefs = new Set([...answer.text.matchAll(/<D:href>([^<]*)/g)].map((match) => match[1]));
  assert.equal(hrefs.size, 10_001);
  assert.ok(answer.text.endsWith('</D:multistatus>\n'));
  // The client of this process parses nothing meanwhile: the turns are the server's slices. Generous for a busy machine.
  assert.ok(turns > 3 && longest < 500, `${turns} turns, the longest ${longest} ms`);
});

test('a client that goes in the middle of a listing is the end of it', async () => {
  const t = await startShare();
  for (let at = 0; at < 3000; at++) fs.writeFileSync(t.at(`file-${at}`), '');
  const socket = await t.connect();
  socket.write('PROPFIND / HTTP/1.1\r\nHost: x\r\nDepth: 1\r\nContent-Length: 0\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  socket.destroy();
  await t.close();
  assert.equal(t.share.stats.active, 0);
});
