import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { readMultistatus, setPosix, startShare, type TestShare } from './fixture.js';

const update = (instructions: string): string =>
  `<D:propertyupdate xmlns:D="DAV:" xmlns:A="http://apache.org/dav/props/" xmlns:x="urn:x">${instructions}</D:propertyupdate>`;
const set = (properties: string): string => `<D:set><D:prop>${properties}</D:prop></D:set>`;
const remove = (properties: string): string =>
  `<D:remove><D:prop>${properties}</D:prop></D:remove>`;

async function patch(t: TestShare, target: string, body: string) {
  const answer = await t.request('PROPPATCH', target, { body });
  assert.equal(answer.status, 207, answer.text);
  return readMultistatus(answer)[0]!;
}

async function get(t: TestShare, target: string, names: string): Promise<string> {
  const body = `<D:propfind xmlns:D="DAV:" xmlns:x="urn:x"><D:prop>${names}</D:prop></D:propfind>`;
  return (await t.request('PROPFIND', target, { headers: { Depth: '0' }, body })).text;
}

test('posix sets mode and time of files and folders', async () => {
  const t = await startShare();
  await t.request('PUT', '/f', { body: 'x' });
  await t.request('MKCOL', '/d');
  for (const [target, type] of [
    ['/f', '100'],
    ['/d', '40'],
  ] as const) {
    const answer = await t.request('PROPPATCH', target, {
      body: setPosix(`mode=${type}750 mtime=1700000000.25`),
    });
    assert.deepEqual(readMultistatus(answer)[0]!.found, { posix: '' });
    const stat = fs.statSync(t.at(target));
    assert.deepEqual([stat.mode & 0o7777, stat.mtimeMs], [0o750, 1_700_000_000_250]);
    const head = String(answer.headers['davport-posix']);
    assert.match(head, new RegExp(`mode=${type}750 mtime=1700000000\\.250000000`));
  }
  const bad = await patch(t, '/f', setPosix('mode=rwx'));
  assert.equal(bad.other.posix, 400);
});

test('the time of access is set by itself or with others, to the nanosecond, and comes back when the rest fails', async () => {
  const t = await startShare();
  await t.request('PUT', '/f', {
    body: 'x',
    headers: { 'Davport-Posix': 'atime=1500000000.000000001 mtime=1600000000.000000002' },
  });
  await t.request('MKCOL', '/d', { headers: { 'Davport-Posix': 'atime=1500000000.000000003' } });
  const times = (name: string): bigint[] => {
    const { atimeNs, mtimeNs } = fs.statSync(t.at(name), { bigint: true });
    return [atimeNs, mtimeNs];
  };
  const stored = [1_500_000_000_000_000_001n, 1_600_000_000_000_000_002n];
  assert.deepEqual(times('f'), stored);
  assert.equal(times('d')[0], 1_500_000_000_000_000_003n);
  const failed = await patch(
    t,
    '/f',
    update(
      set('<D:getlastmodified>Tue, 14 Nov 2023 22:13:20 GMT</D:getlastmodified>') +
        set(`<x:v>${'x'.repeat(100)}</x:v>`) +
        set('<p:posix xmlns:p="urn:davport:ns">atime=now</p:posix>'),
    ),
  );
  assert.deepEqual(failed.other, { posix: 400, getlastmodified: 424, v: 424 });
  assert.deepEqual(times('f'), stored);
  await patch(t, '/f', setPosix('atime=-1.5'));
  assert.deepEqual(times('f'), [-500_000_000n, stored[1]]);
  await patch(t, '/f', setPosix('mtime=2.000000003'));
  assert.deepEqual(times('f'), [-500_000_000n, 2_000_000_003n]);
});

