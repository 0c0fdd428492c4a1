/** Names that don't fit, links that lead nowhere, a folder that goes away, what the user may not do: a precise status each. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { createShare } from '../../src/share/share.js';
import { startShareProcess } from '../support/share-process.js';
import { run } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';
import { readToEnd, send, startShare } from '../unit/share/fixture.js';

test('names and paths that are too long, or lead through a file', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('file'), 'x');
  const long = 'n'.repeat(256);
  // Deeper than a path of the system may be long: it is walked name by name.
  const deep = '/d'.repeat(3000);
  let depth = '';
  for (const method of ['GET', 'PUT', 'MKCOL', 'DELETE', 'PROPFIND', 'PROPPATCH', 'COPY', 'MOVE']) {
    const ask = async (target: string, destination = '/new'): Promise<number> =>
      (
        await t.request(method, target, {
          headers: { Depth: method === 'PROPFIND' ? '0' : 'infinity', Destination: destination },
        })
      ).status;
    const body = method === 'PROPPATCH' ? 400 : undefined;
    assert.equal(await ask(`/${long}`), body ?? 414, method);
    assert.equal(await ask(`/${'%C3%A4'.repeat(128)}`), body ?? 414, method);
    const makes = method === 'PUT' || method === 'MKCOL';
    assert.equal(await ask(`/${long}/x`), body ?? 414, method);
    assert.equal(await ask('/file/x'), body ?? (makes ? 409 : 404), method);
    assert.equal(await ask('/file/x/y'), body ?? (makes ? 409 : 404), method);
    assert.equal(await ask(`${deep}/x`), body ?? (makes ? 409 : 404), method);
    assert.equal(await ask(`/${'x'.repeat(40_000)}`), 431, method);
    if (method === 'COPY' || method === 'MOVE') {
      assert.equal(await ask('/file', `/${long}`), 414, method);
      assert.equal(await ask('/file', '/file/x'), 403, method);
      assert.equal(await ask('/file', `${deep}/x`), 409, method);
    }
  }
  for (let level = 0; level < 100; level++) {
    depth += `/${'d'.repeat(60)}`;
    assert.equal((await t.request('MKCOL', depth)).status, 201);
  }
  assert.equal((await t.request('PUT', `${depth}/f`, { body: 'deep' })).status, 201);
  assert.equal((await t.request('GET', `${depth}/f`)).text, 'deep');
  const first = `/${'d'.repeat(60)}`;
  assert.equal((await t.request('COPY', first, { headers: { Destination: '/copy' } })).status, 201);
  assert.equal((await t.request('GET', `/copy${depth.slice(first.length)}/f`)).text, 'deep');
  for (const target of [first, '/copy'])
    assert.equal((await t.request('DELETE', target)).status, 204);
  assert.deepEqual(fs.readdirSync(t.dir), ['file']);
});

test('links that lead on and on end in 508', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  for (let at = 0; at < 30; at++) {
    fs.symlinkSync(`${'d/../'.repeat(800)}l${at + 1}`, t.at(`l${at}`));
  }
  fs.writeFileSync(t.at('l30'), 'end');
  assert.equal((await t.request('GET', '/l28')).text, 'end');
  const began = performance.now();
  const tags = Array.from({ length: 90 }, (_, at) => `</l0?${at}> (["x"])`).join(' ');
  assert.equal((await t.request('GET', '/l0')).status, 508);
  assert.equal((await t.request('PUT', '/f', { headers: { If: tags }, body: '' })).status, 412);
  assert.ok(performance.now() - began < 10_000);
});

test('the shared folder is removed: 410 for everything, and no crash', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('d', 'f'), 'x');
  const upload = await t.connect();
  upload.write('PUT /d/g HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 6\r\n\r\nabc');
  await waitUntil('the upload', () => t.share.stats.active === 1);
  fs.rmSync(t.dir, { recursive: true });
  fs.mkdirSync(t.dir);
  fs.writeFileSync(t.at('other'), 'not shared');
  for (const target of ['/', '/d', '/d/f', '/other', '/new']) {
    for (const method of ['GET', 'PROPFIND', 'PUT', 'MKCOL', 'COPY']) {
      const headers = { Depth: '0', Destination: '/copy' };
      const { status } = await t.request(method, target, { headers });
      const expected = method === 'COPY' && target === '/' ? 403 : 410;
      assert.equal(status, expected, `${method} ${target}`);
    }
  }
  upload.write('def');
  assert.match(await readToEnd(upload), /^HTTP\/1\.1 410 /);
  assert.equal((await t.request('OPTIONS', '/')).status, 200);
  assert.deepEqual(fs.readdirSync(t.dir), ['other']);
});

test('the shared folder is moved: it is the same folder still', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), 'x');
  fs.renameSync(t.dir, `${t.dir}-2`);
  assert.equal((await t.request('GET', '/f')).text, 'x');
  assert.equal((await t.request('PUT', '/g', { body: 'y' })).status, 201);
  assert.equal(fs.readFileSync(`${t.dir}-2/g`, 'utf8'), 'y');
});

test(
  'what the user who shares may not do is 403, and never half done',
  { skip: process.getuid?.() !== 0 && 'needs root to become another user' },
  async () => {
    const dir = makeTempDir('davport-denied-');
    fs.chmodSync(dir, 0o777);
    fs.mkdirSync(`${dir}/closed`, { mode: 0o700 });
    fs.mkdirSync(`${dir}/listable`, { mode: 0o755 });
    for (const name of ['closed/f', 'listable/f', 'secret', 'readable'])
      fs.writeFileSync(`${dir}/${name}`, 'x');
    for (const name of ['secret', 'listable/f']) fs.chmodSync(`${dir}/${name}`, 0o600);
    const share = await createShare({ root: dir });
    process.seteuid!(65_534);
    try {
      const ask = async (method: string, target: string, headers = {}): Promise<number> => {
        const [near, far] = duplexPair();
        share.attach(far);
        return (await send({ createConnection: () => near }, method, target, { headers })).status;
      };
      const to = { Destination: '/new' };
      assert.equal(await ask('GET', '/readable'), 200);
      assert.equal(await ask('GET', '/secret'), 403);
      assert.equal(await ask('GET', '/closed/f'), 403);
      assert.equal(await ask('GET', '/closed/'), 403);
      assert.equal(await ask('PROPFIND', '/closed', { Depth: '1' }), 403);
      assert.equal(await ask('PROPFIND', '/', { Depth: '1' }), 207);
      assert.equal(await ask('PUT', '/listable/new'), 403);
      assert.equal(await ask('PUT', '/listable/f'), 403);
      assert.equal(await ask('MKCOL', '/listable/new'), 403);
      assert.equal(await ask('DELETE', '/listable/f'), 403);
      assert.equal(await ask('DELETE', '/listable'), 207);
      assert.equal(await ask('MOVE', '/listable/f', to), 403);
      assert.equal(await ask('COPY', '/secret', to), 403);
      assert.equal(await ask('COPY', '/listable', to), 207);
      assert.equal(await ask('COPY', '/closed', to), 403);
    } finally {
      process.seteuid!(0);
    }
    await share.close();
    assert.deepEqual(fs.readdirSync(dir).sort(), [
      'closed',
      'listable',
      'new',
      'readable',
      'secret',
    ]);
    assert.deepEqual(fs.readdirSync(`${dir}/new`), []);
    assert.deepEqual(fs.readdirSync(`${dir}/listable`), ['f']);
  },
);

test('too few descriptors: 503, who asks again is served, and then all is well again', async () => {
  const dir = makeTempDir('davport-few-');
  fs.writeFileSync(`${dir}/f`, Buffer.alloc(5_000_000));
  const share = await startShareProcess(dir);
  // Not before: the loader of modules opens as many files as it likes.
  await run('prlimit', ['--pid', String(share.process.pid), '--nofile=64:64']);
  const seen = new Set<number>();
  const ask = async (): Promise<boolean> => {
    // 0: not even the connection could be accepted.
    const status = await share.request('GET', '/f').then(
      (answer) => answer.status,
      () => 0,
    );
    seen.add(status);
    return status === 200;
  };
  // Each ends by its answer or refusal, which leaves room for another.
  await Promise.all(Array.from({ length: 100 }, () => waitUntil('an answer of 200', ask, 120_000)));
  for (const status of seen) assert.ok([200, 503, 0].includes(status), String(status));
  assert.equal((await share.request('GET', '/f')).status, 200);
  assert.ok(share.process.running, share.process.log());
  await share.process.stop();
});
