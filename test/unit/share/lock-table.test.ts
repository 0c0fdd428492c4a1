/** The lock table alone, and against a twin that looks at every lock for every question. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LockTable, type Lock, type LockRequest } from '../../../src/share/locks/lock-table.js';
import { isBelow, keyOfUrl, parentOf, parentsOf } from '../../../src/share/locks/resource-keys.js';
import { checkProperty } from '../../support/property.js';

function requestOf(path: string, given: Partial<LockRequest> = {}): LockRequest {
  const segments = path.split('/').filter((name) => name !== '');
  return {
    scope: 'exclusive',
    deep: false,
    owner: '',
    timeoutMs: 1000,
    segments,
    collection: false,
    keys: [keyOfUrl(segments)],
    ...given,
  };
}

function tableAt(clock: () => number, maxLocks = 100): LockTable {
  return new LockTable({ clock, maxLocks });
}

test('keys: parents, and what is below what', () => {
  assert.equal(parentOf('/a/b'), '/a');
  assert.equal(parentOf('/a'), '');
  assert.equal(parentOf(''), undefined);
  assert.deepEqual(parentsOf(['/a/b', '/c', '']), ['/a', '']);
  assert.ok(isBelow('', '/a') && isBelow('/a', '/a/b') && isBelow('/a', '/a/b/c'));
  assert.ok(!isBelow('/a', '/a') && !isBelow('/a', '/ab') && !isBelow('/a/b', '/a'));
});

test('a lock of two keys is found, and removed, by both', () => {
  const table = tableAt(() => 0);
  const lock = table.add(requestOf('/link/f', { keys: ['/link/f', '/dir/f'], deep: true }));
  for (const key of ['/link/f', '/dir/f', '/dir/f/x']) {
    assert.deepEqual(table.covering([key]), [lock], key);
  }
  assert.deepEqual(table.below(['/dir']), [lock]);
  assert.deepEqual(table.rootedIn(['/link', '/dir']), [lock]);
  table.remove(lock);
  table.remove(lock);
  assert.deepEqual([table.size, table.covering(['/dir/f']), table.below([''])], [0, [], []]);
});

test('expiry, and refresh before it and after it', () => {
  let now = 0;
  const table = tableAt(() => now);
  const short = table.add(requestOf('/a', { timeoutMs: 1000 }));
  const long = table.add(requestOf('/b', { timeoutMs: 5000 }));
  now = 999;
  assert.equal(table.remainingMs(short), 1);
  table.refresh(short, 2000);
  now = 2998;
  assert.equal(table.get(short.token), short);
  now = 2999;
  assert.equal(table.get(short.token), undefined);
  table.refresh(short, 1000);
  assert.deepEqual([table.size, table.covering(['/a'])], [1, []]);
  now = 5000;
  assert.deepEqual([table.get(long.token), table.size], [undefined, 0]);
});

test('bounds: of all locks, and of those with one root', () => {
  const full = { status: 507 };
  const few = tableAt(() => 0, 2);
  few.add(requestOf('/a'));
  few.requireRoom(['/b']);
  few.add(requestOf('/b'));
  assert.throws(() => few.requireRoom(['/c']), full);
  const many = tableAt(() => 0);
  for (let count = 0; count < 32; count++) many.add(requestOf('/a', { scope: 'shared' }));
  assert.throws(() => many.requireRoom(['/a']), full);
  many.requireRoom(['/b']);
});

/** What the table promises, said as simply as possible. */
class Twin {
  locks: (LockRequest & { token: string; expiresAt: number })[] = [];

  covers(lock: LockRequest, key: string): boolean {
    return lock.keys.some((root) => root === key || (lock.deep && isBelow(root, key)));
  }

  expire(now: number): void {
    this.locks = this.locks.filter(({ expiresAt }) => expiresAt > now);
  }
}

