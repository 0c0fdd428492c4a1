import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openContent } from '../../../../src/vfs/reader/index.js';
import {
  budgetOf,
  MemoryBudget,
  type Evictable,
} from '../../../../src/vfs/reader/memory-budget.js';
import {
  KiB,
  MiB,
  never,
  pattern,
  readAll,
  seededRandom,
  temporaryFolder,
  until,
} from './helpers.js';
import { PROFILES, ScriptedPeer } from './scripted-peer.js';

function entry(bytes: number, flags: { busy?: boolean; unread?: boolean } = {}) {
  const made = {
    bytes,
    busy: flags.busy ?? false,
    unread: flags.unread ?? false,
    evicted: false,
    evict: () => {
      made.evicted = true;
    },
  };
  return made satisfies Evictable;
}

type Request = readonly [start: number, bytes: number];

function bytesOf(requests: readonly Request[]): number {
  return requests.reduce((sum, [, bytes]) => sum + bytes, 0);
}

test('what was used last stays, what is waited for always does, read-ahead goes last', () => {
  const budget = new MemoryBudget(100);
  const [old, used, busy, ahead] = [
    entry(30),
    entry(30),
    entry(20, { busy: true }),
    entry(20, { unread: true }),
  ];
  for (const one of [ahead, busy, old, used]) budget.admit(one);
  budget.touch(old);
  assert.equal(budget.roomFor(10), true);
  assert.deepEqual([used.evicted, old.evicted, ahead.evicted], [true, false, false]);
  assert.equal(budget.roomFor(70), false);
  assert.deepEqual([old.evicted, ahead.evicted, busy.evicted], [true, false, false]);
  const urgent = entry(90);
  budget.admit(urgent);
  assert.deepEqual([ahead.evicted, busy.evicted], [true, false]);
  assert.equal(budget.usedBytes, 110);
  budget.release(busy);
  budget.release(busy);
  assert.equal(budget.usedBytes, 90);
});

test('all readers together stay within the limit', async (t) => {
  const random = seededRandom(t);
  const limit = 8 * MiB;
  const peer = new ScriptedPeer(PROFILES.apache);
  const options = peer.options(temporaryFolder(t), limit);
  const sizes = [10 * MiB, 20 * MiB, 300 * KiB, 900 * KiB, 900 * KiB, 900 * KiB];
  const readers = await Promise.all(
    sizes.map(async (size, index) => {
      const path = `/${index}`;
      peer.putVirtual(path, size, pattern(index));
      const known = peer.resource(path);
      return (await openContent(() => path, known, peer.profile, options, never)).reader;
    }),
  );
  const budget = budgetOf(peer.client, limit);
  for (let step = 0; step < 400; step += 1) {
    const index = random(sizes.length);
    const size = sizes[index]!;
    // Sequential for a while, somewhere else then.
    const offset = step % 3 === 0 ? random(size) : Math.min(size - 1, (step * 64 * KiB) % size);
    const length = 1 + random(128 * KiB);
    const got = await readAll(readers[index]!, offset, length);
    assert.ok(got.equals(pattern(index)(offset, Math.min(length, size - offset))));
    assert.ok(budget.usedBytes <= limit, `${budget.usedBytes} bytes at step ${step}`);
  }
  for (const reader of readers) reader.close();
  assert.equal(budget.usedBytes, 0);
});

