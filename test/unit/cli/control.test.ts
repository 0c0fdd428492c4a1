/** Questions to the process of a mount. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, lstatSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { ask } from '../../../src/cli/control-client.js';
import { controlSocketOf, type ControlLine } from '../../../src/cli/control-protocol.js';
import { ControlServer, type ControlHandler } from '../../../src/cli/control-server.js';
import type { FoundState } from '../../../src/cli/runtime-state.js';
import { silentLogger } from '../../../src/log.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';

const NEVER = new AbortController().signal;

async function withServer(
  handler: ControlHandler,
  body: (state: FoundState, socket: string, server: ControlServer) => Promise<void>,
): Promise<void> {
  const file = path.join(makeTempDir('davport-control-'), '0123456789abcdef.json');
  const server = await ControlServer.listen(file, new Map([['count', handler]]), silentLogger);
  assert.ok(server);
  const state = { file, pid: process.pid, mountpoint: '/m' } as FoundState;
  const socket = controlSocketOf(file, process.pid);
  try {
    await body(state, socket, server);
  } finally {
    await server.close();
  }
  assert.equal(existsSync(socket), false);
}

async function collect(state: FoundState, question: ControlLine): Promise<unknown[]> {
  const lines: unknown[] = [];
  const answer = ask(state, question, NEVER);
  for (;;) {
    const { done, value } = await answer.next();
    lines.push(value);
    if (done) return lines;
  }
}

const count: ControlHandler = async (question, tell) => {
  for (let at = 0; at < Number(question['to']); at++) tell({ at, text: 'ü\n'.repeat(100) });
  tell({ end: { whole: true } });
};

test('an answer comes line by line, to many at a time', async () => {
  await withServer(count, async (state, socket) => {
    assert.equal(lstatSync(socket).mode & 0o777, 0o600);
    const answers = await Promise.all(
      [0, 1, 5000].map((to) => collect(state, { op: 'count', to })),
    );
    assert.deepEqual(
      answers.map(({ length }) => length),
      [1, 2, 5001],
    );
    assert.deepEqual(answers[2]!.at(-1), { whole: true });
    assert.deepEqual(answers[2]!.at(-2), { at: 4999, text: 'ü\n'.repeat(100) });
  });
});

test('errors are told, and an answer that breaks off is one', async () => {
  const fail: ControlHandler = async () => {
    throw Object.assign(new Error('no luck'), { code: 'LUCK' });
  };
  await withServer(fail, async (state) => {
    await assert.rejects(collect(state, { op: 'count' }), { code: 'LUCK', message: 'no luck' });
    await assert.rejects(collect(state, { op: 'other' }), /no such question/);
  });
  await withServer(
    async () => undefined,
    async (state) => {
      await assert.rejects(collect(state, { op: 'count' }), { code: 'CONTROL_LOST' });
      const elsewhere = { ...state, pid: 1 };
      await assert.rejects(collect(elsewhere, { op: 'count' }), { code: 'CONTROL_FAILED' });
    },
  );
});

test('whoever goes, or sends what is no question, costs nothing', async () => {
  let [begun, ended] = [0, 0];
  const forever: ControlHandler = async (_, tell, signal) => {
    begun += 1;
    tell({ at: 0 });
    await once(signal, 'abort');
    ended += 1;
  };
  await withServer(forever, async (state, file, server) => {
    const stop = new AbortController();
    const answer = ask(state, { op: 'count' }, stop.signal);
    assert.deepEqual(await answer.next(), { done: false, value: { at: 0 } });
    stop.abort(new Error('enough'));
    await assert.rejects(answer.next(), /enough/);
    await waitUntil('end of the handler', () => ended === 1);
    for (const bytes of ['x'.repeat(70_000), 'null\n', '{"op":"count"', '\x00\xff\n']) {
      const socket = net.connect(file);
      socket.on('error', () => undefined);
      socket.resume();
      socket.end(bytes);
      await once(socket, 'close');
    }
    const waiting = collect(state, { op: 'count' });
    await waitUntil('the question', () => begun === 2);
    await Promise.all([assert.rejects(waiting), server.close()]);
  });
});

test('a reader that does not read is given up', async () => {
  let told = 0;
  const flood: ControlHandler = async (_, tell, signal) => {
    while (!signal.aborted && told < 10_000) {
      tell({ text: 'x'.repeat(64 * 1024) });
      told += 1;
      await new Promise(setImmediate);
    }
  };
  await withServer(flood, async (_, file) => {
    const socket = net.connect(file).pause();
    socket.on('error', () => undefined);
    socket.write('{"op":"count"}\n');
    await waitUntil('end of the flood', () => told > 200, 10_000);
    const before = await settled(() => told);
    assert.ok(before < 1000, `${before} lines of 64 KiB`);
    socket.destroy();
  });
});

test('sockets of processes that are gone are swept, others stay', async () => {
  const folder = makeTempDir('davport-control-');
  const file = path.join(folder, 'abc.json');
  const dead = controlSocketOf(file, 2 ** 30);
  const alive = controlSocketOf(file, process.ppid);
  const other = controlSocketOf(path.join(folder, 'def.json'), 2 ** 30);
  for (const one of [dead, alive, other]) writeFileSync(one, '');
  const server = await ControlServer.listen(file, new Map(), silentLogger);
  assert.deepEqual([dead, alive, other].map(existsSync), [false, true, true]);
  await server?.close();
  const long = path.join(folder, 'x'.repeat(100));
  assert.equal(await ControlServer.listen(`${long}.json`, new Map(), silentLogger), undefined);
  const nowhere = path.join(folder, 'missing', 'abc.json');
  assert.equal(await ControlServer.listen(nowhere, new Map(), silentLogger), undefined);
});

/** The value once it has stopped to change. */
async function settled(read: () => number): Promise<number> {
  let last = NaN;
  await waitUntil('a value that stays', () => {
    const same = read() === last;
    last = read();
    return same;
  });
  return last;
}
