/**
 * Memory of both ends of a channel doesn't grow with the number of requests, nor with what is sent. More of both:
 *   SOAK_REQUESTS=100000 SOAK_GIB=10 node scripts/run-tests.mjs test/faults/channel-memory.test.ts
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAddress } from '../../src/channel/address.js';
import { openChannel } from '../../src/channel/open-channel.js';
import { createMuxHttpClient } from '../../src/http/mux-client.js';
import { silentLogger } from '../../src/log.js';
import { createOpenerMux } from '../../src/mux/mux.js';
import { startDavport } from '../support/davport.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

const MiB = 1024 * 1024;
const REQUESTS = Number(process.env['SOAK_REQUESTS'] ?? 20_000);
const GIB = Number(process.env['SOAK_GIB'] ?? 1);
const AT_ONCE = 8;
const BIG_BYTES = 256 * MiB;
/** Buffers and garbage that haven't been collected yet. A leak of 4 KiB for each request would be more. */
const ALLOWED_GROWTH_BYTES = 64 * MiB;

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1024;
}

test('memory of a channel over many requests, and over gigabytes', { timeout: 1e6 }, async (t) => {
  const dir = makeTempDir('davport-soak-');
  for (let at = 0; at < 20; at++) writeFileSync(join(dir, `f${at}`), 'x'.repeat(1000));
  writeFileSync(join(dir, 'big'), Buffer.alloc(BIG_BYTES, 'y'));
  const socket = join(makeTempDir('davport-soak-'), 'socket');
  const share = startDavport(['share', dir, `unix-listen:${socket}`]);
  await waitUntil('the share', () => existsSync(socket));
  const address = parseAddress(`unix:${socket}`);
  assert.ok(address.kind === 'unix');
  const notNeeded = new Error('not needed');
  const channel = openChannel(address, { log: silentLogger, binding: notNeeded });
  const mux = createOpenerMux(channel);
  const client = createMuxHttpClient(mux);
  try {
    const body = Buffer.from('content');
    const depth = (value: string) => ({ headers: { depth: value } });
    const kinds = [
      (n: number) => client.request({ method: 'GET', target: `/f${n % 20}` }),
      (n: number) => client.request({ method: 'PUT', target: `/new${n % 50}`, body }),
      () => client.request({ method: 'PROPFIND', target: '/', ...depth('1') }),
      (n: number) => client.request({ method: 'GET', target: `/none${n}` }),
      (n: number) => client.request({ method: 'PROPFIND', target: `/f${n}`, ...depth('0') }),
    ];
    let number = 0;
    const work = async (until: number): Promise<void> => {
      while (number < until) {
        const { status } = await kinds[number % kinds.length]!(number++);
        assert.ok(status < 500, `${status}`);
      }
    };
    const workAll = (until: number) =>
      Promise.all(Array.from({ length: AT_ONCE }, () => work(until)));
    const read = async (): Promise<void> => {
      let bytes = 0;
      const onData = (chunk: Buffer): void => void (bytes += chunk.length);
      await client.request({ method: 'GET', target: '/big', sink: { onData } });
      assert.equal(bytes, BIG_BYTES);
    };
    const ends = { share: share.pid, client: process.pid };
    const seen: { share: number; client: number }[] = [];
    const look = (): void => {
      seen.push({ share: residentBytes(ends.share), client: residentBytes(ends.client) });
    };
    await workAll(REQUESTS / 5);
    await read();
    look();
    await workAll(REQUESTS);
    look();
    for (let left = GIB * 1024 * MiB; left > 0; left -= BIG_BYTES) await read();
    look();
    await waitUntil('the end of all streams', () => mux.stats.openStreams === 0);
    for (const end of ['share', 'client'] as const) {
      const inMiB = seen.map((at) => (at[end] / MiB).toFixed(0)).join(', ');
      t.diagnostic(`${end}: ${inMiB} MiB resident (warm, after the requests, after the bytes)`);
      for (const at of seen) assert.ok(at[end] - seen[0]![end] < ALLOWED_GROWTH_BYTES, inMiB);
    }
  } finally {
    await client.close();
    await mux.close();
    await share.stop();
  }
});
