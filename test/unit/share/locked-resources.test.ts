/** What a lock keeps others from, and what its token allows (RFC 4918 sections 6.1, 7, 9.6.1, 9.8, 9.9, 10.4). */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { startShare, type Answer, type TestShare } from './fixture.js';
import { bind, conditionsOf, mustLock, PROPERTY, refresh, unlock } from './lock-client.js';

interface Change {
  readonly name: string;
  readonly method: string;
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const unbind = (segment: string): string =>
  `<unbind xmlns="DAV:"><segment>${segment}</segment></unbind>`;

/** Answers of each, without and then with the If header; with it, it must succeed. */
async function requireToken(t: TestShare, change: Change, If: string): Promise<Answer> {
  const { name, method, target, headers = {}, body } = change;
  const given = body === undefined ? {} : { body };
  const refused = await t.request(method, target, { headers, ...given });
  assert.ok(refused.status === 423 || refused.status === 207, `${name}: ${refused.status}`);
  assert.match(refused.text, /lock-token-submitted/, name);
  const unknown = { ...headers, If: '(<urn:uuid:of-nobody>) (Not <DAV:no-lock>)' };
  const still = await t.request(method, target, { headers: unknown, ...given });
  assert.equal(still.status, refused.status, `${name}: another token`);
  const allowed = await t.request(method, target, { headers: { ...headers, If }, ...given });
  assert.ok([200, 201, 204, 207].includes(allowed.status), `${name}: ${allowed.status}`);
  assert.doesNotMatch(allowed.text, / 4\d\d /, name);
  return refused;
}

test('a locked file: every change of it needs the token; reading does not', async () => {
  const changes: Change[] = [
    { name: 'PUT', method: 'PUT', target: '/f', body: 'new' },
    {
      name: 'PATCH',
      method: 'PATCH',
      target: '/f',
      headers: {
        'Content-Type': 'application/x-sabredav-partialupdate',
        'X-Update-Range': 'append',
      },
      body: 'x',
    },
    {
      name: 'PUT of a part',
      method: 'PUT',
      target: '/f',
      headers: { 'Content-Range': 'bytes 0-0/*' },
      body: 'x',
    },
    { name: 'PROPPATCH', method: 'PROPPATCH', target: '/f', body: PROPERTY },
    { name: 'DELETE', method: 'DELETE', target: '/f' },
    { name: 'MOVE', method: 'MOVE', target: '/f', headers: { Destination: '/m' } },
    { name: 'MOVE over it', method: 'MOVE', target: '/g', headers: { Destination: '/f' } },
    { name: 'COPY over it', method: 'COPY', target: '/g', headers: { Destination: '/f' } },
    {
      name: 'COPY of a folder over it',
      method: 'COPY',
      target: '/d',
      headers: { Destination: '/f' },
    },
    { name: 'BIND over it', method: 'BIND', target: '/', body: bind('f', '/g') },
  ];
  for (const scope of ['exclusive', 'shared'] as const) {
    for (const change of changes) {
      const t = await startShare();
      for (const name of ['f', 'g']) fs.writeFileSync(t.at(name), name);
      fs.mkdirSync(t.at('d'));
      const token = await mustLock(t, '/f', { scope });
      const refused = await requireToken(t, change, `</f> (<${token}>) (Not <DAV:no-lock>)`);
      assert.deepEqual(conditionsOf(refused), { '/f': 'lock-token-submitted' }, change.name);
      await t.close();
    }
  }
  const t = await startShare();
  fs.writeFileSync(t.at('f'), 'f');
  await mustLock(t, '/f');
  assert.equal((await t.request('GET', '/f')).text, 'f');
  assert.equal((await t.request('PROPFIND', '/f', { headers: { Depth: '0' } })).status, 207);
  const copy = await t.request('COPY', '/f', { headers: { Destination: '/copy' } });
  assert.equal(copy.status, 201);
  assert.equal((await t.request('PUT', '/copy', { body: 'x' })).status, 204);
});

const membership = (target: string): Change[] => [
  { name: 'PUT', method: 'PUT', target: `${target}/new`, body: 'x' },
  { name: 'MKCOL', method: 'MKCOL', target: `${target}/newdir` },
  { name: 'LOCK', method: 'LOCK', target: `${target}/newlock`, body: lockInfo },
  { name: 'COPY', method: 'COPY', target: '/f', headers: { Destination: `${target}/copy` } },
  { name: 'MOVE in', method: 'MOVE', target: '/g', headers: { Destination: `${target}/in` } },
  { name: 'MOVE out', method: 'MOVE', target: `${target}/old`, headers: { Destination: '/out' } },
  { name: 'DELETE', method: 'DELETE', target: `${target}/old` },
  { name: 'BIND', method: 'BIND', target, body: bind('bound', '/f') },
  { name: 'UNBIND', method: 'UNBIND', target, body: unbind('old') },
  { name: 'REBIND', method: 'REBIND', target, body: bind('in', '/g', 'rebind') },
];
const lockInfo =
  '<lockinfo xmlns="DAV:"><lockscope><shared/></lockscope><locktype><write/></locktype></lockinfo>';

test('a collection locked alone: its members come and go only with the token', async () => {
  for (const change of membership('/d')) {
    const t = await startShare();
    fs.mkdirSync(t.at('d', 'e'), { recursive: true });
    for (const name of ['f', 'g', 'd/old', 'd/e/deep']) fs.writeFileSync(t.at(name), name);
    const token = await mustLock(t, '/d', { depth: '0' });
    const refused = await requireToken(t, change, `</d> (<${token}>)`);
    assert.deepEqual(conditionsOf(refused), { '/d/': 'lock-token-submitted' }, change.name);
    // Neither what members are, nor what is below them, is locked.
    for (const target of ['/d/stays', '/d/e/deep', '/d/e/new']) {
      fs.writeFileSync(t.at('d', 'stays'), 'x');
      const answer = await t.request('PUT', target, { body: 'x' });
      assert.ok(answer.status < 300, `${target}: ${answer.status}`);
    }
    const own = await t.request('PROPPATCH', '/d', { body: PROPERTY });
    assert.equal(own.status, 423);
    await t.close();
  }
});

test('a collection locked with all that is below', async () => {
  const inside: Change[] = [
    { name: 'PUT of a member', method: 'PUT', target: '/d/e/deep', body: 'x' },
    { name: 'PROPPATCH of a member', method: 'PROPPATCH', target: '/d/e/deep', body: PROPERTY },
    { name: 'PROPPATCH of a folder', method: 'PROPPATCH', target: '/d/e', body: PROPERTY },
    { name: 'COPY over', method: 'COPY', target: '/f', headers: { Destination: '/d/e/deep' } },
    { name: 'DELETE of a folder', method: 'DELETE', target: '/d/e' },
    { name: 'DELETE of it', method: 'DELETE', target: '/d' },
  ];
  for (const change of [...membership('/d'), ...membership('/d/e'), ...inside]) {
    const t = await startShare();
    fs.mkdirSync(t.at('d', 'e'), { recursive: true });
    for (const name of ['f', 'g', 'd/old', 'd/e/old', 'd/e/deep'])
      fs.writeFileSync(t.at(name), name);
    const token = await mustLock(t, '/d', { depth: 'infinity', scope: 'shared' });
    // Any resource that is covered may be the tag.
    const tag = change.target.startsWith('/d/e') ? '/d/e' : '/d';
    const refused = await requireToken(t, change, `<${tag}> (<${token}>)`);
    assert.deepEqual(conditionsOf(refused), { '/d/': 'lock-token-submitted' }, change.name);
    await t.close();
  }
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  const token = await mustLock(t, '/d', { depth: 'infinity' });
  // What is not there has no state (section 10.4.3).
  const untagged = { headers: { If: `(<${token}>)` }, body: 'x' };
  assert.equal((await t.request('PUT', '/d/new', untagged)).status, 412);
  const tagged = { headers: { If: `</d/> (<${token}>)` }, body: 'x' };
  assert.equal((await t.request('PUT', '/d/new', tagged)).status, 201);
  assert.equal((await t.request('PUT', '/d/new', untagged)).status, 204);
  assert.equal((await t.request('PUT', '/elsewhere', { body: 'x' })).status, 201);
});

test('one token of several shared locks is enough', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('d', 'f'), '');
  const deep = await mustLock(t, '/d', { depth: 'infinity', scope: 'shared' });
  const one = await mustLock(t, '/d/f', { scope: 'shared' });
  const two = await mustLock(t, '/d/f', { scope: 'shared' });
  for (const token of [deep, one, two]) {
    const answer = await t.request('PUT', '/d/f', { headers: { If: `(<${token}>)` }, body: 'x' });
    assert.equal(answer.status, 204);
  }
  // But to remove it changes the collection as well.
  const headers = { If: `(<${one}>)` };
  assert.equal((await t.request('DELETE', '/d/f', { headers })).status, 423);
  assert.equal((await t.request('DELETE', '/d/f', { headers: { If: `(<${deep}>)` } })).status, 204);
});

