import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpError } from '../../../src/http/types.js';
import { isUnavailable, toFsError } from '../../../src/vfs/errno.js';
import { FsError } from '../../../src/vfs/filesystem.js';
import { DavError, XmlError } from '../../../src/webdav/types.js';

const dav = (status: number, method = 'PUT') => new DavError(method, '/f', status);

test('every kind of error has its errno', () => {
  const rows: [unknown, string][] = [
    [dav(403), 'EACCES'],
    [dav(404), 'ENOENT'],
    [dav(405, 'MKCOL'), 'EEXIST'],
    [dav(409), 'ENOENT'],
    [dav(412), 'ESTALE'],
    [dav(423), 'EBUSY'],
    [dav(500), 'EIO'],
    [dav(507), 'ENOSPC'],
    [new HttpError('HTTP_TIMEOUT', 'silence'), 'ETIMEDOUT'],
    [new HttpError('HTTP_LOST', 'gone'), 'EIO'],
    [new XmlError('cut'), 'EIO'],
    [new DOMException('stop', 'AbortError'), 'EINTR'],
    [Object.assign(new Error('full'), { code: 'ENOSPC', syscall: 'write' }), 'ENOSPC'],
    [new FsError('EXDEV'), 'EXDEV'],
    [new TypeError('a bug'), 'EIO'],
    ['not even an error', 'EIO'],
  ];
  for (const [error, errno] of rows) assert.equal(toFsError(error).errno, errno, String(error));
});

test('only what may go through later is tried later', () => {
  for (const error of [new HttpError('HTTP_LOST', ''), dav(503), dav(423), new FsError('EINTR')]) {
    assert.equal(isUnavailable(error), true, String(error));
  }
  for (const error of [dav(403), dav(507), dav(501), new FsError('ESTALE'), new TypeError('x')]) {
    assert.equal(isUnavailable(error), false, String(error));
  }
  assert.equal(
    isUnavailable(new FsError('EIO', '', { cause: new HttpError('HTTP_TIMEOUT', '') })),
    true,
  );
});
