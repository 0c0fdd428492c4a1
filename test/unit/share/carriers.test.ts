/** A share on streams that are no sockets, and in processes that are killed. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { duplexPair, type Duplex } from 'node:stream';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createAcceptorMux, createOpenerMux } from '../../../src/mux/mux.js';
import { createShare } from '../../../src/share/share.js';
import { startBackground } from '../../support/background.js';
import { createMemoryChannelPair } from '../../support/memory-channel.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';
import { connectTo, send } from './fixture.js';

test('over any duplex stream, and over the multiplexer', async () => {
  const dir = makeTempDir();
  const share = await createShare({ root: dir });
  const content = Buffer.from(Array.from({ length: 1_000_000 }, (_, at) => at % 253));
  const { guest: near, host: far } = createMemoryChannelPair();
  const acceptor = createAcceptorMux(far, { onStream: (stream) => share.attach(stream) });
  const opener = createOpenerMux(near);
  await waitUntil('the session', () => opener.connected && acceptor.connected);
  const pair = (): Duplex => {
    const [mine, theirs] = duplexPair();
    share.attach(theirs);
    return mine;
  };
  let name = 0;
  for (const createConnection of [pair, () => opener.openStream()]) {
    const target = `/f${name++}`;
    const agent = { createConnection: createConnection as never };
    const put = await send(agent, 'PUT', target, { body: content });
    assert.equal(put.status, 201);
    const get = await send(agent, 'GET', target, {});
    assert.ok(get.body.equals(content));
    const many = Array.from({ length: 20 }, () =>
      send(agent, 'PROPFIND', '/', { headers: { Depth: '1' } }),
    );
    for (const answer of await Promise.all(many)) assert.equal(answer.status, 207);
  }
  await Promise.all([opener.close(), acceptor.close()]);
  await share.close();
});

test('an upload over the multiplexer that ends with its stream leaves nothing', async () => {
  const dir = makeTempDir();
  const share = await createShare({ root: dir });
  const { guest: near, host: far } = createMemoryChannelPair();
  const acceptor = createAcceptorMux(far, { onStream: (stream) => share.attach(stream) });
  const opener = createOpenerMux(near);
  await waitUntil('the session', () => opener.connected);
  const stream = opener.openStream();
  stream.write('PUT /f HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n');
  stream.write(Buffer.alloc(1_000_000));
  await waitUntil('a temporary file', () => fs.readdirSync(dir).length === 1);
  stream.destroy();
  await waitUntil('its removal', () => fs.readdirSync(dir).length === 0);
  await Promise.all([opener.close(), acceptor.close()]);
  await share.close();
});

test('a share that is killed in a PUT: the next one sweeps, and only what is nobody’s', async () => {
  const base = makeTempDir();
  const dir = path.join(base, 'root');
  fs.mkdirSync(path.join(dir, 'a', 'b'), { recursive: true });
  fs.writeFileSync(path.join(dir, 'a', 'b', 'f'), 'old');
  const child = fileURLToPath(new URL('./serve-child.js', import.meta.url));
  const start = async (socketPath: string) => {
    const server = startBackground(process.execPath, [child, dir, socketPath]);
    await waitUntil('the share', () => server.log().includes('swept'), 30_000);
    return server;
  };
  const begin = async (socketPath: string, target: string) => {
    const socket = await connectTo(socketPath);
    socket.on('error', () => undefined);
    socket.write(`PUT ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n`);
    socket.write(Buffer.alloc(1_000_000));
    return socket;
  };
  const all = (): string[] => fs.readdirSync(dir, { recursive: true, encoding: 'utf8' });
  const parts = (): string[] => all().filter((name) => name.endsWith('.part'));
  const killed = await start(path.join(base, 'one'));
  await begin(path.join(base, 'one'), '/a/b/f');
  await waitUntil('the temporary file', () => parts().length === 1);
  const alive = await start(path.join(base, 'two'));
  const living = await begin(path.join(base, 'two'), '/g');
  await waitUntil('two temporary files', () => parts().length === 2);
  killed.kill('SIGKILL');
  await killed.exited;
  fs.writeFileSync(path.join(dir, '.davport-0123456789abcdef.par'), 'not ours');
  const next = await start(path.join(base, 'three'));
  assert.match(next.log(), /swept 1/);
  assert.equal(parts().length, 1);
  assert.equal(fs.readFileSync(path.join(dir, 'a', 'b', 'f'), 'utf8'), 'old');
  living.write(Buffer.alloc(1_000_000));
  await waitUntil('the other upload', () => fs.existsSync(path.join(dir, 'g')));
  assert.equal(fs.statSync(path.join(dir, 'g')).size, 2_000_000);
  living.destroy();
  await Promise.all([alive.stop(), next.stop()]);
});
