/** Memory doesn't grow with the number of requests, nor with what is sent and received. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { startShareProcess, type ShareProcess } from '../support/share-process.js';
import { makeTempDir } from '../support/temp-dir.js';
import { send } from '../unit/share/fixture.js';

const MiB = 1024 * 1024;
const REQUESTS = 20_000;
const CLIENTS = 8;
const TRANSFER_BYTES = 512 * MiB;
/** Buffers and garbage that haven't been collected yet. A leak of 8 KiB per request would be more. */
const ALLOWED_GROWTH_BYTES = 80 * MiB;

function residentBytes({ process: { pid } }: ShareProcess): number {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'latin1');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) * 1024;
}

/** Sends `size` bytes, or none and reads what comes. Gives how many came. */
function transfer(
  socketPath: string,
  method: string,
  target: string,
  size: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      socketPath,
      method,
      path: target,
      headers: { 'Content-Length': size },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      let received = 0;
      response.on('data', (chunk: Buffer) => (received += chunk.length));
      response.on('end', () => resolve(received));
      response.on('error', reject);
    });
    const chunk = Buffer.alloc(MiB);
    let left = size;
    const more = (): void => {
      while (left > 0) {
        left -= chunk.length;
        if (!request.write(chunk)) return;
      }
      request.end();
    };
    request.on('drain', more);
    more();
  });
}

test('memory over 20,000 small requests and 1 GiB', { timeout: 300_000 }, async (t) => {
  const dir = makeTempDir('davport-memory-');
  for (let at = 0; at < 20; at++) fs.writeFileSync(path.join(dir, `f${at}`), 'x'.repeat(1000));
  const share = await startShareProcess(dir);
  const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });
  const to = { agent, socketPath: share.socketPath };
  const ask = (number: number) => {
    const target = `/f${number % 20}`;
    const kinds = [
      () => send(to, 'GET', target, {}),
      () => send(to, 'PUT', `/new${number % 50}`, { body: 'content' }),
      () => send(to, 'PROPFIND', '/', { headers: { Depth: '1' } }),
      () => send(to, 'GET', `/none${number}`, {}),
      () =>
        send(to, 'PROPFIND', `/f${number}`, { headers: { Depth: '0', If: `(<urn:x:${number}>)` } }),
    ];
    return kinds[number % kinds.length]!();
  };
  let number = 0;
  const work = async (until: number): Promise<void> => {
    while (number < until) await ask(number++);
  };
  const workAll = (until: number) =>
    Promise.all(Array.from({ length: CLIENTS }, () => work(until)));
  await workAll(REQUESTS / 5);
  const warm = residentBytes(share);
  await workAll(REQUESTS);
  const after = residentBytes(share);
  assert.equal(await transfer(share.socketPath, 'PUT', '/big', TRANSFER_BYTES), 0);
  assert.equal(await transfer(share.socketPath, 'GET', '/big', 0), TRANSFER_BYTES);
  const end = residentBytes(share);
  const inMiB = [warm, after, end].map((bytes) => (bytes / MiB).toFixed(0));
  t.diagnostic(`resident MiB: ${inMiB.join(', ')} (warm, after the requests, after the transfer)`);
  assert.ok(after - warm < ALLOWED_GROWTH_BYTES, inMiB.join());
  assert.ok(end - warm < 2 * ALLOWED_GROWTH_BYTES, inMiB.join());
  agent.destroy();
  await share.process.stop();
});
