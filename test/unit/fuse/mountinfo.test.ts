import assert from 'node:assert/strict';
import { test } from 'node:test';

import { findMount, parseMountInfo } from '../../../src/fuse/mountinfo.js';

const TEXT = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
45 22 0:41 / /mnt/with\\040space\\134and\\012line rw,nosuid master:2 shared:7 - fuse.davport a\\040b rw
46 22 0:42 / /mnt/\xc3\xa4 rw - fuse.davport virtio rw
garbage
`;

test('fields with escapes and optional fields', () => {
  const mounts = parseMountInfo(TEXT).map(({ mountpoint, type, source }) => [
    mountpoint,
    type,
    source,
  ]);
  assert.deepEqual(mounts, [
    ['/', 'ext4', '/dev/vda'],
    ['/mnt/with space\\and\nline', 'fuse.davport', 'a b'],
    ['/mnt/ä', 'fuse.davport', 'virtio'],
  ]);
});

test('the mounts of this system', async () => {
  assert.equal((await findMount('/proc'))?.type, 'proc');
  assert.equal(await findMount('/surely/not/there'), undefined);
});
