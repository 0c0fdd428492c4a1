import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { readMultistatus, startShare, type Answer, type TestShare } from './fixture.js';

const body = (method: string, segment: string, href?: string): string =>
  `<D:${method} xmlns:D="DAV:"><D:segment>${segment}</D:segment>` +
  `${href === undefined ? '' : `<D:href>${href}</D:href>`}</D:${method}>`;

type Send = (
  target: string,
  segment: string,
  href: string,
  headers?: Record<string, string>,
) => Promise<Answer>;

function bindOn(t: TestShare, method = 'BIND'): Send {
  return (target, segment, href, headers = {}) =>
    t.request(method, target, { headers, body: body(method.toLowerCase(), segment, href) });
}

function refused(answer: Answer, status: number, condition: string): void {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.text, new RegExp(`<D:error[^>]*><D:${condition}/></D:error>`));
}

const names = (t: TestShare): string[] => fs.readdirSync(t.dir).sort();
const inoOf = (path: string): bigint => fs.lstatSync(path, { bigint: true }).ino;

test('BIND gives a file a further name', async () => {
  const t = await startShare();
  const bind = bindOn(t);
  fs.mkdirSync(t.at('d'));
  const put = await t.request('PUT', '/a%20file', { body: 'content' });
  const made = await bind('/d/', 'n%C3%A4me%20it', '/a%20file');
  assert.equal(made.status, 201, made.text);
  assert.equal(made.headers.location, '/d/n%C3%A4me%20it');
  assert.match(String(made.headers['davport-posix']), /^size=7 mode=100644 .* nlink=2 dev=\d+$/);
  assert.notEqual(made.headers.etag, put.headers.etag);
  assert.equal(inoOf(t.at('d', 'näme it')), inoOf(t.at('a file')));
  const { headers } = await t.request('HEAD', '/a%20file');
  assert.equal(headers.etag, made.headers.etag);

  // As an absolute URI, to a collection without its slash; and what is there is replaced.
  fs.writeFileSync(t.at('d', 'other'), 'other');
  const host = { Host: 'share.example' };
  const again = await bind('/d', 'other', 'http://share.example/d/n%C3%A4me%20it', host);
  assert.equal(again.status, 204, again.text);
  assert.equal(fs.readFileSync(t.at('d', 'other'), 'utf8'), 'content');
  assert.equal(fs.statSync(t.at('a file')).nlink, 3);

  // A name that it has already.
  assert.equal((await bind('/d', 'other', '/a%20file')).status, 204);
  assert.equal(fs.statSync(t.at('a file')).nlink, 3);
  assert.deepEqual(names(t), ['a file', 'd']);
  assert.deepEqual(fs.readdirSync(t.at('d')).sort(), ['näme it', 'other']);
});

test('BIND of a symbolic link names the link, and never leaves the share', async () => {
  const t = await startShare();
  fs.writeFileSync(`${t.outside}/secret`, 'secret');
  fs.symlinkSync(`${t.outside}/secret`, t.at('link'));
  fs.symlinkSync(t.outside, t.at('away'));
  assert.equal((await bindOn(t)('/', 'second', '/link')).status, 201);
  assert.ok(fs.lstatSync(t.at('second')).isSymbolicLink());
  assert.equal((await bindOn(t)('/', 'stolen', '/away/secret')).status, 409);
  assert.equal((await bindOn(t)('/away', 'planted', '/link')).status, 403);
  assert.equal(fs.statSync(`${t.outside}/secret`).nlink, 1);
  assert.deepEqual(fs.readdirSync(t.outside), ['secret']);
});

test('what BIND refuses, and by which condition', async () => {
  const t = await startShare();
  const bind = bindOn(t);
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('f'), 'f');
  fs.writeFileSync(t.at('g'), 'g');
  refused(await bind('/f', 'x', '/g'), 409, 'bind-into-collection');
  assert.equal((await bind('/none', 'x', '/g')).status, 404);
  for (const absent of ['/none', '/none/x', '/f/x']) {
    refused(await bind('/', 'x', absent), 409, 'bind-source-exists');
  }
  for (const folder of ['/d', '/']) refused(await bind('/', 'x', folder), 403, 'binding-allowed');
  for (const name of ['', '.', '..', 'a/b', 'a%2Fb', 'a?b', 'a%00']) {
    refused(await bind('/', name, '/f'), 403, 'name-allowed');
  }
  refused(await bind('/', 'x', 'http://elsewhere/f'), 403, 'cross-server-binding');
  refused(await bind('/', 'g', '/f', { Overwrite: 'F' }), 412, 'can-overwrite');
  assert.equal((await bind('/', 'x', '/f', { 'If-Match': '"none"' })).status, 412);
  assert.equal((await bind('/', 'n'.repeat(300), '/f')).status, 414);
  for (const wrong of ['', '<bind/>', body('rebind', 'x', '/f'), body('bind', 'x')]) {
    assert.equal((await t.request('BIND', '/', { body: wrong })).status, 400, wrong);
  }
  assert.deepEqual(names(t), ['d', 'f', 'g']);
  assert.equal(fs.readFileSync(t.at('g'), 'utf8'), 'g');
  const reading = await startShare({ readOnly: true });
  fs.writeFileSync(reading.at('f'), 'f');
  assert.equal((await bindOn(reading)('/', 'x', '/f')).status, 403);
  assert.deepEqual(names(reading), ['f']);
});

