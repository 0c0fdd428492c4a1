/** Nothing outside of the shared folder is ever reached. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { test } from 'node:test';
import { onCleanup } from '../../support/cleanup.js';
import { POSIX_BODY, readMultistatus, setPosix, startShare, type TestShare } from './fixture.js';

function plant(t: TestShare): void {
  fs.writeFileSync(`${t.outside}/secret`, 'SECRET');
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('d', 'f'), 'inside');
  fs.symlinkSync('d/f', t.at('file'));
  fs.symlinkSync('d', t.at('folder'));
  fs.symlinkSync(`${t.dir}/d/f`, t.at('absolute'));
  fs.symlinkSync('../d/../folder/f', t.at('d', 'winding'));
  fs.symlinkSync('../outside', t.at('up'));
  fs.symlinkSync(t.outside, t.at('out'));
  fs.symlinkSync('/etc/passwd', t.at('passwd'));
  fs.symlinkSync('/proc/self/root', t.at('magic'));
  fs.symlinkSync('none', t.at('dangling'));
  fs.symlinkSync('loop', t.at('loop'));
  fs.symlinkSync(`${t.dir}-not/x`, t.at('prefix'));
  fs.symlinkSync('.', t.at('self'));
}

test('inside: links are followed inside only', async () => {
  const t = await startShare({ symlinks: 'inside' });
  plant(t);
  for (const name of [
    'file',
    'folder/f',
    'absolute',
    'd/winding',
    'self/self/folder/f',
    'folder/winding',
  ]) {
    const answer = await t.request('GET', `/${name}`);
    assert.deepEqual([answer.status, answer.text], [200, 'inside'], name);
  }
  for (const name of [
    'up/secret',
    'out/secret',
    'passwd',
    'magic/etc/passwd',
    'prefix',
    'up',
    'out',
    'magic',
  ]) {
    for (const method of ['GET', 'HEAD', 'PROPFIND', 'PUT']) {
      const answer = await t.request(method, `/${name}`, { headers: { Depth: '0' }, body: '' });
      assert.ok([403, 404].includes(answer.status), `${method} ${name} ${answer.status}`);
      assert.doesNotMatch(answer.text, /SECRET|root:/);
    }
  }
  assert.equal((await t.request('GET', '/dangling')).status, 404);
  assert.equal((await t.request('GET', '/loop')).status, 508);
  assert.equal((await t.request('PUT', '/file', { body: 'through' })).status, 204);
  assert.equal(fs.readFileSync(t.at('d', 'f'), 'utf8'), 'through');
  assert.ok(fs.lstatSync(t.at('file')).isSymbolicLink());
  assert.deepEqual(fs.readdirSync(t.outside), ['secret']);
});

test('inside: what a plain client is told', async () => {
  const t = await startShare();
  plant(t);
  const told = readMultistatus(await t.request('PROPFIND', '/', { headers: { Depth: '1' } }));
  const types = Object.fromEntries(told.map(({ href, found }) => [href, found.resourcetype]));
  assert.deepEqual(types, {
    '/': '<collection>',
    '/d/': '<collection>',
    '/folder/': '<collection>',
    '/self/': '<collection>',
    '/file': '',
    '/absolute': '',
    '/up': undefined,
    '/out': undefined,
    '/passwd': undefined,
    '/magic': undefined,
    '/dangling': undefined,
    '/loop': undefined,
    '/prefix': undefined,
  });
  assert.equal(told.find(({ href }) => href === '/file')!.found.getcontentlength, '6');
});

test('who names posix is told of links, under inside and show', async () => {
  for (const symlinks of ['inside', 'show'] as const) {
    const t = await startShare({ symlinks });
    plant(t);
    fs.symlinkSync('a b%ä', t.at('odd'));
    const list = { headers: { Depth: '1' }, body: POSIX_BODY };
    const told = readMultistatus(await t.request('PROPFIND', '/', list));
    const find = (href: string) => told.find((response) => response.href === href)!.found;
    assert.match(find('/passwd').posix!, /^mode=120777 .* ?target=\/etc\/passwd/);
    assert.match(find('/odd').posix!, /target=a%20b%25%C3%A4( |$)/);
    assert.equal(find('/folder').resourcetype, '');
    assert.equal(find('/folder').getcontentlength, '1');
    const [link] = readMultistatus(
      await t.request('PROPFIND', '/folder', { ...list, headers: { Depth: '0' } }),
    );
    assert.match(link!.found.posix!, /^mode=120777 .*target=d( |$)/);
    if (symlinks === 'inside') {
      const followed = readMultistatus(await t.request('PROPFIND', '/folder/', list));
      assert.equal(followed[0]!.found.resourcetype, '<collection>');
    }
    await t.close();
  }
});

test('show: never followed; hide: not there', async () => {
  for (const [symlinks, refused] of [
    ['show', 403],
    ['hide', 404],
  ] as const) {
    const t = await startShare({ symlinks });
    plant(t);
    assert.equal((await t.request('GET', '/file')).status, refused, symlinks);
    assert.equal((await t.request('GET', '/folder/f')).status, 404);
    assert.ok((await t.request('PUT', '/file', { body: 'x' })).status >= 400);
    assert.ok((await t.request('PUT', '/folder/x', { body: 'x' })).status >= 400);
    const list = await t.request('PROPFIND', '/', { headers: { Depth: '1' }, body: POSIX_BODY });
    assert.equal(/\/passwd/.test(list.text), symlinks === 'show');
    const page = await t.request('GET', '/');
    assert.equal(/passwd/.test(page.text), symlinks === 'show');
    assert.deepEqual(fs.readdirSync(t.at('d')).sort(), ['f', 'winding']);
    await t.close();
  }
});

test('a symbolic link is made of a file by PROPPATCH of posix', async () => {
  const t = await startShare();
  const make = (name: string, text = 'mode=120777 mtime=1700000000.5') =>
    t.request('PROPPATCH', name, { body: setPosix(text) });
  await t.request('PUT', '/l', { body: '/etc/passwd' });
  const made = await make('/l');
  assert.equal(made.status, 207);
  assert.deepEqual(readMultistatus(made)[0]!.found, { posix: '' });
  assert.match(
    String(made.headers['davport-posix']),
    /mode=120777 mtime=1700000000\.500000000 .*target=\/etc\/passwd/,
  );
  assert.equal(fs.readlinkSync(t.at('l')), '/etc/passwd');
  assert.equal((await t.request('GET', '/l')).status, 403);
  // The link's own time, not that of /etc/passwd.
  const before = fs.statSync('/etc/passwd').mtimeMs;
  assert.equal(readMultistatus(await make('/l', 'mtime=1600000000.0'))[0]!.found.posix, '');
  assert.equal(fs.lstatSync(t.at('l')).mtimeMs, 1_600_000_000_000);
  assert.equal(fs.statSync('/etc/passwd').mtimeMs, before);
  for (const content of ['', 'a\0b', 'x'.repeat(4096)]) {
    await t.request('PUT', '/no', { body: content });
    assert.equal(readMultistatus(await make('/no'))[0]!.other.posix, 409);
    assert.ok(fs.lstatSync(t.at('no')).isFile());
  }
  await t.request('MKCOL', '/d');
  assert.equal(readMultistatus(await make('/d'))[0]!.other.posix, 409);
  assert.deepEqual(fs.readdirSync(t.dir).sort(), ['d', 'l', 'no']);
  const hiding = await startShare({ symlinks: 'hide', root: t.dir });
  assert.equal(
    readMultistatus(await hiding.request('PROPPATCH', '/no', { body: setPosix('mode=120777') }))[0]!
      .other.posix,
    403,
  );
});

/** Swaps `d` between a folder with `f` and a link to the outside as fast as it can. */
const SWAPPER = `
const fs = require('node:fs');
const [root, outside] = process.argv.slice(1);
fs.mkdirSync(root + '/real', { recursive: true });
fs.writeFileSync(root + '/real/f', 'inside');
process.stdout.write('ready');
for (;;) {
  try {
    fs.symlinkSync(outside, root + '/link');
    fs.renameSync(root + '/link', root + '/d');
    fs.unlinkSync(root + '/d');
    fs.renameSync(root + '/real', root + '/d');
    fs.renameSync(root + '/d', root + '/real');
  } catch {}
}`;

