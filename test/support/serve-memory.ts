/**
 * A process that serves a file system of the tests on a mountpoint:
 *   serve-memory.ts memory|null BRIDGE MOUNTPOINT [OPTIONS]
 * Prints `ready` when it is mounted. Ends when it is unmounted: prints how, and what is left open. SIGTERM unmounts, SIGUSR1 by force;
 * SIGUSR2 changes `watched` and removes `vanishing`, behind the kernel's back, and tells the kernel then: prints `changed`.
 */
import { createLogger } from '../../src/log.js';
import { loadNativeBinding } from '../../src/native/binding.js';
import { mountFileSystem } from '../../src/fuse/mount.js';
import { parseMountOptions } from '../../src/fuse/mount-options.js';
import { MemoryFileSystem } from './memory-file-system.js';
import { NullFileSystem } from './null-file-system.js';

const [kind, bridge, mountpoint, list = ''] = process.argv.slice(2);
const timeoutMs = Number(process.env['TIMEOUT_MS'] ?? 0);
const options = parseMountOptions([
  `bridge=${bridge}`,
  `attr_timeout=${timeoutMs / 1000}`,
  `entry_timeout=${timeoutMs / 1000}`,
  list,
]);
const log = createLogger(options.debug ? 'debug' : 'info', (line) => console.error(line));
const memory = new MemoryFileSystem({ timeoutMs, directIo: process.env['DIRECT_IO'] === '1' });
const fs = kind === 'null' ? new NullFileSystem(timeoutMs) : memory;
try {
  const mount = await mountFileSystem(fs, mountpoint!, {
    options,
    log,
    binding: loadNativeBinding(),
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(
      signal,
      () => void mount.unmount().catch((error: unknown) => log.error(String(error))),
    );
  }
  process.on('SIGUSR1', () => void mount.unmount({ force: true }));
  process.on('SIGUSR2', () => void changeBehindTheKernel().then(() => console.log('changed')));
  // Last: who reads it may send a signal at once.
  console.log('ready');
  const end = await mount.ended;
  await fs.destroy();
  console.log(JSON.stringify({ end, openHandles: memory.openHandles }));
} catch (error) {
  console.error(error instanceof Error ? `${error.name}: ${error.message}` : error);
  process.exitCode = 2;
}

async function changeBehindTheKernel(): Promise<void> {
  const { root, invalidator } = memory;
  const watched = root.children.get('watched')!;
  watched.content.write(0, Buffer.from('NEW'));
  memory.unlink(root.id, 'vanishing');
  await Promise.all([
    invalidator!.inode(watched.id, 0, 0),
    invalidator!.inode(watched.id, 0, 0),
    invalidator!.entry(root.id, 'vanishing'),
    invalidator!.entry(root.id, 'never was'),
    invalidator!.inode(987_654_321, -1, 0),
  ]);
}
