/** A large file is sent from memory that is used again: over whatever connection, each byte must be the right one. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isChannelAddress, parseAddress } from '../../../src/channel/address.js';
import type { Channel } from '../../../src/channel/channel.js';
import { openChannel } from '../../../src/channel/open-channel.js';
import { silentLogger } from '../../../src/log.js';
import { createAcceptorMux, createOpenerMux } from '../../../src/mux/mux.js';
import { loadNativeBinding } from '../../../src/native/binding.js';
import type { Share } from '../../../src/share/options.js';
import { createShare, listenHttp } from '../../../src/share/share.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';

const SIZE = 5_000_003;

interface Served {
  readonly share: Share;
  readonly content: Buffer;
}

async function serve(t: TestContext, native: boolean): Promise<Served> {
  const dir = makeTempDir('davport-large-');
  const random = new SeededRandom();
  t.diagnostic(`TEST_SEED=${random.seed}`);
  const content = random.bytes(SIZE);
  writeFileSync(path.join(dir, 'large'), content);
  const binding = loadNativeBinding();
  assert.ok(!(binding instanceof Error));
  const share = await createShare({ root: dir, attributes: native ? binding : undefined });
  t.after(() => share.close());
  return { share, content };
}

/** A reader that often lets the writer wait. */
async function fetch(stream: Duplex, random: SeededRandom): Promise<Buffer> {
  stream.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
  let received = Buffer.alloc(0);
  let head = -1;
  for await (const chunk of stream) {
    received = Buffer.concat([received, chunk as Buffer]);
    if (head < 0) head = received.indexOf('\r\n\r\n') + 4;
    if (received.length >= head + SIZE) break;
    if (random.between(0, 4) === 0) await delay(random.between(0, 3));
  }
  return received.subarray(head);
}

for (const native of [true, false]) {
  const how = native ? 'with the addon' : 'without the addon';

  test(`over a socket, ${how}`, async (t) => {
    const { share, content } = await serve(t, native);
    const listener = await listenHttp(share, { host: '127.0.0.1', port: 0 });
    t.after(() => listener.close());
    const socket = net.connect(listener.port!, '127.0.0.1');
    await once(socket, 'connect');
    assert.ok((await fetch(socket, new SeededRandom())).equals(content));
  });

  test(`over a channel, three at once, ${how}`, async (t) => {
    const { share, content } = await serve(t, native);
    const socket = path.join(makeTempDir('davport-large-'), 'channel');
    const host = createAcceptorMux(channelOf(`unix-listen:${socket}`), {
      onStream: (stream) => share.attach(stream),
    });
    const guest = createOpenerMux(channelOf(`unix:${socket}`));
    t.after(() => Promise.all([host.close(), guest.close()]));
    await waitUntil('channel', () => guest.connected);
    const random = new SeededRandom();
    const all = await Promise.all([1, 2, 3].map(() => fetch(guest.openStream(), random)));
    for (const received of all) assert.ok(received.equals(content));
  });
}

function channelOf(text: string): Channel {
  const address = parseAddress(text);
  if (!isChannelAddress(address)) throw new Error(text);
  return openChannel(address, { log: silentLogger, binding: loadNativeBinding() });
}
