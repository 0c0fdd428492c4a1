/** MKCOL, COPY, MOVE, DELETE. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { startShare, type TestShare } from './fixture.js';

/** The tree below, as `path` or `path=content`, links as `path>target`. */
function tree(t: TestShare): string[] {
  return fs
    .readdirSync(t.dir, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const stat = fs.lstatSync(t.at(name));
      if (stat.isSymbolicLink()) return `${name}>${fs.readlinkSync(t.at(name))}`;
      return stat.isFile() ? `${name}=${fs.readFileSync(t.at(name), 'utf8')}` : name;
    });
}

function plant(t: TestShare): void {
  fs.mkdirSync(t.at('d', 'sub'), { recursive: true });
  fs.writeFileSync(t.at('d', 'a'), 'A');
  fs.writeFileSync(t.at('d', 'sub', 'b'), 'B');
  fs.symlinkSync('a', t.at('d', 'link'));
  fs.mkdirSync(t.at('e'));
  fs.writeFileSync(t.at('e', 'old'), 'O');
  fs.writeFileSync(t.at('f'), 'F');
}

const PLANTED = ['d', 'd/a=A', 'd/link>a', 'd/sub', 'd/sub/b=B', 'e', 'e/old=O', 'f=F'];
const moved = (from: string, to: string): string[] =>
  PLANTED.filter(
    (line) => line === from || line.startsWith(`${from}/`) || line.startsWith(`${from}=`),
  ).map((line) => to + line.slice(from.length));
const without = (...names: string[]): string[] =>
  PLANTED.filter((line) => !names.some((name) => new RegExp(`^${name}([/=]|$)`).test(line)));

async function ask(
  t: TestShare,
  method: string,
  target: string,
  destination: string,
  headers: Record<string, string> = {},
): Promise<number> {
  const answer = await t.request(method, target, {
    headers: { Destination: destination, ...headers },
  });
  return answer.status;
}

test('MKCOL', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), '');
  const headers = { 'Davport-Posix': 'mode=40700 mtime=1700000000.0' };
  const made = await t.request('MKCOL', '/d/', { headers });
  assert.equal(made.status, 201);
  assert.match(String(made.headers['davport-posix']), /mode=40700 mtime=1700000000\.000000000 /);
  assert.equal(fs.statSync(t.at('d')).mode & 0o777, 0o700);
  for (const [target, status] of [
    ['/d', 405],
    ['/f', 405],
    ['/', 405],
    ['/x/y', 409],
    ['/f/y', 409],
  ] as const) {
    assert.equal((await t.request('MKCOL', target)).status, status, target);
  }
  assert.equal((await t.request('MKCOL', '/e', { body: '<x/>' })).status, 415);
  assert.deepEqual(fs.readdirSync(t.dir).sort(), ['d', 'f']);
});

test('MOVE: files, folders, links, onto what is there', async () => {
  const cases: [string, string, Record<string, string>, number, string[]][] = [
    ['/f', '/g', {}, 201, [...without('f'), 'g=F']],
    ['/f', '/g', { Overwrite: 'F' }, 201, [...without('f'), 'g=F']],
    ['/f', '/d/a', {}, 204, [...without('f', 'd/a'), 'd/a=F']],
    ['/f', '/d/a', { Overwrite: 'F' }, 412, PLANTED],
    ['/f', '/e', {}, 204, [...without('f', 'e'), 'e=F']],
    ['/f', '/e', { Overwrite: 'F' }, 412, PLANTED],
    ['/d', '/g', {}, 201, [...without('d'), ...moved('d', 'g')]],
    ['/d/', '/g/', { Overwrite: 'F' }, 201, [...without('d'), ...moved('d', 'g')]],
    ['/d', '/e', {}, 204, [...without('d', 'e'), ...moved('d', 'e')]],
    ['/d', '/e', { Overwrite: 'F' }, 412, PLANTED],
    ['/d', '/f', {}, 204, [...without('d', 'f'), ...moved('d', 'f')]],
    ['/d/link', '/l', {}, 201, [...PLANTED.filter((line) => line !== 'd/link>a'), 'l>a']],
    ['/d', '/d', {}, 403, PLANTED],
    ['/d', '/d/sub/x', {}, 403, PLANTED],
    ['/d/sub', '/d', {}, 403, PLANTED],
    ['/', '/x', {}, 403, PLANTED],
    ['/d', '/', {}, 403, PLANTED],
    ['/none', '/x', {}, 404, PLANTED],
    ['/f', '/none/x', {}, 409, PLANTED],
    ['/f', '/../x', {}, 400, PLANTED],
    ['/f', 'http://elsewhere/x', {}, 502, PLANTED],
    ['/f', '/x', { Overwrite: 'maybe' }, 400, PLANTED],
    ['/d', '/x', { Depth: '0' }, 400, PLANTED],
    ['/f', '/x', { If: '(["no"])' }, 412, PLANTED],
    ['/f', '/x', { 'If-Match': '"no"' }, 412, PLANTED],
  ];
  for (const [from, to, headers, status, expected] of cases) {
    const t = await startShare();
    plant(t);
    const name = `${from} → ${to} ${JSON.stringify(headers)}`;
    assert.equal(await ask(t, 'MOVE', from, to, headers), status, name);
    assert.deepEqual(tree(t), [...expected].sort(), name);
    await t.close();
  }
});