test('a tree with locked members: 207 with each of them, and nothing is done', async () => {
  const requests: [string, string, Record<string, string>][] = [
    ['DELETE', '/d', {}],
    ['MOVE', '/d', { Destination: '/e' }],
    ['MOVE', '/other', { Destination: '/d' }],
    ['COPY', '/other', { Destination: '/d' }],
  ];
  for (const [method, target, headers] of requests) {
    const t = await startShare();
    for (const name of ['d/a/b', 'other']) fs.mkdirSync(t.at(name), { recursive: true });
    for (const name of ['d/a/b/f', 'd/g', 'd/free', 'other/x']) fs.writeFileSync(t.at(name), name);
    const before = fs.readdirSync(t.dir, { recursive: true });
    const one = await mustLock(t, '/d/a/b/f');
    const two = await mustLock(t, '/d/g');
    const refused = await t.request(method, target, { headers });
    const both = { '/d/a/b/f': '423 lock-token-submitted', '/d/g': '423 lock-token-submitted' };
    assert.deepEqual([refused.status, conditionsOf(refused)], [207, both], method);
    const If = `</d/g> (<${two}>)`;
    const half = await t.request(method, target, { headers: { ...headers, If } });
    assert.deepEqual(conditionsOf(half), { '/d/a/b/f': '423 lock-token-submitted' }, method);
    assert.deepEqual(fs.readdirSync(t.dir, { recursive: true }), before, method);
    const allowed = await t.request(method, target, {
      headers: { ...headers, If: `</d/g> (<${two}>) </d/a/b/f> (<${one}>)` },
    });
    assert.ok([201, 204].includes(allowed.status), `${method}: ${allowed.status}`);
    // Their URLs lead nowhere: the locks are gone.
    for (const [gone, token] of [
      ['/d/a/b/f', one],
      ['/d/g', two],
    ] as const) {
      assert.equal((await unlock(t, gone, token)).status, 409, method);
    }
    await t.close();
  }
});

