import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { program } from '../support/programs.js';
import { scenario } from '../support/scenario.js';
import { SeededRandom } from '../support/seeded-random.js';

const digestOf = (bytes: Buffer): string =>
  createHash('sha256').update(bytes).digest('hex').slice(0, 16);

const random = new SeededRandom();

function makeFiles(served: string): void {
  mkdirSync(`${served}/ready`);
  for (let index = 0; index < 40; index++) {
    const content = random.bytes(random.between(0, 400_000));
    writeFileSync(`${served}/ready/${digestOf(content)}-${index}`, content);
  }
}

scenario(
  '64 readers and 64 writers in parallel',
  { timeoutMs: 90_000, prepare: makeFiles },
  async ({ t, peer, dir }) => {
    t.diagnostic(`TEST_SEED=${random.seed}`);
    await program('parallel.py', [dir, String(random.seed)], { timeoutMs: 80_000 });
    const written = readdirSync(`${peer.dir}/written`);
    assert.equal(written.length, 128);
    for (const name of written) {
      const digest = digestOf(readFileSync(`${peer.dir}/written/${name}`));
      assert.ok(name.startsWith(digest), `${name} has digest ${digest} at the peer`);
    }
    assert.equal(readdirSync(peer.dir).length, 2);
  },
);
