/** Our client before our own share: what both ends agreed on. */
import assert from 'node:assert/strict';
import { readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createTcpHttpClient } from '../../src/http/tcp-client.js';
import { silentLogger } from '../../src/log.js';
import { loadNativeBinding } from '../../src/native/binding.js';
import { createShare, listenHttp } from '../../src/share/share.js';
import { createWebDavClient } from '../../src/webdav/client.js';
import { DAVPORT_NS, type WebDavClient } from '../../src/webdav/types.js';
import { names, read, withStatus } from './dav-rig.js';
import { ODD_NAMES } from './odd-names.js';
import { temporaryFolder } from './servers.js';

async function withShare(
  body: (client: WebDavClient, dir: string) => Promise<void>,
): Promise<void> {
  const { dir, remove } = temporaryFolder();
  const binding = loadNativeBinding();
  const attributes = binding instanceof Error ? undefined : binding;
  const share = await createShare({ root: dir, attributes });
  const listener = await listenHttp(share, { host: '127.0.0.1', port: 0 });
  const http = createTcpHttpClient(listener.address);
  const client = createWebDavClient(http, { log: silentLogger });
  try {
    await body(client, dir);
  } finally {
    await client.close();
    await listener.close();
    await share.close();
    remove();
  }
}

test('our client wants the bytes as they are: only a listing is asked for in a coding', async () => {
  const asked: string[] = [];
  const server = createServer((req, res) => {
    asked.push(`${req.method} ${String(req.headers['accept-encoding'])}`);
    res.writeHead(req.method === 'OPTIONS' ? 200 : 404, { DAV: '1' });
    res.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const http = createTcpHttpClient(`http://127.0.0.1:${port}/`, { compress: 'always' });
  const client = createWebDavClient(http, { log: silentLogger });
  try {
    await client.profile();
    await assert.rejects(client.stat('/f'), withStatus(404));
    await assert.rejects(names(client, '/'), withStatus(404));
    await assert.rejects(read(client, '/f'), withStatus(404));
    await assert.rejects(read(client, '/f', { start: 1, end: 2 }), withStatus(404));
    assert.deepEqual(asked, [
      'OPTIONS undefined',
      'PROPFIND undefined',
      'PROPFIND gzip',
      'GET identity',
      'GET identity',
    ]);
  } finally {
    await client.close();
    server.close();
  }
});

test('odd names', async () => {
  await withShare(async (client, dir) => {
    for (const name of ODD_NAMES) await client.put(`/${name}`, Buffer.from(name));
    assert.deepEqual(await names(client, ''), [...ODD_NAMES].sort());
    for (const name of ODD_NAMES) {
      assert.equal(await read(client, `/${name}`), Buffer.from(name).toString(), name);
      await client.mkcol('/folder');
      await client.move(`/${name}`, `/folder/${name}`, { overwrite: false });
      assert.deepEqual(await names(client, '/folder'), [name]);
      await client.remove('/folder');
    }
    assert.ok(statSync(dir).isDirectory());
  });
});

test('a PUT carries mode and time, and tells what was stored', async () => {
  await withShare(async (client, dir) => {
    assert.equal((await client.profile()).livePosix, true);
    const posix = { mode: 0o100751, mtime: { sec: 1_500_000_000, nsec: 123_456_000 } };
    const { created, resource } = await client.put('/a', Buffer.from('hello'), { posix });
    assert.equal(created, true);
    const found = await client.stat('/a');
    assert.equal(found.posix?.mode, 0o100751);
    assert.deepEqual(found.mtime, posix.mtime);
    assert.equal(found.posix.ino, statSync(`${dir}/a`).ino);
    assert.deepEqual({ ...resource, created: undefined }, { ...found, created: undefined });
  });
});

test('conditions hold', async () => {
  await withShare(async (client, dir) => {
    const put = (etag: string) => client.put('/a', Buffer.from('x'), { precondition: { etag } });
    const { resource } = await client.put('/a', Buffer.from('1'), {
      precondition: { absent: true },
    });
    const again = client.put('/a', Buffer.from('2'), { precondition: { absent: true } });
    await assert.rejects(again, withStatus(412));
    await put(resource!.etag!);
    await assert.rejects(put(resource!.etag!), withStatus(412));
    await client.put('/n ü', Buffer.from('new'));
    const stale = { destinationEtag: resource!.etag! };
    await assert.rejects(client.move('/n ü', '/a', stale), withStatus(412));
    const etag = (await client.stat('/a')).etag!;
    await client.move('/n ü', '/a', { destinationEtag: etag });
    assert.equal(readFileSync(`${dir}/a`, 'utf8'), 'new');
  });
});

test('a lock keeps others out, and the folder of what is locked in its place', async () => {
  await withShare(async (client) => {
    await client.mkcol('/d');
    const { token, created } = await client.lock('/d/new', { timeoutSec: 5 });
    assert.equal(created, true);
    await assert.rejects(client.lock('/d/new'), withStatus(423));
    await assert.rejects(client.put('/d/new', Buffer.from('y')), withStatus(423));
    await assert.rejects(client.remove('/d'), withStatus(423));
    await assert.rejects(client.move('/d', '/e', { overwrite: false }), withStatus(423));
    await client.unlock('/d/new', token);
    await client.put('/d/new', Buffer.from('y'));
    await client.remove('/d');
  });
});

test('links are told as links, a file becomes one, special files are no files', async () => {
  await withShare(async (client, dir) => {
    writeFileSync(`${dir}/file`, 'x');
    symlinkSync('file', `${dir}/link`);
    execFileSync('mkfifo', [`${dir}/fifo`]);
    const { members } = await client.list('');
    const link = members.get('link');
    assert.deepEqual([link?.posix?.mode, link?.posix?.target], [0o120777, 'file']);
    assert.equal(members.get('fifo')?.kind, 'special');
    const target = 'some/where & <ü> \\';
    await client.put('/new', Buffer.from(target));
    const value = 'mode=120777';
    await client.proppatch('/new', [{ ns: DAVPORT_NS, name: 'posix', value }]);
    assert.equal(readlinkSync(`${dir}/new`), target);
    assert.equal((await client.stat('/new')).posix?.target, target);
  });
});

test('quota and ranges', async () => {
  await withShare(async (client, dir) => {
    writeFileSync(`${dir}/a`, '0123456789');
    const { etag } = await client.stat('/a');
    assert.equal(await read(client, '/a', { start: 2, end: 5, etag: etag! }), '234');
    const { availableBytes, usedBytes } = await client.quota('');
    assert.ok(availableBytes! > 0 && usedBytes! > 0);
  });
});
