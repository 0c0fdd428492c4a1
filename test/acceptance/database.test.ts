import assert from 'node:assert/strict';
import { bash } from '../support/run.js';
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
