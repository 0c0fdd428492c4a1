/** Ids of a multiplexer that node:http sees as one connection: each is answered as if it had a connection to itself. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { createAcceptorMux } from '../../../src/mux/mux.js';
import type { ShareOptions } from '../../../src/share/share.js';
import { createMemoryChannelPair } from '../../support/memory-channel.js';
import { checkAsyncProperty } from '../../support/property.js';
import { RawPeer, settle } from '../../support/raw-peer.js';
import { waitUntil } from '../../support/wait-until.js';
import { startShare } from './fixture.js';

async function shareAndPeer(options: Partial<ShareOptions> = {}) {
  const t = await startShare(options);
  const { guest, host } = createMemoryChannelPair();
  /** Connections that node:http got to see. */
  let attached = 0;
  const mux = createAcceptorMux(host, {
    onStream: (stream) => {
      attached++;
      t.share.attach(stream);
    },
  });
  const peer = await RawPeer.open(guest);
  const close = async (): Promise<void> => {
    await Promise.all([mux.close(), guest.close()]);
    await t.close();
  };
  return { t, mux, peer, close, attached: () => attached };
}

type Rig = Awaited<ReturnType<typeof shareAndPeer>>;

interface Plan {
  readonly kind: keyof typeof PLANS;
  /** Where bytes are cut, of 1. */
  readonly cut: number;
  readonly turns: number;
}

interface Script {
  /** Pieces, each sent when there are as many answers as it says. */
  readonly steps: readonly { readonly after: number; readonly bytes: string }[];
  /** How many answers the peer waits for until it ends the id; undefined: it ends at once, and any or none may come. */
  readonly endAfter: number | undefined;
  /** Status and body of each answer. */
  readonly answers: readonly string[];
  /** The file that is to be there then, '' for none; undefined: either. */
  readonly file?: string;
}

const get = (name: string, field = ''): string =>
  `GET /${name} HTTP/1.1\r\nHost: x:9843\r\n${field}\r\n`;
const put = (name: string, body: string, field = ''): string =>
  `PUT /${name} HTTP/1.1\r\nHost: x:9843\r\nContent-Length: ${body.length}\r\n${field}\r\n${body}`;

/** What a peer may do with one id. `own` is a name that no other script has. */
const PLANS = {
  get: () => whole(get('a'), '200 of a'),
  missing: (own: string) => whole(get(own), '404 no such resource\n'),
  head: () => whole(get('a').replace('GET', 'HEAD'), '200 '),
  put: (own: string, cut: number) => ({ ...inTwo(put(own, own), cut, '201 '), file: own }),
  'put in one': (own: string) => ({ ...whole(put(own, own), '201 '), file: own }),
  'keep-alive': () => whole(get('b', 'Connection: keep-alive\r\n'), '200 of b'),
  close: () => whole(get('b', 'Connection: close\r\n'), '200 of b'),
  'old version': () => whole(get('b').replace('1.1', '1.0'), '200 of b'),
  'cut off': (own: string, cut: number) => {
    const bytes = put(own, own);
    const part = bytes.slice(0, 1 + cut * (bytes.length - 2));
    return { steps: [{ after: 0, bytes: part }], endAfter: undefined, answers: [], file: '' };
  },
  'given up': () => ({ ...whole(get('a'), '200 of a'), endAfter: undefined }),
  'and a beginning': (own: string, cut: number) => {
    const next = put(`${own}-evil`, 'x');
    const part = next.slice(0, 1 + cut * (next.length - 2));
    return { steps: [{ after: 0, bytes: get('a') + part }], endAfter: 1, answers: ['200 of a'] };
  },
  'then a beginning': (own: string, cut: number) => {
    const next = put(`${own}-evil`, 'x');
    const part = next.slice(0, 1 + cut * (next.length - 2));
    const steps = [
      { after: 0, bytes: get('a') },
      { after: 1, bytes: part },
    ];
    return { steps, endAfter: 1, answers: ['200 of a'] };
  },
  two: (own: string) => {
    const steps = [
      { after: 0, bytes: put(own, own) },
      { after: 1, bytes: get('b') },
    ];
    return { steps, endAfter: 2, answers: ['201 ', '200 of b'], file: own };
  },
  pipelined: () => ({
    steps: [{ after: 0, bytes: get('a') + get('b') }],
    endAfter: 2,
    answers: ['200 of a', '200 of b'],
  }),
  chunked: (own: string) => {
    const head = put(own, '').replace('Content-Length: 0', 'Transfer-Encoding: chunked');
    const body = `${own.length.toString(16)}\r\n${own}\r\n0\r\n\r\n`;
    return { ...whole(head + body, '201 '), file: own };
  },
  expect: (own: string) => {
    const request = put(own, own, 'Expect: 100-continue\r\n');
    return { ...whole(request, '100 ', '201 '), endAfter: 2, file: own };
  },
  upgrade: () => whole(get('a', 'Connection: upgrade\r\nUpgrade: x\r\n'), '200 of a'),
  'bare line feeds': () => whole(get('a').replaceAll('\r\n', '\n'), '400 '),
  garbage: () => whole('\x80\x81\x82', '400 '),
} satisfies Record<string, (own: string, cut: number) => Script>;

