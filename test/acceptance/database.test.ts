import assert from 'node:assert/strict';
import { bash, python } from '../support/run.js';
import { scenario } from '../support/scenario.js';

const TRANSACTIONS = Array.from(
  { length: 100 },
  (_, i) =>
    `BEGIN; INSERT INTO t VALUES (${i}, hex(randomblob(400))); ` +
    `UPDATE t SET text = text || '.' WHERE id % 7 = ${i} % 7; COMMIT;`,
);
const CHECK = 'PRAGMA integrity_check; SELECT count(*) FROM t;';

scenario(
  'sqlite3: 100 transactions and an integrity check',
  { timeoutMs: 120_000 },
  async ({ peer, mount, dir }) => {
    const script = ['CREATE TABLE t (id INTEGER PRIMARY KEY, text);', ...TRANSACTIONS, CHECK];
    const run = await bash('sqlite3 -bail "$1/test.db"', [dir], {
      input: script.join('\n'),
      timeoutMs: 100_000,
    });
    assert.equal(run.stdout, 'ok\n100\n');
    const atPeer = await bash('sqlite3 "file:$1/test.db?immutable=1" "$2"', [peer.dir, CHECK]);
    assert.equal(atPeer.stdout, 'ok\n100\n');
    await mount.remount();
    assert.equal((await bash('sqlite3 "$1/test.db" "$2"', [dir, CHECK])).stdout, 'ok\n100\n');
    assert.equal((await bash('ls -A "$1"', [dir])).stdout, 'test.db\n');
  },
);

/** Each process adds rows, one transaction each, and waits for the other where it must. */
const TOGETHER = `
import sqlite3, sys
path, mode, who = sys.argv[1:4]
db = sqlite3.connect(path, timeout=60, isolation_level=None)
db.execute(f'PRAGMA journal_mode={mode}')
for number in range(40):
    db.execute('BEGIN IMMEDIATE')
    db.execute('INSERT INTO t VALUES (?, hex(randomblob(400)))', (f'{who} {number}',))
    db.execute('COMMIT')
db.close()
`;

for (const mode of ['DELETE', 'WAL']) {
  scenario(
    `sqlite3: two processes write to one database, journal_mode=${mode}`,
    { timeoutMs: 120_000, peers: ['share', 'apache'] },
    async ({ peer, mount, dir }) => {
      const setUp = `PRAGMA journal_mode=${mode}; CREATE TABLE t (who PRIMARY KEY, text);`;
      await bash('sqlite3 "$1/test.db" "$2"', [dir, setUp]);
      const writers = ['one', 'two'].map((who) =>
        python(TOGETHER, [`${dir}/test.db`, mode, who], { timeoutMs: 100_000 }),
      );
      await Promise.all(writers);
      await mount.remount();
      assert.equal((await bash('sqlite3 "$1/test.db" "$2"', [dir, CHECK])).stdout, 'ok\n80\n');
      const atPeer = await bash('sqlite3 "file:$1/test.db?immutable=1" "$2"', [peer.dir, CHECK]);
      assert.equal(atPeer.stdout, 'ok\n80\n');
    },
  );
}
