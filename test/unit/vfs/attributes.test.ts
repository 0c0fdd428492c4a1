import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  permissionsOf,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
  typeOf,
} from '../../../src/vfs/attributes.js';
import type { ServerProfile } from '../../../src/webdav/types.js';
import { fileResource, folderResource } from './resources.js';

const owner = { uid: 0, gid: 0, fmask: 0o022, dmask: 0o027 };
const apache = { setsExecutable: true } as ServerProfile;

test('types: a link is a file that the posix property says is one; what cannot be opened is a socket', () => {
  assert.equal(typeOf(folderResource('d')), S_IFDIR);
  assert.equal(typeOf(fileResource('f', 1)), S_IFREG);
  assert.equal(typeOf(fileResource('l', 1, { posix: { mode: 0o120777 } })), S_IFLNK);
  assert.equal(typeOf(fileResource('fifo', 0, { kind: 'special' })), S_IFSOCK);
});

test('without a stored mode the masks and the executable flag decide', () => {
  assert.equal(permissionsOf(fileResource('f', 1), owner, undefined), 0o644);
  assert.equal(permissionsOf(fileResource('f', 1, { executable: true }), owner, undefined), 0o755);
  assert.equal(permissionsOf(folderResource('d'), owner, undefined), 0o750);
});

test('a stored mode holds', () => {
  assert.equal(
    permissionsOf(fileResource('f', 1, { posix: { mode: 0o100600 } }), owner, undefined),
    0o600,
  );
  assert.equal(
    permissionsOf(
      fileResource('f', 1, { posix: { mode: 0o100755 }, executable: false }),
      owner,
      undefined,
    ),
    0o755,
  );
});

test('where the server has the executable flag itself, it wins over the stored mode', () => {
  const stored = { posix: { mode: 0o100640 } };
  assert.equal(
    permissionsOf(fileResource('f', 1, { ...stored, executable: true }), owner, apache),
    0o750,
  );
  assert.equal(
    permissionsOf(
      fileResource('f', 1, { posix: { mode: 0o100750 }, executable: false }),
      owner,
      apache,
    ),
    0o640,
  );
});
