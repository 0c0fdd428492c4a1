/**
 * A file system of one empty folder, on the bare addon: mounts at argv[2], answers INIT, prints what it sees, and ends when the
 * file system is unmounted. A process of its own, as nobody may touch a mount that he serves.
 *
 *     mount-child.ts MOUNTPOINT kernel|fusermount OPTIONS
 */
import { binding } from './helpers.js';
import { mountWithFusermount } from '../../../src/native/fusermount.js';
import { MS_NODEV, MS_NOSUID, type FdIo } from '../../../src/native/binding.js';

const FUSE_GETATTR = 3;
const FUSE_INIT = 26;
const ENOSYS = 38;

const [, , mountpoint = '', way = '', options = ''] = process.argv;

const say = (event: Record<string, unknown>): void => {
  console.log(JSON.stringify(event));
};

async function mount(): Promise<number> {
  if (way === 'fusermount') return mountWithFusermount(binding, mountpoint, options);
  const flags = MS_NOSUID | MS_NODEV;
  return binding.mountFuse('davport-test', mountpoint, 'fuse.davport', flags, options);
}

function reply(unique: bigint, error: number, body: Buffer): Buffer[] {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(16 + body.length, 0);
  header.writeInt32LE(-error, 4);
  header.writeBigUInt64LE(unique, 8);
  return [header, body];
}

/** fuse_init_out of protocol 7.31 with nothing asked for. */
function initBody(): Buffer {
  const body = Buffer.alloc(64);
  body.writeUInt32LE(7, 0);
  body.writeUInt32LE(31, 4);
  body.writeUInt32LE(65536, 8);
  body.writeUInt32LE(65536, 20);
  return body;
}

/** fuse_attr_out of a folder with inode 1. */
function attrBody(): Buffer {
  const body = Buffer.alloc(16 + 88);
  body.writeBigUInt64LE(1n, 16);
  body.writeUInt32LE(0o40755, 16 + 60);
  body.writeUInt32LE(2, 16 + 64);
  return body;
}

function answer(io: FdIo, unique: bigint, body: Buffer | undefined): void {
  try {
    io.writev(reply(unique, body === undefined ? ENOSYS : 0, body ?? Buffer.alloc(0)));
  } catch (error) {
    // The request is gone: its caller was interrupted, or the file system unmounted.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

try {
  const io = binding.openFd(await mount());
  const buffer = Buffer.alloc(1 << 20);
  const ends = new Uint32Array(16);
  io.watch(true, false, () => {
    try {
      const count = io.readBatch(buffer, ends, 65536 + 4096);
      for (let at = 0, start = 0; at < count; start = (ends[at]! + 7) & ~7, at++) {
        const opcode = buffer.readUInt32LE(start + 4);
        const unique = buffer.readBigUInt64LE(start + 8);
        const body =
          opcode === FUSE_INIT ? initBody() : opcode === FUSE_GETATTR ? attrBody() : undefined;
        answer(io, unique, body);
        say({ opcode });
      }
    } catch (error) {
      say({ ended: (error as NodeJS.ErrnoException).code });
      io.close();
    }
  });
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  say({ failed: code, message });
}
