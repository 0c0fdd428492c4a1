/** Packs an initramfs for a guest that has nothing but busybox, the virtio modules, node and this project's channel. */
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bash, run } from '../../support/run.js';

const ROOT = join(import.meta.dirname, '../../..');

/** In load order: virtio_ring comes before virtio. */
const MODULES = [
  'drivers/virtio/virtio_ring',
  'drivers/virtio/virtio',
  'drivers/virtio/virtio_pci_legacy_dev',
  'drivers/virtio/virtio_pci_modern_dev',
  'drivers/virtio/virtio_pci',
  'drivers/char/virtio_console',
];

const SOURCES = [
  ...['src/errors', 'src/log', 'src/receive-memory', 'src/native/binding', 'src/channel/errors'],
  ...['src/channel/virtio-names', 'src/channel/virtio-session', 'src/channel/virtio-port'],
  'test/interop/qemu/guest-program',
];

const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in /modules/*; do insmod $module; done
cd /davport
${process.execPath} test/interop/qemu/guest-program.js 2>&1
echo guest: exit code $?
reboot -f
`;

export interface GuestImage {
  readonly kernel: string;
  readonly initrd: string;
}

/** The newest of Debian's kernels for clouds: small, and with virtio. */
function findKernel(): { kernel: string; modules: string } {
  const versions = readdirSync('/boot')
    .map((name) => /^vmlinuz-(.*-cloud-amd64)$/.exec(name)?.[1])
    .filter((version) => version !== undefined)
    .sort((one, other) => one.localeCompare(other, 'en', { numeric: true }));
  const version = versions.at(-1);
  if (version === undefined) {
    throw new Error('no kernel for the guest: apt-get install linux-image-cloud-amd64');
  }
  return { kernel: `/boot/vmlinuz-${version}`, modules: `/lib/modules/${version}/kernel` };
}

/** A program and the libraries it is linked with, at their own places. */
async function addProgram(root: string, program: string): Promise<void> {
  const { stdout } = await run('ldd', [program], { accept: 'any' });
  const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!);
  for (const path of [program, ...libraries]) {
    const target = join(root, path);
    if (existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    cpSync(path, target, { dereference: true });
  }
}

function addSources(root: string): void {
  for (const name of SOURCES) {
    const target = join(root, 'davport', `${name}.js`);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(ROOT, `${name}.js`), target);
  }
  writeFileSync(join(root, 'davport/package.json'), '{"type":"module"}');
}

/** Builds the image in `folder`. Not compressed: unpacking would cost the emulated guest more than reading. */
export async function buildGuestImage(folder: string): Promise<GuestImage> {
  const { kernel, modules } = findKernel();
  const root = join(folder, 'root');
  for (const name of ['bin', 'dev', 'proc', 'sys', 'tmp', 'modules']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  cpSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const [at, module] of MODULES.entries()) {
    const file = join(modules, `${module}.ko`);
    // A newer kernel has some of them built in.
    if (existsSync(file)) cpSync(file, join(root, 'modules', `${at}.ko`));
  }
  const addon = join(ROOT, `native/build/davport-${process.arch}.node`);
  await addProgram(root, process.execPath);
  await addProgram(root, addon);
  mkdirSync(join(root, 'davport/native/build'), { recursive: true });
  cpSync(addon, join(root, 'davport/native/build', `davport-${process.arch}.node`));
  addSources(root);
  writeFileSync(join(root, 'init'), INIT, { mode: 0o755 });
  const initrd = join(folder, 'initrd');
  await bash('cd "$1" && find . | cpio -o -H newc --quiet > "$2"', [root, initrd]);
  return { kernel, initrd };
}
