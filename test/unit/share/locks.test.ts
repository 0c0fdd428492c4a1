/** LOCK and UNLOCK themselves: what they answer, when locks end, what properties tell (RFC 4918 sections 6, 9.10, 9.11, 15). */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { readMultistatus, startShare } from './fixture.js';
import {
  conditionsOf,
  lock,
  lockBody,
  mustLock,
  refresh,
  toldLocks,
  unlock,
} from './lock-client.js';

const DISCOVER = {
  headers: { Depth: '0' },
  body: '<propfind xmlns="DAV:"><prop><lockdiscovery/><supportedlock/></prop></propfind>',
};

test('a new lock: its token, and all about it in the answer and in lockdiscovery', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('a file'), 'x');
  const owner =
    '<D:owner xml:lang="de">Jürgen &amp; <h:a xmlns:h="urn:h" h:x="1&lt;2">Co</h:a></D:owner>';
  const answer = await lock(t, '/a%20file', { owner, headers: { Timeout: 'Second-600' } });
  assert.equal(answer.status, 200);
  assert.match(String(answer.headers['content-type']), /^application\/xml/);
  const [told, ...more] = toldLocks(answer);
  assert.equal(`<${told!.token}>`, answer.headers['lock-token']);
  assert.deepEqual(told, {
    token: told!.token,
    scope: 'exclusive',
    depth: '0',
    timeout: 'Second-600',
    root: '/a%20file',
    owner: 'Jürgen & ',
  });
  assert.equal(more.length, 0);
  const asked = await t.request('PROPFIND', '/a%20file', DISCOVER);
  const { timeout, ...rest } = toldLocks(asked)[0]!;
  assert.deepEqual({ ...rest, timeout: 'Second-600' }, told);
  // What is left of it.
  assert.match(timeout, /^Second-(59\d|600)$/);
  assert.match(
    asked.text,
    /<D:owner xml:lang="de">Jürgen &amp; <n:a xmlns:n="urn:h" .*:x="1&lt;2">Co/,
  );
  assert.equal((await unlock(t, '/a%20file', told.token)).status, 204);
  assert.deepEqual(toldLocks(await t.request('PROPFIND', '/a%20file', DISCOVER)), []);
});

test('supportedlock and lockdiscovery: of files and collections, in allprop, not where nothing can be locked', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  execFileSync('mkfifo', [t.at('fifo')]);
  const token = await mustLock(t, '/d', { depth: 'infinity', scope: 'shared' });
  fs.writeFileSync(t.at('d', 'f'), 'x');
  const [dir, member] = readMultistatus(
    await t.request('PROPFIND', '/d', { headers: { Depth: '1' } }),
  );
  for (const { found } of [dir!, member!]) {
    assert.equal(found.supportedlock!.match(/<lockentry>/g)?.length, 2);
    assert.match(found.lockdiscovery!, new RegExp(token));
  }
  const search =
    '<searchrequest xmlns="DAV:"><basicsearch><select><prop><lockdiscovery/></prop></select>' +
    '<from><scope><href>/d/f</href><depth>0</depth></scope></from></basicsearch></searchrequest>';
  const [hit] = readMultistatus(await t.request('SEARCH', '/', { body: search }));
  assert.match(hit!.found.lockdiscovery!, new RegExp(token));
  const [fifo] = readMultistatus(await t.request('PROPFIND', '/fifo', DISCOVER));
  assert.deepEqual([fifo!.found, fifo!.other], [{ lockdiscovery: '' }, { supportedlock: 404 }]);
  assert.equal((await lock(t, '/fifo')).status, 403);
  const set =
    '<propertyupdate xmlns="DAV:"><set><prop><lockdiscovery/></prop></set></propertyupdate>';
  const refused = await t.request('PROPPATCH', '/fifo', { body: set });
  assert.equal(refused.status, 403);
  const readOnly = await startShare({ readOnly: true, root: t.dir });
  const [none] = readMultistatus(await readOnly.request('PROPFIND', '/d', DISCOVER));
  assert.deepEqual(none!.other, { lockdiscovery: 404, supportedlock: 404 });
  assert.equal((await lock(readOnly, '/d/f')).status, 403);
});

test('an unmapped URL: an empty file is made and locked, and stays', async () => {
  const t = await startShare();
  const answer = await lock(t, '/new', { headers: { Timeout: 'Infinite' } });
  assert.equal(answer.status, 201);
  const [told] = toldLocks(answer);
  assert.equal(fs.statSync(t.at('new')).size, 0);
  const [listed] = readMultistatus(
    await t.request('PROPFIND', '/new', { headers: { Depth: '0' } }),
  );
  assert.deepEqual([listed!.found.getcontentlength, listed!.found.resourcetype], ['0', '']);
  const If = `(<${told!.token}>)`;
  assert.equal((await t.request('MKCOL', '/new', { headers: { If } })).status, 405);
  assert.equal((await t.request('PUT', '/new', { body: 'x' })).status, 423);
  assert.equal((await t.request('PUT', '/new', { headers: { If }, body: 'x' })).status, 204);
  assert.equal((await unlock(t, '/new', told!.token)).status, 204);
  assert.equal(fs.readFileSync(t.at('new'), 'utf8'), 'x');
  assert.equal((await lock(t, '/none/new')).status, 409);
  assert.equal((await lock(t, '/new/below')).status, 409);
  assert.equal((await lock(t, '/folder/')).status, 409);
  const refused = await lock(t, '/other', { headers: { 'If-Match': '*' } });
  assert.equal(refused.status, 412);
  assert.deepEqual(fs.readdirSync(t.dir), ['new']);
});

