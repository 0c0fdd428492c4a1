/** Apache's mod_dav: the strict one among the servers that a mount meets by its URL. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { test } from 'node:test';
import { createTcpHttpClient } from '../../src/http/tcp-client.js';
import { silentLogger } from '../../src/log.js';
import { encodeName } from '../../src/names.js';
import { createWebDavClient } from '../../src/webdav/client.js';
import { isWeak } from '../../src/webdav/etag.js';
import type { WebDavClient } from '../../src/webdav/types.js';
import { waitUntil } from '../support/wait-until.js';
import { names, read, withDav, withStatus } from './dav-rig.js';
import { ODD_NAMES } from './odd-names.js';
import { haveApache, missing, startApache, temporaryFolder } from './servers.js';

const skip = missing('Apache', haveApache);
const inDir = (dir: string, name: string): Buffer =>
  Buffer.concat([Buffer.from(`${dir}/`), encodeName(name)]);
/** mod_dav_fs keeps properties in folders of this name. */
const files = (dir: string): string[] => readdirSync(dir).filter((name) => name !== '.DAV');
/** Apache serves as another user when it is started by root. */
function handOver(dir: string): void {
  if (process.getuid?.() === 0) execFileSync('chown', ['-R', 'www-data', dir]);
}

test('is recognised', { skip }, async () => {
  await withDav(startApache, async ({ client }) => {
    const profile = await client.profile();
    assert.equal(profile.name, 'apache');
    assert.match(profile.server, /^Apache\//);
  });
});

test('odd names are listed, found, read, written, moved and removed', { skip }, async () => {
  const fill = (dir: string): void => {
    for (const name of ODD_NAMES) writeFileSync(inDir(dir, name), name);
  };
  await withDav(
    startApache,
    async ({ client, dir }) => {
      assert.deepEqual(await names(client, ''), [...ODD_NAMES].sort());
      for (const name of ODD_NAMES) {
        assert.equal((await client.stat(`/${name}`)).kind, 'file', name);
        assert.equal(await read(client, `/${name}`), Buffer.from(name).toString(), name);
        await client.put(`/${name}`, Buffer.from('new'));
        assert.equal(readFileSync(inDir(dir, name), 'utf8'), 'new', name);
        await client.move(`/${name}`, '/moved');
        await client.move('/moved', `/${name}`);
        await client.remove(`/${name}`);
      }
      assert.deepEqual(files(dir), []);
    },
    { fill },
  );
});

test('a share below a path of the server', { skip }, async () => {
  await withDav(startApache, async ({ server, dir }) => {
    mkdirSync(`${dir}/a b/c`, { recursive: true });
    writeFileSync(`${dir}/a b/c/file`, 'x');
    handOver(dir);
    for (const base of [`${server.url}/a b`, `${server.url}/a%20b/`]) {
      const client = createWebDavClient(createTcpHttpClient(base), { log: silentLogger });
      assert.deepEqual(await names(client, ''), ['c']);
      assert.equal(await read(client, '/c/file'), 'x');
      await client.copy('/c/file', '/copied');
      await client.remove('/copied');
      await client.close();
    }
  });
});

test('dates and flags', { skip }, async () => {
  await withDav(startApache, async ({ client, dir }) => {
    writeFileSync(`${dir}/a`, 'x');
    chmodSync(`${dir}/a`, 0o755);
    execFileSync('touch', ['-d', '2020-01-02 03:04:05.5 UTC', `${dir}/a`]);
    const { mtime, executable, size } = await client.stat('/a');
    assert.deepEqual([mtime, executable, size], [{ sec: 1577934245, nsec: 500_000_000 }, true, 1]);
    handOver(dir);
    const flag = (value: string) => [
      { ns: 'http://apache.org/dav/props/', name: 'executable', value },
    ];
    await client.proppatch('/a', flag('F'));
    assert.equal(statSync(`${dir}/a`).mode & 0o100, 0);
    await client.proppatch('/a', flag('T'));
    assert.notEqual(statSync(`${dir}/a`).mode & 0o100, 0);
  });
});

/** Weak for a second after a PUT: where that is over before one has looked, the content is put once more. */
async function weakEtag(client: WebDavClient, content: string): Promise<string> {
  for (let tries = 1; ; tries++) {
    const etag = (await client.stat('/a')).etag!;
    if (isWeak(etag)) return etag;
    assert.ok(tries < 3, etag);
    await client.put('/a', Buffer.from(content));
  }
}

test('conditions hold though a fresh etag is weak', { skip }, async () => {
  await withDav(startApache, async ({ client, dir }) => {
    await client.put('/a', Buffer.from('1'), { precondition: { absent: true } });
    const absent = client.put('/a', Buffer.from('2'), { precondition: { absent: true } });
    await assert.rejects(absent, withStatus(412));
    const fresh = await weakEtag(client, '1');
    await client.put('/a', Buffer.from('22'), { precondition: { etag: fresh } });
    const stale = client.put('/a', Buffer.from('3'), { precondition: { etag: fresh } });
    await assert.rejects(stale, withStatus(412));
    await assert.rejects(client.remove('/a', { precondition: { etag: fresh } }), withStatus(412));
    const weak = await weakEtag(client, '22');
    const isStrong = async (): Promise<boolean> => !isWeak((await client.stat('/a')).etag!);
    await waitUntil('strong etag', isStrong, 10_000, 100);
    // What was weak when it was seen is the same version still.
    await client.put('/a', Buffer.from('333'), { precondition: { etag: weak } });
    assert.equal(readFileSync(`${dir}/a`, 'utf8'), '333');
  });
});

test('times have microseconds', { skip }, async () => {
  await withDav(startApache, async ({ client, dir }) => {
    await client.put('/a', Buffer.from('1'));
    const usec = statSync(`${dir}/a`, { bigint: true }).mtimeNs / 1000n;
    const listed = (await client.list('')).members.get('a');
    for (const { mtime } of [await client.stat('/a'), listed!])
      assert.equal(BigInt(mtime!.sec) * 1_000_000n + BigInt(mtime!.nsec / 1000), usec);
  });
});

test('MOVE: nothing or only what is expected is replaced', { skip }, async () => {
  await withDav(startApache, async ({ client, dir }) => {
    for (const name of ['plain', 'a b', 'per%20cent', 'hash#', 'ü']) {
      await client.put(`/${name}`, Buffer.from('old'));
      await client.put('/new', Buffer.from('new'));
      const etag = (await client.stat(`/${name}`)).etag!;
      const kept = client.move('/new', `/${name}`, { overwrite: false });
      await assert.rejects(kept, withStatus(412), name);
      const other = client.move('/new', `/${name}`, { destinationEtag: '"1-2"' });
      await assert.rejects(other, withStatus(412), name);
      assert.equal(readFileSync(`${dir}/${name}`, 'utf8'), 'old');
      await client.move('/new', `/${name}`, { destinationEtag: etag });
      assert.equal(readFileSync(`${dir}/${name}`, 'utf8'), 'new');
    }
  });
});

test('of two who lock a file in the same moment one has the lock', { skip }, async () => {
  await withDav(startApache, async ({ client, server, dir }) => {
    writeFileSync(`${dir}/file`, '');
    handOver(dir);
    const other = createWebDavClient(createTcpHttpClient(server.url), { log: silentLogger });
    const clients = [client, other];
    await other.profile();
    const refused = withStatus(423);
    // The server itself tells both that they have it, in one of some thirty.
    for (let round = 0; round < 150; round += 1) {
      const asked = clients.map((each) => each.lock('/file', { timeoutSec: 60 }));
      const outcomes = await Promise.allSettled(asked);
      const held = outcomes.map((each) => (each.status === 'fulfilled' ? each.value : undefined));
      assert.ok(held.filter((each) => each !== undefined).length <= 1, `round ${round}`);
      for (const [i, outcome] of outcomes.entries()) {
        if (outcome.status === 'rejected') assert.ok(refused(outcome.reason));
        else await clients[i]!.unlock('/file', outcome.value.token);
      }
    }
    const last = await client.lock('/file', { timeoutSec: 60 });
    await client.unlock('/file', last.token);
    await other.close();
  });
});

test('ranges: exact, or an error; of one version only', { skip }, async () => {
  await withDav(startApache, async ({ client, dir }) => {
    writeFileSync(`${dir}/a`, '0123456789');
    writeFileSync(`${dir}/empty`, '');
    assert.equal(await read(client, '/a', { start: 3, end: 10 }), '3456789');
    assert.equal(await read(client, '/a', { start: 5 }), '56789');
    assert.equal(await read(client, '/empty'), '');
    await assert.rejects(read(client, '/a', { start: 3, end: 11 }), { code: 'HTTP_PROTOCOL' });
    await assert.rejects(read(client, '/a', { start: 11, end: 12 }), withStatus(416));
    const { etag } = await client.stat('/a');
    writeFileSync(`${dir}/a`, 'something else');
    await assert.rejects(read(client, '/a', { etag: etag! }), withStatus(412));
  });
});

test('a PUT that is cut leaves the file whole', { skip }, async () => {
  await withDav(startApache, async ({ client, dir, server }) => {
    await client.put('/a', Buffer.from('the original content'));
    const put = request(`${server.url}/a`, { method: 'PUT', headers: { 'content-length': 1000 } });
    put.on('error', () => undefined);
    put.write('PARTIAL', () => setTimeout(() => put.destroy(), 50));
    const logged = () =>
      readFileSync(server.accessLog, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('PUT'));
    await waitUntil('end of the PUT', () => logged().length === 2);
    assert.equal(readFileSync(`${dir}/a`, 'utf8'), 'the original content');
    assert.equal((await client.profile()).atomicPut, true);
  });
});

test('errors keep their status; what failed in part is told by its own', { skip }, async () => {
  await withDav(startApache, async ({ client }) => {
    await client.mkcol('/d');
    await client.put('/d/a', Buffer.from('x'));
    await assert.rejects(client.mkcol('/d'), withStatus(405));
    await assert.rejects(client.mkcol('/none/d'), withStatus(409));
    await assert.rejects(client.put('/none/a', Buffer.from('x')), withStatus(409));
    await assert.rejects(client.stat('/none'), withStatus(404));
    await assert.rejects(client.remove('/none'), withStatus(404));
    const { token } = await client.lock('/d/a');
    await assert.rejects(client.put('/d/a', Buffer.from('y')), withStatus(423));
    await assert.rejects(client.remove('/d'), (error) => {
      return withStatus(424)(error) || withStatus(423)(error);
    });
    await client.unlock('/d/a', token);
    await client.remove('/d');
  });
});

test('properties are all changed or none', { skip }, async () => {
  await withDav(startApache, async ({ client }) => {
    await client.put('/a', Buffer.from('x'));
    const ns = 'urn:x';
    const values = ['<&>"\'', 'back\\slash \\x41', 'ü😀', '&amp;', ' spaces '];
    const changes = values.map((value, index) => ({ ns, name: `p${index}`, value }));
    await client.proppatch('/a', changes);
    const told = await client.properties('/a', [...changes, { ns, name: 'none' }]);
    assert.deepEqual([...told.values()].sort(), [...values].sort());
    const mixed = [
      { ns, name: 'p0', value: 'changed' },
      { ns: 'DAV:', name: 'getetag', value: 'x' },
    ];
    await assert.rejects(client.proppatch('/a', mixed), withStatus(409));
    assert.equal((await client.properties('/a', changes)).get('urn:x p0'), values[0]);
    await client.proppatch('/a', [{ ns, name: 'p0', value: undefined }]);
    const left = (await client.propertyNames('/a')).filter((name) => name.ns === ns);
    assert.deepEqual(left.map(({ name }) => name).sort(), ['p1', 'p2', 'p3', 'p4']);
    assert.deepEqual(await client.quota(''), { availableBytes: undefined, usedBytes: undefined });
  });
});

for (const [type, modules] of [
  ['Basic', ['auth_basic', 'authn_core', 'authn_file', 'authz_user']],
  ['Digest', ['auth_digest', 'authn_core', 'authn_file', 'authz_user']],
] as const) {
  test(`${type} authentication`, { skip }, async () => {
    const { dir: state, remove } = temporaryFolder();
    const file = `${state}/users`;
    if (type === 'Basic') {
      execFileSync('htpasswd', ['-bc', file, 'user', 'pass wörd'], { stdio: 'ignore' });
    } else {
      const hash =
        'printf "user:realm:%s\\n" "$(printf "user:realm:pass wörd" | md5sum | cut -d" " -f1)"';
      writeFileSync(file, execFileSync('bash', ['-c', hash]));
    }
    const directory = `AuthType ${type}\nAuthName realm\nAuthUserFile ${file}\nRequire valid-user`;
    const start = (dir: string) => startApache(dir, { modules, directory });
    const credentials = { username: 'user', password: 'pass wörd' };
    try {
      await withDav(
        start,
        async ({ client, http }) => {
          for (let i = 0; i < 10; i += 1) await client.put(`/a b${i}`, Buffer.alloc(100_000));
          assert.equal((await client.list('')).members.size, 10);
          assert.equal(http.counters.get('PUT'), 10);
        },
        { credentials },
      );
      for (const wrong of [{ ...credentials, password: 'wrong' }, undefined]) {
        await withDav(
          start,
          async ({ client }) => assert.rejects(client.stat(''), withStatus(401)),
          wrong && { credentials: wrong },
        );
      }
    } finally {
      remove();
    }
  });
}

test(
  'a server that is killed: an error soon, and again an answer when it is back',
  { skip },
  async () => {
    await withDav(startApache, async ({ client, server }) => {
      await client.put('/a', Buffer.from('x'));
      await server.kill();
      const began = performance.now();
      await assert.rejects(client.stat('/a'), { code: 'HTTP_UNREACHABLE' });
      assert.ok(performance.now() - began < 8000);
    });
  },
);
