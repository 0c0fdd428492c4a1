/**
 * Walks through everything the addon does, a few thousand times, and through the ends of environments. Run under a memory
 * checker by memory.test.ts:   node stress.mjs ADDON ROUNDS
 */
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

const addon = isMainThread ? process.argv[2] : workerData.addon;
const rounds = isMainThread ? Number(process.argv[3]) : workerData.rounds;
const binding = createRequire(import.meta.url)(addon);

function pair() {
  return binding.socketPair().map((fd) => binding.openFd(fd));
}

function throws(call) {
  try {
    call();
  } catch {
    return;
  }
  throw new Error(`did not throw: ${call}`);
}

/** Sends `bytes` through a socket pair in pieces and sees all of them arrive. */
function exchange(bytes) {
  const [near, far] = pair();
  const payload = Buffer.alloc(bytes, 'x');
  let sent = 0;
  let got = 0;
  return new Promise((resolve, reject) => {
    near.watch(false, true, () => {
      const parts = [payload.subarray(sent, sent + 10), payload.subarray(sent + 10, sent + 60_000)];
      const written = near.writev(parts);
      if (written > 0) sent += written;
      if (sent === bytes) near.close();
    });
    far.watch(true, false, () => {
      const count = far.read(Buffer.alloc(65536), 1);
      if (count > 0) got += count;
      if (count !== 0) return;
      far.close();
      if (got === bytes) resolve();
      else reject(new Error(`${got} of ${bytes}`));
    });
  });
}

function misuse() {
  const [near, far] = pair();
  for (const bad of [undefined, null, -1, 'x\0', {}, [], new Float64Array(2)]) {
    throws(() => near.read(bad));
    throws(() => near.writev([bad]));
    throws(() => near.readBatch(bad, new Uint32Array(4), 1));
    throws(() => near.readBatch(Buffer.alloc(10), bad, 1));
    if (bad !== undefined)
      throws(() => near.readBatch(Buffer.alloc(10), new Uint32Array(4), 1, bad));
    throws(() => near.watch(bad, bad, bad));
    throws(() => binding.openFd(bad));
    throws(() => binding.open(bad, 0));
  }
  throws(() => binding.getxattr(Buffer.alloc(5000, 'a'), 'user.x'));
  throws(() => Reflect.apply(near.read, {}, [Buffer.alloc(1)]));
  throws(() => new near.constructor().poll());
  far.close();
  near.close();
  near.close();
  throws(() => near.poll());
}

function attributes(folder) {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  try {
    binding.setxattr(file, 'user.davport', Buffer.alloc(1000, 'v'));
  } catch (error) {
    if (error.code !== 'ENOTSUP' && error.code !== 'EOPNOTSUPP') throw error;
    return;
  }
  binding.listxattr(file);
  binding.getxattr(Buffer.from(file), 'user.davport');
  binding.getxattr(file, 'user.absent');
  binding.removexattr(file, 'user.davport');
}

/** Stops for each of its reasons: no rows, no room for names, no time. */
function members(folder) {
  for (const [bytes, rows] of [
    [65_536, 2048],
    [100, 2048],
    [65_536, 1],
    [1, 1],
  ]) {
    const fd = openSync(folder, 'r');
    try {
      const [names, table] = [Buffer.alloc(bytes), new BigInt64Array(13 * rows)];
      while (binding.readMembers(fd, names, table, true, 0) >= 0);
    } catch (error) {
      if (error.code !== 'ERANGE') throw error;
    }
    closeSync(fd);
  }
  throws(() => binding.readMembers(-1, Buffer.alloc(1), new BigInt64Array(13), true, 0));
}

