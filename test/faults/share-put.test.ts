/** A PUT that ends before its time, at every stage and by every way out; PUTs that meet other changes. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import { test } from 'node:test';
import type { Mux } from '../../src/mux/types.js';
import { createAcceptorMux } from '../../src/mux/mux.js';
import { listenHttp } from '../../src/share/share.js';
import { createMemoryChannelPair } from '../support/memory-channel.js';
import { RawPeer } from '../support/raw-peer.js';
import { waitUntil } from '../support/wait-until.js';
import { startShare, type Answer, type TestShare } from '../unit/share/fixture.js';

interface Upload {
  readonly name: string;
  readonly bytes: Buffer;
}

function uploads(): Upload[] {
  const request = (headers: string, body: string): Buffer =>
    Buffer.from(`PUT /f HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`);
  const chunked = (size: number): string =>
    `${`400\r\n${'n'.repeat(1024)}\r\n`.repeat(size / 1024)}0\r\n\r\n`;
  return [
    { name: 'small', bytes: request('Content-Length: 1000', 'n'.repeat(1000)) },
    { name: 'empty', bytes: request('Content-Length: 0\r\nDavport-Sync: 1', '') },
    { name: 'long', bytes: request('Content-Length: 900000', 'n'.repeat(900_000)) },
    { name: 'chunked', bytes: request('Transfer-Encoding: chunked', chunked(300 * 1024)) },
  ];
}

/** Every k-th byte, and all around the ends of the head and of the body. */
function stages({ bytes }: Upload): number[] {
  const head = bytes.indexOf('\r\n\r\n') + 4;
  const step = Math.ceil(bytes.length / 23);
  const at = [0, 1, head - 2, head - 1, head, head + 1, bytes.length - 3, bytes.length - 1];
  for (let stage = step; stage < bytes.length; stage += step) at.push(stage);
  return [...new Set(at)].filter((stage) => stage >= 0 && stage < bytes.length);
}

async function assertOld(t: TestShare, what: string): Promise<void> {
  await waitUntil(
    `the end of ${what}`,
    () => t.share.stats.active + t.share.stats.connections === 0,
    10_000,
    1,
  );
  assert.deepEqual(fs.readdirSync(t.dir), ['f'], what);
  assert.equal(fs.readFileSync(t.at('f'), 'utf8'), 'old', what);
}

for (const upload of uploads()) {
  for (const way of ['end', 'reset'] as const) {
    test(`${upload.name} PUT cut by ${way} of the socket, at every stage`, async () => {
      const t = await startShare();
      // Sockets in the file system have no reset.
      const listener = await listenHttp(t.share, { host: '127.0.0.1', port: 0 });
      fs.writeFileSync(t.at('f'), 'old');
      for (const stage of stages(upload)) {
        const socket = net.connect(listener.port!, '127.0.0.1');
        socket.on('error', () => undefined);
        await waitUntil('the connection', () => t.share.stats.connections === 1, 10_000, 1);
        await new Promise((sent) => socket.write(upload.bytes.subarray(0, stage), sent));
        if (way === 'end') socket.end();
        else socket.resetAndDestroy();
        await assertOld(t, `${upload.name} after ${stage} bytes`);
        socket.destroy();
      }
      await listener.close();
    });
  }

  for (const way of ['end of the id', 'cut of the channel'] as const) {
    test(`${upload.name} PUT ended by ${way}, at every stage`, async () => {
      const t = await startShare();
      fs.writeFileSync(t.at('f'), 'old');
      for (const stage of stages(upload)) {
        const { guest, host } = createMemoryChannelPair();
        const mux: Mux = createAcceptorMux(host, { onStream: (stream) => t.share.attach(stream) });
        const peer = await RawPeer.open(guest);
        for (let at = 0; at < stage; at += 60_000) {
          peer.send(7n, upload.bytes.subarray(at, Math.min(stage, at + 60_000)));
        }
        if (stage > 0) {
          await waitUntil('the stream', () => t.share.stats.connections === 1, 10_000, 1);
        }
        if (way === 'end of the id') peer.end(7n);
        else guest.cut();
        await assertOld(t, `${upload.name} after ${stage} bytes`);
        await mux.close();
        await guest.close();
      }
    });
  }
}

