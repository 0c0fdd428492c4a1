/** FIFOs, sockets and devices are told as what they are, and never opened: to open one has effects, and may never return. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { onCleanup } from '../support/cleanup.js';
import { startShareProcess, type ShareProcess } from '../support/share-process.js';
import { startSwapper } from '../support/swapper.js';
import { makeTempDir } from '../support/temp-dir.js';
import { readMultistatus, setPosix } from '../unit/share/fixture.js';

const TYPES: Readonly<Record<string, string>> = { fifo: 'inode/fifo', socket: 'inode/socket' };
/** As /dev/full is one. Only root may make devices. */
const DEVICE = process.getuid?.() === 0 ? { device: 'inode/chardevice' } : {};

function plant(dir: string): void {
  execFileSync('mkfifo', [path.join(dir, 'fifo')]);
  if ('device' in DEVICE) execFileSync('mknod', [path.join(dir, 'device'), 'c', '1', '7']);
  const server = net.createServer().listen(path.join(dir, 'socket'));
  onCleanup({ run: async () => void server.close(), runSync: () => undefined });
  fs.mkdirSync(path.join(dir, 'sub'));
  fs.writeFileSync(path.join(dir, 'sub', 'f'), 'F');
  execFileSync('mkfifo', [path.join(dir, 'sub', 'fifo')]);
}

/** The FIFO has a reader? Then a writer needn't wait. */
function isOpen(fifo: string): boolean {
  try {
    fs.closeSync(fs.openSync(fifo, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK));
    return true;
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENXIO');
    return false;
  }
}

async function answersStill({ request }: ShareProcess): Promise<void> {
  assert.equal((await request('PROPFIND', '/', { headers: { Depth: '1' } })).status, 207);
}

test('every method on every kind', { timeout: 60_000 }, async () => {
  const dir = makeTempDir('davport-special-');
  plant(dir);
  const share = await startShareProcess(dir);
  const ask = async (method: string, target: string, headers = {}, body?: string) =>
    (await share.request(method, target, body === undefined ? { headers } : { headers, body }))
      .status;
  for (const [name, type] of Object.entries({ ...TYPES, ...DEVICE })) {
    const target = `/${name}`;
    const listed = await share.request('PROPFIND', target, { headers: { Depth: '0' } });
    const [told] = readMultistatus(listed);
    assert.equal(told!.found.getcontenttype, type);
    assert.equal(told!.found.resourcetype, undefined);
    assert.equal(told!.found.getcontentlength, undefined);
    assert.equal(await ask('GET', target), 403, name);
    assert.equal(await ask('HEAD', target), 403, name);
    assert.equal(await ask('PUT', target, {}, 'x'), 403, name);
    assert.equal(await ask('PUT', target, { 'Davport-Sync': '1' }, 'x'), 403, name);
    assert.equal(await ask('COPY', target, { Destination: '/copy' }), 403, name);
    assert.equal(await ask('PROPPATCH', target, {}, setPosix('mode=100600')), 403, name);
    assert.equal(await ask('MKCOL', target), 405, name);
    assert.equal(await ask('PROPFIND', `${target}/x`, { Depth: '0' }), 404, name);
    // Names are files' business alone.
    assert.equal(await ask('MOVE', target, { Destination: `${target}-2` }), 201, name);
    assert.equal(
      await ask('MOVE', `${target}-2`, { Destination: target, Overwrite: 'F' }),
      201,
      name,
    );
    await answersStill(share);
  }
  assert.match((await share.request('GET', '/')).text, /fifo/);
  // A tree comes over but for what can't be copied, and that is said.
  const copied = await share.request('COPY', '/sub', { headers: { Destination: '/sub-2' } });
  assert.equal(copied.status, 207);
  assert.match(copied.text, /sub-2\/fifo<.*403/);
  assert.deepEqual(fs.readdirSync(path.join(dir, 'sub-2')), ['f']);
  assert.equal(isOpen(path.join(dir, 'fifo')), false);
  assert.equal(await ask('COPY', '/sub/f', { Destination: '/fifo' }), 204);
  assert.equal(fs.readFileSync(path.join(dir, 'fifo'), 'utf8'), 'F');
  for (const name of ['socket', 'sub']) assert.equal(await ask('DELETE', `/${name}`), 204);
  assert.deepEqual(fs.readdirSync(dir).sort(), [...Object.keys(DEVICE), 'fifo', 'sub-2'].sort());
  await share.process.stop();
});

test(
  'a FIFO that takes the place of a file between check and open',
  { timeout: 60_000 },
  async () => {
    const dir = makeTempDir('davport-special-');
    const at = (name: string): string => path.join(dir, name);
    const share = await startShareProcess(dir);
    const swapper = await startSwapper([
      [
        [at('f'), 'file:inside'],
        [at('p'), 'fifo'],
      ],
      [
        [at('d/f'), 'file:inside'],
        [at('d/p'), 'fifo'],
      ],
    ]);
    const statuses = new Set<string>();
    const durable = { 'Davport-Sync': '1' };
    const requests: [string, string, Record<string, string>, string?][] = [
      ['GET', '/f', {}],
      ['GET', '/f', { Range: 'bytes=1-2' }],
      ['COPY', '/d', { Destination: '/copy', ...durable }],
      ['COPY', '/f', { Destination: '/copy', ...durable }],
      ['PUT', '/f', durable, 'inside'],
      ['PUT', '/f', { 'Content-Range': 'bytes 0-1/*' }, 'in'],
      [
        'PATCH',
        '/f',
        { 'Content-Type': 'application/x-sabredav-partialupdate', 'X-Update-Range': 'append' },
        'x',
      ],
      ['PROPPATCH', '/f', durable, setPosix('mode=100644')],
      ['BIND', '/', {}, '<bind xmlns="DAV:"><segment>bound</segment><href>/f</href></bind>'],
      ['GET', '/', {}],
    ];
    const until = performance.now() + 4000;
    while (performance.now() < until) {
      for (const [method, target, headers, body] of requests) {
        const { status } = await share.request(
          method,
          target,
          body === undefined ? { headers } : { headers, body },
        );
        assert.ok(status < 500, `${method} ${target} ${status}`);
        statuses.add(`${method} ${status}`);
      }
    }
    await answersStill(share);
    assert.doesNotMatch(swapper.log(), /OPENED|Traceback/);
    assert.ok(statuses.has('GET 200') && statuses.has('GET 403'), [...statuses].join());
    await swapper.stop();
    await share.process.stop();
  },
);
