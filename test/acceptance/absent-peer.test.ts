/** A mount whose peer is not there (yet), or talks something else. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { startDavport } from '../support/davport.js';
import { mountDavport } from '../support/mount.js';
import { onCleanup } from '../support/cleanup.js';
import { startBackground } from '../support/background.js';
import { bash, run } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

test(
  'without a peer: operations end by timeout=, and work once the peer is there',
  { timeout: 60_000 },
  async () => {
    const socket = join(makeTempDir(), 'channel.sock');
    const served = makeTempDir();
    writeFileSync(`${served}/file`, 'here now');
    const mount = await mountDavport({ channel: `unix:${socket}`, options: ['timeout=2'] });
    for (const command of ['ls "$1"', 'cat "$1/file"', 'mkdir "$1/folder"', 'echo x > "$1/new"']) {
      const result = await bash(command, [mount.dir], { accept: 'any', timeoutMs: 15_000 });
      assert.notEqual(result.code, 0, command);
      assert.match(result.stderr, /Input\/output error|Connection timed out/, command);
      assert.ok(result.ms > 500 && result.ms < 9000, `${command}: ${result.ms} ms`);
    }
    const share = startDavport(['share', served, `unix-listen:${socket}`]);
    const show = (): Promise<string> =>
      bash('cat "$1/file"', [mount.dir], { accept: 'any' }).then((result) => result.stdout);
    await waitUntil('the share to be seen', async () => (await show()) === 'here now');
    await mount.unmount();
    await share.stop();
  },
);

test('^C ends a command that waits for an absent peer at once', { timeout: 60_000 }, async () => {
  const socket = join(makeTempDir(), 'channel.sock');
  const mount = await mountDavport({ channel: `unix:${socket}`, options: ['timeout=60'] });
  for (const command of ['ls "$1"', 'cat "$1/file"', 'mkdir "$1/folder"']) {
    const reader = startBackground('/bin/bash', ['-c', `exec ${command}`, 'bash', mount.dir]);
    await waitUntil('the reader to block', () => waitsInFuse(reader.pid));
    const started = performance.now();
    reader.kill('SIGINT');
    const exit = await reader.exited;
    assert.equal(exit.signal, 'SIGINT');
    const ms = performance.now() - started;
    // Long before timeout= ends it.
    assert.ok(ms < 10_000, `${command}: ${ms} ms`);
  }
  await mount.unmount();
});

/** Whether a process sleeps in a request to a FUSE file system. */
async function waitsInFuse(pid: number): Promise<boolean> {
  const { stdout } = await run('cat', [`/proc/${pid}/stack`], { accept: 'any' });
  return /fuse|request_wait_answer/.test(stdout);
}

/** Serves `talk` on a socket, and counts the connections. */
async function startTalker(
  path: string,
  talk: (socket: Socket) => void,
): Promise<{ count(): number }> {
  let count = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    count += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    talk(socket);
  });
  server.listen(path);
  await once(server, 'listening');
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  onCleanup({ run: async () => close(), runSync: close });
  return { count: () => count };
}

/** As much as the other side takes, for as long as it takes it. */
function flood(socket: Socket, block: () => Buffer): void {
  const pour = (): void => {
    while (!socket.destroyed && socket.write(block()));
  };
  socket.on('drain', pour);
  pour();
}

const echoFrames = (answer: string) => (socket: Socket) => {
  socket.on('data', (chunk: Buffer) => {
    const header = Buffer.from(chunk.subarray(0, 10));
    header.writeUInt16LE(answer.length, 8);
    socket.write(Buffer.concat([header, Buffer.from(answer)]));
  });
};

const talkers: Readonly<Record<string, (socket: Socket) => void>> = {
  'no frames, but text': (socket) => {
    socket.write('SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n');
    socket.resume();
  },
  'no frames, but bytes without end': (socket) => {
    const block = Buffer.alloc(65_536, 0xa5);
    socket.resume();
    flood(socket, () => block);
  },
  'frames without HTTP in them': echoFrames('220 mail.example.org ESMTP\r\n'),
  'frames with HTTP, but no WebDAV': echoFrames(
    'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>',
  ),
  'frames with headers without end': (socket) => {
    socket.once('data', (chunk: Buffer) => {
      const header = Buffer.from(chunk.subarray(0, 10));
      const payload = Buffer.from(`HTTP/1.1 200 OK\r\n`.padEnd(60_000, 'X-A: b\r\n'));
      header.writeUInt16LE(payload.length, 8);
      const frame = Buffer.concat([header, payload]);
      flood(socket, () => frame);
    });
  },
  'nothing, and hangs up at once': (socket) => socket.end(),
};

for (const [what, talk] of Object.entries(talkers)) {
  test(`a peer that talks ${what}: reported, left, bounded`, { timeout: 60_000 }, async (t) => {
    // One that is there already when it is mounted is told by the command (test/cli/ending.test.ts).
    const path = join(makeTempDir(), 'talker.sock');
    const mount = await mountDavport({ channel: `unix:${path}`, options: ['timeout=3'] });
    const talker = await startTalker(path, talk);
    try {
      const result = await bash('ls "$1"', [mount.dir], { accept: 'any', timeoutMs: 20_000 });
      assert.notEqual(result.code, 0);
      assert.match(result.stderr, /Input\/output error|Connection timed out|Protocol error/);
      assert.match(mount.log(), /^davport: (warn|error): .+/m);
      const { stdout } = await run('cat', [`/proc/${mount.pid}/status`]);
      const rss = Number(/VmRSS:\s+(\d+)/.exec(stdout)![1]) / 1024;
      t.diagnostic(`${Math.round(rss)} MiB, ${talker.count()} connections; ${mount.log().trim()}`);
      assert.ok(rss < 400, `${rss} MiB`);
      // Left and tried again with patience, not in a busy loop.
      assert.ok(talker.count() < 100, `${talker.count()} connections`);
      await mount.unmount();
    } finally {
      await mount.discard();
    }
  });
}
