/** Every way to end a mount uploads what is dirty and leaves no mount; the next mount takes over what a killed one left. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { startBackground, type Background } from '../support/background.js';
import { davport } from '../support/davport.js';
import { mountDavport } from '../support/mount.js';
import { mountsAt } from '../support/mountinfo.js';
import { bash, python, run } from '../support/run.js';
import { scenario } from '../support/scenario.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';
import { test } from 'node:test';
import { startPeer } from '../support/peers/index.js';

const KEEP_OPEN = `
import os, sys, time
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o644)
os.write(fd, b'd' * 100000)
print('written', flush=True)
time.sleep(60)`;

async function dirtyFile(file: string): Promise<Background> {
  const writer = startBackground('/usr/bin/python3', ['-c', KEEP_OPEN, file]);
  await waitUntil('the write', () => writer.log().includes('written'));
  return writer;
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  scenario(
    `${signal} uploads a file that is still open, and leaves no mount`,
    { timeoutMs: 30_000 },
    async ({ peer, mount, dir }) => {
      const writer = await dirtyFile(`${dir}/dirty`);
      mount.signal(signal);
      const exit = await mount.exited;
      assert.equal(exit.code, 0, mount.log());
      assert.deepEqual(mountsAt(dir), []);
      assert.equal(readFileSync(`${peer.dir}/dirty`, 'utf8'), 'd'.repeat(100_000));
      await writer.stop(0);
      await mount.remount();
    },
  );
}

/** Changes a file through a mapping that outlives its descriptor, and is killed: the kernel closes for it. */
const KILLED = `
import mmap, os, signal, sys
fd = os.open(sys.argv[1] + '/mapped', os.O_RDWR | os.O_CREAT, 0o644)
os.ftruncate(fd, 100000)
mapping = mmap.mmap(fd, 100000)
os.close(fd)
mapping[:] = b'm' * 100000
os.write(os.open(sys.argv[1] + '/written', os.O_WRONLY | os.O_CREAT, 0o644), b'w' * 100000)
os.kill(os.getpid(), signal.SIGKILL)`;

scenario(
  'umount uploads what a killed program left open or mapped',
  { timeoutMs: 30_000 },
  async ({ peer, mount, dir }) => {
    assert.equal((await python(KILLED, [dir], { accept: 'any' })).signal, 'SIGKILL');
    await mount.unmount();
    assert.equal(readFileSync(`${peer.dir}/mapped`, 'utf8'), 'm'.repeat(100_000));
    assert.equal(readFileSync(`${peer.dir}/written`, 'utf8'), 'w'.repeat(100_000));
    assert.equal(readdirSync(peer.dir).length, 2);
    await mount.remount();
  },
);

scenario(
  'after kill -9 the next mount takes over the mountpoint',
  { timeoutMs: 30_000, options: ['attr_timeout=60'] },
  async ({ mount, dir }) => {
    await bash('echo one > "$1/file"', [dir]);
    for (let round = 0; round < 3; round++) {
      // What the kernel then knows, it tells also when nobody is there.
      await bash('ls -ld "$1"', [dir]);
      await mount.kill9();
      assert.equal(mountsAt(dir).length, 1);
      await mount.remount();
      assert.equal(mountsAt(dir).length, 1);
      assert.equal((await bash('cat "$1/file"', [dir])).stdout, 'one\n');
    }
  },
);

test(
  'mount in the background: returns when the path can be used, umount ends it',
  { timeout: 30_000 },
  async () => {
    const peer = await startPeer('share');
    const dir = makeTempDir();
    const state = makeTempDir();
    const mounted = await davport(['mount', peer.channel, dir], { env: { XDG_CACHE_HOME: state } });
    assert.equal(mounted.code, 0, mounted.stderr);
    assert.equal(mountsAt(dir).length, 1);
    await bash('echo x > "$1/file"', [dir]);
    // What has a mountpoint already is not mounted over.
    assert.notEqual((await davport(['mount', peer.channel, dir])).code, 0);
    assert.equal(mountsAt(dir).length, 1);
    const unmounted = await davport(['umount', dir]);
    assert.equal(unmounted.code, 0, unmounted.stderr);
    assert.deepEqual(mountsAt(dir), []);
    assert.equal(readFileSync(`${peer.dir}/file`, 'utf8'), 'x\n');
    const again = await davport(['umount', dir]);
    assert.notEqual(again.code, 0);
    assert.match(again.stderr, /^davport: .+\n$/);
    await peer.stop();
  },
);

test(
  'umount of a mount in use fails with the remedy, --force takes it away',
  { timeout: 30_000 },
  async () => {
    const peer = await startPeer('share');
    const mount = await mountDavport({ channel: peer.channel });
    const user = startBackground('/bin/bash', [
      '-c',
      'cd "$1" && echo in && exec sleep 60',
      'bash',
      mount.dir,
    ]);
    await waitUntil('the user', () => user.log().includes('in'));
    const busy = await davport(['umount', mount.dir]);
    assert.equal(busy.code, 1);
    assert.match(busy.stderr, /^davport: .*in use.*\n$/);
    await bash('ls "$1"', [mount.dir]);
    assert.equal((await davport(['umount', '--force', mount.dir])).code, 0);
    assert.deepEqual(mountsAt(mount.dir), []);
    await mount.exited;
    await user.stop(0);
    await peer.stop();
  },
);

test(
  'a plain umount(8) and fusermount3 -u end the mount in good order',
  { timeout: 30_000 },
  async () => {
    const peer = await startPeer('share');
    for (const command of [['umount'], ['fusermount3', '-u']]) {
      const mount = await mountDavport({ channel: peer.channel });
      await bash('echo x > "$1/file"', [mount.dir]);
      await run(command[0]!, [...command.slice(1), mount.dir]);
      assert.equal((await mount.exited).code, 0, mount.log());
    }
    await peer.stop();
  },
);
