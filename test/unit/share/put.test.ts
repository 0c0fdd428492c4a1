import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { test } from 'node:test';
import { waitUntil } from '../../support/wait-until.js';
import { loadNativeBinding, type NativeBinding } from '../../../src/native/binding.js';
import { startShare, type Answer, type TestShare } from './fixture.js';

const statOf = (path: string): fs.BigIntStats => fs.lstatSync(path, { bigint: true });
const names = (t: TestShare): string[] => fs.readdirSync(t.dir).sort();

test('new and replaced files of all sizes, with what the response says of them', async () => {
  const t = await startShare();
  for (const size of [0, 1, 65_536, 131_072, 131_073, 3_000_001]) {
    const body = Buffer.alloc(size, size % 250);
    for (const status of [201, 204]) {
      const answer = await t.request('PUT', `/f${size}`, { body });
      assert.equal(answer.status, status, answer.text);
      const stat = statOf(t.at(`f${size}`));
      const told = String(answer.headers['davport-posix']);
      assert.match(told, new RegExp(`(^| )size=${size} `));
      assert.match(told, new RegExp(` ino=${stat.ino}( |$)`));
      assert.match(told, new RegExp(` mode=${stat.mode.toString(8)} `));
      assert.match(told, / nlink=1( |$)/);
      const { headers } = await t.request('HEAD', `/f${size}`);
      assert.equal(headers.etag, answer.headers.etag);
      assert.ok(fs.readFileSync(t.at(`f${size}`)).equals(body));
    }
  }
  // What process.umask() gives, which may not be called without setting it.
  const status = fs.readFileSync('/proc/self/status', 'utf8');
  const umask = Number.parseInt(/^Umask:\s*(\d+)/m.exec(status)![1]!, 8);
  assert.equal(Number(statOf(t.at('f0')).mode & 0o777n), 0o666 & ~umask);
  assert.equal(names(t).length, 6);
});

test('a chunked body', async () => {
  const t = await startShare();
  const socket = await t.connect();
  socket.write(
    'PUT /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n',
  );
  socket.write('3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n');
  const [reply] = (await once(socket, 'data')) as [Buffer];
  assert.match(reply.toString(), /^HTTP\/1.1 201 /);
  assert.equal(fs.readFileSync(t.at('c'), 'utf8'), 'abcdefg');
  socket.destroy();
});

test('mode and times come with the content', async () => {
  const t = await startShare();
  const headers = { 'Davport-Posix': 'mode=100741 mtime=1700000000.123456789' };
  const answer = await t.request('PUT', '/f', { headers, body: 'x' });
  assert.match(
    String(answer.headers['davport-posix']),
    / mode=100741 mtime=1700000000\.123456789 /,
  );
  const { mode, mtimeNs } = statOf(t.at('f'));
  assert.equal(mode & 0o7777n, 0o741n);
  assert.equal(mtimeNs, 1_700_000_000_123_456_789n);
  const old = { 'Davport-Posix': 'mtime=-2.500000000' };
  const before1970 = await t.request('PUT', '/old', { headers: old, body: '' });
  assert.match(String(before1970.headers['davport-posix']), / mtime=-2\.500000000 /);
  assert.equal(statOf(t.at('old')).mtimeNs, -1_500_000_000n);
  // Without a word about it the mode stays, and set-user-ID is never set.
  await t.request('PUT', '/f', { body: 'y' });
  assert.equal(statOf(t.at('f')).mode & 0o7777n, 0o741n);
  await t.request('PUT', '/f', { headers: { 'Davport-Posix': 'mode=106755' }, body: 'z' });
  assert.equal(statOf(t.at('f')).mode & 0o7777n, 0o755n);
  const bad = await t.request('PUT', '/f', { headers: { 'Davport-Posix': 'mode=x' }, body: 'n' });
  assert.equal(bad.status, 400);
  assert.equal(fs.readFileSync(t.at('f'), 'utf8'), 'z');
  // A file nobody may write is replaced, as rename(2) does.
  await t.request('PUT', '/ro', { headers: { 'Davport-Posix': 'mode=100444' }, body: '' });
  assert.equal((await t.request('PUT', '/ro', { body: 'content' })).status, 204);
  assert.equal(statOf(t.at('ro')).mode & 0o777n, 0o444n);
});

