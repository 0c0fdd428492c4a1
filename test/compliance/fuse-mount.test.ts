/** The life of a mount, over both bridges: interrupts, unmounts of all kinds, death of the process, mountpoints that will not do. */
import assert from 'node:assert/strict';
import { chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';

import { startBackground } from '../support/background.js';
import { abortMounts, mountsAt } from '../support/mountinfo.js';
import { bash, python, run } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';
import { lastWords, programPath, startDaemon, unmountDaemon, type Daemon } from './fuse-daemon.js';

const NOBODY = 65534;
const MINUTE = { TIMEOUT_MS: '60000' };

async function xattrOf(daemon: Daemon, name: string): Promise<string> {
  const { stdout } = await bash('getfattr -n "$2" --only-values "$1"', [daemon.dir, name]);
  return stdout;
}

/** `cat` of a file that is never read. */
async function startBlockedReader(daemon: Daemon) {
  await bash('echo x > "$1/blocked"; setfattr -n user.blocked -v 1 "$1/blocked"', [daemon.dir]);
  const reader = startBackground('cat', [join(daemon.dir, 'blocked')]);
  await waitUntil('the reader to block', async () => {
    return (await xattrOf(daemon, 'user.waiting')) === '1';
  });
  return reader;
}

const BRIDGES = ['kernel', 'fuse-native'] as const;
for (const bridge of BRIDGES) {
  describe(`mount over ${bridge}`, () => {
    test('umount(8) ends the daemon, with nothing left open', async () => {
      const daemon = await startDaemon({ bridge });
      await bash('cd "$1"; mkdir a; echo x > a/b; cat a/b; ls -l a; rm -r a', [daemon.dir]);
      assert.deepEqual(await unmountDaemon(daemon), { end: 'unmounted', openHandles: 0 });
      assert.equal((await daemon.process.exited).code, 0);
    });

    test('the mount table shows source and type', async () => {
      const daemon = await startDaemon({ bridge, options: 'fsname=unix:/a\\,b c' });
      const [mount] = mountsAt(daemon.dir);
      assert.deepEqual([mount?.source, mount?.type], ['unix:/a,b c', 'fuse.davport']);
      await unmountDaemon(daemon);
    });

    test('a busy mount refuses a plain unmount and goes on', async () => {
      const daemon = await startDaemon({ bridge });
      const user = startBackground('sleep', ['60'], { cwd: daemon.dir });
      await waitUntil('the user to be there', async () => {
        const { stdout } = await bash(`readlink /proc/${user.pid}/cwd`);
        return stdout.trim() === daemon.dir;
      });
      daemon.process.kill('SIGTERM');
      await waitUntil('the refusal', () => daemon.process.log().includes('programs still use it'));
      await bash('echo x > "$1/still-there"', [daemon.dir]);
      await user.stop();
      daemon.process.kill('SIGTERM');
      assert.equal((await lastWords(daemon)).end, 'unmounted');
    });

    test('by force it is gone at once, though files are open', async () => {
      const daemon = await startDaemon({ bridge });
      await bash('echo x > "$1/file"', [daemon.dir]);
      const user = startBackground('tail', ['-f', join(daemon.dir, 'file')]);
      await waitUntil('the user to read', () => user.log().includes('x'));
      daemon.process.kill('SIGUSR1');
      assert.equal((await lastWords(daemon)).end, 'aborted');
      assert.equal(mountsAt(daemon.dir).length, 0);
      await user.stop();
    });

    test('SIGKILL leaves ENOTCONN; the next mount takes the mountpoint over', async () => {
      const daemon = await startDaemon({ bridge });
      daemon.process.kill('SIGKILL');
      await daemon.process.exited;
      const left = await run('stat', [daemon.dir], { accept: [1] });
      assert.match(left.stderr, /Transport endpoint is not connected/);
      const next = await startDaemon({ bridge, dir: daemon.dir });
      await bash('echo x > "$1/file"; cat "$1/file"', [daemon.dir]);
      await unmountDaemon(next);
      assert.equal(mountsAt(daemon.dir).length, 0);
    });

    test('a mount on a symbolic link, by a relative path, and on a folder that is not empty', async () => {
      const base = makeTempDir('davport-fuse-');
      mkdirSync(join(base, 'real'));
      writeFileSync(join(base, 'real/below'), '');
      symlinkSync('real', join(base, 'link'));
      const daemon = await startDaemon({ bridge, dir: join(base, 'link') });
      assert.equal(mountsAt(join(base, 'real')).length, 1);
      await unmountDaemon(daemon);
    });

    test('a mountpoint with a name that a shell would read', async () => {
      const dir = join(makeTempDir('davport-fuse-'), '$(touch x) "a" \'b\'\n\\ ü');
      mkdirSync(dir);
      const daemon = await startDaemon({ bridge, dir });
      await bash('echo x > "$1/file"', [dir]);
      daemon.process.kill('SIGTERM');
      assert.equal((await lastWords(daemon)).end, 'unmounted');
    });

    test('ro: writing is EROFS', async () => {
      const daemon = await startDaemon({ bridge, options: 'ro' });
      const result = await run('touch', [join(daemon.dir, 'file')], { accept: [1] });
      assert.match(result.stderr, /Read-only file system/);
      await unmountDaemon(daemon);
    });

    test('without allow_other another user gets EACCES', async () => {
      const daemon = await startDaemon({ bridge });
      const program = `import os,sys
os.chdir(os.path.dirname(sys.argv[1])); os.setuid(${NOBODY})
try: os.listdir('mnt')
except OSError as e: print(e.errno)`;
      assert.equal((await python(program, [daemon.dir])).stdout.trim(), '13');
      await unmountDaemon(daemon);
    });

    for (const [what, prepare, reason] of [
      ['that does not exist', () => undefined, /does not exist; make it with: mkdir -p/],
      ['that is a file', (dir: string) => writeFileSync(dir, ''), /is not a folder/],
    ] as const) {
      test(`a mountpoint ${what} is refused`, async () => {
        const dir = join(makeTempDir('davport-fuse-'), 'mnt');
        prepare(dir);
        const args = [programPath, 'memory', bridge, dir];
        const result = await run(process.execPath, args, { accept: [2] });
        assert.match(result.stderr, /^UsageError/);
        assert.match(result.stderr, reason);
      });
    }

    test('a mountpoint that is mounted already is refused', async () => {
      const daemon = await startDaemon({ bridge });
      const args = [programPath, 'memory', bridge, daemon.dir];
      const result = await run(process.execPath, args, { accept: [2] });
      assert.match(result.stderr, /mounted already \(fuse\.davport\); .*davport umount/);
      await unmountDaemon(daemon);
    });

    test('mapped pages that are not written yet do not hold up an unmount', async () => {
      const daemon = await startDaemon({ bridge });
      const program = `import mmap,sys
f = open(sys.argv[1], 'w+b'); f.truncate(1 << 22)
m = mmap.mmap(f.fileno(), 0)
for at in range(0, 1 << 22, 4096): m[at] = 1
f.close(); m.close()`;
      await python(program, [join(daemon.dir, 'mapped')]);
      daemon.process.kill('SIGTERM');
      assert.equal((await lastWords(daemon)).end, 'unmounted');
    });
  });
}

describe('mount over the kernel bridge only', () => {
  const bridge = 'kernel';

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
    test(`${signal} ends a blocked reader`, async () => {
      const daemon = await startDaemon({ bridge });
      const reader = await startBlockedReader(daemon);
      reader.kill(signal);
      assert.equal((await reader.exited).signal, signal);
      await unmountDaemon(daemon);
    });

    // The kernel reads ahead on its own account: without direct I/O it tells of no interrupt.
    test(`${signal} to a reader with direct I/O is told to the file system`, async () => {
      const daemon = await startDaemon({ bridge, env: { DIRECT_IO: '1' } });
      const reader = await startBlockedReader(daemon);
      reader.kill(signal);
      assert.equal((await reader.exited).signal, signal);
      assert.equal(await xattrOf(daemon, 'user.interrupts'), '1');
      await unmountDaemon(daemon);
    });
  }

  test('other requests go on while one is blocked', async () => {
    const daemon = await startDaemon({ bridge });
    const reader = await startBlockedReader(daemon);
    await bash('cd "$1"; echo y > other; cat other; ls -l; rm other', [daemon.dir]);
    reader.kill('SIGINT');
    await reader.exited;
    await unmountDaemon(daemon);
  });

  test('umount -l detaches; the daemon serves until the last file is closed', async () => {
    const daemon = await startDaemon({ bridge });
    await bash('echo x > "$1/file"', [daemon.dir]);
    const user = startBackground('tail', ['-f', join(daemon.dir, 'file')]);
    await waitUntil('the user to read', () => user.log().includes('x'));
    await run('umount', ['-l', daemon.dir]);
    assert.equal(mountsAt(daemon.dir).length, 0);
    assert.equal(daemon.process.running, true);
    await user.stop();
    // The last RELEASE races with the end of the mount; FLUSH, which tells of errors, came before.
    assert.equal((await lastWords(daemon)).end, 'unmounted');
  });

  test('by force a blocked reader gets an error', async () => {
    const daemon = await startDaemon({ bridge });
    const reader = await startBlockedReader(daemon);
    daemon.process.kill('SIGUSR1');
    assert.equal((await lastWords(daemon)).end, 'aborted');
    assert.equal((await reader.exited).code, 1);
  });

  test('an abort by the kernel ends the daemon', async () => {
    await bash('mountpoint -q "$1" || mount -t fusectl fusectl "$1"', ['/sys/fs/fuse/connections']);
    const daemon = await startDaemon({ bridge });
    abortMounts(daemon.dir);
    assert.equal((await lastWords(daemon)).end, 'aborted');
  });

  test('what changes behind the kernel is seen at once after it was told', async () => {
    const daemon = await startDaemon({ bridge, env: MINUTE });
    const look = async (): Promise<string> => {
      const script = 'cd "$1"; cat watched; test -e vanishing && echo there || echo gone';
      return (await bash(script, [daemon.dir])).stdout;
    };
    await bash('cd "$1"; printf "old content\\n" > watched; touch vanishing', [daemon.dir]);
    assert.equal(await look(), 'old content\nthere\n');
    daemon.process.kill('SIGUSR2');
    await waitUntil('the change', () => daemon.process.log().includes('changed'));
    assert.equal(await look(), 'NEW content\ngone\n');
    assert.doesNotMatch(daemon.process.log(), /refused/);
    await unmountDaemon(daemon);
  });

  test('a user mounts through fusermount3, and may unmount', async () => {
    const dir = join(makeTempDir('davport-fuse-'), 'mnt');
    mkdirSync(dir);
    chownSync(dir, NOBODY, NOBODY);
    await run('chmod', ['755', join(dir, '..')]);
    const daemon = await startDaemon({ bridge, dir, uid: NOBODY, options: 'fsname=a\\,b' });
    assert.equal(mountsAt(dir)[0]?.source, 'a,b');
    daemon.process.kill('SIGTERM');
    assert.equal((await lastWords(daemon)).end, 'unmounted');
  });

  test("a user cannot mount on somebody else's folder", async () => {
    const dir = makeTempDir('davport-fuse-');
    await run('chmod', ['755', dir]);
    await assert.rejects(
      startDaemon({ bridge, dir, uid: NOBODY }),
      /UsageError: .* is not writable by this user/,
    );
  });

  test('direct I/O: written and read without the page cache, and mapped', async () => {
    const daemon = await startDaemon({ bridge, env: { DIRECT_IO: '1' } });
    const program = `import mmap,sys
data = bytes(range(256)) * 5000
open(sys.argv[1], 'wb').write(data)
f = open(sys.argv[1], 'r+b')
assert f.read() == data
m = mmap.mmap(f.fileno(), 0)
assert m[:] == data
m[0:3] = b'abc'
m.close(); f.close()
assert open(sys.argv[1], 'rb').read(3) == b'abc'`;
    await python(program, [join(daemon.dir, 'file')]);
    await unmountDaemon(daemon);
  });
});
