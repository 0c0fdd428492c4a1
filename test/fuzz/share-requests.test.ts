/** Any requests: no crash, no path outside, no status that blames the server without cause, and the next good request is answered. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { METHODS } from 'node:http';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { createAcceptorMux, createOpenerMux } from '../../src/mux/mux.js';
import { createMemoryChannelPair } from '../support/memory-channel.js';
import { checkAsyncProperty } from '../support/property.js';
import { waitUntil } from '../support/wait-until.js';
import { startShare, type TestShare } from '../unit/share/fixture.js';
import { encodeRequest, fuzzRequest } from './arbitrary-requests.js';

const BUDGET_MS = 8000;
/** Above the server's own limits, which are short here. */
const ANSWER_MS = 5000;

/** With a cause: another server (502), no room or a bound (507), links that lead too far (508). */
const CAUSED = new Set(['502', '507', '508']);

/** 501: only of a method that nobody knows. */
function isCaused(status: string, sent: Buffer): boolean {
  if (status !== '501') return CAUSED.has(status);
  return !METHODS.includes(sent.toString('latin1').split(' ', 1)[0]!);
}

/** Makes again what requests have removed or replaced. */
function plant(t: TestShare): void {
  for (const name of ['d', 'd/sub']) {
    if (fs.lstatSync(t.at(name), { throwIfNoEntry: false })?.isDirectory()) continue;
    fs.rmSync(t.at(name), { force: true });
    fs.mkdirSync(t.at(name));
  }
  const make = (name: string, how: (path: string) => void): void => {
    if (!fs.lstatSync(t.at(name), { throwIfNoEntry: false })) how(t.at(name));
  };
  for (const name of ['f', 'd/f', 'd/sub/g'])
    make(name, (path) => fs.writeFileSync(path, 'inside'));
  const links = { in: 'd', out: '../outside', up: '..', loop: 'loop', pass: '/etc/passwd' };
  for (const [name, to] of Object.entries(links)) make(name, (path) => fs.symlinkSync(to, path));
  make('fifo', (path) => execFileSync('mkfifo', [path]));
}

/** Sends the bytes and gives what comes back until the connection ends, or for as long as an answer may take. */
function exchange(stream: Duplex, bytes: Buffer): Promise<string> {
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stream.destroy();
      resolve(Buffer.concat(chunks).toString('latin1'));
    };
    const timer = setTimeout(done, ANSWER_MS);
    stream.on('error', () => undefined);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', done);
    stream.on('close', done);
    stream.write(bytes);
  });
}

/** Content of files outside the share. No request has it: what a request names may come back as the target of a link. */
const OUTSIDE = /SECRET from outside|root:[x*]:/;

function judge(reply: string, sent: Buffer): void {
  const what = JSON.stringify(sent.toString('latin1').slice(0, 1500));
  assert.doesNotMatch(reply, OUTSIDE, what);
  const [, status] =
    /^HTTP\/1\.1 (\d{3}) /.exec(reply.replace(/^(HTTP\/1\.1 100 Continue\r\n\r\n)+/, '')) ?? [];
  if (status === undefined) assert.equal(reply, '', `no HTTP in the answer to ${what}`);
  else assert.ok(status < '500' || isCaused(status, sent), `${reply.slice(0, 400)}\n${what}`);
  for (const [, member] of reply.matchAll(/<D:status>HTTP\/1\.1 (5\d\d)/g)) {
    assert.ok(CAUSED.has(member!), `${reply.slice(0, 1000)}\n${what}`);
  }
}

type Carrier = (
  t: TestShare,
) => Promise<{ connect(): Duplex | Promise<Duplex>; close(): Promise<void> }>;

const CARRIERS: Readonly<Record<string, Carrier>> = {
  'plain HTTP': async (t) => ({ connect: () => t.connect(), close: async () => undefined }),
  'the multiplexer': async (t) => {
    const { guest, host } = createMemoryChannelPair();
    const acceptor = createAcceptorMux(host, { onStream: (stream) => t.share.attach(stream) });
    const opener = createOpenerMux(guest);
    await waitUntil('the session', () => opener.connected && acceptor.connected);
    return {
      connect: () => opener.openStream(),
      close: async () => {
        await Promise.all([opener.close(), acceptor.close()]);
      },
    };
  },
};

for (const [name, open] of Object.entries(CARRIERS)) {
  test(`any requests over ${name}`, { timeout: 60_000 }, async (context) => {
    let clock = 0;
    const t = await startShare({ headTimeoutMs: 1000, stallTimeoutMs: 1000, clock: () => clock });
    fs.writeFileSync(`${t.outside}/secret`, 'SECRET from outside');
    const before = fs.statSync(t.outside, { bigint: true });
    const secret = fs.statSync(`${t.outside}/secret`, { bigint: true });
    const carrier = await open(t);
    const statuses = new Map<string, number>();
    const property = fc.asyncProperty(
      fc.array(fuzzRequest, { minLength: 1, maxLength: 6 }),
      async (requests) => {
        plant(t);
        // The locks of the run before have expired.
        clock += 1e10;
        const all = requests.map(async (request) => {
          const bytes = encodeRequest(request);
          const reply = await exchange(await carrier.connect(), bytes);
          judge(reply, bytes);
          const status = reply.slice(9, 12);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        });
        await Promise.all(all);
        const good = Buffer.from(
          'PROPFIND / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nDepth: 0\r\n\r\n',
        );
        assert.match(await exchange(await carrier.connect(), good), /^HTTP\/1\.1 207 /);
        const { mtimeNs, ctimeNs } = fs.statSync(t.outside, { bigint: true });
        assert.deepEqual(
          [mtimeNs, ctimeNs],
          [before.mtimeNs, before.ctimeNs],
          'the folder outside changed',
        );
        assert.equal(fs.statSync(`${t.outside}/secret`, { bigint: true }).ctimeNs, secret.ctimeNs);
      },
    );
    await checkAsyncProperty(context, property, BUDGET_MS);
    context.diagnostic(JSON.stringify(Object.fromEntries(statuses)));
    for (const status of ['200', '207', '400', '404']) {
      assert.ok(statuses.has(status), `no request was answered with ${status}`);
    }
    await carrier.close();
    await waitUntil('all requests to end', () => t.share.stats.active === 0);
    assert.ok(!fs.readdirSync(t.dir).some((entry) => entry.endsWith('.part')), 'a leftover');
  });
}