test('refusals leave everything as it is', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  fs.writeFileSync(t.at('f'), 'old');
  const put = async (target: string, headers: Record<string, string> = {}): Promise<number> =>
    (await t.request('PUT', target, { headers, body: 'new' })).status;
  assert.equal(await put('/d'), 405);
  assert.equal(await put('/d/'), 405);
  assert.equal(await put('/new/'), 405);
  assert.equal(await put('/'), 405);
  assert.equal(await put('/none/f'), 409);
  assert.equal(await put('/f/g'), 409);
  assert.equal(await put(`/${'n'.repeat(300)}`), 414);
  assert.deepEqual(names(t), ['d', 'f']);
  assert.equal(fs.readFileSync(t.at('f'), 'utf8'), 'old');
});

for (const size of [1000, 5_000_000]) {
  test(`an aborted PUT of ${size} bytes leaves nothing but the old file`, async () => {
    const t = await startShare();
    fs.writeFileSync(t.at('f'), 'old');
    for (const part of [0, 1, Math.floor(size / 2), size - 1]) {
      const socket = await t.connect();
      socket.write(`PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n\r\n`);
      socket.write(Buffer.alloc(part, 1));
      await waitUntil('the request to begin', () => t.share.stats.active === 1);
      socket.destroy();
      await waitUntil('the request to end', () => t.share.stats.active === 0);
      assert.deepEqual(names(t), ['f'], `after ${part} bytes`);
      assert.equal(fs.readFileSync(t.at('f'), 'utf8'), 'old');
    }
  });
}

test('what is on its way is neither listed nor found', async () => {
  const t = await startShare();
  const socket = await t.connect();
  socket.write('PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n');
  socket.write(Buffer.alloc(1_000_000, 1));
  const temp = await waitUntil('a temporary file', () => names(t)[0]);
  assert.match(temp ?? '', /^\.davport-[0-9a-f]{16}\.part$/);
  const list = await t.request('PROPFIND', '/', { headers: { Depth: '1' } });
  assert.doesNotMatch(list.text, /davport-/);
  assert.equal((await t.request('GET', `/${temp}`)).status, 404);
  assert.equal((await t.request('PROPFIND', `/${temp}`, { headers: { Depth: '0' } })).status, 404);
  socket.write(Buffer.alloc(1_000_000, 1));
  await waitUntil('the file', () => names(t)[0] === 'f');
  assert.equal((await t.request('GET', '/f')).body.length, 2_000_000);
  socket.destroy();
});

test('conditions are checked once more when the body has come', async () => {
  const t = await startShare();
  const { etag } = (await t.request('PUT', '/f', { body: 'one' })).headers;
  const begin = async (header: string): Promise<{ finish(): Promise<string> }> => {
    const socket = await t.connect();
    socket.write(`PUT /f HTTP/1.1\r\nHost: x\r\n${header}\r\nContent-Length: 4\r\n\r\n`);
    await waitUntil('the request to begin', () => t.share.stats.active === 1);
    return {
      finish: () =>
        new Promise((resolve) => {
          socket.once('data', (chunk: Buffer) => {
            socket.destroy();
            resolve(chunk.toString().slice(9, 12));
          });
          socket.write('two!');
        }),
    };
  };
  const late = await begin(`If-Match: ${String(etag)}`);
  await t.request('PUT', '/f', { body: 'meanwhile' });
  assert.equal(await late.finish(), '412');
  fs.rmSync(t.at('f'));
  const exclusive = await begin('If-None-Match: *');
  fs.writeFileSync(t.at('f'), 'local');
  assert.equal(await exclusive.finish(), '412');
  assert.equal(fs.readFileSync(t.at('f'), 'utf8'), 'local');
  assert.deepEqual(names(t), ['f']);
});

test('of many PUTs with If-None-Match one wins, and of many with one ETag', async () => {
  const t = await startShare();
  const race = async (headers: Record<string, string>): Promise<number[]> => {
    const puts = Array.from({ length: 20 }, (_, at) =>
      t.request('PUT', '/f', { headers, body: `content ${at}` }),
    );
    return (await Promise.all(puts)).map(({ status }) => status).filter((status) => status < 300);
  };
  assert.deepEqual(await race({ 'If-None-Match': '*' }), [201]);
  const { etag = '' } = (await t.request('HEAD', '/f')).headers;
  assert.deepEqual(await race({ 'If-Match': etag }), [204]);
  assert.deepEqual(names(t), ['f']);
});

