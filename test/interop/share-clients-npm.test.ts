/** The operations of the npm package webdav on the share. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { before, test } from 'node:test';
import { createClient, type FileStat, type WebDAVClient } from 'webdav';
import { ODD_NAMES } from './odd-names.js';
import { serveShare, type ServedShare } from './served-share.js';

let served: ServedShare;
let client: WebDAVClient;

before(async () => {
  served = await serveShare();
  client = createClient(served.url);
});

const local = (name: string): string => path.join(served.dir, name);

function plain<T>(answer: T | { data: T }): T {
  return typeof answer === 'object' && answer !== null && 'data' in answer ? answer.data : answer;
}

const listed = async (folder: string): Promise<string[]> =>
  plain<FileStat[]>(await client.getDirectoryContents(folder))
    .map(({ basename }) => basename)
    .sort();

const statusOf = (operation: Promise<unknown>): Promise<number | undefined> =>
  operation.then(
    () => undefined,
    (error: unknown) => (error as { status?: number }).status,
  );

test('put, stat, get, exists, delete', async () => {
  assert.equal(await client.putFileContents('/file.txt', 'hello'), true);
  assert.equal(await client.putFileContents('/file.txt', 'no', { overwrite: false }), false);
  const stat = plain<FileStat>(await client.stat('/file.txt'));
  assert.deepEqual([stat.type, stat.size, stat.mime], ['file', 5, 'text/plain']);
  assert.match(stat.etag ?? '', /./);
  assert.ok(Math.abs(Date.parse(stat.lastmod) - Date.now()) < 60_000);
  assert.equal(await client.getFileContents('/file.txt', { format: 'text' }), 'hello');
  assert.equal(await client.exists('/file.txt'), true);
  await client.deleteFile('/file.txt');
  assert.equal(await client.exists('/file.txt'), false);
  assert.equal(await statusOf(client.stat('/file.txt')), 404);
});

test('streams: a large file up and a part of it down', async () => {
  const content = Buffer.from(Array.from({ length: 2_000_000 }, (_, at) => at % 251));
  await new Promise((resolve, reject) => {
    const upload = client.createWriteStream('/large', {}, resolve);
    upload.on('error', reject);
    upload.write(content, () => upload.end());
  });
  assert.ok(fs.readFileSync(local('large')).equals(content));
  const part = client.createReadStream('/large', { range: { start: 1000, end: 1_500_000 } });
  assert.ok(part instanceof Readable);
  assert.ok((await buffer(part)).equals(content.subarray(1000, 1_500_001)));
});

test('a part of a file is changed in place', async () => {
  await client.putFileContents('/part', '0123456789');
  const { ino } = fs.statSync(local('part'));
  await client.partialUpdateFileContents('/part', 2, 4, 'abc');
  await client.partialUpdateFileContents('/part', 10, 12, 'end');
  assert.equal(fs.readFileSync(local('part'), 'utf8'), '01abc56789end');
  assert.equal(fs.statSync(local('part')).ino, ino);
});

test('folders: create, list, deep names, copy, move', async () => {
  await client.createDirectory('/a/b/c', { recursive: true });
  await client.putFileContents('/a/b/one', '1');
  await client.copyFile('/a/b', '/a/copied');
  await client.moveFile('/a/b/one', '/a/copied/two');
  assert.deepEqual(await listed('/a'), ['b', 'copied']);
  assert.deepEqual(await listed('/a/copied'), ['c', 'one', 'two']);
  assert.equal(await statusOf(client.copyFile('/a/b', '/a/copied', { overwrite: false })), 412);
  assert.equal(await statusOf(client.createDirectory('/a')), 405);
  await client.deleteFile('/a');
  assert.ok(!fs.existsSync(local('a')));
});

test('odd names come back as they are', async () => {
  fs.mkdirSync(local('odd'));
  // What is no text can't be a JavaScript string of this client; it reads "%" as the beginning of an escape in listings.
  const names = ODD_NAMES.filter((name) => name.isWellFormed() && !/[%\r\n\x01]/.test(name));
  for (const name of names) await client.putFileContents(`/odd/${name}`, name);
  assert.deepEqual(fs.readdirSync(local('odd')).sort(), [...names].sort());
  for (const name of names) {
    assert.equal(await client.getFileContents(`/odd/${name}`, { format: 'text' }), name);
  }
});

test('a lock keeps others out until it is given back', async () => {
  await client.putFileContents('/locked', 'before');
  const lock = await client.lock('/locked', { timeout: 'Second-60' });
  assert.equal(await statusOf(client.putFileContents('/locked', 'other')), 423);
  const headers = { If: `(<${lock.token}>)` };
  await client.putFileContents('/locked', 'owner', { headers });
  await client.unlock('/locked', lock.token);
  assert.equal(fs.readFileSync(local('locked'), 'utf8'), 'owner');
  await client.putFileContents('/locked', 'after');
});

test('quota, compliance', async () => {
  // Its own request asks for all properties, which leaves those of RFC 4331 out (section 2).
  const names = '<quota-available-bytes/><quota-used-bytes/>';
  const data = `<propfind xmlns="DAV:"><prop>${names}</prop></propfind>`;
  const quota = plain(await client.getQuota({ data }));
  const { bavail, bsize } = fs.statfsSync(served.dir);
  assert.ok(quota && typeof quota.available === 'number');
  assert.ok(Math.abs(quota.available - bavail * bsize) < 2 ** 30);
  const { compliance, server } = await client.getDAVCompliance('/');
  assert.ok(compliance.includes('1'));
  assert.match(server, /^davport\//);
});

test('search', async () => {
  await client.createDirectory('/found');
  for (const name of ['report.txt', 'report.pdf', 'other.txt']) {
    await client.putFileContents(`/found/${name}`, name);
  }
  const data = `<?xml version="1.0"?>
    <searchrequest xmlns="DAV:"><basicsearch>
      <select><prop><getcontentlength/><resourcetype/><getetag/><getlastmodified/></prop></select>
      <from><scope><href>/found/</href><depth>infinity</depth></scope></from>
      <where><like><prop><displayname/></prop><literal>report%</literal></like></where>
    </basicsearch></searchrequest>`;
  const { results } = plain(await client.search('/', { data }));
  assert.deepEqual(results.map(({ filename }) => filename).sort(), [
    '/found/report.pdf',
    '/found/report.txt',
  ]);
});
