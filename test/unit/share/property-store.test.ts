import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { loadNativeBinding } from '../../../src/native/binding.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { startShare, type TestShare } from './fixture.js';

const STORE = '.davport-properties';

async function put(t: TestShare, target: string, value: string): Promise<void> {
  const body =
    '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>' +
    `<x xmlns="urn:x" xml:lang="en">${value}</x></D:prop></D:set></D:propertyupdate>`;
  const answer = await t.request('PROPPATCH', target, { body });
  assert.match(answer.text, /HTTP\/1.1 200 OK/);
}

async function get(t: TestShare, target: string): Promise<string | undefined> {
  const body = '<propfind xmlns="DAV:"><prop><x xmlns="urn:x"/></prop></propfind>';
  const answer = await t.request('PROPFIND', target, { headers: { Depth: '0' }, body });
  assert.equal(answer.status, 207, answer.text);
  return / xml:lang="en">([^<]*)</.exec(answer.text)?.[1];
}

async function change(
  t: TestShare,
  method: string,
  target: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { status, text } = await t.request(method, target, { headers });
  assert.ok([201, 204].includes(status), `${method} ${target}: ${status} ${text}`);
}

const to = (Destination: string) => ({ Destination });

function storesBelow(dir: string): string[] {
  const all = fs.readdirSync(dir, { recursive: true, encoding: 'utf8' });
  return all.filter((name) => path.basename(name) === STORE);
}

/** A real file system without extended attributes, where this user may mount one. */
function ramfs(): string | undefined {
  const dir = path.join(makeTempDir('davport-ramfs-'), 'mnt');
  fs.mkdirSync(dir);
  const mounted = spawnSync('mount', ['-t', 'ramfs', 'none', dir], { timeout: 10_000 });
  return mounted.status === 0 ? dir : undefined;
}

interface Ground {
  readonly title: string;
  readonly start: () => Promise<TestShare>;
  /** So long that attributes don't take it. */
  readonly value: string;
}

const GROUNDS: readonly Ground[] = [
  {
    title: 'without the addon',
    start: () => startShare({ attributes: undefined }),
    value: 'short',
  },
  { title: 'too large for an attribute', start: () => startShare(), value: 'v'.repeat(100_000) },
  {
    title: 'on a file system without attributes (for root; else without the addon)',
    async start() {
      const root = ramfs();
      const t = await startShare(root === undefined ? { attributes: undefined } : { root });
      if (root === undefined) return t;
      const binding = loadNativeBinding();
      assert.ok(!(binding instanceof Error));
      fs.writeFileSync(t.at('probe'), '');
      assert.throws(() => binding.setxattr(t.at('probe'), 'user.x', Buffer.from('1')));
      fs.rmSync(t.at('probe'));
      return t;
    },
    value: 'plain',
  },
];

