import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ListenChannel } from '../../../src/channel/listener.js';
import { channelOf, rejectsWith } from '../../support/channels.js';
import { Recorder } from '../../support/sink-recorder.js';

const folder = mkdtempSync(path.join(tmpdir(), 'davport-channels-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const never = new AbortController().signal;

function listenChannelOf(text: string): ListenChannel {
  const channel = channelOf(text);
  assert.ok(channel instanceof ListenChannel);
  return channel;
}

const bytes = (text: string): Uint8Array[] => [Buffer.from(text)];

async function connectedPair(listenText: string, connectText?: string) {
  const host = listenChannelOf(listenText);
  const hostSink = new Recorder();
  const opening = host.open(hostSink, never);
  if (connectText === undefined) {
    while (host.port === undefined) await new Promise((resolve) => setImmediate(resolve));
    connectText = `tcp:127.0.0.1:${host.port}`;
  }
  const guest = channelOf(connectText);
  const guestSink = new Recorder();
  const guestSession = await guest.open(guestSink, never);
  const hostSession = await opening;
  const close = () => Promise.all([host.close(), guest.close()]);
  return { host, hostSink, hostSession, guest, guestSink, guestSession, close };
}

const transports: [string, () => ReturnType<typeof connectedPair>][] = [
  ['unix', () => connectedPair(`unix-listen:${folder}/both`, `unix:${folder}/both`)],
  ['tcp', () => connectedPair('tcp-listen:127.0.0.1:0')],
];

for (const [name, connect] of transports) {
  test(`${name}: carries bytes both ways, ends at both ends, and opens again`, async () => {
    const both = await connect();
    both.guestSession.write(bytes('to the host'));
    both.hostSession.write([...bytes('to '), ...bytes('the guest')]);
    await both.hostSink.text('to the host');
    await both.guestSink.text('to the guest');
    both.guestSession.close();
    both.guestSession.close();
    assert.equal(both.guestSession.write(bytes('x')), true);
    await both.hostSink.until(() => both.hostSink.closed !== undefined);
    await both.guestSink.until(() => both.guestSink.closed !== undefined);
    assert.deepEqual(both.hostSink.closed, { error: undefined });

    const again = [new Recorder(), new Recorder()] as const;
    const [, session] = await Promise.all([
      both.host.open(again[0], never),
      both.guest.open(again[1], never),
    ]);
    session.write(bytes('second'));
    await again[0].text('second');
    await both.close();
    await again[0].until(() => again[0].closed !== undefined && again[1].closed !== undefined);
  });

  test(`${name}: back-pressure: write says stop, drain says go, nothing is lost`, async () => {
    const both = await connect();
    both.hostSession.pause!();
    const piece = Buffer.alloc(256 * 1024, 'x');
    let sent = 0;
    while (both.guestSession.write([piece])) sent += piece.length;
    sent += piece.length;
    assert.ok(sent < 64 * 1024 * 1024);
    assert.equal(both.guestSink.drains, 0);
    both.hostSession.resume!();
    await both.guestSink.until(() => both.guestSink.drains === 1);
    await both.hostSink.until(() => both.hostSink.received.length === sent);
    await both.close();
  });
}

test('what was sent before the other side looked is not lost', async () => {
  const host = channelOf(`unix-listen:${folder}/early`);
  const first = new Recorder();
  const opening = host.open(first, never);
  const guest = channelOf(`unix:${folder}/early`);
  const session = await guest.open(new Recorder(), never);
  session.write(bytes('early'));
  await opening;
  await first.text('early');
  await Promise.all([host.close(), guest.close()]);
});

test('a connecting channel waits for its peer, and stops waiting when told', async () => {
  const guest = channelOf(`unix:${folder}/later`);
  const sink = new Recorder();
  const opening = guest.open(sink, never);
  const server = createServer((socket) => socket.end('hello'));
  await new Promise((resolve) => setTimeout(resolve, 120));
  server.listen(`${folder}/later`);
  await opening;
  await sink.text('hello');
  await guest.close();
  await new Promise((resolve) => server.close(resolve));

  const stop = new AbortController();
  const waiting = channelOf(`unix:${folder}/nobody`).open(new Recorder(), stop.signal);
  setTimeout(() => stop.abort(new Error('enough')), 30);
  await assert.rejects(waiting, /enough/);

  const closed = channelOf(`unix:${folder}/nobody`);
  const pending = closed.open(new Recorder(), never);
  setImmediate(() => void closed.close());
  await rejectsWith(pending, 'CHANNEL_CLOSED');
});

test('the last bytes before the end arrive', async () => {
  const guest = channelOf(`unix:${folder}/last`);
  const server = createServer((socket) => socket.end(Buffer.alloc(300_000, 'z')));
  server.listen(`${folder}/last`);
  const sink = new Recorder();
  await guest.open(sink, never);
  await sink.until(() => sink.closed !== undefined);
  assert.equal(sink.received.length, 300_000);
  assert.equal(sink.closed!.error, undefined);
  await guest.close();
  await new Promise((resolve) => server.close(resolve));
});

test('a listening socket: mode 0600, removed at close, refused while alive', async () => {
  const file = `${folder}/mine`;
  const one = channelOf(`unix-listen:${file}`);
  const opening = one.open(new Recorder(), never);
  await new Recorder().until(() => existsSync(file));
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const other = channelOf(`unix-listen:${file}`);
  const message = await rejectsWith(other.open(new Recorder(), never), 'CHANNEL_BUSY');
  assert.match(message, /another process listens/);
  // The question whether anybody is there was a connection of its own.
  await opening;
  await one.close();
  assert.equal(existsSync(file), false);
});

test('a listening socket takes over the file of a process that was killed', async () => {
  const file = `${folder}/stale`;
  const child = spawn(process.execPath, [
    '-e',
    `require('net').createServer().listen(${JSON.stringify(file)})`,
  ]);
  const recorder = new Recorder();
  await recorder.until(() => existsSync(file));
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(existsSync(file));
  const both = await connectedPair(`unix-listen:${file}`, `unix:${file}`);
  both.guestSession.write(bytes('taken over'));
  await both.hostSink.text('taken over');
  await both.close();
});

test('a file that is no socket is left alone', async () => {
  writeFileSync(`${folder}/file`, 'precious');
  const channel = channelOf(`unix-listen:${folder}/file`);
  await rejectsWith(channel.open(new Recorder(), never), 'CHANNEL_FAILED');
  await channel.close();
  assert.ok(existsSync(`${folder}/file`));
});

test('unix-listen: a second peer waits for the first; tcp-listen: it takes its place', async () => {
  const unix = await connectedPair(`unix-listen:${folder}/two`, `unix:${folder}/two`);
  const second = channelOf(`unix:${folder}/two`);
  const secondSession = await second.open(new Recorder(), never);
  secondSession.write(bytes('my turn'));
  unix.guestSession.write(bytes('still here'));
  await unix.hostSink.text('still here');
  assert.equal(unix.hostSink.closed, undefined);
  unix.guestSession.close();
  await unix.hostSink.until(() => unix.hostSink.closed !== undefined);
  const nextSink = new Recorder();
  await unix.host.open(nextSink, never);
  await nextSink.text('my turn');
  await Promise.all([unix.close(), second.close()]);

  const tcp = await connectedPair('tcp-listen:127.0.0.1:0');
  const other = channelOf(`tcp:127.0.0.1:${tcp.host.port}`);
  const otherSession = await other.open(new Recorder(), never);
  await tcp.hostSink.until(() => tcp.hostSink.closed !== undefined);
  otherSession.write(bytes('instead'));
  const insteadSink = new Recorder();
  await tcp.host.open(insteadSink, never);
  await insteadSink.text('instead');
  await Promise.all([tcp.close(), other.close()]);
});