test('requests of access patterns', async (t) => {
  const SIZE = 32 * MiB;
  const folder = temporaryFolder(t);
  const requests = async (
    read: (at: (offset: number, length: number) => Promise<void>) => Promise<void>,
    size = SIZE,
  ) => {
    const peer = new ScriptedPeer(PROFILES.apache);
    peer.putVirtual('/f', size, pattern(1));
    const known = peer.resource('/f');
    const options = peer.options(folder);
    const { reader } = await openContent(() => '/f', known, peer.profile, options, never);
    await read(async (offset, length) => {
      assert.ok((await readAll(reader, offset, length)).equals(pattern(1)(offset, length)));
    });
    reader.close();
    return peer.calls.map(({ start, end }) => [start ?? 0, (end ?? size) - (start ?? 0)] as const);
  };

  const head = await requests((at) => at(0, 4 * KiB));
  assert.deepEqual(head, [[0, 256 * KiB]], 'a look at the head of a file is one request');

  const sequential = await requests(async (at) => {
    for (let offset = 0; offset < SIZE; offset += 128 * KiB) await at(offset, 128 * KiB);
  });
  assert.ok(sequential.length <= 14, `${sequential.length} requests for a sequential reader`);
  assert.equal(bytesOf(sequential), SIZE, 'every byte once');

  const jumps = 50;
  const scattered = await requests(async (at) => {
    for (let i = 0; i < jumps; i += 1) await at(((i * i) % 31) * MiB, 4 * KiB);
  });
  assert.ok(scattered.length <= jumps, 'one request per random read at most');
  assert.ok(
    scattered.slice(1).every(([, length]) => length <= 64 * KiB),
    'a random read costs a block',
  );

  const backward = await requests(async (at) => {
    for (let offset = SIZE; offset > 0; offset -= 128 * KiB)
      await at(offset - 128 * KiB, 128 * KiB);
  });
  assert.ok(backward.length <= 18, `${backward.length} requests for one who reads backward`);
  assert.ok(bytesOf(backward) <= SIZE + 256 * KiB, 'every byte once but those of the open');

  for (const stride of [MiB, -300 * KiB]) {
    const first = stride > 0 ? 0 : SIZE - 4 * KiB;
    const leaping = await requests(async (at) => {
      for (let i = 0; i < 30; i += 1) await at(first + i * stride, 4 * KiB);
    });
    // Whatever is on its way when the last read is answered was for nothing.
    assert.ok(leaping.length <= 30 + 8 + 2, `${leaping.length} requests for leaps of ${stride}`);
    assert.ok(
      leaping.slice(1).every(([, length]) => length <= 128 * KiB),
      'a leap costs its blocks',
    );
  }

  // None comes near the part of the next: to read ahead there would be right.
  const parts = 4;
  const parallel = await requests(async (at) => {
    await Promise.all(
      Array.from({ length: parts }, async (_, part) => {
        const start = part * SIZE;
        const end = start + 2 * MiB;
        for (let offset = start; offset < end; offset += 128 * KiB) {
          await at(offset, 128 * KiB);
        }
      }),
    );
  }, parts * SIZE);
  assert.ok(parallel.length <= 40, `${parallel.length} requests for ${parts} sequential readers`);
  const sorted = parallel.toSorted(([a], [b]) => a - b);
  assert.ok(
    sorted.every(([start], at) => at === 0 || start >= sorted[at - 1]![0] + sorted[at - 1]![1]),
    'none of their bytes twice',
  );
});

test('requests ahead of leaps are on their way before the leaps', async (t) => {
  const peer = new ScriptedPeer(PROFILES.apache);
  peer.putVirtual('/f', 32 * MiB, pattern(1));
  const options = peer.options(temporaryFolder(t));
  const known = peer.resource('/f');
  const { reader } = await openContent(() => '/f', known, peer.profile, options, never);
  for (let i = 0; i < 12; i += 1) await readAll(reader, i * MiB, 4 * KiB);
  const asked = (offset: number): boolean => peer.calls.some(({ start }) => start === offset);
  await until(() => asked(17 * MiB));
  // It was asked for five reads ago.
  const before = peer.calls.length;
  await readAll(reader, 12 * MiB, 4 * KiB);
  assert.ok(peer.calls.slice(before).every(({ start }) => start! > 17 * MiB));
  reader.close();
});

test('many sequential readers share the memory instead of taking it from each other', async (t) => {
  const readers = 6;
  const size = 24 * MiB;
  const peer = new ScriptedPeer(PROFILES.apache);
  const options = peer.options(temporaryFolder(t), 32 * MiB);
  await Promise.all(
    Array.from({ length: readers }, async (_, index) => {
      const path = `/${index}`;
      peer.putVirtual(path, size, pattern(index));
      const known = peer.resource(path);
      const { reader } = await openContent(() => path, known, peer.profile, options, never);
      for (let offset = 0; offset < size; offset += 128 * KiB) {
        const got = await readAll(reader, offset, 128 * KiB);
        assert.ok(got.equals(pattern(index)(offset, 128 * KiB)));
      }
      reader.close();
    }),
  );
  const bytes = bytesOf(
    peer.calls.map(({ start, end }) => [start ?? 0, (end ?? size) - (start ?? 0)]),
  );
  assert.equal(bytes, readers * size, 'every byte once');
  assert.ok(peer.calls.length <= readers * 32, `${peer.calls.length} requests`);
});
