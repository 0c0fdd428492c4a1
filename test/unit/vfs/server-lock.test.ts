/** The lock at the peer: refreshed, taken again, lost. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { silentLogger } from '../../../src/log.js';
import { LockTable, type FileLock } from '../../../src/vfs/locks/lock-table.js';
import { ServerLock } from '../../../src/vfs/locks/server-lock.js';
import { LockTokens, submitTokens } from '../../../src/webdav/lock-tokens.js';
import { DavError, type WebDavClient } from '../../../src/webdav/types.js';

const never = new AbortController().signal;

class Rig {
  /** By path, whose lock it is. */
  readonly held = new Map<string, string>();
  readonly calls: string[] = [];
  readonly lost: string[] = [];
  readonly tokens = new LockTokens();
  same = true;
  readonly lock: ServerLock;
  #count = 0;

  constructor() {
    const client = {
      locks: this.tokens,
      lock: async (path: string, { scope }: { scope: string }) => {
        this.calls.push(`LOCK ${scope}`);
        if (this.held.has(path)) throw new DavError('LOCK', path, 423);
        const token = `token-${++this.#count}`;
        this.held.set(path, token);
        return { token, created: false, timeoutSec: 10 };
      },
      refreshLock: async (path: string, token: string) => {
        this.calls.push('refresh');
        if (this.held.get(path) !== token) throw new DavError('LOCK', path, 412);
        return 10;
      },
      unlock: async (path: string) => {
        this.calls.push('UNLOCK');
        this.held.delete(path);
      },
    };
    this.lock = new ServerLock({
      client: client as unknown as WebDavClient,
      log: silentLogger,
      timeoutSec: 10,
      isSame: async () => this.same,
      onLost: (why) => this.lost.push(why),
    });
  }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

function fakeTime(t: TestContext): void {
  t.mock.timers.enable({ apis: ['setTimeout'] });
}

test('a lock is refreshed at half its time', async (t) => {
  fakeTime(t);
  const rig = new Rig();
  assert.ok(await rig.lock.take('/f', 'write', never));
  assert.equal(rig.tokens.get('/f'), 'token-1');
  for (const expected of [0, 1, 2]) {
    assert.equal(rig.calls.filter((call) => call === 'refresh').length, expected);
    t.mock.timers.tick(5000);
    await settled();
  }
  await rig.lock.release();
  assert.deepEqual(rig.calls.slice(-1), ['UNLOCK']);
  assert.equal(rig.tokens.get('/f'), undefined);
  assert.deepEqual(rig.lost, []);
});

test('a lock that ran out is taken again where nothing has changed', async () => {
  const rig = new Rig();
  await rig.lock.take('/f', 'read', never);
  rig.held.clear();
  rig.lock.check();
  await settled();
  assert.deepEqual(rig.calls, ['LOCK shared', 'refresh', 'LOCK shared']);
  assert.equal(rig.tokens.get('/f'), 'token-2');
  assert.deepEqual(rig.lost, []);
  await rig.lock.release();
});

test('a lock that somebody else has meanwhile is lost', async () => {
  const rig = new Rig();
  await rig.lock.take('/f', 'write', never);
  rig.held.set('/f', 'theirs');
  rig.lock.check();
  await settled();
  assert.equal(rig.lost.length, 1);
  assert.equal(rig.tokens.get('/f'), undefined);
  assert.equal(rig.held.get('/f'), 'theirs');
});

test('a lock of a file that somebody else has changed meanwhile is lost', async () => {
  const rig = new Rig();
  await rig.lock.take('/f', 'write', never);
  rig.held.clear();
  rig.same = false;
  rig.lock.check();
  await settled();
  assert.equal(rig.lost.length, 1);
  assert.equal(rig.held.size, 0);
});

test('a shared lock gives way to an exclusive one, and comes back where that is not to be had', async () => {
  const rig = new Rig();
  await rig.lock.take('/f', 'read', never);
  assert.ok(await rig.lock.take('/f', 'write', never));
  assert.ok(rig.lock.covers('read'));
  assert.deepEqual(rig.calls, ['LOCK shared', 'UNLOCK', 'LOCK exclusive']);
  await rig.lock.release();
});

test('locks stay with names: a file that is renamed is locked anew', async () => {
  const rig = new Rig();
  await rig.lock.take('/f', 'write', never);
  await rig.lock.follow('/g', never);
  assert.equal(rig.tokens.get('/f'), undefined);
  assert.equal(rig.tokens.get('/g'), 'token-2');
  await rig.lock.release();
});

test('ranges: split, joined with what stands, and kept apart from flock', () => {
  const table = new LockTable();
  const lock = (
    owner: bigint,
    start: number,
    end: number,
    more: Partial<FileLock> = {},
  ): FileLock => ({
    ...{ kind: 'posix', type: 'write', owner, start, end, pid: 1 },
    ...more,
  });
  table.set(lock(1n, 0, 99));
  table.clear(lock(1n, 0, 0), 40, 59);
  assert.equal(table.conflict(lock(2n, 40, 59)), undefined);
  assert.deepEqual(table.conflict(lock(2n, 30, 45)), lock(1n, 0, 39));
  assert.deepEqual(table.conflict(lock(2n, 59, Infinity)), lock(1n, 60, 99));
  assert.equal(table.conflict(lock(1n, 0, 99)), undefined);
  assert.equal(table.conflict(lock(2n, 0, 99, { kind: 'flock' })), undefined);
  table.set(lock(1n, 0, 99, { type: 'read' }));
  assert.equal(table.conflict(lock(2n, 0, 99, { type: 'read' })), undefined);
  assert.equal(table.strongest, 'read');
  table.clear(lock(1n, 0, 0), 0, Infinity);
  assert.ok(table.isEmpty);
});

test('tokens join the conditions that a request has already', () => {
  const tokens = new Map([
    ['http://h/a', 't1'],
    ['http://h/b', 't2'],
  ]);
  const one = new Map([...tokens].slice(0, 1));
  assert.equal(submitTokens(undefined, 'http://h/a', one), '<http://h/a> (<t1>)');
  assert.equal(submitTokens('(["e"])', 'http://h/a', one), '<http://h/a> (<t1> ["e"])');
  assert.equal(
    submitTokens('<http://h/b> (["e"])', 'http://h/a', tokens),
    '<http://h/b> (<t2> ["e"]) <http://h/a> (<t1>)',
  );
});
