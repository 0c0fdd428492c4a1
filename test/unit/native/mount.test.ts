import assert from 'node:assert/strict';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { FusermountError, unmountWithFusermount } from '../../../src/native/fusermount.js';
import { startBackground, type Background } from '../../support/background.js';
import { mountsAt } from '../../support/mountinfo.js';
import { run } from '../../support/run.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';
import { ROOT, binding, throwsCode } from './helpers.js';

const NOBODY = 65534;
const FUSE_INIT = 26;
const KERNEL_OPTIONS = 'rootmode=40000,user_id=0,group_id=0';
const isRoot = process.getuid?.() === 0;

let folder = '';
/** What the child needs, as plain JavaScript, where an unprivileged user may read it. */
let copy = '';

const CHILD = 'test/unit/native/mount-child';
const CHILD_MODULES = [
  ...['src/errors', 'src/native/binding', 'src/native/fusermount'],
  ...['test/unit/native/helpers', CHILD],
];

before(() => {
  folder = makeTempDir();
  chmodSync(folder, 0o755);
  copy = join(folder, 'copy');
  for (const name of CHILD_MODULES) {
    cpSync(join(ROOT, `${name}.js`), join(copy, `${name}.js`));
  }
  writeFileSync(join(copy, 'package.json'), '{"type":"module"}');
  cpSync(join(ROOT, 'native/build'), join(copy, 'native/build'), { recursive: true });
  // As udev has it; some containers have it for root alone.
  if (isRoot) chmodSync('/dev/fuse', 0o666);
});

function makeMountpoint(name: string, owner: number): string {
  const path = join(folder, name);
  mkdirSync(path);
  if (isRoot) chownSync(path, owner, owner);
  return path;
}

/** Starts the child, as nobody when this is root and `user` says so. */
function serve(user: 'self' | 'nobody', args: readonly string[], path?: string): Background {
  const command = [process.execPath, `${CHILD}.js`, ...args];
  const asUser =
    isRoot && user === 'nobody'
      ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', ...command]
      : command;
  const env = path === undefined ? {} : { env: { PATH: path } };
  return startBackground(asUser[0]!, asUser.slice(1), { cwd: copy, ...env });
}