/** Sends the head and half of a body of `size`; `finish` sends the other half. */
async function begin(t: TestShare, target: string, size: number, fill: string) {
  const socket = await t.connect();
  const reply = new Promise<string>((resolve) => {
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1').slice(9, 12)));
    socket.once('close', () => resolve('broken off'));
  });
  socket.on('error', () => undefined);
  socket.write(`PUT ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`);
  socket.write(fill.repeat(size / 2));
  await waitUntil('the request', () => t.share.stats.active > 0, 10_000, 1);
  return {
    async finish(): Promise<string> {
      socket.write(fill.repeat(size / 2));
      const status = await reply;
      socket.destroy();
      return status;
    },
  };
}

for (const size of [1000, 1_000_000]) {
  test(`the collection of a PUT of ${size} bytes is removed meanwhile`, async () => {
    const t = await startShare();
    fs.mkdirSync(t.at('d'));
    const put = await begin(t, '/d/f', size, 'n');
    assert.equal((await t.request('DELETE', '/d')).status, 204);
    assert.equal(await put.finish(), '409');
    assert.deepEqual(fs.readdirSync(t.dir), []);
    await t.request('MKCOL', '/d');
    const second = await begin(t, '/d/f', size, 'n');
    await t.request('DELETE', '/d');
    await t.request('MKCOL', '/d');
    // Another collection than the one that was asked for.
    assert.equal(await second.finish(), '409');
    assert.deepEqual(fs.readdirSync(t.at('d')), []);
  });

  test(`the collection of a PUT of ${size} bytes is moved meanwhile`, async () => {
    const t = await startShare();
    fs.mkdirSync(t.at('d'));
    const put = await begin(t, '/d/f', size, 'n');
    const moved = await t.request('MOVE', '/d', { headers: { Destination: '/e' } });
    assert.equal(moved.status, 201);
    // As a file that a program has open moves with its folder.
    assert.equal(await put.finish(), '201');
    assert.deepEqual(fs.readdirSync(t.dir), ['e']);
    assert.deepEqual(fs.readdirSync(t.at('e')), ['f']);
    assert.equal(fs.statSync(t.at('e', 'f')).size, size);
  });

  test(`many PUTs of ${size} bytes of one resource: each is whole or not there`, async () => {
    const t = await startShare();
    const bodies = Array.from({ length: 8 }, (_, at) => Buffer.alloc(size + at, `${at}`));
    const isWhole = (content: Buffer): boolean => bodies.some((body) => body.equals(content));
    let puts = 0;
    const writers = bodies.map(async (body) => {
      for (let round = 0; round < 4; round++) {
        const { status } = await t.request('PUT', '/f', { body });
        assert.ok(status === 201 || status === 204, String(status));
        puts++;
      }
    });
    const seen: Answer[] = [];
    const reader = (async () => {
      while (puts < bodies.length * 4) seen.push(await t.request('GET', '/f'));
    })();
    await Promise.all([...writers, reader]);
    for (const { status, body } of seen)
      assert.ok(status === 404 || isWhole(body), `${status} ${body.length}`);
    assert.ok(isWhole(fs.readFileSync(t.at('f'))));
    assert.deepEqual(fs.readdirSync(t.dir), ['f']);
  });
}

test('a file that is cut while it is sent breaks the connection, and no byte is made up', async () => {
  const t = await startShare();
  const size = 40_000_000;
  for (const left of [0, 1_000_000, size - 1]) {
    fs.writeFileSync(t.at('f'), Buffer.alloc(size, 'x'));
    const socket = await t.connect();
    socket.on('error', () => undefined);
    socket.write('GET /f HTTP/1.1\r\nHost: x\r\n\r\n');
    await waitUntil('the first bytes', () => socket.readableLength > 0);
    fs.truncateSync(t.at('f'), left);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await new Promise((resolve) => socket.once('close', resolve));
    const all = Buffer.concat(chunks);
    const body = all.subarray(all.indexOf('\r\n\r\n') + 4);
    assert.match(
      all.subarray(0, 400).toString('latin1'),
      new RegExp(`Content-Length: ${size}\r\n`),
    );
    assert.ok(body.length < size, `${body.length} of ${size} bytes`);
    assert.ok(body.equals(Buffer.alloc(body.length, 'x')));
  }
  assert.equal((await t.request('GET', '/f')).body.length, size - 1);
});