function whole(bytes: string, ...answers: string[]): Script {
  return { steps: [{ after: 0, bytes }], endAfter: answers.length, answers };
}

function inTwo(bytes: string, cut: number, answer: string): Script {
  const at = 1 + Math.floor(cut * (bytes.length - 2));
  const steps = [
    { after: 0, bytes: bytes.slice(0, at) },
    { after: 0, bytes: bytes.slice(at) },
  ];
  return { steps, endAfter: 1, answers: [answer] };
}

/** The slow way: status and body of each answer in the text, '…' for one that isn't whole. */
function answersIn(text: string, toHead: boolean): string[] {
  const found: string[] = [];
  for (let rest = text; rest !== '';) {
    const head = /^HTTP\/1\.1 (\d+) [^]*?\r\n\r\n/.exec(rest);
    if (head === null) return [...found, `…${rest}`];
    rest = rest.slice(head[0].length);
    const length = toHead ? 0 : Number(/\r\ncontent-length: (\d+)/i.exec(head[0])?.[1] ?? 0);
    if (rest.length < length) return [...found, `…${head[0]}`];
    found.push(`${head[1]} ${rest.slice(0, length)}`);
    rest = rest.slice(length);
  }
  return found;
}

async function play({ t, peer }: Rig, id: bigint, own: string, plan: Plan): Promise<void> {
  const { steps, endAfter, answers, file }: Script = PLANS[plan.kind](own, plan.cut);
  const answered = (): string[] => answersIn(peer.payload(id), plan.kind === 'head');
  for (const { after, bytes } of steps) {
    await peer.until(() => answered().length >= after, `${plan.kind}: ${after} answers`);
    peer.send(id, bytes);
    await settle(plan.turns);
  }
  const whole = (): boolean => answered().filter((one) => !one.startsWith('…')).length >= endAfter!;
  if (endAfter !== undefined) await peer.until(whole, `${plan.kind}: the answers`);
  peer.end(id);
  await settle();
  // Those that the end came before may be missing, the last one may have been cut.
  const got = answered().filter((one) => !one.startsWith('…'));
  if (endAfter === undefined) assert.deepEqual(got, answers.slice(0, got.length), plan.kind);
  else assert.deepEqual(answered(), answers, plan.kind);
  assert.equal(fs.existsSync(t.at(`${own}-evil`)), false);
  if (file === '') await waitUntil('the removal', () => !fs.existsSync(t.at(own)));
  else if (file !== undefined) assert.equal(fs.readFileSync(t.at(own), 'utf8'), file);
}

