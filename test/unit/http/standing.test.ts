/** Requests that last: beside the others, and not in their way. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { waitUntil } from '../../support/wait-until.js';
import { withCode, withServer, type Rig } from './mux-rig.js';
import { countRunningSteps } from '../../support/running-steps.js';

/** `/feed` lasts and says something now and then; `/silent` says nothing at all; everything else is answered. */
function serve(body: (rig: Rig, feeds: ServerResponse[]) => Promise<void>, timeoutMs: number) {
  const feeds: ServerResponse[] = [];
  const timers: NodeJS.Timeout[] = [];
  const served = withServer(
    ({ url }, response) => {
      if (url === '/silent') return;
      if (url !== '/feed') {
        response.end('answer');
        return;
      }
      feeds.push(response);
      response.write('alive\n');
      timers.push(setInterval(() => response.write('alive\n'), 50));
    },
    (rig) => body(rig, feeds),
    { timeoutMs, metadataInFlight: 1, bulkInFlight: 1 },
  );
  return served.finally(() => timers.forEach(clearInterval));
}

function listen({ client }: Rig, target: string, controller: AbortController) {
  const heard: string[] = [];
  const sink = { onData: (chunk: Buffer) => void heard.push(chunk.toString()) };
  const { signal } = controller;
  const ended = client.request({ method: 'REPORT', target, sink, signal, standing: true });
  ended.catch(() => undefined);
  return { heard, ended };
}

test('a standing request takes no slot, lasts, and ends by its signal', async () => {
  await serve(async (rig) => {
    const controllers = [new AbortController(), new AbortController(), new AbortController()];
    const feeds = controllers.map((controller) => listen(rig, '/feed', controller));
    for (const method of ['PROPFIND', 'GET']) {
      assert.equal((await rig.client.request({ method, target: '/' })).status, 200);
    }
    // Longer than the deadline, which its signs of life put off.
    const start = performance.now();
    await waitUntil('signs of life', () => feeds.every(({ heard }) => heard.length > 12));
    assert.ok(performance.now() - start > 400);
    for (const controller of controllers) controller.abort(new Error('enough'));
    for (const { ended } of feeds) await assert.rejects(ended, /enough/);
    await waitUntil('the end of the streams', () => rig.opener.stats.openStreams === 0);
  }, 400);
});

test('its signs of life do not excuse the silence of another request', async () => {
  await serve(async (rig) => {
    const { heard } = listen(rig, '/feed', new AbortController());
    await waitUntil('a sign of life', () => heard.length > 0);
    const took = countRunningSteps();
    const silent = rig.client.request({ method: 'MKCOL', target: '/silent' });
    await assert.rejects(silent, withCode('HTTP_TIMEOUT')).finally(took.stop);
    assert.ok(took.ms < 900, `${took.ms} ms`);
  }, 400);
});

test('its own silence ends it alone', async () => {
  await serve(async (rig) => {
    const { ended } = listen(rig, '/silent', new AbortController());
    await assert.rejects(ended, withCode('HTTP_TIMEOUT'));
    assert.equal(rig.opener.stats.sessions, 1);
    assert.equal(rig.client.counters.get('REPORT'), 1);
    assert.equal((await rig.client.request({ method: 'GET', target: '/' })).status, 200);
  }, 300);
});

test('a session that ends takes it along: it is not sent again', async () => {
  await serve(async (rig, feeds) => {
    const { ended, heard } = listen(rig, '/feed', new AbortController());
    await waitUntil('a sign of life', () => heard.length > 0);
    rig.guest.cut();
    await assert.rejects(ended, withCode('HTTP_LOST'));
    rig.guest.connect();
    assert.equal((await rig.client.request({ method: 'GET', target: '/' })).status, 200);
    assert.equal(feeds.length, 1);
  }, 2000);
});
