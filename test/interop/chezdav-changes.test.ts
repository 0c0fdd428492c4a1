/** What phodav, the server of spice-gtk, makes of changes; here by chezdav, over TCP. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { test } from 'node:test';
import { toTarget } from '../../src/webdav/href.js';
import { waitUntil } from '../support/wait-until.js';
import { names, read, withDav, withStatus } from './dav-rig.js';
import { haveChezdav, missing, startChezdav, temporaryFolder } from './servers.js';

const skip = missing('chezdav', haveChezdav);

test('conditions: of PUT, DELETE, and of what MOVE replaces', { skip }, async () => {
  await withDav(startChezdav, async ({ client, dir }) => {
    await client.put('/a', Buffer.from('1'), { precondition: { absent: true } });
    const absent = client.put('/a', Buffer.from('2'), { precondition: { absent: true } });
    await assert.rejects(absent, withStatus(412));
    const etag = (await client.stat('/a')).etag!;
    const wrong = '"1:2:3"';
    const put = client.put('/a', Buffer.from('2'), { precondition: { etag: wrong } });
    await assert.rejects(put, withStatus(412));
    await assert.rejects(client.remove('/a', { precondition: { etag: wrong } }), withStatus(412));
    await client.put('/new', Buffer.from('3'));
    await assert.rejects(client.move('/new', '/a', { overwrite: false }), withStatus(412));
    await assert.rejects(client.move('/new', '/a', { destinationEtag: wrong }), withStatus(412));
    assert.equal(readFileSync(`${dir}/a`, 'utf8'), '1');
    await client.move('/new', '/a', { destinationEtag: etag });
    assert.equal(readFileSync(`${dir}/a`, 'utf8'), '3');
    const now = (await client.stat('/a')).etag!;
    await client.remove('/a', { precondition: { etag: now } });
    assert.deepEqual(readdirSync(dir), []);
  });
});

test('a condition on the target holds for odd names, too', { skip }, async () => {
  await withDav(startChezdav, async ({ client }) => {
    for (const name of ['a b', 'per%20cent', 'hash#', 'amper&sand', "q'", '50%', 'ü']) {
      await client.put(`/${name}`, Buffer.from('old'));
      await client.put('/new', Buffer.from('new'));
      const etag = (await client.stat(`/${name}`)).etag!;
      const refused = client.move('/new', `/${name}`, { destinationEtag: '"1:2:3"' });
      await assert.rejects(refused, withStatus(412), name);
      await client.move('/new', `/${name}`, { destinationEtag: etag });
      assert.equal(await read(client, `/${name}`), 'new', name);
    }
  });
});

test('PUT: lengths, missing parents, collections', { skip }, async () => {
  await withDav(startChezdav, async ({ client }) => {
    assert.deepEqual(await client.put('/a', Buffer.alloc(0)), {
      created: true,
      resource: undefined,
    });
    const size = 5_000_000;
    const body = {
      size,
      async *open() {
        for (let sent = 0; sent < size; sent += 100_000) yield Buffer.alloc(100_000, 'x');
      },
    };
    assert.equal((await client.put('/a', body)).created, false);
    assert.equal((await client.stat('/a')).size, size);
    await client.mkcol('/d');
    await assert.rejects(client.put('/d', Buffer.from('x')), withStatus(500));
    await assert.rejects(client.put('/none/x', Buffer.from('x')), withStatus(500));
    await assert.rejects(client.mkcol('/d'), withStatus(405));
    await assert.rejects(client.mkcol('/none/d'), withStatus(409));
  });
});

test(
  'a PUT that is cut leaves the file cut: why uploads go to a name beside',
  { skip },
  async () => {
    await withDav(startChezdav, async ({ dir, server }) => {
      writeFileSync(`${dir}/a`, 'the original content');
      const url = new URL(toTarget('', '/a'), server.url);
      const put = request(url, { method: 'PUT', headers: { 'content-length': 1000 } });
      put.on('error', () => undefined);
      put.write('PARTIAL', () => setTimeout(() => put.destroy(), 50));
      await waitUntil('damage', () => readFileSync(`${dir}/a`, 'utf8') === 'PARTIAL');
    });
  },
);

test(
  'MOVE onto a collection destroys what is in it: why it is looked at before',
  { skip },
  async () => {
    await withDav(startChezdav, async ({ client, dir }) => {
      assert.equal((await client.profile()).moveClobbersCollections, true);
      await client.mkcol('/d');
      await client.put('/d/precious', Buffer.from('x'));
      await client.put('/a', Buffer.from('y'));
      await client.move('/a', '/d');
      assert.equal(readFileSync(`${dir}/d`, 'utf8'), 'y');
    });
  },
);

test(
  'collections are copied, moved and removed; links to them hold what they show',
  { skip },
  async () => {
    await withDav(startChezdav, async ({ client, dir }) => {
      await client.mkcol('/d');
      await client.put('/d/a', Buffer.from('x'));
      await client.copy('/d', '/e');
      await client.move('/d', '/f');
      assert.deepEqual(await names(client, ''), ['e', 'f']);
      symlinkSync('e', `${dir}/link`);
      assert.deepEqual(await names(client, '/link'), ['a']);
      assert.equal((await client.profile()).deleteFollowsLinks, true);
      await client.remove('/f');
      await assert.rejects(client.remove('/f'), withStatus(404));
      await assert.rejects(client.copy('/none', '/x'), withStatus(409));
      await client.copy('/e', '/f', { overwrite: false });
      await assert.rejects(client.copy('/e', '/f', { overwrite: false }), withStatus(412));
    });
  },
);

test('properties: each change by itself, text as it was', { skip }, async () => {
  await withDav(startChezdav, async ({ client }) => {
    await client.put('/a', Buffer.from('x'));
    const ns = 'urn:x';
    const changes = ['<&>"\'', 'back\\slash \\x41', 'ü😀', '&amp;&lt;', ''].map((value, i) => ({
      ns,
      name: `p${i}`,
      value,
    }));
    await client.proppatch('/a', changes);
    const asked = [...changes, { ns, name: 'none' }];
    const told = await client.properties('/a', asked);
    for (const { name, value } of changes.slice(0, -1)) {
      assert.equal(told.get(`${ns} ${name}`), value, name);
    }
    assert.equal(told.has(`${ns} none`), false);
    await client.proppatch('/a', [{ ns, name: 'p0', value: undefined }]);
    const after = (await client.propertyNames('/a')).filter((name) => name.ns === ns);
    assert.ok(after.some(({ name }) => name === 'p1'));
    assert.ok(!after.some(({ name }) => name === 'p0'));
    await client.proppatch('/a', [{ ns: 'urn:davport:ns', name: 'posix', value: 'mode=100755' }]);
    assert.deepEqual((await client.stat('/a')).posix, { mode: 0o100755 });
  });
});

test('quota: what is free, without a walk through the tree', { skip }, async () => {
  await withDav(startChezdav, async ({ client }) => {
    const { availableBytes, usedBytes } = await client.quota('');
    assert.ok(availableBytes! > 0);
    assert.equal(usedBytes, undefined);
  });
});

test('read-only: 403 for every change', { skip }, async () => {
  const start = (dir: string) => startChezdav(dir, { readOnly: true });
  await withDav(start, async ({ client, dir }) => {
    writeFileSync(`${dir}/a`, 'x');
    const changes = [
      () => client.put('/b', Buffer.from('x')),
      () => client.remove('/a'),
      () => client.mkcol('/d'),
      () => client.move('/a', '/b'),
      () => client.copy('/a', '/b'),
      () => client.proppatch('/a', [{ ns: 'urn:x', name: 'p', value: '1' }]),
    ];
    for (const change of changes) await assert.rejects(change, withStatus(403));
    assert.equal(await read(client, '/a'), 'x');
  });
});

test('locks', { skip }, async () => {
  await withDav(startChezdav, async ({ client }) => {
    await client.put('/a', Buffer.from('x'));
    const { token, created } = await client.lock('/a', { timeoutSec: 5 });
    assert.equal(created, false);
    await assert.rejects(client.put('/a', Buffer.from('y')), withStatus(423));
    await client.unlock('/a', token);
    await client.put('/a', Buffer.from('y'));
  });
});

test('requests after a DELETE find a connection that works', { skip }, async () => {
  await withDav(startChezdav, async ({ client }) => {
    for (let i = 0; i < 20; i += 1) {
      await client.put('/a', Buffer.from('x'));
      await client.put('/b', Buffer.from('x'));
      await client.move('/a', '/b');
      await client.remove('/b');
    }
  });
});

test('digest authentication', { skip }, async () => {
  const { dir, remove } = temporaryFolder();
  try {
    const file = `${dir}/digest`;
    const lines = execFileSync('bash', [
      '-c',
      'printf "u:ChezDAV:%s\\n" "$(printf "u:ChezDAV:p" | md5sum | cut -d" " -f1)"',
    ]);
    writeFileSync(file, lines);
    const start = (shared: string) => startChezdav(shared, { htdigest: file });
    await withDav(
      start,
      async ({ client, http }) => {
        for (let i = 0; i < 10; i += 1) await client.put(`/a b${i}`, Buffer.from('x'));
        assert.equal((await client.list('')).members.size, 10);
        assert.ok((http.counters.get('OPTIONS') ?? 0) + (http.counters.get('PUT') ?? 0) <= 12);
      },
      { credentials: { username: 'u', password: 'p' } },
    );
    // It takes wrong passwords, too (chezdav 3.0), but none is refused.
    await withDav(start, async ({ client }) => {
      await assert.rejects(client.stat(''), withStatus(401));
    });
  } finally {
    remove();
  }
});
