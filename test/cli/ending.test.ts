/** How a mount ends: what could not be uploaded is kept and told, and systemd hears of it. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { startBackground, type Background } from '../support/background.js';
import { onCleanup } from '../support/cleanup.js';
import { davport, startDavport } from '../support/davport.js';
import { mountDavport } from '../support/mount.js';
import { mountsAt } from '../support/mountinfo.js';
import { bash } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

const KEEP_OPEN = `
import os, sys, time
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT, 0o644)
os.write(fd, b'd' * 100000)
print('written', flush=True)
time.sleep(60)`;

async function writer(file: string): Promise<Background> {
  const program = startBackground('/usr/bin/python3', ['-c', KEEP_OPEN, file]);
  await waitUntil('the write', () => program.log().includes('written'));
  return program;
}

/** A mount with a file that was written and not closed, and a peer that is gone. */
async function stranded(timeout: number) {
  const folder = makeTempDir();
  const served = makeTempDir();
  const share = startDavport(['share', served, `unix-listen:${folder}/s`]);
  const mount = await mountDavport({
    channel: `unix:${folder}/s`,
    options: [`timeout=${timeout}`],
  });
  await waitUntil('the peer', async () => {
    const { code } = await bash('ls "$1"', [mount.dir], { accept: 'any' });
    return code === 0;
  });
  const program = await writer(join(mount.dir, 'un saved'));
  share.kill('SIGKILL');
  await share.exited;
  return { mount, program };
}

function removeLater(file: string): void {
  const undo = (): void => rmSync(file, { force: true });
  onCleanup({ run: async () => undo(), runSync: undo });
}

function keptFile(log: string): string {
  return (
    /un saved could not be uploaded; what was written is kept in ([^;\n]+)/.exec(log)?.[1] ?? log
  );
}

test(
  'SIGTERM while the peer is gone: exit 1, the content is kept and named',
  { timeout: 60_000 },
  async () => {
    const { mount, program } = await stranded(2);
    mount.signal('SIGTERM');
    const exit = await mount.exited;
    assert.equal(exit.code, 1, mount.log());
    assert.deepEqual(mountsAt(mount.dir), []);
    const kept = keptFile(mount.log());
    removeLater(kept);
    assert.equal(readFileSync(kept, 'utf8'), 'd'.repeat(100_000));
    await program.stop(0);
  },
);

test('a second signal stops the wait at once', { timeout: 60_000 }, async () => {
  const { mount, program } = await stranded(50);
  mount.signal('SIGINT');
  await waitUntil('the upload', () => mount.log().includes('uploading 1 file'));
  const started = performance.now();
  mount.signal('SIGINT');
  assert.equal((await mount.exited).code, 1);
  assert.ok(performance.now() - started < 5000);
  const kept = keptFile(mount.log());
  removeLater(kept);
  assert.equal(readFileSync(kept, 'utf8').length, 100_000);
  await program.stop(0);
});

const NOTIFIED = `
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    print(s.recv(4096).decode().replace('\\n', ' '), flush=True)`;

test('systemd is told when the mount is ready and when it stops', { timeout: 60_000 }, async () => {
  const socket = join(makeTempDir(), 'notify');
  const systemd = startBackground('/usr/bin/python3', ['-c', NOTIFIED, socket]);
  await waitUntil('the socket', () => systemd.log().includes('bound'));
  const mount = await mountDavport({
    channel: `unix:${socket}.peer`,
    env: { NOTIFY_SOCKET: socket },
  });
  await waitUntil('READY=1', () => systemd.log().includes('READY=1'));
  assert.match(systemd.log(), new RegExp(`MAINPID=${mount.pid}\\b`));
  mount.signal('SIGTERM');
  assert.equal((await mount.exited).code, 0, mount.log());
  await waitUntil('STOPPING=1', () => systemd.log().includes('STOPPING=1'));
  await systemd.stop(0);
});

/** Answers every connection with `talk`. */
async function startTalker(talk: (socket: Socket) => void): Promise<string> {
  const path = join(makeTempDir(), 'talker.sock');
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    talk(socket);
  });
  server.listen(path);
  await once(server, 'listening');
  const close = (): void => void server.close();
  onCleanup({ run: async () => close(), runSync: close });
  return `unix:${path}`;
}

test(
  'a peer that speaks something else is told and left, nothing is mounted',
  { timeout: 60_000 },
  async () => {
    const talkers = {
      text: (socket: Socket) => socket.write('SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n'),
      'plain HTTP': (socket: Socket) =>
        socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
      'mail in frames': (socket: Socket) =>
        socket.on('data', (chunk: Buffer) => {
          const header = Buffer.from(chunk.subarray(0, 10));
          header.writeUInt16LE(10, 8);
          socket.write(Buffer.concat([header, Buffer.from('220 mail\r\n')]));
        }),
    };
    for (const [what, talk] of Object.entries(talkers)) {
      const dir = makeTempDir();
      const result = await davport([
        'mount',
        await startTalker((socket) => void talk(socket)),
        dir,
      ]);
      assert.equal(result.code, 1, `${what}: ${result.stderr}`);
      assert.match(result.stderr, /^davport: [^\n]*check the address[^\n]*\n$/, what);
      assert.deepEqual(mountsAt(dir), []);
    }
  },
);