const tokensOf = (locks: readonly { token: string }[]): string[] =>
  locks.map(({ token }) => token).sort();

const path = fc
  .array(fc.constantFrom('a', 'b', 'ab'), { maxLength: 3 })
  .map((names) => names.map((name) => `/${name}`).join(''));
const step = fc.oneof(
  fc.record({
    kind: fc.constant('lock' as const),
    path,
    second: fc.option(path, { nil: undefined }),
    deep: fc.boolean(),
    scope: fc.constantFrom('exclusive' as const, 'shared' as const),
    timeoutMs: fc.integer({ min: 1, max: 50 }),
  }),
  fc.record({ kind: fc.constant('unlock' as const), which: fc.nat() }),
  fc.record({
    kind: fc.constant('refresh' as const),
    which: fc.nat(),
    timeoutMs: fc.integer({ min: 1, max: 50 }),
  }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 30 }) }),
  fc.record({ kind: fc.constant('ask' as const), path }),
);

test('random locks, refreshes and waits: the same answers as the twin', (t) => {
  checkProperty(
    t,
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let now = 0;
      const table = tableAt(() => now);
      const twin = new Twin();
      const given: Lock[] = [];
      for (const next of steps) {
        twin.expire(now);
        switch (next.kind) {
          case 'lock': {
            const keys = [...new Set([next.path, next.second ?? next.path])];
            const request = requestOf(next.path, { ...next, keys });
            const clashes = twin.locks.filter((lock) => {
              const own = keys.some((key) => twin.covers(lock, key));
              const member =
                next.deep && lock.keys.some((key) => keys.some((root) => isBelow(root, key)));
              return (own || member) && (lock.scope === 'exclusive' || next.scope === 'exclusive');
            });
            const { own, members } = table.conflicts(request);
            assert.deepEqual(
              tokensOf([...new Set([...own, ...members])]),
              tokensOf(clashes),
              'conflicts',
            );
            if (clashes.length > 0) break;
            const lock = table.add(request);
            given.push(lock);
            twin.locks.push({ ...request, token: lock.token, expiresAt: now + next.timeoutMs });
            break;
          }
          case 'unlock': {
            const lock = given[next.which % given.length];
            if (lock) table.remove(lock);
            twin.locks = twin.locks.filter(({ token }) => token !== lock?.token);
            break;
          }
          case 'refresh': {
            const lock = given[next.which % given.length];
            if (!lock) break;
            table.refresh(lock, next.timeoutMs);
            const known = twin.locks.find(({ token }) => token === lock.token);
            if (known) known.expiresAt = now + next.timeoutMs;
            break;
          }
          case 'wait':
            now += next.ms;
            break;
          case 'ask': {
            const below = twin.locks.filter(({ keys }) =>
              keys.some((key) => isBelow(next.path, key)),
            );
            const covering = twin.locks.filter((lock) => twin.covers(lock, next.path));
            assert.deepEqual(tokensOf(table.covering([next.path])), tokensOf(covering));
            assert.deepEqual(tokensOf(table.below([next.path])), tokensOf(below));
            break;
          }
        }
        twin.expire(now);
        assert.deepEqual(tokensOf(table.all()), tokensOf(twin.locks));
        requireExclusive(table.all());
      }
    }),
  );
});

/** The invariant itself: no exclusive lock protects what another lock protects. */
function requireExclusive(locks: readonly Lock[]): void {
  const protects = (lock: Lock, key: string): boolean =>
    lock.keys.some((root) => root === key || (lock.deep && isBelow(root, key)));
  for (const lock of locks.filter(({ scope }) => scope === 'exclusive')) {
    for (const other of locks.filter((candidate) => candidate !== lock)) {
      const shared =
        other.keys.some((key) => protects(lock, key)) ||
        lock.keys.some((key) => protects(other, key));
      assert.ok(!shared, `${lock.keys.join()} and ${other.keys.join()}`);
    }
  }
}
