/**
 * node scripts/system-packages.mjs demo|test [--missing]
 *
 * Says which Debian packages a job needs and this system lacks, and how to get them; exits with 1 if there are any.
 * With --missing it prints their names alone, one line, and exits with 0.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

const isRoot = process.getuid() === 0;

const inPath = (command) => () =>
  [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin'].some((folder) => {
    try {
      accessSync(path.join(folder || '.', command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

const succeeds =
  (command, ...args) =>
  () =>
    spawnSync(command, args, { stdio: 'ignore' }).status === 0;

const file = (name) => () => existsSync(name);

/** For x86-64 alone: the guest that opens a true virtio port, under software emulation, and the compiler for the other architecture. */
const ON_X64 = [
  [
    'gcc-aarch64-linux-gnu',
    inPath('aarch64-linux-gnu-gcc'),
    ['test'],
    'builds the native part for arm64',
  ],
  [
    'libc6-dev-arm64-cross',
    file('/usr/aarch64-linux-gnu/include/stdio.h'),
    ['test'],
    'builds the native part for arm64',
  ],
  ['qemu-system-x86', inPath('qemu-system-x86_64'), ['test'], 'a guest with a virtio port'],
  ['busybox-static', succeeds('busybox', 'true'), ['test'], 'programs of that guest'],
  ['cpio', inPath('cpio'), ['test'], 'packs the files of that guest'],
  [
    'linux-image-cloud-amd64',
    () => readdirSync('/boot').some((name) => /^vmlinuz-.*-cloud-amd64$/.test(name)),
    ['test'],
    'kernel of that guest',
  ],
];

/** [Debian package, how to see that it is there, for which jobs, what for] */
const PACKAGES = [
  [
    'fuse3',
    (job) => (job === 'demo' && isRoot) || inPath('fusermount3')(),
    ['demo', 'test'],
    'mounts without root',
  ],
  ['gcc', inPath('cc'), ['demo', 'test'], 'builds the small native part'],
  ['libc6-dev', file('/usr/include/stdio.h'), ['demo', 'test'], 'builds the small native part'],
  ['git', inPath('git'), ['test'], 'works on the mount'],
  ['curl', inPath('curl'), ['test'], 'speaks to the share'],
  ['make', inPath('make'), ['test'], 'works on the mount'],
  ['attr', inPath('getfattr'), ['test'], 'extended attributes on the mount'],
  ['rsync', inPath('rsync'), ['test'], 'works on the mount'],
  ['sqlite3', inPath('sqlite3'), ['test'], 'works on the mount'],
  ['fio', inPath('fio'), ['test'], 'works on the mount'],
  ['stress-ng', inPath('stress-ng'), ['test'], 'works on the mount'],
  ['strace', inPath('strace'), ['test'], 'counts system calls'],
  ['valgrind', inPath('valgrind'), ['test'], 'checks the native part'],
  ['litmus', inPath('litmus'), ['test'], 'WebDAV conformance of the share'],
  ['cadaver', inPath('cadaver'), ['test'], 'a foreign WebDAV client'],
  ['rclone', inPath('rclone'), ['test'], 'a foreign WebDAV client'],
  ['davfs2', inPath('mount.davfs'), ['test'], 'a foreign WebDAV client'],
  ['libglib2.0-bin', inPath('gio'), ['test'], 'a foreign WebDAV client'],
  ['gvfs-backends', file('/usr/libexec/gvfsd-dav'), ['test'], 'a foreign WebDAV client'],
  ['gvfs-fuse', file('/usr/libexec/gvfsd-fuse'), ['test'], 'a foreign WebDAV client'],
  ['dbus-daemon', inPath('dbus-run-session'), ['test'], 'the bus that gvfs needs'],
  ['spice-webdavd', inPath('spice-webdavd'), ['test'], "the SPICE guest's daemon"],
  [
    'chromium-headless-shell',
    () => inPath('chromium-headless-shell')() || inPath('chromium')(),
    ['test'],
    'shows the listing of the share',
  ],
  ['chezdav', inPath('chezdav'), ['test'], 'the server of SPICE clients (phodav)'],
  ['apache2', inPath('apache2'), ['test'], 'a foreign WebDAV server'],
  ['apache2-utils', inPath('htdigest'), ['test'], 'credentials for Apache'],
  ['pkg-config', inPath('pkg-config'), ['test'], 'builds the SPICE server of the tests'],
  [
    'libspice-server-dev',
    succeeds('pkg-config', '--exists', 'spice-server'),
    ['test'],
    'SPICE server',
  ],
  ['libglib2.0-dev', succeeds('pkg-config', '--exists', 'glib-2.0'), ['test'], 'SPICE server'],
  [
    'python3-venv',
    succeeds('/usr/bin/python3', '-c', 'import ensurepip'),
    ['test'],
    'works on the mount',
  ],
  [
    'python3-gi',
    succeeds('/usr/bin/python3', '-c', 'import gi'),
    ['test'],
    'the SPICE client of the tests',
  ],
  [
    'gir1.2-spiceclientglib-2.0',
    succeeds('/usr/bin/python3', '-c', 'import gi; gi.require_version("SpiceClientGLib", "2.0")'),
    ['test'],
    'the SPICE client of the tests',
  ],
  ...(process.arch === 'x64' ? ON_X64 : []),
];

const [job, option] = process.argv.slice(2);
if (!['demo', 'test'].includes(job) || (option !== undefined && option !== '--missing')) {
  console.error('usage: node scripts/system-packages.mjs demo|test [--missing]');
  process.exit(2);
}
const missing = PACKAGES.filter(([, isThere, jobs]) => jobs.includes(job) && !isThere(job));
if (option === '--missing') {
  console.log(missing.map(([name]) => name).join(' '));
} else if (missing.length > 0) {
  const sudo = isRoot ? '' : 'sudo ';
  console.error('davport: these system packages are missing:');
  for (const [name, , , purpose] of missing) console.error(`  ${name.padEnd(28)}${purpose}`);
  const names = missing.map(([name]) => name).join(' ');
  console.error(`Get them with: ${sudo}apt-get install --no-install-recommends ${names}`);
  process.exit(1);
}