function namesInFolder(folder) {
  const fd = openSync(folder, 'r');
  const state = new BigInt64Array(13);
  for (const name of ['', 'made', 'absent']) binding.statAt(fd, name, state);
  const content = Buffer.from('content');
  const states = new BigInt64Array(26);
  const made = binding.createAt(fd, 'made', 0o600, content, '', states);
  closeSync(binding.createAt(fd, 'beside', 0o600, content, 'made', states));
  throws(() => binding.createAt(fd, 'made', 0o600, content, 'beside', states));
  throws(() => binding.createAt(fd, 'more', 0o600, content, '', new BigInt64Array(25)));
  throws(() => binding.createAt(fd, 'more', 0o600, content, 'x'.repeat(5000), states));
  for (const room of [7, 6, 8, 0]) {
    const whole = binding.readFileAt(fd, 'made', Buffer.alloc(room), state) === room;
    if (whole !== (room === 7)) throw new Error(`${room}`);
  }
  throws(() => binding.renameAt(fd, 'made', 'beside', 1, made, '', state));
  binding.renameAt(fd, 'made', 'taken', 0, made, 'beside', state);
  throws(() => binding.renameAt(fd, 'made', 'taken', 0, -1, '', state));
  throws(() => binding.readFileAt(fd, 'made', Buffer.alloc(7), state));
  throws(() => binding.findBeneath(fd, '..', 0, 'taken', state));
  closeSync(binding.findBeneath(fd, '.', 0, 'taken', state));
  closeSync(binding.findBeneath(fd, 'taken', 0, 'absent', state));
  throws(() => binding.statAt(fd, 'taken', new BigInt64Array(12)));
  throws(() => binding.statAt(fd, 'x'.repeat(5000), state));
  for (const name of ['taken', 'beside']) rmSync(join(folder, name));
  closeSync(fd);
}

/** By threads, one of which is still at it when nobody waits any more. */
async function membersAhead(folder) {
  const fd = openSync(folder, 'r');
  const read = () =>
    binding.readMembersAhead(fd, Buffer.alloc(65_536), new BigInt64Array(13 * 2048), true, 0);
  await read();
  let refused = false;
  await binding
    .readMembersAhead(-1, Buffer.alloc(1), new BigInt64Array(13), true, 0)
    .catch(() => (refused = true));
  if (!refused) throw new Error('a closed descriptor was read');
  read().catch(() => undefined);
  closeSync(fd);
}

/** Files that fit, that don't, that aren't there; the last call is still going on when nobody waits any more. */
async function files(folder) {
  const fd = openSync(folder, 'r');
  const names = Buffer.from('file\0absent\0.\0file\0');
  writeFileSync(join(folder, 'file'), Buffer.alloc(3000, 'f'));
  for (const [bytes, rows] of [
    [65_536, 16],
    [3001, 16],
    [3000, 16],
    [0, 1],
    [65_536, 0],
  ]) {
    await binding.readFiles(fd, names, Buffer.alloc(bytes), new Int32Array(rows), 1000);
  }
  for (const bad of [Buffer.alloc(0), Buffer.from('x'), 'x', undefined]) {
    throws(() => binding.readFiles(fd, bad, Buffer.alloc(10), new Int32Array(1), 0));
  }
  throws(() => binding.readFiles(fd, names, Buffer.alloc(10), new Uint8Array(1), 0));
  binding.readFiles(fd, names, Buffer.alloc(65_536), new Int32Array(16), 0).catch(() => undefined);
  closeSync(fd);
}

/** Watches that go on while the worker is terminated. */
function traffic() {
  const bytes = Buffer.alloc(4096);
  for (let at = 0; at < 4; at++) {
    for (const io of pair()) {
      io.watch(true, true, (ready) => {
        if (ready.readable) io.read(bytes);
        if (ready.writable) io.writev([bytes, bytes]);
      });
    }
  }
  // One that looks for a while each time, with nothing there half of the time.
  const [near, far] = pair();
  far.watch(false, true, () => far.writev([bytes]));
  near.watch(true, false, () => {
    while (near.readBatch(bytes, new Uint32Array(4), 1024, 100) > 0);
  });
  // A closed one, a silent one, and one that nobody holds any more.
  pair()[0].close();
  parentPort.postMessage('running');
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), 'davport-stress-'));
  try {
    for (let round = 0; round < rounds; round++) {
      await exchange(100_000);
      misuse();
      attributes(folder);
      members(folder);
      namesInFolder(folder);
      await membersAhead(folder);
      await files(folder);
      pair();
      if (round % 10 === 0) globalThis.gc?.();
    }
    for (let round = 0; round < Math.min(rounds, 10); round++) {
      const worker = new Worker(new URL(import.meta.url), { workerData: { addon, rounds } });
      await once(worker, 'message');
      await worker.terminate();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log('stress: done');
}

if (isMainThread) await main();
else traffic();
