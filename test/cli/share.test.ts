/** `davport share` as people use it: its log, its progress, how it ends, how it says that it can't work. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Background } from '../support/background.js';
import { startBackground } from '../support/background.js';
import { DAVPORT, davport, requireBuild, startDavport } from '../support/davport.js';
import { run } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';
import { connectTo, readToEnd, send } from '../unit/share/fixture.js';

const withoutRoot = process.getuid?.() === 0 ? false : 'a namespace without /proc needs root';

interface Served {
  readonly process: Background;
  readonly dir: string;
  readonly socketPath: string;
}

function folders(): { dir: string; socketPath: string } {
  const base = makeTempDir();
  const dir = path.join(base, 'root');
  fs.mkdirSync(dir);
  return { dir, socketPath: path.join(base, 'socket') };
}

async function serve(...options: string[]): Promise<Served> {
  const { dir, socketPath } = folders();
  const share = startDavport(['share', dir, `unix-listen:${socketPath}`, '--http', ...options]);
  await waitUntil('the share', () => share.log().includes('sharing'), 30_000);
  return { process: share, dir, socketPath };
}

const lines = ({ process }: Served): string[] => process.log().trimEnd().split('\n').slice(1);

test('--log: one line per request in the combined format, whatever a client sends', async () => {
  const served = await serve('--log');
  const agent = { headers: { 'User-Agent': 'curl/8 "x" \\ é', Referer: 'http://h/' }, body: 'abc' };
  const to = { socketPath: served.socketPath };
  await send(to, 'PUT', '/a%20b', agent);
  await send(to, 'GET', '/a%20b', {});
  await send(to, 'GET', '/none"\x1b'.replace('\x1b', '%1b'), {});
  for (const raw of [
    'GET /" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUser-Agent: \t"\xe9"\r\n\r\n',
    'no HTTP\r\n\r\n',
  ]) {
    const socket = await connectTo(served.socketPath);
    socket.write(raw, 'latin1');
    await readToEnd(socket);
  }
  await waitUntil('five lines', () => lines(served).length === 5);
  const time = '\\[\\d\\d/[A-Z][a-z]{2}/\\d{4}:\\d\\d:\\d\\d:\\d\\d [+-]\\d{4}\\]';
  for (const [at, rest] of [
    '"PUT /a%20b HTTP/1.1" 201 - "http://h/" "curl/8 \\"x\\" \\\\ \\xc3\\xa9"',
    '"GET /a%20b HTTP/1.1" 200 3 "-" "-"',
    '"GET /none\\"%1b HTTP/1.1" 404 17 "-" "-"',
    '"GET /\\" HTTP/1.1" 404 17 "-" "\\"\\xe9\\""',
    '"-" 400 - "-" "-"',
  ].entries()) {
    const line = lines(served)[at]!;
    assert.match(line, new RegExp(`^- - - ${time} `));
    assert.equal(line.slice(line.indexOf('] ') + 2).replace(/404 \d+/, '404 17'), rest);
  }
  const { code } = await served.process.stop();
  assert.equal(code, 0);
  assert.match(served.process.log(), /davport: 4 requests, 3 bytes received, \d+ bytes sent\n$/);
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${signal} in the middle of transfers: a summary, nothing left, exit code 0`, async () => {
    const served = await serve();
    fs.writeFileSync(path.join(served.dir, 'big'), Buffer.alloc(20_000_000));
    const upload = await connectTo(served.socketPath);
    const download = await connectTo(served.socketPath);
    for (const socket of [upload, download]) socket.on('error', () => undefined);
    upload.write('PUT /new HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n');
    upload.write(Buffer.alloc(1_000_000));
    download.write('GET /big HTTP/1.1\r\nHost: x\r\n\r\n');
    await waitUntil(
      'both',
      () => download.readableLength > 0 && fs.readdirSync(served.dir).length === 2,
    );
    served.process.kill(signal);
    assert.deepEqual(await served.process.exited, { code: 0, signal: null });
    assert.match(served.process.log(), /davport: \d+ requests?, .*received, .*sent\n$/);
    assert.deepEqual(fs.readdirSync(served.dir), ['big']);
    assert.ok(!fs.existsSync(served.socketPath));
    upload.destroy();
    download.destroy();
  });
}

test('progress on a terminal, in one line that goes away', async () => {
  requireBuild();
  const { dir, socketPath } = folders();
  const command = `echo pid $$; exec ${DAVPORT} share ${dir} unix-listen:${socketPath} --http`;
  const terminal = startBackground('script', ['-qefc', command, '/dev/null']);
  await waitUntil('the share', () => terminal.log().includes('sharing'), 30_000);
  await send({ socketPath }, 'PUT', '/f', { body: Buffer.alloc(100_000) });
  await waitUntil('the progress', () =>
    /\r\x1b\[K0 at work, .*1 request, 97\.7 KiB received/.test(terminal.log()),
  );
  process.kill(Number(/pid (\d+)/.exec(terminal.log())![1]), 'SIGINT');
  await terminal.exited;
  assert.match(
    terminal.log(),
    /\r\x1b\[Kdavport: 1 request, 97\.7 KiB received, 0 bytes sent\r\n$/,
  );
});

test('connections beyond --max-connections are refused while none is idle', async () => {
  const served = await serve('--max-connections', '2');
  const sockets = [];
  for (let count = 0; count < 2; count++) {
    const socket = await connectTo(served.socketPath);
    socket.write('PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n');
    sockets.push(socket);
  }
  const refused = await waitUntil('a refusal', async () => {
    const answer = await send({ socketPath: served.socketPath }, 'OPTIONS', '/', {});
    return answer.status === 503 ? answer : undefined;
  });
  assert.equal(refused?.headers.connection, 'close');
  for (const socket of sockets) socket.destroy();
  await waitUntil(
    'room again',
    async () => (await send({ socketPath: served.socketPath }, 'OPTIONS', '/', {})).status === 200,
  );
  await served.process.stop();
  const { code, stderr } = await davport(['share', served.dir, '--max-connections', 'many']);
  assert.equal(code, 2);
  assert.match(stderr, /--max-connections is a number/);
});

test('without /proc it says what is missing', { skip: withoutRoot }, async () => {
  requireBuild();
  const { dir, socketPath } = folders();
  const script = 'umount -l /proc && exec "$@"';
  const { code, stderr } = await run(
    'unshare',
    [
      '-m',
      'sh',
      '-c',
      script,
      'sh',
      process.execPath,
      DAVPORT,
      'share',
      dir,
      `unix-listen:${socketPath}`,
      '--http',
    ],
    { accept: 'any' },
  );
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^davport: sharing a folder needs \/proc/);
});
