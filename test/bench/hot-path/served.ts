/**
 * served.ts MOUNTPOINT OPTIONS [CHANNEL]: a mount whose kernel remembers no name, so that each call of calls.py reaches this process, while
 * davport itself remembers everything. Without CHANNEL: the file system that does nothing. Ends by umount.
 */
import { parseAddress } from '../../../src/channel/address.js';
import { openStack } from '../../../src/cli/wire.js';
import { parseMountOptions } from '../../../src/fuse/mount-options.js';
import { mountFileSystem } from '../../../src/fuse/mount.js';
import { createLogger } from '../../../src/log.js';
import { loadNativeBinding } from '../../../src/native/binding.js';
import { FsError, type Entry, type FileSystem } from '../../../src/vfs/filesystem.js';
import { BenchFileSystem } from '../bench-file-system.js';

const [mountpoint, list, channel] = process.argv.slice(2);
if (mountpoint === undefined || list === undefined)
  throw new Error('served.ts MOUNTPOINT OPTIONS [CHANNEL]');
const log = createLogger('warn', (line) => process.stderr.write(`${line}\n`));
const options = parseMountOptions(['attr_timeout=3600', list]);

/** No cost for either side but a store. */
const unnamed = (entry: Entry): Entry => Object.assign(entry, { entryTimeoutMs: 0 });

class NullSide extends BenchFileSystem {
  override lookup(parent: number, name: string): Entry {
    return unnamed(super.lookup(parent, name));
  }
}

async function davportSide(source: string): Promise<FileSystem> {
  const address = parseAddress(source);
  const request = { source, address, mountpoint: mountpoint!, options };
  const { fs } = await openStack({ ...request, lists: [], credentials: undefined }, log);
  const side = Object.create(fs) as FileSystem;
  side.lookup = (parent, name, ctx) => {
    const entry = fs.lookup(parent, name, ctx);
    return entry instanceof Promise ? entry.then(unnamed) : unnamed(entry);
  };
  return side;
}

const fs = channel === undefined ? new NullSide(1000, FsError) : await davportSide(channel);
const mount = await mountFileSystem(fs, mountpoint, { options, log, binding: loadNativeBinding() });
await mount.ended;
process.exit(0);