test('timeouts: what is asked for within a day, an hour when nothing is', async () => {
  let now = 0;
  const t = await startShare({ clock: () => now });
  const cases: [string | undefined, number][] = [
    [undefined, 3600],
    ['Second-5', 5],
    ['second-5', 5],
    ['Infinite', 86_400],
    ['Infinite, Second-4100000000', 86_400],
    ['Second-99999999999999999999999', 86_400],
    ['Extend, Second-7, Infinite', 7],
    ['nonsense', 3600],
    ['Second-0', 1],
  ];
  for (const [header, seconds] of cases) {
    const headers: Record<string, string> = header === undefined ? {} : { Timeout: header };
    const [told] = toldLocks(await lock(t, '/f', { headers }));
    assert.equal(told!.timeout, `Second-${seconds}`, header);
    now += seconds * 1000 - 1;
    assert.equal((await t.request('PUT', '/f', { body: '' })).status, 423, header);
    now += 1;
    assert.equal((await t.request('PUT', '/f', { body: '' })).status, 204, header);
    assert.equal((await unlock(t, '/f', told!.token)).status, 409);
  }
});

test('refresh: the timeout begins anew, of the lock that covers the resource', async () => {
  let now = 0;
  const t = await startShare({ clock: () => now });
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('d', 'f'), '');
  const headers = { Timeout: 'Second-10' };
  const token = await mustLock(t, '/d', { depth: 'infinity', headers });
  now = 9000;
  const direct = await refresh(t, '/d', `(<${token}>)`);
  assert.equal(direct.status, 200);
  assert.equal(direct.headers['lock-token'], undefined);
  assert.equal(toldLocks(direct)[0]!.timeout, 'Second-10');
  now = 18_000;
  const indirect = await refresh(t, '/d/f', `</d> (<${token}>) (Not <DAV:no-lock>)`, 'Second-100');
  const [told] = toldLocks(indirect);
  assert.deepEqual([told!.timeout, told!.root], ['Second-100', '/d/']);
  const other = await mustLock(t, '/other');
  const cases: [string, string, number][] = [
    ['/', `</d> (<${token}>)`, 412],
    ['/other', `(<${token}>)`, 412],
    ['/d', '(<urn:uuid:none>)', 412],
    ['/d', `(<${token}> ["none"])`, 412],
    ['/d', `(<${token}>) </other> (<${other}>)`, 400],
    ['/d', `(<${token}>) (<${other}>)`, 400],
    ['/d', '(Not <DAV:no-lock>)', 400],
    ['/d', 'nonsense', 400],
    ['/none', `(<${token}>)`, 412],
  ];
  for (const [target, header, status] of cases) {
    assert.equal((await refresh(t, target, header)).status, status, `${target} ${header}`);
  }
  const wrong = await refresh(t, '/other', `(<${token}>)`);
  assert.match(wrong.text, /<D:error[^>]*><D:lock-token-matches-request-uri\/><\/D:error>/);
  assert.equal((await t.request('LOCK', '/d')).status, 400);
  const ignored = { Depth: '7', If: `(<${token}>)` };
  assert.equal((await t.request('LOCK', '/d', { headers: ignored })).status, 200);
  now = 118_000;
  assert.equal((await refresh(t, '/d', `(<${token}>)`)).status, 412);
});

test('UNLOCK: by the token, of any resource that the lock covers', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('d', 'f'), '');
  const token = await mustLock(t, '/d', { depth: 'infinity' });
  assert.equal((await t.request('UNLOCK', '/d')).status, 400);
  for (const value of ['', '<>', '<a b>', '<a> <b>']) {
    const answer = await t.request('UNLOCK', '/d', { headers: { 'Lock-Token': value } });
    assert.equal(answer.status, 400, value);
  }
  for (const [target, wrong] of [
    ['/', token],
    ['/d', 'urn:uuid:none'],
    ['/x/y', token],
  ] as const) {
    const answer = await unlock(t, target, wrong);
    assert.equal(answer.status, 409, target);
    assert.match(answer.text, /<D:lock-token-matches-request-uri\/>/);
  }
  assert.equal((await unlock(t, '/d/f', token)).status, 204);
  assert.equal((await unlock(t, '/d/f', token)).status, 409);
  // What a local program removed can still be unlocked.
  fs.mkdirSync(t.at('e'));
  const gone = await mustLock(t, '/e/f');
  fs.rmSync(t.at('e'), { recursive: true });
  assert.equal((await unlock(t, '/e/f', gone)).status, 204);
});

