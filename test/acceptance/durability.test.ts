/** fsync on a mount of our own share: the share writes to its disk before it answers, and only then. Seen by its system calls. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startBackground } from '../support/background.js';
import { startDavport } from '../support/davport.js';
import { mountDavport } from '../support/mount.js';
import { python } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

interface Traced {
  /** Of the mount. */
  readonly dir: string;
  /**
   * What the share does while the program runs, in order: `fsync NAME` (a folder's with a slash) when such a call has come back, and
   * the first line of each response.
   */
  readonly during: (program: string) => Promise<string[]>;
}

async function mountTraced(...more: readonly string[]): Promise<Traced> {
  const served = makeTempDir('davport-served-');
  const scratch = makeTempDir('davport-trace-');
  const socket = join(scratch, 'channel.sock');
  const share = startDavport(['share', served, `unix-listen:${socket}`, ...more]);
  await waitUntil('socket of the share', () => existsSync(socket));
  const trace = join(scratch, 'trace');
  const options = ['-f', '-y', '-qq', '-s', '48', '-e', 'trace=fsync,fdatasync,write,writev'];
  const strace = startBackground('strace', [...options, '-o', trace, '-p', String(share.pid)]);
  await waitUntil('strace', () => existsSync(trace) && isTraced(share.pid));
  const { dir } = await mountDavport({ channel: `unix:${socket}` });
  return {
    dir,
    during: async (program) => {
      const before = readFileSync(trace, 'utf8').length;
      await python(`import os\nos.chdir(__import__('sys').argv[1])\n${program}`, [dir]);
      // The last answer was written before the program went on; its line is there when that of a later one is.
      await python('import os, sys; os.listdir(sys.argv[1] + "/.")', [dir]);
      assert.ok(strace.running, strace.log());
      return eventsIn(readFileSync(trace, 'utf8').slice(before), served);
    },
  };
}

function isTraced(pid: number): boolean {
  return /^TracerPid:\s*[1-9]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

function eventsIn(trace: string, served: string): string[] {
  return trace.split('\n').flatMap((line) => {
    const synced = /f(?:data)?sync\(\d+<([^>]*)>/.exec(line)?.[1];
    if (synced !== undefined) {
      const name = synced.slice(served.length + 1);
      return `fsync ${name === '' || !name.includes('.') ? `${name}/` : name}`;
    }
    return /HTTP\/1\.1 (\d+)/.exec(line)?.[1] ?? [];
  });
}

const isPart = (event: string): boolean => /^fsync \.davport-[0-9a-f]{16}\.part$/.test(event);

test('fsync reaches the disk of the share before it returns, close alone does not', async () => {
  const { during } = await mountTraced();
  const written = await during(`
with open('plain.txt', 'w') as file: file.write('x')
os.rename('plain.txt', 'renamed.txt')
os.mkdir('folder')`);
  assert.ok(written.includes('201'), written.join());
  assert.deepEqual(
    written.filter((event) => event.startsWith('fsync')),
    [],
  );

  const synced = await during(`
fd = os.open('synced.txt', os.O_CREAT | os.O_WRONLY)
os.write(fd, b'x')
os.fsync(fd)
os.fsync(fd)
os.close(fd)`);
  const answered = synced.indexOf('201');
  const order = synced.slice(0, answered).filter((event) => event.startsWith('fsync'));
  assert.equal(order.length, 2, synced.join());
  assert.ok(isPart(order[0]!) && order[1] === 'fsync /', synced.join());
  assert.equal(synced.filter((event) => event.startsWith('fsync')).length, 2, 'once is enough');

  const later = await during(`
fd = os.open('renamed.txt', os.O_RDONLY)
os.fsync(fd)
os.close(fd)`);
  assert.deepEqual(
    later.filter((event) => event.startsWith('fsync')).sort(),
    ['fsync /', 'fsync renamed.txt'],
    'written by a close before',
  );

  const folder = await during(`
open('folder/a.txt', 'w').close()
fd = os.open('folder', os.O_RDONLY)
os.fsync(fd)
os.fsync(fd)
os.unlink('folder/a.txt')
os.fsync(fd)`);
  assert.deepEqual(
    folder.filter((event) => event.startsWith('fsync')),
    ['fsync folder/', 'fsync folder/'],
  );

  const linked = await during(`
os.link('synced.txt', 'folder/b.txt')
fd = os.open('folder/b.txt', os.O_WRONLY)
os.write(fd, b'y')
os.fsync(fd)`);
  assert.ok(linked.includes('fsync synced.txt'), linked.join());
});

test('davport share --sync brings everything to the disk', async () => {
  const { during } = await mountTraced('--sync');
  const events = await during(`
with open('plain.txt', 'w') as file: file.write('x')
os.rename('plain.txt', 'renamed.txt')`);
  const order = events.filter((event) => event.startsWith('fsync'));
  assert.ok(isPart(order[0]!), events.join());
  assert.deepEqual(order.slice(1, 3), ['fsync /', 'fsync /'], events.join());
  assert.ok(events.indexOf('fsync /') < events.indexOf('201'), events.join());
});
