/** A mount in the background, as a user and as mount(8) start it. */
import assert from 'node:assert/strict';
import {
  lstatSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findRuntimeState, processStart } from '../../src/cli/runtime-state.js';
import { onCleanup } from '../support/cleanup.js';
import { DAVPORT, davport, startDavport } from '../support/davport.js';
import { mountsAt } from '../support/mountinfo.js';
import { bash, run } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

const HELPER = fileURLToPath(new URL('../../bin/mount.fuse.davport', import.meta.url));

async function startShare(): Promise<{ served: string; channel: string; folder: string }> {
  const served = makeTempDir();
  writeFileSync(`${served}/file`, 'content\n');
  const folder = makeTempDir();
  const channel = `unix:${folder}/channel.sock`;
  startDavport(['share', served, `unix-listen:${folder}/channel.sock`]);
  await waitUntil('the share', () =>
    lstatSync(`${folder}/channel.sock`, { throwIfNoEntry: false }),
  );
  return { served, channel, folder };
}

/** The process that serves the mount at `dir`, as its state file names it. */
function servingPid(dir: string): number {
  const state = findRuntimeState(process.env, dir, process.getuid!());
  assert.ok(state !== undefined, `no state file of ${dir}`);
  return state.pid;
}

test('in the background: relative paths, log file, nothing held', { timeout: 60_000 }, async () => {
  const { channel, folder } = await startShare();
  const cwd = makeTempDir();
  await bash('mkdir "$1/here"', [cwd]);
  const relative = `unix:../${folder.split('/').pop()!}/channel.sock`;
  assert.equal(channel, `unix:${folder}/channel.sock`);
  const mounted = await davport(['mount', relative, 'here', '-o', 'log=my.log,log_level=info'], {
    cwd,
  });
  assert.equal(mounted.code, 0, mounted.stderr);
  assert.equal(mounted.stderr, '');
  const dir = `${cwd}/here`;
  assert.equal((await bash('cat "$1/file"', [dir])).stdout, 'content\n');
  const pid = servingPid(dir);
  assert.equal(readlinkSync(`/proc/${pid}/cwd`), '/');
  assert.equal(statSync(`${cwd}/my.log`).mode & 0o777, 0o600);
  assert.match(readFileSync(`${cwd}/my.log`, 'utf8'), /info: /);
  const unmounted = await davport(['umount', 'here'], { cwd });
  assert.equal(unmounted.code, 0, unmounted.stderr);
  assert.deepEqual(mountsAt(dir), []);
  assert.equal(processStart(pid), undefined);
});

test('nobody at the other end: mounted, and said so in one line', { timeout: 60_000 }, async () => {
  const dir = makeTempDir();
  const mounted = await davport(['mount', `unix:${dir}x.sock`, dir]);
  assert.equal(mounted.code, 0, mounted.stderr);
  assert.match(mounted.stderr, /^davport: nobody is at the other end[^\n]*\n$/);
  assert.equal(mountsAt(dir).length, 1);
  assert.equal((await davport(['umount', dir])).code, 0);
});

test(
  'a mountpoint that cannot be had: the reason and exit code of the background',
  { timeout: 60_000 },
  async () => {
    const dir = makeTempDir();
    const absent = await davport(['mount', `unix:${dir}/x.sock`, `${dir}/absent`]);
    assert.equal(absent.code, 2);
    assert.match(absent.stderr, /^davport: [^\n]*mkdir -p[^\n]*\n$/);
  },
);

test(
  'mount -t fuse.davport, through the helper linked into /sbin',
  { timeout: 60_000 },
  async () => {
    const link = '/sbin/mount.fuse.davport';
    if (!lstatSync(link, { throwIfNoEntry: false })) {
      symlinkSync(HELPER, link);
      const undo = (): void => rmSync(link, { force: true });
      onCleanup({ run: async () => undo(), runSync: undo });
    }
    const { channel } = await startShare();
    const dir = makeTempDir();
    await run('mount', [
      '-t',
      'fuse.davport',
      '-o',
      'ro,noauto,nofail,_netdev,x-systemd.automount',
      channel,
      dir,
    ]);
    assert.equal(mountsAt(dir)[0]?.type, 'fuse.davport');
    assert.equal(mountsAt(dir)[0]?.source, channel);
    const { stdout, stderr } = await bash('cat "$1/file"; echo x > "$1/new" || true', [dir]);
    assert.equal(stdout, 'content\n');
    assert.match(stderr, /Read-only file system/);
    const pid = servingPid(dir);
    await run('umount', [dir]);
    await waitUntil('the process to end', () => processStart(pid) === undefined);
  },
);