test('locks stay with their URLs and end with them', async () => {
  const t = await startShare();
  const write = async (target: string, expected: number): Promise<void> => {
    assert.equal((await t.request('PUT', target, { body: 'x' })).status, expected, target);
  };
  const token = await mustLock(t, '/f');
  const submit = { If: `</f> (<${token}>)` };
  // COPY does not copy them, and does not end them at the destination.
  await t.request('COPY', '/f', { headers: { Destination: '/copy' } });
  await write('/copy', 204);
  const over = { Destination: '/f', ...submit };
  assert.equal((await t.request('COPY', '/copy', { headers: over })).status, 204);
  await write('/f', 423);
  // MOVE ends them at both ends.
  assert.equal((await t.request('MOVE', '/copy', { headers: over })).status, 204);
  await write('/f', 204);
  assert.equal((await refresh(t, '/f', `(<${token}>)`)).status, 412);
  const again = await mustLock(t, '/f');
  const away = { Destination: '/moved', If: `(<${again}>)` };
  assert.equal((await t.request('MOVE', '/f', { headers: away })).status, 201);
  await write('/moved', 204);
  await write('/f', 201);
  // DELETE ends them; who makes the resource anew finds it free.
  const last = await mustLock(t, '/f');
  assert.equal((await t.request('DELETE', '/f', { headers: { If: `(<${last}>)` } })).status, 204);
  await write('/f', 201);
  // A parent that goes takes those below along, and a deep lock does not follow what leaves it.
  fs.mkdirSync(t.at('d', 'e'), { recursive: true });
  const deep = await mustLock(t, '/d', { depth: 'infinity' });
  const out = { Destination: '/e', If: `</d> (<${deep}>)` };
  assert.equal((await t.request('MOVE', '/d/e', { headers: out })).status, 201);
  await write('/e/f', 201);
  const back = { Destination: '/d/e', If: `</d> (<${deep}>)` };
  assert.equal((await t.request('MOVE', '/e', { headers: back })).status, 201);
  await write('/d/e/f', 423);
  const gone = { Destination: '/z', If: `(<${deep}>)` };
  assert.equal((await t.request('MOVE', '/d', { headers: gone })).status, 201);
  await write('/z/e/f', 204);
  assert.equal((await t.request('MKCOL', '/d')).status, 201);
  await write('/d/new', 201);
});
