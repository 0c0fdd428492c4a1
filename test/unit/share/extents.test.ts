import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { startShare, type Answer, type TestShare } from './fixture.js';
import { extentsBody, patchExtents } from './partial-requests.js';

const content = (t: TestShare): string => fs.readFileSync(t.at('f'), 'latin1');

test('PATCH with a table: several parts, the size and the mode by one request', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), '0123456789');
  const { ino } = fs.statSync(t.at('f'));
  const { etag = '' } = (await t.request('HEAD', '/f')).headers;
  const headers = { 'If-Match': etag, 'Davport-Posix': 'size=14 mode=100600' };
  const parts = [[1, 'ab'], [3, 'c'], [8, 'XYZ!']] as const; // prettier-ignore
  const answer = await patchExtents(t, parts, headers);
  assert.equal(answer.status, 204, answer.text);
  assert.equal(content(t), '0abc4567XYZ!\0\0');
  assert.equal(fs.statSync(t.at('f')).mode & 0o777, 0o600);
  assert.equal(fs.statSync(t.at('f')).ino, ino);
  assert.match(String(answer.headers['davport-posix']), /^size=14 /);
  assert.equal((await patchExtents(t, parts, headers)).status, 412);
  const large = Buffer.alloc(300_000, 'x');
  assert.equal((await patchExtents(t, [[0, large], [400_000, large]])).status, 204); // prettier-ignore
  const expected = Buffer.concat([large, Buffer.alloc(100_000), large]);
  assert.ok(fs.readFileSync(t.at('f')).equals(expected));
});

test('a table that is malformed, or not what is in the body, changes nothing', async () => {
  const t = await startShare();
  fs.writeFileSync(t.at('f'), '0123456789');
  const good = extentsBody([[0, 'x']]);
  const cases: [Promise<Answer>, number][] = [
    [patchExtents(t, [[0, 'x']], {}, good.subarray(0, 16)), 400],
    [patchExtents(t, [[0, 'x']], {}, good.subarray(0, 15)), 400],
    [patchExtents(t, [[0, 'x']], {}, Buffer.concat([good, good])), 400],
    [patchExtents(t, [[0, 'x']], { 'Davport-Extents': '2' }), 400],
    [patchExtents(t, [[0, 'x']], { 'Davport-Extents': '-1' }), 400],
    [patchExtents(t, [[0, 'x']], { 'Davport-Extents': '16385' }), 413],
    [patchExtents(t, [[2, 'xx'], [3, 'x']]), 400], // prettier-ignore
    [patchExtents(t, [[3, 'x'], [2, 'x']]), 400], // prettier-ignore
    [patchExtents(t, [[2, '']]), 400],
    [patchExtents(t, [[2 ** 53, 'x']]), 400],
  ];
  for (const [index, [answer, status]] of cases.entries()) {
    assert.equal((await answer).status, status, `case ${index}`);
  }
  assert.equal(content(t), '0123456789');
  assert.equal((await patchExtents(t, [])).status, 204);
  assert.equal(content(t), '0123456789');
});
