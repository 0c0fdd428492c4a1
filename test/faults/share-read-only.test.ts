/** What changes nothing: a share for reading only. And what moves nothing: a copy, which the kernel makes. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { uploadName } from '../../src/webdav/hidden-names.js';
import { startShareProcess } from '../support/share-process.js';
import { makeTempDir } from '../support/temp-dir.js';
import { setPosix, startShare } from '../unit/share/fixture.js';

/** All that can be seen of a tree; ctime moves with every change, of attributes as well. */
function snapshot(folder: string): string[] {
  const names = ['.', ...fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })].sort();
  return names.map((name) => {
    const { ino, mode, nlink, size, mtimeNs, ctimeNs } = fs.lstatSync(path.join(folder, name), {
      bigint: true,
    });
    return [name, ino, mode, nlink, size, mtimeNs, ctimeNs].join(' ');
  });
}

test('--read-only: no request and no sweep leaves a trace', async () => {
  const dir = makeTempDir('davport-read-');
  fs.mkdirSync(path.join(dir, 'd', 'empty'), { recursive: true });
  fs.writeFileSync(path.join(dir, 'd', 'f'), 'x');
  fs.symlinkSync('d', path.join(dir, 'l'));
  // What a share that may write would remove.
  const leftover = path.join(dir, uploadName(Buffer.alloc(8)));
  fs.writeFileSync(leftover, 'half');
  fs.utimesSync(leftover, 1, 1);
  const before = snapshot(dir);
  const t = await startShare({ root: dir, readOnly: true });
  assert.equal(await t.share.swept, 0);
  const lock =
    '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>';
  const bind = '<bind xmlns="DAV:"><segment>new</segment><href>/d/f</href></bind>';
  const changes: [string, Record<string, string>, string?][] = [
    ['PUT', {}, 'new'],
    ['PUT', { 'Content-Range': 'bytes 0-0/1' }, 'n'],
    ['PUT', {}, 'n'.repeat(300_000)],
    [
      'PATCH',
      { 'X-Update-Range': 'append', 'Content-Type': 'application/x-sabredav-partialupdate' },
      'n',
    ],
    ['DELETE', {}],
    ['DELETE', { Depth: '0' }],
    ['MKCOL', {}],
    ['COPY', { Destination: '/copy' }],
    ['MOVE', { Destination: '/moved' }],
    ['PROPPATCH', {}, setPosix('mode=100600')],
    ['LOCK', {}, lock],
    ['UNLOCK', { 'Lock-Token': '<urn:x>' }],
    ['BIND', {}, bind],
    ['UNBIND', {}, bind],
    ['REBIND', {}, bind],
  ];
  for (const target of ['/d/f', '/d', '/d/empty', '/l', '/l/f', '/new', '/']) {
    for (const [method, headers, body] of changes) {
      const { status } = await t.request(
        method,
        target,
        body === undefined ? { headers } : { headers, body },
      );
      assert.equal(status, 403, `${method} ${target}`);
    }
    for (const method of ['GET', 'HEAD', 'PROPFIND', 'OPTIONS']) {
      const { status } = await t.request(method, target, { headers: { Depth: '0' } });
      assert.ok(status < 500, `${method} ${target}`);
    }
  }
  assert.deepEqual(snapshot(dir), before);
  await t.close();
  assert.deepEqual(snapshot(dir), before);
});

test('COPY shares blocks, or has the kernel copy: no byte passes through the share', async () => {
  const dir = makeTempDir('davport-copied-');
  fs.writeFileSync(path.join(dir, 'f'), Buffer.alloc(3_000_000, 'x'));
  const trace = path.join(makeTempDir(), 'trace');
  const calls = 'trace=ioctl,copy_file_range,sendfile,write,pwrite64,writev,pwritev';
  const share = await startShareProcess(dir, {}, ['strace', '-f', '-y', '-e', calls, '-o', trace]);
  const { status } = await share.request('COPY', '/f', { headers: { Destination: '/g' } });
  assert.equal(status, 201);
  assert.ok(fs.readFileSync(path.join(dir, 'g')).equals(Buffer.alloc(3_000_000, 'x')));
  await share.process.stop();
  const lines = fs
    .readFileSync(trace, 'latin1')
    .split('\n')
    .filter((line) => line.includes(`<${dir}/`));
  assert.ok(
    lines.some((line) => / ioctl\(.*FICLONE/.test(line)),
    lines.join('\n'),
  );
  assert.ok(
    lines.some((line) => /FICLONE.* = 0$| (copy_file_range|sendfile)\(/.test(line)),
    lines.join('\n'),
  );
  assert.ok(!lines.some((line) => / p?writev?(64)?\(/.test(line)), lines.join('\n'));
});
