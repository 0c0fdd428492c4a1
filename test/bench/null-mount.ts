/** null-mount.ts MOUNTPOINT BRIDGE: the file system that does nothing, mounted: what the bridge alone costs. Ends by umount. */
import { mountFileSystem } from '../../src/fuse/mount.js';
import { parseMountOptions } from '../../src/fuse/mount-options.js';
import { createLogger } from '../../src/log.js';
import { loadNativeBinding } from '../../src/native/binding.js';
import { BenchFileSystem } from './bench-file-system.js';

const [mountpoint, bridge] = process.argv.slice(2);
if (mountpoint === undefined || bridge === undefined)
  throw new Error('null-mount.ts MOUNTPOINT BRIDGE');
const mount = await mountFileSystem(new BenchFileSystem(), mountpoint, {
  options: parseMountOptions([`bridge=${bridge}`]),
  log: createLogger('warn', (line) => process.stderr.write(`${line}\n`)),
  binding: loadNativeBinding(),
});
await mount.ended;
process.exit(0);
