import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import type { ChannelSession } from '../../../src/channel/channel.js';
import { channelOf, rejectsWith } from '../../support/channels.js';
import { Recorder } from '../../support/sink-recorder.js';

const never = new AbortController().signal;

const bytes = (text: string): Uint8Array[] => [Buffer.from(text)];

test('exec: a command is the channel; its last words arrive; it is run again for a new session', async () => {
  const channel = channelOf(`exec:sh -c 'read line; printf "%s back" "$line"'`);
  for (const word of ['one', 'two']) {
    const sink = new Recorder();
    const session: ChannelSession = await channel.open(sink, never);
    session.write(bytes(`${word}\n`));
    await sink.until(() => sink.closed !== undefined);
    assert.equal(sink.received.toString(), `${word} back`);
  }
  await channel.close();
});

test('exec: a command is ended at close', async () => {
  const channel = channelOf('exec:sleep 1000');
  const sink = new Recorder();
  await channel.open(sink, never);
  const before = performance.now();
  await channel.close();
  assert.ok(performance.now() - before < 4000);
  await sink.until(() => sink.closed !== undefined);
});

test('exec: a command that ignores SIGTERM is killed after five seconds', async () => {
  const channel = channelOf(`exec:sh -c 'trap "" TERM; echo up; cat >&2; exec sleep 60'`);
  const sink = new Recorder();
  await channel.open(sink, never);
  await sink.text('up\n');
  const before = performance.now();
  await channel.close();
  assert.ok(performance.now() - before > 4900);
});

test('exec: what cannot be run is an error with a remedy', async () => {
  const missing = channelOf('exec:/no/such/program');
  assert.match(
    await rejectsWith(missing.open(new Recorder(), never), 'CHANNEL_NOT_FOUND'),
    /install it/,
  );
  await missing.close();
  const shell = channelOf(`exec:sh -c 'exit 127'`);
  const sink = new Recorder();
  await shell.open(sink, never);
  await sink.until(() => sink.closed !== undefined);
  await rejectsWith(shell.open(new Recorder(), never), 'CHANNEL_NOT_FOUND');
  await shell.close();
});

const echo = new URL('../../support/echo-channel.js', import.meta.url).pathname;
for (const [name, stdio] of [
  ['stdio:', ['pipe', 'pipe', 'inherit']],
  ['fd:3', ['ignore', 'ignore', 'inherit', 'pipe']],
] as const) {
  test(`${name} in a child process: bytes both ways, then the end`, async () => {
    const child = spawn(process.execPath, [echo, name], { stdio: [...stdio] });
    const input = (name === 'fd:3' ? child.stdio[3] : child.stdin) as NodeJS.WritableStream;
    const output = (name === 'fd:3' ? child.stdio[3] : child.stdout) as NodeJS.ReadableStream;
    input.write('x'.repeat(300_000));
    let received = 0;
    output.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received === 300_000) input.end();
    });
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(received, 300_000);
    // 3: a second open() was refused with CHANNEL_CLOSED.
    assert.equal(code, 3);
  });
}

test('stdio: on a device (a terminal in raw mode): bytes both ways', async () => {
  const command = `stty raw -echo; printf R; exec "${process.execPath}" "${echo}" stdio:`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let received = '';
  child.stdout.on('data', (chunk: Buffer) => {
    // Ready: the terminal neither echoes nor edits any more.
    if (received === '') child.stdin.write('over the device');
    received += chunk.toString();
    if (received === 'Rover the device') child.kill();
  });
  await exited;
  assert.equal(received, 'Rover the device');
});
