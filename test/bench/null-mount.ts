/** null-mount.ts MOUNTPOINT BRIDGE KEEP_MS: the file system that does nothing, mounted: what the bridge alone costs. Ends by umount. */
import { BenchFileSystem } from './bench-file-system.js';
import { built } from './built.js';

const [mountpoint, bridge, keepMs] = process.argv.slice(2);
if (mountpoint === undefined || bridge === undefined) {
  throw new Error('null-mount.ts MOUNTPOINT BRIDGE KEEP_MS');
}
const fs = new BenchFileSystem(Number(keepMs), built.FsError);
const mount = await built.mountFileSystem(fs, mountpoint, {
  options: built.parseMountOptions([`bridge=${bridge}`]),
  log: built.createLogger('warn', (line) => process.stderr.write(`${line}\n`)),
  binding: built.loadNativeBinding(),
});
await mount.ended;
process.exit(0);
