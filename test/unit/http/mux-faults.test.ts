import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMuxHttpClient } from '../../../src/http/mux-client.js';
import { HttpError } from '../../../src/http/types.js';
import { createOpenerMux } from '../../../src/mux/mux.js';
import type { MuxStream } from '../../../src/mux/types.js';
import { createMemoryChannelPair } from '../../support/memory-channel.js';
import { waitUntil } from '../../support/wait-until.js';
import { answering, OK, withCode, withPeer, withServer } from './mux-rig.js';
import { countRunningSteps } from '../../support/running-steps.js';

test('a peer whose frames carry no HTTP', async () => {
  await withPeer(
    answering('RFB 003.008\n'),
    async ({ client }) => {
      await assert.rejects(client.request({ method: 'OPTIONS', target: '/' }), (error) => {
        return withCode('HTTP_PROTOCOL')(error) && /carries HTTP/.test((error as Error).message);
      });
    },
    { timeoutMs: 300 },
  );
  const garbageLater = (stream: MuxStream, index: number): void =>
    answering(index === 1 ? OK : 'HTTP/2 what\r\n\r\n')(stream);
  await withPeer(garbageLater, async ({ client }) => {
    assert.equal((await client.request({ method: 'GET', target: '/' })).status, 200);
    await assert.rejects(client.request({ method: 'GET', target: '/' }), (error) => {
      return withCode('HTTP_PROTOCOL')(error) && /is no HTTP/.test((error as Error).message);
    });
  });
});

test('a request waits for a session, and not for ever', async () => {
  await withPeer(
    answering(OK),
    async ({ client, guest }) => {
      guest.disconnect();
      await waitUntil('disconnection', () => !client.connected);
      const late = client.request({ method: 'GET', target: '/' });
      await assert.rejects(late, withCode('HTTP_TIMEOUT'));
      const again = client.request({ method: 'MKCOL', target: '/' });
      guest.connect();
      assert.equal((await again).status, 200);
    },
    { timeoutMs: 300 },
  );
});

test('a session that ends: asked again what may be', async () => {
  const silentOnce = (stream: MuxStream, index: number): void => {
    if (index > 2) answering(OK)(stream);
    else stream.on('data', () => undefined);
  };
  await withPeer(silentOnce, async ({ client, guest, streams }) => {
    const find = client.request({ method: 'PROPFIND', target: '/', body: Buffer.from('x') });
    const put = client.request({ method: 'PUT', target: '/', body: Buffer.from('x') });
    const lost = assert.rejects(put, (error) => {
      return withCode('HTTP_LOST')(error) && !(error as HttpError).unsent;
    });
    await waitUntil('both requests', () => streams.length === 2);
    guest.cut();
    await lost;
    assert.equal((await find).status, 200);
    assert.equal(streams.length, 3);
  });
});

test('a peer that answers new ids only, as after a migration', async () => {
  const silentOnce = (stream: MuxStream, index: number): void => {
    if (index > 1) answering(OK)(stream);
    else stream.on('data', () => undefined);
  };
  await withPeer(
    silentOnce,
    async ({ client, streams, opener }) => {
      assert.equal((await client.request({ method: 'PROPFIND', target: '/' })).status, 200);
      assert.equal(streams.length, 2);
      assert.equal(opener.stats.sessions, 1);
    },
    { timeoutMs: 600 },
  );
});

test('a peer that answers nothing: an error in time, and a new session', async () => {
  await withPeer(
    (stream, index) => {
      if (index > 3) answering(OK)(stream);
      else stream.on('data', () => undefined);
    },
    async ({ client, opener }) => {
      const took = countRunningSteps();
      const put = client.request({ method: 'PUT', target: '/', body: Buffer.from('x') });
      const get = client.request({ method: 'GET', target: '/' });
      await Promise.all([
        assert.rejects(put, withCode('HTTP_TIMEOUT')),
        assert.rejects(get, withCode('HTTP_TIMEOUT')),
      ]).finally(took.stop);
      assert.ok(took.ms < 1500, `${took.ms} ms`);
      assert.equal((await client.request({ method: 'GET', target: '/' })).status, 200);
      assert.equal(opener.stats.sessions, 2);
    },
    { timeoutMs: 400 },
  );
});

test('a channel that cannot be had', async () => {
  const ends = createMemoryChannelPair();
  ends.guest.failOpen(Object.assign(new Error('no such device'), { code: 'CHANNEL_NOT_FOUND' }));
  const opener = createOpenerMux(ends.guest);
  const client = createMuxHttpClient(opener);
  const request = client.request({ method: 'GET', target: '/' });
  await assert.rejects(request, withCode('HTTP_UNREACHABLE'));
  await assert.rejects(
    client.request({ method: 'GET', target: '/' }),
    withCode('HTTP_UNREACHABLE'),
  );
  await client.close();
  await opener.close();
});

test('closing ends what waits and what is in flight', async () => {
  await withPeer(
    (stream) => stream.on('data', () => undefined),
    async ({ client, streams, opener }) => {
      const all = Promise.allSettled(
        Array.from({ length: 20 }, () => client.request({ method: 'GET', target: '/' })),
      );
      await waitUntil('requests', () => streams.length === 8);
      await client.close();
      for (const result of await all) {
        assert.ok(result.status === 'rejected' && withCode('HTTP_CLOSED')(result.reason));
      }
      assert.equal(opener.stats.openStreams, 0);
    },
  );
});

test('sessions cut at random moments: every request settles, nothing is left over', async () => {
  const seed = Date.now() % 1_000_000;
  let state = seed;
  const random = (): number => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648;
  await withServer(
    (request, response) => {
      request.resume();
      request.on('end', () => response.end(Buffer.alloc(100_000, 'x')));
    },
    async ({ client, opener, guest }) => {
      const outcomes: string[] = [];
      const requests = Array.from({ length: 60 }, async (_, index) => {
        const method = ['GET', 'PUT', 'PROPFIND'][index % 3]!;
        const body = method === 'PUT' ? Buffer.alloc(300_000) : undefined;
        try {
          const response = await client.request({ method, target: '/', ...(body && { body }) });
          assert.equal(response.body.length, 100_000);
          outcomes.push(`${method} good`);
        } catch (error) {
          assert.ok(error instanceof HttpError, `seed ${seed}: ${String(error)}`);
          outcomes.push(`${method} ${error.code}`);
        }
      });
      const cutting = (async () => {
        for (let i = 0; i < 8; i += 1) {
          const turns = Math.floor(random() * 30);
          for (let turn = 0; turn < turns; turn += 1) await new Promise((r) => setImmediate(r));
          guest.cut();
          await waitUntil('session', () => client.connected, 5000, 1);
        }
      })();
      await Promise.all([...requests, cutting]);
      assert.equal(outcomes.length, 60);
      for (const outcome of outcomes) {
        assert.match(outcome, /good$|^PUT HTTP_LOST$|^PUT HTTP_PROTOCOL$/, `seed ${seed}`);
      }
      await waitUntil('end of the streams', () => opener.stats.openStreams === 0);
    },
  );
});