function events(child: Background): Record<string, unknown>[] {
  const lines = child
    .log()
    .split('\n')
    .filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

async function sawInit(child: Background, mountpoint: string): Promise<void> {
  await waitUntil(`INIT at ${mountpoint}: ${child.log()}`, () =>
    events(child).some(({ opcode }) => opcode === FUSE_INIT),
  );
  assert.equal(mountsAt(mountpoint).length, 1);
}

async function endsWithEnodev(child: Background): Promise<void> {
  const exit = await child.exited;
  assert.deepEqual(exit, { code: 0, signal: null }, child.log());
  assert.deepEqual(events(child).at(-1), { ended: 'ENODEV' });
}

async function refusal(
  user: 'self' | 'nobody',
  mountpoint: string,
  options: string,
  path?: string,
): Promise<{ failed: unknown; message: string }> {
  const child = serve(user, [mountpoint, 'fusermount', options], path);
  await child.exited;
  assert.equal(mountsAt(mountpoint).length, 0);
  const [last] = events(child);
  assert.ok(last !== undefined, child.log());
  return { failed: last['failed'], message: String(last['message']) };
}

test('mount(2), INIT through readBatch, answers through writev, the end as ENODEV', async () => {
  assert.ok(isRoot, 'mount(2) needs root: run the tests as root');
  const mountpoint = makeMountpoint('kernel', 0);
  const child = serve('self', [mountpoint, 'kernel', KERNEL_OPTIONS]);
  await sawInit(child, mountpoint);
  assert.equal(mountsAt(mountpoint)[0]!.source, 'davport-test');
  const { stdout } = await run('stat', ['-c', '%F %a', mountpoint], { timeoutMs: 10_000 });
  assert.equal(stdout, 'directory 755\n');
  await run('umount', [mountpoint], { timeoutMs: 10_000 });
  await endsWithEnodev(child);
});

test('umount2 by another process ends it too; a second one says EINVAL', async () => {
  const mountpoint = makeMountpoint('umount', 0);
  const child = serve('self', [mountpoint, 'kernel', KERNEL_OPTIONS]);
  await sawInit(child, mountpoint);
  binding.umount(mountpoint, 2);
  await endsWithEnodev(child);
  throwsCode(() => binding.umount(mountpoint, 2), 'EINVAL');
});

test('mount(2) that is refused leaves no descriptor and says which call it was', () => {
  const mount = (target: string, options: string): number =>
    binding.mountFuse('davport-test', target, 'fuse.davport', 0, options);
  assert.throws(() => mount(join(folder, 'absent'), KERNEL_OPTIONS), {
    code: 'ENOENT',
    syscall: 'mount',
    path: join(folder, 'absent'),
  });
  throwsCode(() => mount(folder, 'rootmode=40000,no_such_option'), 'EINVAL');
  assert.throws(() => mount(folder, 'x'.repeat(4000)), RangeError);
});

for (const user of ['self', 'nobody'] as const) {
  test(`fusermount3 mounts and unmounts (${user === 'self' ? 'this user' : 'unprivileged'})`, async () => {
    const mountpoint = makeMountpoint(`helper-${user}`, user === 'self' ? 0 : NOBODY);
    const child = serve(user, [mountpoint, 'fusermount', 'fsname=davport-test,subtype=davport']);
    await sawInit(child, mountpoint);
    const [entry] = mountsAt(mountpoint);
    assert.deepEqual([entry!.type, entry!.source], ['fuse.davport', 'davport-test']);
    await unmountWithFusermount(mountpoint, user === 'nobody');
    await endsWithEnodev(child);
  });
}

test('allow_other that /etc/fuse.conf does not allow', async () => {
  const mountpoint = makeMountpoint('allow-other', NOBODY);
  const { failed, message } = await refusal('nobody', mountpoint, 'allow_other');
  assert.equal(failed, 'FUSERMOUNT_NOT_PERMITTED');
  assert.match(message, /user_allow_other into \/etc\/fuse\.conf/);
});

test('a folder of somebody else, and one that is not there', async () => {
  const foreign = await refusal('nobody', makeMountpoint('foreign', 0), '');
  assert.equal(foreign.failed, 'FUSERMOUNT_NOT_PERMITTED');
  assert.match(foreign.message, /folder that belongs to this user/);
  const absent = await refusal('nobody', join(folder, 'absent'), '');
  assert.equal(absent.failed, 'FUSERMOUNT_FAILED');
  assert.match(absent.message, /No such file or directory/);
});

test('no helper in PATH', async () => {
  const { failed, message } = await refusal(
    'self',
    makeMountpoint('no-helper', 0),
    '',
    '/nonexistent',
  );
  assert.equal(failed, 'FUSERMOUNT_NOT_FOUND');
  assert.match(message, /apt-get install fuse3/);
});

test('an option text can not become another argument or a command', async () => {
  const mountpoint = makeMountpoint('-u $(touch x); x', 0);
  const { failed } = await refusal('self', mountpoint, 'no_such_option,$(touch y)');
  assert.equal(failed, 'FUSERMOUNT_FAILED');
  assert.ok(!existsSync(join(copy, 'x')) && !existsSync(join(copy, 'y')));
});

test('unmounting what is not mounted', async () => {
  await assert.rejects(
    unmountWithFusermount(folder, false),
    (error) => error instanceof FusermountError && error.code === 'FUSERMOUNT_FAILED',
  );
});

test('the hand-shake socket: nothing yet, nothing ever, no descriptor', () => {
  const [near, far] = binding.socketPair();
  assert.equal(binding.receiveFd(near), -1);
  const io = binding.openFd(far);
  io.writev([Buffer.from('x')]);
  throwsCode(() => binding.receiveFd(near), 'EPROTO');
  io.close();
  assert.equal(binding.receiveFd(near), -2);
  binding.closeFd(near);
  throwsCode(() => binding.closeFd(near), 'EBADF');
  throwsCode(() => binding.receiveFd(near), 'EBADF');
});