test('a folder that is swapped for a link all the time never leads outside', async () => {
  for (const symlinks of ['inside', 'show'] as const) {
    const t = await startShare({ symlinks });
    fs.writeFileSync(`${t.outside}/f`, 'SECRET');
    const swapper = spawn(process.execPath, ['-e', SWAPPER, t.dir, t.outside]);
    const stop = (): void => void swapper.kill('SIGKILL');
    const forget = onCleanup({ run: async () => stop(), runSync: stop });
    await new Promise((resolve) => swapper.stdout.once('data', resolve));
    const statuses = new Map<number, number>();
    const until = performance.now() + 1500;
    for (let round = 0; performance.now() < until; round++) {
      const headers = { Depth: '1', Destination: '/copied' };
      for (const [method, target, body] of [
        ['GET', '/d/f'],
        ['PROPFIND', '/d/', POSIX_BODY],
        ['PROPFIND', '/d/'],
        ['PUT', `/d/new${round}`, 'data'],
        ['MKCOL', `/d/col${round}`],
        ['COPY', '/d/f'],
      ] as const) {
        const asked = body === undefined ? { headers } : { headers, body };
        const answer = await t.request(
          method,
          target,
          method === 'COPY' ? { headers: { Destination: '/copied' } } : asked,
        );
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        assert.doesNotMatch(answer.text, /SECRET/);
        assert.ok(answer.status < 500, `${method} ${answer.status} ${answer.text}`);
      }
      assert.deepEqual(fs.readdirSync(t.outside), ['f']);
      if (fs.existsSync(t.at('copied')))
        assert.equal(fs.readFileSync(t.at('copied'), 'utf8'), 'inside');
    }
    stop();
    forget();
    assert.deepEqual(fs.readdirSync(t.outside), ['f']);
    assert.equal(fs.readFileSync(`${t.outside}/f`, 'utf8'), 'SECRET');
    assert.ok(
      [...statuses.keys()].some((status) => status >= 400),
      JSON.stringify([...statuses]),
    );
    await t.close();
  }
});

test('paths that try to leave', async () => {
  const t = await startShare();
  fs.writeFileSync(`${t.outside}/secret`, 'SECRET');
  for (const target of [
    '/../outside/secret',
    '/%2e%2e/outside/secret',
    '/.%2E/outside/secret',
    '/..%2foutside%2fsecret',
    '/%2e%2e%2foutside/secret',
    '/x/../../outside/secret',
    '/%00',
    '/..%00/outside',
    '//../outside/secret',
  ]) {
    for (const method of ['GET', 'PUT', 'DELETE', 'PROPFIND', 'MKCOL']) {
      const answer = await t.request(method, target, { headers: { Depth: '0' } });
      assert.equal(answer.status, 400, `${method} ${target}`);
      assert.doesNotMatch(answer.text, /SECRET/);
    }
    const copy = await t.request('COPY', target, { headers: { Destination: '/stolen' } });
    assert.equal(copy.status, 400, target);
    const move = await t.request('MOVE', '/x', { headers: { Destination: target } });
    assert.equal(move.status, 400, target);
  }
  assert.deepEqual(fs.readdirSync(t.outside), ['secret']);
});
