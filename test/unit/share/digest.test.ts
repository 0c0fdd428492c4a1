import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { test } from 'node:test';
import { wantedAlgorithm } from '../../../src/share/repr-digest.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { waitUntil } from '../../support/wait-until.js';
import { startShare, type Answer, type TestShare } from './fixture.js';
import { patch } from './partial-requests.js';

const get = (t: TestShare, target: string, headers: Record<string, string>): Promise<Answer> =>
  t.request('GET', target, { headers });

const digest = (algorithm: string, content: Buffer): string =>
  `sha-${algorithm.slice(3)}=:${createHash(algorithm).update(content).digest('base64')}:`;

test('Want-Repr-Digest: the algorithm that is liked best', () => {
  for (const [header, expected] of [
    [undefined, undefined],
    ['sha-256=10', 'sha-256'],
    ['sha-256=1, sha-512=1', 'sha-256'],
    ['sha-256=1, sha-512=3', 'sha-512'],
    ['sha-256=0', undefined],
    ['md5=5, unixsum=3', undefined],
    ['sha-256=11', undefined],
    ['sha-256', undefined],
    ['SHA-256=1', undefined],
    ['sha-256=1;a=b', 'sha-256'],
    ['constructor=1', undefined],
  ] as const) {
    assert.equal(wantedAlgorithm(header), expected, header);
  }
});

test('Repr-Digest on request: of the whole file, with ranges and HEAD, too', async () => {
  const t = await startShare();
  const content = new SeededRandom(3).bytes(900_000);
  fs.writeFileSync(t.at('f.txt'), content);
  fs.writeFileSync(t.at('empty'), '');
  const wanted = { 'Want-Repr-Digest': 'sha-256=5' };
  const expected = digest('sha256', content);
  for (const [method, headers, length] of [
    ['GET', {}, 900_000],
    ['HEAD', {}, 0],
    ['GET', { Range: 'bytes=10-19' }, 10],
    // Of the bytes as they are stored: so they aren't coded.
    ['GET', { 'Accept-Encoding': 'gzip' }, 900_000],
  ] as const) {
    const answer = await t.request(method, '/f.txt', { headers: { ...wanted, ...headers } });
    assert.equal(answer.headers['repr-digest'], expected);
    assert.equal(answer.body.length, length);
    assert.equal(answer.headers['content-encoding'], undefined);
  }
  const strong = await get(t, '/f.txt', { 'Want-Repr-Digest': 'sha-512=2, sha-256=1' });
  assert.equal(strong.headers['repr-digest'], digest('sha512', content));
  const empty = await t.request('HEAD', '/empty', { headers: wanted });
  assert.equal(empty.headers['repr-digest'], digest('sha256', Buffer.alloc(0)));
  assert.equal((await get(t, '/f.txt', {})).headers['repr-digest'], undefined);
  const { etag = '' } = strong.headers;
  const unchanged = await get(t, '/f.txt', { ...wanted, 'If-None-Match': etag });
  assert.deepEqual([unchanged.status, unchanged.headers['repr-digest']], [304, undefined]);
});

test('a file that grows while its digest is computed is told without one', async () => {
  const t = await startShare();
  const size = 200_000_000;
  fs.writeFileSync(t.at('log'), '');
  fs.truncateSync(t.at('log'), size);
  const headers = { 'Want-Repr-Digest': 'sha-256=1', Range: 'bytes=-1' };
  const asked = get(t, '/log', headers);
  const { etag = '' } = (await t.request('HEAD', '/log')).headers;
  const strict = t.request('HEAD', '/log', {
    headers: { 'Want-Repr-Digest': 'sha-256=1', 'If-Match': etag },
  });
  await waitUntil('both to begin', () => t.share.stats.active === 2);
  fs.appendFileSync(t.at('log'), '!');
  const answer = await asked;
  assert.equal(answer.status, 206);
  assert.equal(answer.headers['repr-digest'], undefined);
  assert.equal(answer.headers['content-range'], `bytes ${size}-${size}/${size + 1}`);
  assert.equal(answer.text, '!');
  assert.equal(answer.headers.etag, (await t.request('HEAD', '/log')).headers.etag);
  assert.equal((await strict).status, 412);
});

test('a file that is changed in place while its digest is computed is told as it is then', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), '');
  fs.truncateSync(t.at('f'), 200_000_000);
  const headers = { 'Want-Repr-Digest': 'sha-256=1', Range: 'bytes=-2' };
  const asked = get(t, '/f', headers);
  await waitUntil('it to begin', () => t.share.stats.active === 1);
  const changed = await patch(t, 'bytes=-1', '!');
  const answer = await asked;
  assert.deepEqual([answer.status, answer.text], [206, '\0!']);
  assert.deepEqual(
    [answer.headers.etag, answer.headers['repr-digest']],
    [changed.headers.etag, undefined],
  );
});

test('a PUT with a digest is stored only when the body has it', async () => {
  const t = await startShare();
  for (const size of [0, 1000, 1_000_000]) {
    const body = new SeededRandom(size).bytes(size);
    const other = Buffer.concat([body, Buffer.from('!')]);
    const put = async (headers: Record<string, string>): Promise<number> =>
      (await t.request('PUT', '/f', { headers, body })).status;
    for (const field of ['Repr-Digest', 'Content-Digest']) {
      fs.writeFileSync(t.at('f'), 'old');
      assert.equal(await put({ [field]: digest('sha256', other) }), 400);
      const mixed = `${digest('sha256', body)}, ${digest('sha512', other)}`;
      assert.equal(await put({ [field]: mixed }), 400);
      for (const malformed of ['nonsense', 'sha-256=abc', 'sha-256=:a b:', '']) {
        assert.equal(await put({ [field]: malformed }), 400, malformed);
      }
      assert.equal(fs.readFileSync(t.at('f'), 'utf8'), 'old');
      assert.equal(await put({ [field]: digest('sha256', body) }), 204);
      assert.ok(fs.readFileSync(t.at('f')).equals(body));
      assert.equal(await put({ [field]: `${digest('sha512', body)}, md5=:AAAA:` }), 204);
    }
  }
  assert.deepEqual(fs.readdirSync(t.dir), ['f']);
});