test('MOVE says what is there now', async () => {
  const t = await startShare();
  plant(t);
  const answer = await t.request('MOVE', '/f', { headers: { Destination: '/g' } });
  assert.equal(answer.headers.etag, (await t.request('HEAD', '/g')).headers.etag);
  assert.match(String(answer.headers['davport-posix']), /^size=1 mode=100/);
  assert.equal((await t.request('MOVE', '/g')).status, 400);
  // The host's name is that of the request.
  const absolute = { Host: 'localhost:9843', Destination: 'http://localhost:9843/h%20h' };
  assert.equal((await t.request('MOVE', '/g', { headers: absolute })).status, 201);
  assert.equal(fs.readFileSync(t.at('h h'), 'utf8'), 'F');
});

test('COPY: files, folders, links, onto what is there', async () => {
  const copied = (to: string): string[] => [
    to,
    `${to}/a=A`,
    `${to}/link>a`,
    `${to}/sub`,
    `${to}/sub/b=B`,
  ];
  const cases: [string, string, Record<string, string>, number, string[]][] = [
    ['/f', '/g', {}, 201, [...PLANTED, 'g=F']],
    ['/f', '/d/a', {}, 204, [...without('d/a'), 'd/a=F']],
    ['/f', '/d/a', { Overwrite: 'F' }, 412, PLANTED],
    ['/f', '/e', {}, 204, [...without('e'), 'e=F']],
    ['/d', '/g', {}, 201, [...PLANTED, ...copied('g')]],
    ['/d', '/e', {}, 204, [...without('e'), ...copied('e')]],
    ['/d', '/e', { Overwrite: 'F' }, 412, PLANTED],
    ['/d', '/f', {}, 204, [...without('f'), ...copied('f')]],
    ['/d', '/g', { Depth: '0' }, 201, [...PLANTED, 'g']],
    ['/d/link', '/g', {}, 201, [...PLANTED, 'g=A']],
    ['/d', '/d/sub/x', {}, 403, PLANTED],
    ['/f', '/none/x', {}, 409, PLANTED],
    ['/none', '/x', {}, 404, PLANTED],
    ['/d', '/x', { Depth: '1' }, 400, PLANTED],
  ];
  for (const [from, to, headers, status, expected] of cases) {
    const t = await startShare();
    plant(t);
    const name = `${from} → ${to} ${JSON.stringify(headers)}`;
    assert.equal(await ask(t, 'COPY', from, to, headers), status, name);
    assert.deepEqual(tree(t), [...expected].sort(), name);
    await t.close();
  }
});

test('COPY keeps permissions, but for set-user-ID', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), 'F');
  fs.chmodSync(t.at('f'), 0o4751);
  assert.equal(await ask(t, 'COPY', '/f', '/g'), 201);
  assert.equal(fs.statSync(t.at('g')).mode & 0o7777, 0o751);
  assert.equal(fs.readFileSync(t.at('g'), 'utf8'), 'F');
});

test('COPY of a folder into itself by way of a link ends', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('d', 'a'), 'A');
  fs.symlinkSync('d', t.at('l'));
  assert.equal(await ask(t, 'COPY', '/d', '/l/x'), 201);
  assert.deepEqual(
    tree(t).filter((line) => line.startsWith('d')),
    ['d', 'd/a=A', 'd/x', 'd/x/a=A'],
  );
  assert.equal(await ask(t, 'MOVE', '/d', '/l/y'), 403);
});

test('DELETE removes trees, and links but never what they lead to', async () => {
  const t = await startShare();
  plant(t);
  fs.writeFileSync(`${t.outside}/precious`, 'P');
  fs.symlinkSync(t.outside, t.at('d', 'out'));
  fs.symlinkSync('e', t.at('l'));
  assert.equal((await t.request('DELETE', '/l')).status, 204);
  assert.equal((await t.request('DELETE', '/d/')).status, 204);
  assert.deepEqual(tree(t), ['e', 'e/old=O', 'f=F']);
  assert.equal(fs.readFileSync(`${t.outside}/precious`, 'utf8'), 'P');
  assert.equal((await t.request('DELETE', '/f', { headers: { 'If-Match': '"no"' } })).status, 412);
  assert.equal((await t.request('DELETE', '/f')).status, 204);
  assert.equal((await t.request('DELETE', '/f')).status, 404);
  assert.equal((await t.request('DELETE', '/')).status, 403);
});

test('DELETE of depth 0 is rmdir', async () => {
  const t = await startShare();
  plant(t);
  const headers = { Depth: '0' };
  const full = await t.request('DELETE', '/d', { headers });
  assert.equal(full.status, 409);
  assert.match(full.text, /<P:collection-is-empty\/>/);
  assert.deepEqual(tree(t), PLANTED);
  fs.rmSync(t.at('e', 'old'));
  assert.equal((await t.request('DELETE', '/e', { headers })).status, 204);
});

test('a wide and deep tree is copied, moved and removed while others are served', async () => {
  const t = await startShare();
  let folder = 'deep';
  for (let level = 0; level < 60; level++) folder += `/level${level}`;
  fs.mkdirSync(t.at(folder), { recursive: true });
  for (let count = 0; count < 2000; count++)
    fs.writeFileSync(t.at('deep', `f${count}`), `${count}`);
  const copy = ask(t, 'COPY', '/deep', '/copy');
  const meanwhile = await t.request('PROPFIND', '/', { headers: { Depth: '1' } });
  assert.doesNotMatch(meanwhile.text, /davport-/);
  assert.equal(await copy, 201);
  assert.equal(fs.readdirSync(t.at('copy')).length, 2001);
  assert.ok(fs.existsSync(t.at(folder.replace('deep', 'copy'))));
  assert.equal((await t.request('DELETE', '/deep')).status, 204);
  assert.equal((await t.request('DELETE', '/copy')).status, 204);
  assert.deepEqual(fs.readdirSync(t.dir), []);
});