test(
  'the helper: bad calls are told, none and --fake are understood',
  { timeout: 30_000 },
  async () => {
    const dir = makeTempDir();
    const helper = (...args: string[]) => run(HELPER, args, { accept: 'any' });
    for (const args of [[], ['only-one'], ['a', 'b', 'c'], ['a', dir, '-o'], ['a', dir, '-Q']]) {
      const result = await helper(...args);
      assert.equal(result.code, 2, args.join(' '));
      assert.match(result.stderr, /^mount\.fuse\.davport: [^\n]*usage[^\n]*\n$/);
    }
    assert.equal((await helper('unix:/x', dir, '-f')).code, 0);
    const none = await helper('none', dir);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /^davport: [^\n]*org\.spice-space\.webdav\.0[^\n]*\n$/);
    assert.deepEqual(mountsAt(dir), []);
  },
);

/** A server that wants credentials, and nothing else. */
async function startGuarded(): Promise<{ url: string; seen: IncomingHttpHeaders[] }> {
  const seen: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers);
    const wanted = `Basic ${Buffer.from('alice:sesame').toString('base64')}`;
    const known = request.headers.authorization === wanted;
    response.writeHead(known ? 200 : 401, {
      'WWW-Authenticate': 'Basic realm="test"',
      DAV: '1',
      'Content-Length': 0,
    });
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => void server.close();
  onCleanup({ run: async () => close(), runSync: close });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, seen };
}

test(
  'credentials: from a file or the environment, never on a command line',
  { timeout: 60_000 },
  async () => {
    const { url } = await startGuarded();
    const dir = makeTempDir();
    const refused = await davport(['mount', url, dir]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^davport: [^\n]*passwd_file[^\n]*\n$/);
    const userinfo = await davport(['mount', url.replace('//', '//alice:sesame@'), dir]);
    assert.equal(userinfo.code, 2);
    assert.ok(!userinfo.stderr.includes('sesame'));

    const passwd = `${makeTempDir()}/passwd`;
    writeFileSync(passwd, `${url} alice sesame\n`, { mode: 0o644 });
    const open = await davport(['mount', url, dir, '-o', `passwd_file=${passwd}`]);
    assert.equal(open.code, 2);
    assert.match(open.stderr, /chmod 600/);
    await run('chmod', ['600', passwd]);
    const fromFile = await davport(['mount', url, dir, '-o', `passwd_file=${passwd}`]);
    assert.equal(fromFile.code, 0, fromFile.stderr);
    const pid = servingPid(dir);
    assert.ok(!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('sesame'));
    assert.equal((await davport(['umount', dir])).code, 0);

    const env = { DAVPORT_USERNAME: 'alice', DAVPORT_PASSWORD: 'sesame' };
    assert.equal((await davport(['mount', url, dir], { env })).code, 0);
    assert.equal((await davport(['umount', dir])).code, 0);
  },
);

test('launchers without a build say how to get one', { timeout: 30_000 }, async () => {
  const copy = makeTempDir();
  const script = 'cp -rH "$1" "$2/bin" && cp "$3" "$2/package.json"';
  await bash(script, [
    fileURLToPath(new URL('../../bin', import.meta.url)),
    copy,
    fileURLToPath(new URL('../../package.json', import.meta.url)),
  ]);
  for (const name of ['davport', 'mount.fuse.davport']) {
    const result = await run(`${copy}/bin/${name}`, ['--version'], { accept: 'any' });
    assert.equal(result.code, 1);
    assert.match(result.stderr, /^davport: not built yet; [^\n]*npm run build\n$/);
  }
  // Through a link, as npm installs them, the program is found all the same.
  symlinkSync(DAVPORT, `${copy}/linked`);
  assert.match((await run(`${copy}/linked`, ['--version'])).stdout, /^davport \d/);
});
