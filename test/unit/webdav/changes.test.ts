import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseChange } from '../../../src/webdav/methods/changes.js';

test('lines of a feed', () => {
  const read = (line: string) => parseChange(line, '/base');
  assert.deepEqual(read('changed /base/a%20b/%C3%A4 "1-2" size=3 mode=100644 ino=7'), {
    kind: 'changed',
    path: '/a b/ä',
    etag: '"1-2"',
    posix: { mode: 0o100644, ino: 7 },
  });
  assert.deepEqual(read('changed /base/ "x" mode=40755'), {
    kind: 'changed',
    path: '',
    etag: '"x"',
    posix: { mode: 0o040755 },
  });
  assert.deepEqual(read('gone /base/x%FFy'), { kind: 'gone', path: '/x\udcffy' });
  assert.deepEqual(read('forget /base/a/b/'), { kind: 'forget', path: '/a/b' });
  assert.deepEqual(read('reset'), { kind: 'reset' });
  assert.equal(read('alive'), undefined);
  assert.equal(read('moved /base/a /base/b'), undefined);
  // What can't be placed may be anything.
  for (const line of ['gone /elsewhere', 'gone', 'gone /base/..', 'changed /base/a%2Fb "x"']) {
    assert.deepEqual(read(line), { kind: 'reset' }, line);
  }
});