test('executable, and the times that Windows and others set', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), 'x', { mode: 0o640 });
  fs.chmodSync(t.at('f'), 0o640);
  await patch(t, '/f', update(set('<A:executable>T</A:executable>')));
  assert.equal(fs.statSync(t.at('f')).mode & 0o777, 0o750);
  await patch(t, '/f', update(set('<A:executable>F</A:executable>')));
  assert.equal(fs.statSync(t.at('f')).mode & 0o777, 0o640);
  const date = 'Tue, 14 Nov 2023 22:13:20 GMT';
  await patch(t, '/f', update(set(`<D:getlastmodified>${date}</D:getlastmodified>`)));
  assert.equal(fs.statSync(t.at('f')).mtimeMs, 1_700_000_000_000);
  const windows = `<Z:Win32LastModifiedTime xmlns:Z="urn:schemas-microsoft-com:">Sun, 06 Nov 1994 08:49:37 GMT</Z:Win32LastModifiedTime>`;
  await patch(t, '/f', update(set(windows)));
  assert.equal(fs.statSync(t.at('f')).mtimeMs, 784_111_777_000);
});

test('dead properties: any content, all or nothing, gone with the file', async () => {
  const t = await startShare();
  await t.request('PUT', '/f', { body: 'x' });
  const value =
    '<x:v xml:lang="en">a &lt; b<y xmlns="urn:y" z="1"/></x:v><plain xmlns="">p</plain>';
  const done = await patch(t, '/f', update(set(value)));
  assert.deepEqual(done.found, { v: '', plain: '' });
  const told = await get(t, '/f', '<x:v/><plain xmlns=""/>');
  assert.match(
    told,
    /<x:v xmlns:x="urn:x" xml:lang="en">a &lt; b<n:y xmlns:n="urn:y" z="1"\/><\/x:v>/,
  );
  assert.match(told, /<plain xmlns="">p<\/plain>/);
  // A PUT replaces the content, not the properties; COPY and MOVE take them along.
  await t.request('PUT', '/f', { body: 'y' });
  await t.request('COPY', '/f', { headers: { Destination: '/g' } });
  await t.request('MOVE', '/g', { headers: { Destination: '/h' } });
  assert.match(await get(t, '/h', '<x:v/>'), /a &lt; b/);
  const all = await t.request('PROPFIND', '/h', { headers: { Depth: '0' } });
  assert.match(all.text, /<plain xmlns="">/);
  const failed = await patch(
    t,
    '/f',
    update(set('<x:v>new</x:v>') + set('<D:getetag>no</D:getetag>')),
  );
  assert.deepEqual(failed.other, { getetag: 403, v: 424 });
  assert.match(await get(t, '/f', '<x:v/>'), /a &lt; b/);
  // Less than a request may have, more than is kept: what must be escaped grows.
  const long = `<x:v>${'"'.repeat(300_000)}</x:v>`;
  const tooLong = await patch(t, '/f', update(set('<x:first>1</x:first>') + set(long)));
  assert.deepEqual(tooLong.other, { v: 507, first: 424 });
  assert.match(await get(t, '/f', '<x:v/>'), /a &lt; b/);
  assert.match(await get(t, '/f', '<x:first/>'), /404/);
  await patch(t, '/f', update(remove('<x:v/><x:never/>')));
  assert.match(await get(t, '/f', '<x:v/>'), /404/);
});

test('what was refused makes no new version', async () => {
  const t = await startShare();
  const { etag } = (await t.request('PUT', '/f', { body: 'x' })).headers;
  const refused = await t.request('PROPPATCH', '/f', {
    body: update(set('<x:v>new</x:v><D:getetag>no</D:getetag>')),
  });
  assert.equal(readMultistatus(refused)[0]!.other['getetag'], 403);
  assert.equal(refused.headers.etag, etag);
  assert.equal((await t.request('HEAD', '/f')).headers.etag, etag);
});

test('malformed bodies, conditions, missing resources', async () => {
  const t = await startShare();
  await t.request('PUT', '/f', { body: 'x' });
  for (const body of ['', '<x', '<propertyupdate/>', '<D:propertyupdate xmlns:D="DAV:"/>']) {
    assert.equal((await t.request('PROPPATCH', '/f', { body })).status, 400, body);
  }
  const body = setPosix('mode=100600');
  assert.equal((await t.request('PROPPATCH', '/none', { body })).status, 404);
  assert.equal(
    (await t.request('PROPPATCH', '/f', { headers: { 'If-Match': '"x"' }, body })).status,
    412,
  );
  const large = `<D:propertyupdate xmlns:D="DAV:">${' '.repeat(1_100_000)}</D:propertyupdate>`;
  assert.equal((await t.request('PROPPATCH', '/f', { body: large })).status, 413);
});
