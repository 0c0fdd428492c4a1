import assert from 'node:assert/strict';
import { test } from 'node:test';
import { absoluteAddress } from '../../../src/cli/address-text.js';
import { resolveMountpoint } from '../../../src/cli/mountinfo.js';
import { parseMountInfo } from '../../../src/fuse/mountinfo.js';
import { UsageError } from '../../../src/errors.js';

test('a line of mountinfo: escapes, optional fields, type, source, user', () => {
  const text =
    '36 25 0:53 / /mnt/my\\040share\\134x rw,nosuid shared:7 master:2 - fuse.davport unix:/a\\040b ' +
    'rw,user_id=1000,group_id=1000\n' +
    '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n';
  assert.deepEqual(parseMountInfo(text), [
    {
      id: 36,
      mountpoint: '/mnt/my share\\x',
      type: 'fuse.davport',
      source: 'unix:/a b',
      minor: 53,
      uid: 1000,
    },
    { id: 22, mountpoint: '/', type: 'ext4', source: '/dev/sda1', minor: 1, uid: undefined },
  ]);
});

test('names that are no ASCII come back whole', () => {
  const line = Buffer.from('1 1 0:9 / /mnt/größe rw - fuse.davport x rw').toString('latin1');
  assert.equal(parseMountInfo(line)[0]?.mountpoint, '/mnt/größe');
});

test('a mountpoint is made absolute without a look at it', () => {
  assert.equal(resolveMountpoint('nobody-has-this', '/tmp'), '/tmp/nobody-has-this');
  assert.equal(resolveMountpoint('/proc/self/../x', '/'), '/proc/x');
  assert.throws(() => resolveMountpoint('/no/such/folder', '/'), UsageError);
  assert.throws(() => resolveMountpoint('', '/'), UsageError);
});

test('paths in channel addresses are made absolute, all else stays', () => {
  assert.equal(absoluteAddress('unix:a.sock', '/w'), 'unix:/w/a.sock');
  assert.equal(absoluteAddress('unix-listen:../a', '/w/x'), 'unix-listen:/w/a');
  assert.equal(absoluteAddress('unix:/abs', '/w'), 'unix:/abs');
  assert.equal(absoluteAddress('./port', '/w'), '/w/port');
  for (const same of ['tcp:h:1', 'virtio:a', 'exec:a b', 'http://h/', 'fd:3', 'stdio:', '/dev/x']) {
    assert.equal(absoluteAddress(same, '/w'), same);
  }
});