test('any requests on ids that come and go: each has its answers, and no other', async (context) => {
  const rig = await shareAndPeer();
  for (const name of ['a', 'b']) fs.writeFileSync(rig.t.at(name), `of ${name}`);
  const plan = fc.record<Plan>({
    kind: fc.constantFrom(...(Object.keys(PLANS) as (keyof typeof PLANS)[])),
    cut: fc.double({ min: 0, max: 1, noNaN: true }),
    turns: fc.nat(3),
  });
  let ids = 0;
  const property = fc.asyncProperty(
    fc.array(fc.array(plan, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 }),
    fc.boolean(),
    async (lines, comeBack) => {
      rig.peer.frames.length = 0;
      const line = async (plans: readonly Plan[], at: number): Promise<void> => {
        for (const one of plans) {
          const own = `file-${ids++}`;
          const id = comeBack && plans.length === 1 ? BigInt(-128 * (at + 1)) : BigInt(ids) << 32n;
          await play(rig, id, own, one);
        }
      };
      await Promise.all(lines.map(line));
    },
  );
  await checkAsyncProperty(context, property, 4000);
  context.diagnostic(`${ids} ids on ${rig.attached()} connections`);
  assert.ok(rig.attached() < ids);
  await waitUntil('the end of all', () => rig.t.share.stats.connections === 0);
  assert.equal(rig.mux.stats.sessions, 1);
  await rig.close();
});

async function ask({ peer }: Rig, id: bigint, request = get('a')): Promise<string | undefined> {
  peer.send(id, request);
  await peer.until(() => answersIn(peer.payload(id), false).length > 0);
  return answersIn(peer.payload(id), false)[0];
}

test('one connection to node:http, none to the limits while no id has it', async () => {
  const rig = await shareAndPeer();
  fs.writeFileSync(rig.t.at('a'), 'of a');
  for (let id = 1n; id <= 20n; id++) {
    assert.equal(await ask(rig, id << 32n), '200 of a');
    assert.equal(rig.t.share.stats.connections, 1);
    rig.peer.end(id << 32n);
    await waitUntil('the end', () => rig.t.share.stats.connections === 0);
    assert.equal(rig.mux.stats.openStreams, 0);
  }
  assert.equal(rig.attached(), 1);
  assert.equal(rig.t.share.stats.requests, 20);
  await rig.close();
});

test('a head has its time from the beginning of its id, and what is parked has time without end', async () => {
  const rig = await shareAndPeer({ headTimeoutMs: 300, stallTimeoutMs: 300 });
  fs.writeFileSync(rig.t.at('a'), 'of a');
  await ask(rig, 1n << 32n);
  rig.peer.end(1n << 32n);
  await delay(700);
  const began = performance.now();
  rig.peer.send(2n << 32n, 'GET / HT');
  await rig.peer.until(() => rig.peer.ends(2n << 32n) === 1);
  assert.ok(performance.now() - began > 250);
  assert.equal(rig.attached(), 1);
  assert.equal(rig.t.share.stats.connections, 0);
  await rig.close();
});

test('too many connections: an id does not come in by a stream that is kept', async () => {
  const rig = await shareAndPeer({ maxConnections: 1 });
  fs.writeFileSync(rig.t.at('a'), 'of a');
  await ask(rig, 1n << 32n);
  rig.peer.end(1n << 32n);
  await waitUntil('the end', () => rig.t.share.stats.connections === 0);
  const other = await rig.t.connect();
  other.write('PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n');
  await waitUntil('another connection', () => rig.t.share.stats.active === 1);
  assert.equal(await ask(rig, 2n << 32n), '503 ');
  other.destroy();
  await waitUntil('room', () => rig.t.share.stats.connections === 0);
  assert.equal(await ask(rig, 3n << 32n), '200 of a');
  await rig.close();
});

test('a share that is closed serves nobody by a stream that it has kept', async () => {
  const rig = await shareAndPeer();
  fs.writeFileSync(rig.t.at('a'), 'of a');
  await ask(rig, 1n << 32n);
  rig.peer.end(1n << 32n);
  await settle();
  await rig.t.share.close();
  rig.peer.send(2n << 32n, get('a'));
  await rig.peer.until(() => rig.peer.ends(2n << 32n) === 1);
  assert.equal(rig.peer.payload(2n << 32n), '');
  await rig.close();
});