test('of many BINDs with Overwrite: F to one name one wins', async () => {
  const t = await startShare();
  for (let i = 0; i < 20; i++) fs.writeFileSync(t.at(`f${i}`), String(i));
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => bindOn(t)('/', 'one', `/f${i}`, { Overwrite: 'F' })),
  );
  const winners = answers.flatMap(({ status }, i) => (status === 201 ? [i] : []));
  assert.equal(winners.length, 1);
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201, 412]));
  assert.equal(inoOf(t.at('one')), inoOf(t.at(`f${winners[0]}`)));
  assert.equal(names(t).length, 21);
});

test('DELETE and MOVE of one name leave the others', async () => {
  const t = await startShare();
  const bind = bindOn(t);
  fs.writeFileSync(t.at('a'), 'content');
  for (const name of ['b', 'c', 'd']) await bind('/', name, '/a');
  assert.equal((await t.request('DELETE', '/a')).status, 204);
  const moved = await t.request('MOVE', '/b', { headers: { Destination: '/e' } });
  assert.match(String(moved.headers['davport-posix']), / nlink=3 dev=/);
  // Onto another name of the same file: the source is gone all the same.
  assert.equal((await t.request('MOVE', '/e', { headers: { Destination: '/c' } })).status, 204);
  assert.deepEqual(names(t), ['c', 'd']);
  assert.equal(fs.readFileSync(t.at('c'), 'utf8'), 'content');
});

test('UNBIND removes a name, REBIND moves one', async () => {
  const t = await startShare();
  const rebind = bindOn(t, 'REBIND');
  const unbind = (target: string, segment: string): Promise<Answer> =>
    t.request('UNBIND', target, { body: body('unbind', segment) });
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('f'), 'f');
  fs.writeFileSync(t.at('g'), 'g');
  refused(await rebind('/f', 'x', '/g'), 409, 'rebind-into-collection');
  refused(await rebind('/d', 'x', '/none'), 409, 'rebind-source-exists');
  assert.equal((await rebind('/d', 'x', '/d')).status, 403);
  assert.equal((await rebind('/', 'g', '/f', { Overwrite: 'F' })).status, 412);
  assert.equal((await rebind('/d', 'x', '/f')).status, 201);
  assert.equal((await rebind('/', 'g', '/d/x')).status, 204);
  assert.equal(fs.readFileSync(t.at('g'), 'utf8'), 'f');
  refused(await unbind('/g', 'x'), 409, 'unbind-from-collection');
  refused(await unbind('/', 'f'), 409, 'unbind-source-exists');
  assert.equal((await unbind('/', 'g')).status, 204);
  assert.deepEqual(names(t), ['d']);
});

test('resource-id is the same for all names of a file, and told only on request', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('a'), '');
  fs.writeFileSync(t.at('b'), '');
  await bindOn(t)('/', 'c', '/a');
  const ask = async (content: string): Promise<Map<string, string | undefined>> => {
    const answer = await t.request('PROPFIND', '/', {
      headers: { Depth: '1' },
      body: `<propfind xmlns="DAV:">${content}</propfind>`,
    });
    const told = readMultistatus(answer).map(({ href, found }) => [href, found['resource-id']]);
    return new Map(told as [string, string | undefined][]);
  };
  const ids = await ask('<prop><resource-id/></prop>');
  assert.match(ids.get('/a')!, /^<href>urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.equal(ids.get('/c'), ids.get('/a'));
  assert.notEqual(ids.get('/b'), ids.get('/a'));
  assert.equal((await ask('<allprop/>')).get('/a'), undefined);
  assert.equal((await ask('<allprop/><include><resource-id/></include>')).get('/a'), ids.get('/a'));
});