for (const { title, start, value } of GROUNDS) {
  describe(`properties beside the files, ${title}`, () => {
    test('stay with a file through PUT, MOVE and COPY, and go with it', async () => {
      const t = await start();
      await t.request('PUT', '/f', { body: '1' });
      await put(t, '/f', value);
      assert.equal(await get(t, '/f'), value);
      await t.request('PUT', '/f', { body: '2' });
      assert.equal(await get(t, '/f'), value);
      await change(t, 'COPY', '/f', to('/copy'));
      await change(t, 'MOVE', '/f', to('/moved'));
      await change(t, 'MKCOL', '/d');
      await change(t, 'MOVE', '/moved', to('/d/moved'));
      assert.equal(await get(t, '/copy'), value);
      assert.equal(await get(t, '/d/moved'), value);
      // What is replaced takes its own along.
      await t.request('PUT', '/bare', { body: '' });
      await change(t, 'COPY', '/bare', to('/copy'));
      assert.equal(await get(t, '/copy'), undefined);
      await change(t, 'DELETE', '/d/moved');
      await t.request('PUT', '/d/moved', { body: '' });
      assert.equal(await get(t, '/d/moved'), undefined);
      assert.deepEqual(storesBelow(t.dir), []);
      await t.close();
    });

    test('of folders and all that is below go wherever the folder goes', async () => {
      const t = await start();
      await change(t, 'MKCOL', '/d');
      await change(t, 'MKCOL', '/d/sub');
      await t.request('PUT', '/d/sub/f', { body: '' });
      for (const target of ['/', '/d', '/d/sub/', '/d/sub/f']) await put(t, target, value);
      await change(t, 'COPY', '/d', to('/copy'));
      await change(t, 'MOVE', '/d', to('/moved'));
      fs.renameSync(t.at('copy'), t.at('by others'));
      for (const target of ['/', '/moved', '/moved/sub', '/moved/sub/f', '/by%20others/sub/f']) {
        assert.equal(await get(t, target), value, target);
      }
      await change(t, 'MKCOL', '/copy');
      assert.equal(await get(t, '/copy'), undefined);
      await change(t, 'DELETE', '/moved');
      await change(t, 'DELETE', '/by%20others');
      assert.deepEqual(fs.readdirSync(t.dir).sort(), [STORE, 'copy']);
      await t.close();
    });

    test('outlive the share', async () => {
      const t = await start();
      await t.request('PUT', '/f', { body: '' });
      await put(t, '/f', value);
      await t.close();
      const binding = loadNativeBinding();
      const again = await startShare({
        root: t.dir,
        attributes: binding instanceof Error ? undefined : binding,
      });
      assert.equal(await get(again, '/f'), value);
      await again.close();
    });

    test('are neither listed nor served nor to be had by any method', async () => {
      const t = await start();
      await t.request('PUT', '/f', { body: 'x' });
      await put(t, '/f', value);
      await put(t, '/', value);
      const [secret] = fs.readdirSync(t.at(STORE));
      for (const Depth of ['1', 'infinity']) {
        const { text } = await t.request('PROPFIND', '/', { headers: { Depth } });
        assert.doesNotMatch(text, new RegExp(STORE));
      }
      assert.doesNotMatch((await t.request('GET', '/')).text, new RegExp(STORE));
      for (const target of [
        `/${STORE}`,
        `/${STORE}/`,
        `/${STORE}/${secret}`,
        `/%2Edavport-properties/x`,
      ]) {
        for (const method of ['GET', 'PROPFIND', 'PUT', 'MKCOL', 'DELETE', 'PROPPATCH', 'LOCK']) {
          const { status } = await t.request(method, target, { headers: { Depth: '0' } });
          assert.ok(
            status === 403 || (method === 'MKCOL' && status === 415) || status === 400,
            `${method} ${target}: ${status}`,
          );
        }
        for (const method of ['COPY', 'MOVE']) {
          assert.equal((await t.request(method, '/f', { headers: to(target) })).status, 403);
        }
      }
      fs.symlinkSync(STORE, t.at('link'));
      assert.equal((await t.request('GET', `/link/${secret}`)).status, 403);
      assert.equal(await get(t, '/f'), value);
      await t.close();
    });

    test('a folder with nothing else is empty for DELETE of depth 0', async () => {
      const t = await start();
      await change(t, 'MKCOL', '/d');
      await put(t, '/d', value);
      await t.request('PUT', '/d/f', { body: '' });
      const depth = { Depth: '0' };
      assert.equal((await t.request('DELETE', '/d', { headers: depth })).status, 409);
      assert.equal(await get(t, '/d'), value);
      await change(t, 'DELETE', '/d/f');
      await change(t, 'DELETE', '/d', depth);
      assert.deepEqual(storesBelow(t.dir), []);
      await t.close();
    });
  });
}

test('a large value that becomes small goes back to the attributes, and undo puts it where it was', async () => {
  const t = await startShare();
  await t.request('PUT', '/f', { body: '' });
  const large = 'v'.repeat(70_000);
  await put(t, '/f', large);
  const failed = await t.request('PROPPATCH', '/f', {
    body:
      '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="urn:x">small</x></D:prop></D:set>' +
      `<D:set><D:prop><y xmlns="urn:x">${'"'.repeat(300_000)}</y></D:prop></D:set></D:propertyupdate>`,
  });
  assert.match(failed.text, / 507 /);
  assert.equal(await get(t, '/f'), large);
  await put(t, '/f', 'small');
  assert.equal(await get(t, '/f'), 'small');
  assert.deepEqual(storesBelow(t.dir), []);
});

test('what others put into the place of the store is not taken for ours', async () => {
  const t = await startShare({ attributes: undefined });
  await t.request('PUT', '/f', { body: '' });
  fs.writeFileSync(path.join(t.outside, 'x.json'), 'secret');
  fs.symlinkSync(t.outside, t.at(STORE));
  assert.equal(await get(t, '/f'), undefined);
  const body =
    '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="urn:x">1</x></D:prop></D:set></D:propertyupdate>';
  assert.match((await t.request('PROPPATCH', '/f', { body })).text, / 409 /);
  assert.deepEqual(fs.readdirSync(t.outside), ['x.json']);
  fs.unlinkSync(t.at(STORE));
  await put(t, '/f', 'real');
  const [file] = fs.readdirSync(t.at(STORE));
  for (const text of [
    '',
    'no json',
    '[]',
    '{"properties":{"{urn:x}x":1}}',
    'x'.repeat(2_000_000),
  ]) {
    fs.writeFileSync(t.at(STORE, file!), text);
    assert.equal(await get(t, '/f'), undefined);
  }
  fs.rmSync(t.at(STORE, file!));
  fs.mkdirSync(t.at(STORE, file!));
  assert.equal(await get(t, '/f'), undefined);
});

test('a listing with all properties has them', async () => {
  const t = await startShare();
  for (const name of ['a', 'b']) await t.request('PUT', `/${name}`, { body: '' });
  await change(t, 'MKCOL', '/c');
  await put(t, '/a', 'v'.repeat(70_000));
  await put(t, '/c', 'v'.repeat(70_000));
  await put(t, '/b', 'b');
  const { text } = await t.request('PROPFIND', '/', { headers: { Depth: '1' } });
  assert.equal([...text.matchAll(/xml:lang="en">(v{70000}|b)</g)].length, 3);
});
