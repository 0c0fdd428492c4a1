/** Locks of resources with several paths, and locks that come while something is being changed. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { waitUntil } from '../../support/wait-until.js';
import { startShare } from './fixture.js';
import { bind, conditionsOf, lock, mustLock, PROPERTY, unlock } from './lock-client.js';

test('symbolic links: a lock is found by each path that leads to the resource', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('d', 'f'), '');
  fs.symlinkSync('d', t.at('ld'));
  fs.symlinkSync('d/f', t.at('lf'));
  const paths = ['/d/f', '/ld/f', '/lf'];
  for (const locked of paths) {
    const token = await mustLock(t, locked);
    for (const target of paths) {
      assert.equal((await t.request('PUT', target, { body: 'x' })).status, 423, target);
      assert.equal((await lock(t, target)).status, 423, target);
      const allowed = { headers: { If: `(<${token}>)` }, body: 'x' };
      assert.equal((await t.request('PUT', target, allowed)).status, 204, target);
    }
    assert.equal((await unlock(t, '/d/f', token)).status, 204);
  }
  // The link itself is what DELETE and MOVE act on: not locked by a lock of its target, but by one of its own URL.
  const token = await mustLock(t, '/lf');
  assert.equal((await t.request('DELETE', '/lf')).status, 423);
  assert.equal((await t.request('DELETE', '/lf', { headers: { If: `(<${token}>)` } })).status, 204);
  assert.equal((await t.request('PUT', '/d/f', { body: 'x' })).status, 204);
  const below = await mustLock(t, '/ld/f');
  assert.equal((await t.request('DELETE', '/ld')).status, 207);
  const headers = { If: `</ld/f> (<${below}>)` };
  assert.equal((await t.request('DELETE', '/ld', { headers })).status, 204);
  assert.equal((await t.request('PUT', '/d/f', { body: 'x' })).status, 204);
});

test('hard links: the lock of one name is a lock of the content', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), 'f');
  fs.linkSync(t.at('f'), t.at('g'));
  fs.writeFileSync(t.at('single'), 's');
  const token = await mustLock(t, '/f');
  const refused = await t.request('PUT', '/g', { body: 'x' });
  assert.deepEqual(
    [refused.status, conditionsOf(refused)],
    [423, { '/f': 'lock-token-submitted' }],
  );
  assert.equal((await t.request('PROPPATCH', '/g', { body: PROPERTY })).status, 423);
  assert.equal((await t.request('PUT', '/single', { body: 'x' })).status, 204);
  const second = await lock(t, '/g');
  assert.deepEqual([second.status, conditionsOf(second)], [423, { '/f': 'no-conflicting-lock' }]);
  const submit = { headers: { If: `</f> (<${token}>)` }, body: 'x' };
  assert.equal((await t.request('PUT', '/g', submit)).status, 204);
  assert.equal((await t.request('DELETE', '/g')).status, 204);
});

test('BIND: no further name where another exclusive lock holds; a name that is replaced loses its lock', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  for (const name of ['f', 'g', 'h']) fs.writeFileSync(t.at(name), name);
  const file = await mustLock(t, '/f');
  const deep = await mustLock(t, '/d', { depth: 'infinity' });
  const give = (target: string, segment: string, href: string, If: string) =>
    t.request('BIND', target, { headers: { If }, body: bind(segment, href) });
  const both = `</d> (<${deep}>) </f> (<${file}>)`;
  const refused = await give('/d', 'f', '/f', both);
  assert.deepEqual(
    [refused.status, conditionsOf(refused)],
    [423, { '/d/': 'no-conflicting-lock' }],
  );
  assert.equal((await give('/d', 'h', '/h', `(<${deep}>)`)).status, 201);
  const over = await mustLock(t, '/g');
  assert.equal((await give('/', 'g', '/f', `</g> (<${over}>)`)).status, 204);
  assert.equal((await unlock(t, '/g', over)).status, 409);
  assert.equal((await unlock(t, '/f', file)).status, 204);
  assert.equal((await t.request('PUT', '/g', { body: 'x' })).status, 204);
});

test('BIND, UNBIND, REBIND: untagged lists are about the collection', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('f'), '');
  const token = await mustLock(t, '/d', { depth: '0' });
  const headers = { If: `(<${token}>)` };
  const ask = async (method: string, body: string): Promise<number> =>
    (await t.request(method, '/d', { headers, body })).status;
  assert.equal(await ask('BIND', bind('a', '/f')), 201);
  assert.equal(await ask('REBIND', bind('b', '/d/a', 'rebind')), 201);
  assert.equal(await ask('UNBIND', '<unbind xmlns="DAV:"><segment>b</segment></unbind>'), 204);
});

test('a lock that comes while a body does: the upload is refused at its end', async () => {
  const t = await startShare();
  for (const length of [10, 1_000_000]) {
    const target = `/f${length}`;
    const socket = await t.connect();
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.write(`PUT ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\nxxxx`);
    await waitUntil('the request', () => t.share.stats.active === 1);
    const token = await mustLock(t, target);
    socket.write('x'.repeat(length - 4));
    await waitUntil('an answer', () => chunks.length > 0);
    assert.match(Buffer.concat(chunks).toString(), /^HTTP\/1\.1 423 /);
    socket.destroy();
    assert.equal(fs.statSync(t.at(target)).size, 0);
    assert.equal((await unlock(t, target, token)).status, 204);
    await waitUntil('the end of the upload', () => t.share.stats.active === 0);
    assert.deepEqual(
      fs.readdirSync(t.dir).filter((name) => name.endsWith('.part')),
      [],
    );
  }
});

test('a lock asked for while the resource is being removed: refused, or of what is there', async () => {
  const t = await startShare();
  for (let round = 0; round < 5; round++) {
    for (let count = 0; count < 400; count++) {
      const file = t.at('tree', `d${count % 20}`, `f${count}`);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, '');
    }
    const removal = t.request('DELETE', '/tree');
    const wanted = ['/tree/d19/f399', '/tree/d19/new', '/tree', '/tree/d0'];
    const answers = await Promise.all(wanted.map((target) => lock(t, target)));
    const { status } = await removal;
    assert.ok([204, 207, 423].includes(status), String(status));
    for (const [at, target] of wanted.entries()) {
      const { status: answered, headers } = answers[at]!;
      assert.ok([200, 201, 404, 409, 423].includes(answered), `${target}: ${answered}`);
      const mapped = fs.existsSync(t.at(target));
      if (answered < 300) assert.ok(mapped, `${target} is locked and gone`);
      const token = /<(.*)>/.exec(String(headers['lock-token']))?.[1];
      if (token !== undefined) assert.equal((await unlock(t, target, token)).status, 204);
    }
    fs.rmSync(t.at('tree'), { recursive: true, force: true });
  }
});

test('renames and locks at once: who has the token alone moves, and a lock granted stays', async () => {
  const t = await startShare();
  for (let round = 0; round < 40; round++) {
    fs.writeFileSync(t.at('a'), 'a');
    fs.writeFileSync(t.at('b'), 'b');
    const [move, granted] = await Promise.all([
      t.request('MOVE', '/a', { headers: { Destination: '/b' } }),
      lock(t, round % 2 === 0 ? '/a' : '/b'),
    ]);
    const token = /<(.*)>/.exec(String(granted.headers['lock-token']))?.[1];
    assert.ok([204, 423].includes(move.status), String(move.status));
    if (token === undefined) continue;
    const target = round % 2 === 0 ? '/a' : '/b';
    assert.ok(fs.existsSync(t.at(target)), `${target} is locked and gone`);
    assert.equal((await t.request('PUT', target, { body: 'x' })).status, 423);
    assert.equal((await unlock(t, target, token)).status, 204);
  }
});

test('one of many locks of the same moment is given', async () => {
  const t = await startShare();
  const answers = await Promise.all(Array.from({ length: 20 }, () => lock(t, '/f')));
  const statuses = answers.map(({ status }) => status).sort();
  assert.deepEqual(statuses, [201, ...Array.from({ length: 19 }, () => 423)]);
});
