/** The disk at the peer runs full under a mount: the writer is told, the old file stays, and what was written is kept here. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { mountDavport } from '../support/mount.js';
import { selectedPeers, startPeer } from '../support/peers/index.js';
import { bash, python } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { onCleanup } from '../support/cleanup.js';
import { waitUntil } from '../support/wait-until.js';

const MiB = 1024 * 1024;
const withoutRoot = process.getuid?.() === 0 ? false : 'mounting a small file system needs root';

/** A folder on a file system of its own. */
function smallFolder(bytes: number): string {
  const above = makeTempDir('davport-full-');
  // Apache serves as another user.
  chmodSync(above, 0o755);
  const folder = join(above, 'root');
  mkdirSync(folder);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'none', folder]);
  const runSync = (): void => {
    execFileSync('umount', ['-l', folder]);
  };
  onCleanup({ run: async () => runSync(), runSync });
  return folder;
}

/** False: there is no room yet. */
function fill(file: string, bytes: number): boolean {
  try {
    writeFileSync(file, Buffer.alloc(bytes));
    return true;
  } catch {
    rmSync(file);
    return false;
  }
}

/** Says which call failed, how, and how much was taken before. */
const WRITE = `
import os, sys, errno
path, size, flags, keep = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
fd = os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, flags))
done = 0
step = 'write'
try:
  while done < size:
    done += os.write(fd, b'n' * min(65536, size - done))
  step = 'fsync'
  if keep == 'fsync': os.fsync(fd)
  step = 'close'
  os.close(fd)
  step = 'nothing'
  print(step, '', done)
except OSError as error:
  print(step, errno.errorcode[error.errno], done)
`;

interface Told {
  readonly step: string;
  readonly errno: string;
  readonly taken: number;
}

async function write(path: string, size: number, flags = 'O_TRUNC', sync = 'close'): Promise<Told> {
  const { stdout } = await python(WRITE, [path, String(size), flags, sync]);
  const [step, errno, taken] = stdout.trim().split(' ');
  return { step: step!, errno: errno!, taken: Number(taken) };
}

for (const kind of selectedPeers()) {
  if (kind === 'spice') continue;
  const skip = withoutRoot;
  test(`a full disk at the peer [${kind}]`, { skip, timeout: 60_000 }, async (t) => {
    const served = smallFolder(12 * MiB);
    const old = Buffer.alloc(3 * MiB, 'o');
    writeFileSync(`${served}/old`, old);
    const peer = await startPeer(kind, served);
    const mount = await mountDavport({ channel: peer.channel });
    try {
      // Far too much: what there is room for stays, as on a local disk.
      for (const [name, flags] of [
        ['new', 'O_EXCL'],
        ['old', 'O_APPEND'],
      ] as const) {
        const told = await write(`${mount.dir}/${name}`, 30 * MiB, flags);
        assert.equal(told.errno, 'ENOSPC', `${name}: ${JSON.stringify(told)}`);
        // Apache doesn't tell what room it has.
        if (kind !== 'apache') assert.equal(told.step, 'write', name);
        if (kind !== 'apache') assert.ok(told.taken <= 20 * MiB, `${told.taken}`);
        assert.ok(readFileSync(`${served}/old`).equals(old), name);
        await bash('rm -f "$1/new"', [mount.dir]);
      }
      // phodav says that it failed, which may pass: that is tried again.
      const keeps = kind !== 'chezdav';
      if (keeps) await waitUntil('what is kept', () => / kept=/.test(mount.log()), 20_000);
      // It fits, but not beside the old one; only the peer can tell.
      await waitUntil('the end of the attempts', () => fill(`${served}/fill`, 7 * MiB));
      await peer.adopt();
      const told = await write(`${mount.dir}/old`, 3 * MiB, 'O_TRUNC', 'fsync');
      t.diagnostic(`a new version: ${JSON.stringify(told)}`);
      assert.equal(told.errno, 'ENOSPC');
      // A share may be asked in the middle of the upload, and then tells already while it is being written.
      const there = told.step === 'write' ? Buffer.alloc(told.taken, 'n') : old;
      assert.ok([old, there].some((content) => readFileSync(`${served}/old`).equals(content)));
      rmSync(`${served}/fill`);
      // There is room again.
      await waitUntil('the next version', async () => {
        const again = await write(`${mount.dir}/old`, 2 * MiB, 'O_TRUNC');
        return again.step === 'nothing';
      });
      assert.ok(readFileSync(`${served}/old`).equals(Buffer.alloc(2 * MiB, 'n')));
      await mount.unmount();
      const log = mount.log();
      const kept = [...log.matchAll(/ kept=([^"\s]+)/g)].map(([, file]) => file!);
      assert.equal(kept.length > 0, keeps, log);
      for (const file of kept) {
        assert.ok(readFileSync(file).includes('nnnn'), file);
        rmSync(dirname(file), { recursive: true });
      }
    } catch (error) {
      t.diagnostic(mount.log().slice(-4000));
      await mount.discard();
      throw error;
    } finally {
      await peer.stop();
    }
  });
}
