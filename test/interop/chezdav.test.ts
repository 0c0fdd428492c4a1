/** What phodav, the server of spice-gtk, shows; here by chezdav, over TCP. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { encodeName } from '../../src/names.js';
import { names, read, withDav, withStatus } from './dav-rig.js';
import { ODD_NAMES } from './odd-names.js';
import { haveChezdav, missing, startChezdav } from './servers.js';

const skip = missing('chezdav', haveChezdav);
const inDir = (dir: string, name: string): Buffer =>
  Buffer.concat([Buffer.from(`${dir}/`), encodeName(name)]);

test('is recognised', { skip }, async () => {
  await withDav(startChezdav, async ({ client, http }) => {
    assert.equal(client.knownProfile, undefined);
    const [profile] = await Promise.all([client.profile(), client.stat(''), client.list('')]);
    assert.equal(profile.name, 'phodav');
    assert.deepEqual([...profile.davClasses], ['1', '2']);
    assert.equal(http.counters.get('OPTIONS'), 1);
  });
});

test('odd names are listed, found, read, written, moved and removed', { skip }, async () => {
  const fill = (dir: string): void => {
    for (const name of ODD_NAMES) writeFileSync(inDir(dir, name), name);
  };
  await withDav(
    startChezdav,
    async ({ client, dir }) => {
      assert.deepEqual(await names(client, ''), [...ODD_NAMES].sort());
      for (const name of ODD_NAMES) {
        assert.equal((await client.stat(`/${name}`)).kind, 'file', name);
        assert.equal(await read(client, `/${name}`), Buffer.from(name).toString(), name);
        await client.put(`/${name}`, Buffer.from('new'));
        assert.equal(await read(client, `/${name}`), 'new', name);
        await client.move(`/${name}`, '/moved');
        await client.move('/moved', `/${name}`);
        await client.remove(`/${name}`);
      }
      assert.deepEqual(readdirSync(dir), []);
    },
    { fill },
  );
});

test('collections with odd names have all their members', { skip }, async () => {
  const fill = (dir: string): void => {
    for (const name of ODD_NAMES) {
      const collection = inDir(dir, name);
      mkdirSync(collection);
      for (const member of ['a', '50%', 'x&y', name]) {
        writeFileSync(Buffer.concat([collection, Buffer.from('/'), encodeName(member)]), '');
      }
    }
  };
  await withDav(
    startChezdav,
    async ({ client }) => {
      for (const name of ODD_NAMES) {
        const { self, members } = await client.list(`/${name}`);
        const found = [...members.keys()].sort();
        assert.deepEqual(found, ['50%', 'a', 'x&y', name].sort(), name);
        assert.equal(self?.kind, 'collection', name);
      }
    },
    { fill },
  );
});

test('times come from the etag, to the nanosecond', { skip }, async () => {
  await withDav(startChezdav, async ({ client, dir }) => {
    writeFileSync(`${dir}/a`, 'x');
    execFileSync('touch', ['-d', '2020-01-02 03:04:05.123456789 UTC', `${dir}/a`]);
    const { mtime } = await client.stat('/a');
    assert.deepEqual(mtime, { sec: 1577934245, nsec: 123456789 });
    mkdirSync(`${dir}/d`);
    utimesSync(`${dir}/d`, 1000, 1000);
    assert.deepEqual((await client.stat('/d')).mtime, { sec: 1000, nsec: 0 });
    await assert.rejects(client.stat('/none'), withStatus(404));
  });
});

test('scripts are executable', { skip }, async () => {
  await withDav(startChezdav, async ({ client, dir }) => {
    writeFileSync(`${dir}/script`, '#!/bin/sh\n');
    chmodSync(`${dir}/script`, 0o755);
    writeFileSync(`${dir}/text`, 'x');
    mkdirSync(`${dir}/folder`);
    const { members } = await client.list('');
    const flags = Object.fromEntries(
      [...members.values()].map(({ name, executable }) => [name, executable]),
    );
    assert.deepEqual(flags, { script: true, text: false, folder: undefined });
  });
});

test('special files are told as such, links followed', { skip }, async () => {
  await withDav(startChezdav, async ({ client, dir }) => {
    execFileSync('mkfifo', [`${dir}/fifo`]);
    symlinkSync('nowhere', `${dir}/dangling`);
    writeFileSync(`${dir}/file`, 'abc');
    symlinkSync('file', `${dir}/link`);
    mkdirSync(`${dir}/folder`);
    symlinkSync('folder', `${dir}/folder-link`);
    const { members } = await client.list('');
    assert.deepEqual(
      Object.fromEntries([...members.values()].map(({ name, kind }) => [name, kind])),
      {
        fifo: 'special',
        dangling: 'special',
        file: 'file',
        link: 'file',
        folder: 'collection',
        'folder-link': 'collection',
      },
    );
    assert.equal((await client.stat('/fifo')).kind, 'special');
    assert.equal((await client.stat('/link')).size, 3);
  });
});

test('temporary names of its own are hidden', { skip }, async () => {
  await withDav(startChezdav, async ({ client, dir }) => {
    for (const name of ['.goutputstream-ABC123', '.goutputstream-abc', '.spice-clipboard', 'a']) {
      writeFileSync(`${dir}/${name}`, '');
    }
    writeFileSync(`${dir}/.davport-0123456789abcdef.part`, '');
    assert.deepEqual(await names(client, ''), ['.goutputstream-abc', 'a']);
    await assert.rejects(client.stat('/.goutputstream-ABC123'), withStatus(404));
    assert.equal((await client.stat('/.davport-0123456789abcdef.part')).kind, 'file');
  });
});

test('ranges: exact, or an error', { skip }, async () => {
  await withDav(startChezdav, async ({ client, dir }) => {
    writeFileSync(`${dir}/a`, '0123456789');
    writeFileSync(`${dir}/empty`, '');
    assert.equal(await read(client, '/a', { start: 0, end: 1 }), '0');
    assert.equal(await read(client, '/a', { start: 3, end: 10 }), '3456789');
    assert.equal(await read(client, '/a', { start: 5 }), '56789');
    assert.equal(await read(client, '/a', { end: 4 }), '0123');
    assert.equal(await read(client, '/a', { start: 4, end: 4 }), '');
    assert.equal(await read(client, '/empty'), '');
    // The server answers 206, tells the range that was asked for, and sends nothing.
    await assert.rejects(read(client, '/a', { start: 3, end: 11 }), { code: 'HTTP_PROTOCOL' });
    await assert.rejects(read(client, '/a', { start: 11, end: 12 }), withStatus(416));
  });
});

test('a file that has changed is not read as the old one', { skip }, async () => {
  await withDav(startChezdav, async ({ client, dir }) => {
    writeFileSync(`${dir}/a`, 'old');
    const { etag } = await client.stat('/a');
    assert.equal(await read(client, '/a', { etag: etag! }), 'old');
    utimesSync(`${dir}/a`, 1, 1);
    await assert.rejects(read(client, '/a', { etag: etag! }), withStatus(412));
  });
});