type RenameAt = NativeBinding['renameAt'];

/** A share to which `before` happens when a file is about to take its place. */
function startRacedShare(before: () => void): Promise<TestShare> {
  const binding = loadNativeBinding();
  if (binding instanceof Error) throw binding;
  const renameAt: RenameAt = (...given) => {
    before();
    return binding.renameAt(...given);
  };
  return startShare({ attributes: Object.assign(Object.create(binding), { renameAt }) });
}

test('what another program makes in the last moment is looked at before it is replaced', async () => {
  let make = (): void => undefined;
  const t = await startRacedShare(() => make());
  const arm = (name: string): void => {
    make = () => {
      make = () => undefined;
      fs.writeFileSync(t.at(name), 'of another program', { mode: 0o600 });
    };
  };
  arm('f');
  assert.equal((await t.request('PUT', '/f', { body: 'new' })).status, 204);
  assert.equal(fs.readFileSync(t.at('f'), 'utf8'), 'new');
  assert.equal(statOf(t.at('f')).mode & 0o777n, 0o600n);
  arm('g');
  const headers = { 'If-None-Match': '*' };
  assert.equal((await t.request('PUT', '/g', { headers, body: 'new' })).status, 412);
  assert.equal(fs.readFileSync(t.at('g'), 'utf8'), 'of another program');
  assert.deepEqual(names(t), ['f', 'g']);
});

test('a file system without a rename that replaces nothing', async () => {
  let make = (): void => undefined;
  const t = await startRacedShare(() => {
    make();
    throw Object.assign(new Error('no such flag'), { code: 'EINVAL' });
  });
  assert.equal((await t.request('PUT', '/f', { body: 'new' })).status, 201);
  make = () => fs.writeFileSync(t.at('g'), 'of another program');
  const headers = { 'If-None-Match': '*' };
  assert.equal((await t.request('PUT', '/g', { headers, body: 'new' })).status, 412);
  assert.deepEqual(names(t), ['f', 'g']);
});

test('every version has its own ETag, however fast they follow each other', async () => {
  const t = await startShare();
  const tags = new Set<string>();
  const headers = { 'Davport-Posix': 'mtime=1700000000.000000000' };
  for (let round = 0; round < 300; round++) {
    const { etag = '' } = (await t.request('PUT', '/f', { headers, body: `${round % 10}` }))
      .headers;
    assert.ok(!tags.has(etag), `version ${round} has an ETag that was there before`);
    tags.add(etag);
  }
});

test('Davport-Sync is accepted with every change', async () => {
  const t = await startShare();
  const headers = { 'Davport-Sync': '1', Destination: '/g', 'Davport-Posix': 'mode=100600' };
  assert.equal((await t.request('PUT', '/f', { headers, body: 'x' })).status, 201);
  assert.equal(
    (await t.request('PUT', '/f', { headers, body: Buffer.alloc(200_000) })).status,
    204,
  );
  assert.equal((await t.request('MKCOL', '/d', { headers })).status, 201);
  assert.equal((await t.request('MOVE', '/f', { headers })).status, 201);
  assert.equal(
    (await t.request('COPY', '/d', { headers: { ...headers, Destination: '/e' } })).status,
    201,
  );
  assert.equal((await t.request('DELETE', '/g', { headers })).status, 204);
});

test('X-OC-Mtime sets the time, and says so', async () => {
  const t = await startShare();
  const put = (headers: Record<string, string>): Promise<Answer> =>
    t.request('PUT', '/f', { headers, body: 'x' });
  const answer = await put({ 'X-OC-Mtime': '1500000000' });
  assert.deepEqual([answer.status, answer.headers['x-oc-mtime']], [201, 'accepted']);
  const mtime = (): bigint => fs.statSync(t.at('f'), { bigint: true }).mtimeNs;
  assert.equal(mtime(), 1_500_000_000_000_000_000n);
  await put({ 'X-OC-Mtime': '1500000001.25' });
  assert.equal(mtime(), 1_500_000_001_250_000_000n);
  await put({ 'X-OC-Mtime': '1500000001', 'Davport-Posix': 'mtime=1500000002.5' });
  assert.equal(mtime(), 1_500_000_002_500_000_000n);
  assert.equal((await put({ 'X-OC-Mtime': 'yesterday' })).status, 400);
  assert.equal((await put({})).headers['x-oc-mtime'], undefined);
});