test('LOCK: what it refuses', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), '');
  const scope = '<D:lockscope><D:exclusive/></D:lockscope>';
  const type = '<D:locktype><D:write/></D:locktype>';
  const info = (content: string): string => `<D:lockinfo xmlns:D="DAV:">${content}</D:lockinfo>`;
  const bodies: [string, number][] = [
    ['<', 400],
    ['<lockinfo/>', 400],
    [`<!DOCTYPE x [<!ENTITY e "e">]>${info(scope + type)}`, 400],
    [info(''), 422],
    [info(scope), 422],
    [info(type), 422],
    [info(`<D:lockscope><D:private/></D:lockscope>${type}`), 422],
    [info(`<D:lockscope><D:shared/><D:exclusive/></D:lockscope>${type}`), 422],
    [info(`${scope}<D:locktype><D:read/></D:locktype>`), 422],
    [info(`${scope}${type}<D:owner>${'x'.repeat(5000)}</D:owner>`), 413],
    [info(`${scope}${type}${' '.repeat(1_100_000)}`), 413],
  ];
  for (const [body, status] of bodies) {
    const answer = await t.request('LOCK', '/f', { body });
    assert.equal(answer.status, status, body.slice(0, 80));
  }
  for (const depth of ['1', 'x', '']) {
    const answer = await t.request('LOCK', '/f', { headers: { Depth: depth }, body: lockBody() });
    assert.equal(answer.status, 400, depth);
  }
  assert.equal((await t.request('PUT', '/f', { body: '' })).status, 204);
  // Other elements than those we know mean nothing.
  const more = info(`<x/>${scope}<y xmlns="urn:y">z</y>${type}<D:owner/>`);
  const answer = await t.request('LOCK', '/f', { body: more });
  assert.equal(answer.status, 200);
  assert.equal(toldLocks(answer)[0]!.depth, 'infinity');
});

test('scopes: one exclusive lock, or several shared ones', async () => {
  const t = await startShare();
  const [one, two] = [
    await mustLock(t, '/f', { scope: 'shared' }),
    await mustLock(t, '/f', { scope: 'shared' }),
  ];
  const refused = await lock(t, '/f');
  assert.equal(refused.status, 423);
  assert.deepEqual(conditionsOf(refused), { '/f': 'no-conflicting-lock' });
  const told = toldLocks(await t.request('PROPFIND', '/f', DISCOVER));
  assert.deepEqual(told.map(({ token }) => token).sort(), [one, two].sort());
  assert.equal((await unlock(t, '/f', one)).status, 204);
  assert.equal((await lock(t, '/f')).status, 423);
  assert.equal((await unlock(t, '/f', two)).status, 204);
  const only = await mustLock(t, '/f');
  for (const scope of ['shared', 'exclusive'] as const) {
    const headers = { If: `(<${only}>)` };
    assert.equal((await lock(t, '/f', { scope })).status, 423);
    assert.equal((await lock(t, '/f', { scope, headers })).status, 423);
  }
});

test('a deep lock and locked members: nothing is locked, and the members are named', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d', 'e'), { recursive: true });
  const member = await mustLock(t, '/d/e/f');
  const shared = await mustLock(t, '/d/g', { scope: 'shared' });
  const refused = await lock(t, '/d', { depth: 'infinity' });
  assert.equal(refused.status, 207);
  assert.deepEqual(conditionsOf(refused), {
    '/d/e/f': '423 no-conflicting-lock',
    '/d/g': '423 no-conflicting-lock',
    '/d/': '424',
  });
  assert.equal(refused.headers['lock-token'], undefined);
  assert.deepEqual(toldLocks(await t.request('PROPFIND', '/d', DISCOVER)), []);
  const flat = await mustLock(t, '/d', { depth: '0' });
  assert.equal((await unlock(t, '/d', flat)).status, 204);
  assert.equal((await unlock(t, '/d/e/f', member)).status, 204);
  const deep = await mustLock(t, '/d', { depth: 'infinity', scope: 'shared' });
  const below = await lock(t, '/d/e');
  assert.deepEqual([below.status, conditionsOf(below)], [423, { '/d/': 'no-conflicting-lock' }]);
  assert.deepEqual(
    toldLocks(await t.request('PROPFIND', '/d/g', DISCOVER))
      .map(({ token }) => token)
      .sort(),
    [shared, deep].sort(),
  );
});

test('too many locks: 507, and nothing is made', async () => {
  const t = await startShare({ maxLocks: 2 });
  await mustLock(t, '/a');
  const token = await mustLock(t, '/b');
  assert.equal((await lock(t, '/c')).status, 507);
  assert.deepEqual(fs.readdirSync(t.dir).sort(), ['a', 'b']);
  assert.equal((await unlock(t, '/b', token)).status, 204);
  assert.equal((await lock(t, '/c')).status, 201);
});
