import assert from 'node:assert/strict';
import { mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  davportMounts,
  defaultCacheFolder,
  prepareCacheFolder,
} from '../../../../src/vfs/cache-folder.js';
import { temporaryFolder } from './helpers.js';

const mountLine = (point: string, type = 'fuse.davport', source = 'davport'): string =>
  `41 26 0:38 / ${point} rw,nosuid shared:21 - ${type} ${source} rw,user_id=0\n`;

test('the default folder follows the XDG rules, and is the system cache for root', () => {
  const env = { uid: 1000, home: '/home/u', xdgCacheHome: undefined };
  assert.equal(defaultCacheFolder(env), '/home/u/.cache/davport');
  assert.equal(defaultCacheFolder({ ...env, xdgCacheHome: '/c' }), '/c/davport');
  assert.equal(defaultCacheFolder({ ...env, xdgCacheHome: 'c' }), '/home/u/.cache/davport');
  assert.equal(defaultCacheFolder({ ...env, uid: 0 }), '/var/cache/davport');
});

test('the folder is made for its owner alone', async (t) => {
  const folder = join(temporaryFolder(t), 'a', 'b');
  assert.equal(await prepareCacheFolder(folder, ''), folder);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  assert.equal(await prepareCacheFolder(folder, ''), folder);
});

test('davport mounts are found in mountinfo, odd names included', () => {
  const text =
    mountLine('/mnt/a\\040b\\134c') +
    mountLine('/mnt/x', 'ext4', '/dev/sda') +
    mountLine('/mnt/old', 'fuse') +
    mountLine('/mnt/sshfs', 'fuse.sshfs', 'host:') +
    'garbage\n';
  assert.deepEqual([...davportMounts(text)], ['/mnt/a b\\c', '/mnt/old']);
});

test('a folder on a davport mount is refused, by whatever way it is named', async (t) => {
  const base = temporaryFolder(t);
  mkdirSync(join(base, 'mount'));
  mkdirSync(join(base, 'dir'));
  symlinkSync('../mount/deep', join(base, 'dir', 'relative'));
  symlinkSync(join(base, 'dir', 'relative'), join(base, 'absolute'));
  symlinkSync('loop', join(base, 'loop'));
  const info = mountLine(join(base, 'mount'));
  for (const path of ['mount', 'mount/cache', 'dir/../mount/x', 'dir/relative', 'absolute/x']) {
    await assert.rejects(prepareCacheFolder(join(base, path), info), {
      code: 'USAGE',
      message: /lies on the davport mount .*\/mount; name a local folder/,
    });
  }
  await assert.rejects(
    prepareCacheFolder(join(base, 'loop', 'x'), info),
    /too many symbolic links/,
  );
  const beside = join(base, 'mount2');
  assert.equal(await prepareCacheFolder(beside, info), beside);
});

test('a folder that cannot be made says so', async (t) => {
  const base = temporaryFolder(t);
  writeFileSync(join(base, 'file'), '');
  await assert.rejects(prepareCacheFolder(join(base, 'file', 'x'), ''), {
    code: 'USAGE',
    message: /can't be made.*-o cache_dir=DIR/,
  });
});
