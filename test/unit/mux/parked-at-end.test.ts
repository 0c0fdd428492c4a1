/** Streams of an acceptor that outlive their id. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { MuxStream, StreamKeeper } from '../../../src/mux/types.js';
import { StreamResetError } from '../../../src/mux/types.js';
import { settle } from '../../support/raw-peer.js';
import { acceptorAndPeer } from './acceptor-and-peer.js';

const HIGH = 0x5000_0001n << 32n;
const ANSWER = 'the answer';

class Keeper implements StreamKeeper {
  readonly calls: string[] = [];
  wanted = true;

  onParked(): void {
    this.calls.push('parked');
  }

  onTakenUp(): boolean {
    this.calls.push('taken up');
    return this.wanted;
  }
}

/** Answers each piece, and then lets the stream be parked. */
function answering(keeper: Keeper, received: string[] = []) {
  return (stream: MuxStream): void => {
    stream.on('data', (piece: Buffer) => {
      received.push(`${stream.clientId & 0xffffn}: ${piece.toString()}`);
      stream.write(ANSWER, () => stream.parkAtEnd(keeper));
    });
  };
}

test('a new id gets the stream of one that has ended, with nothing of it', async (t) => {
  const keeper = new Keeper();
  const received: string[] = [];
  const { mux, peer, streams } = await acceptorAndPeer(t, answering(keeper, received));
  for (const id of [HIGH + 1n, HIGH + 2n, -128n, -128n]) {
    peer.frames.length = 0;
    peer.send(id, 'GET');
    await peer.until(() => peer.payload(id) === ANSWER);
    assert.equal(streams[0]!.clientId, id);
    assert.equal(streams[0]!.bytesSent, ANSWER.length);
    assert.equal(mux.stats.openStreams, 1);
    peer.end(id);
    await peer.until(() => mux.stats.openStreams === 0);
    await settle();
    assert.equal(peer.ends(id), 0);
  }
  assert.equal(streams.length, 1);
  assert.deepEqual(received, ['1: GET', '2: GET', '65408: GET', '65408: GET']);
  const turn = ['parked', 'taken up'];
  assert.deepEqual(keeper.calls, [...turn, ...turn, ...turn, 'parked']);
});

test('ids at the same time have a stream each', async (t) => {
  const { peer, streams } = await acceptorAndPeer(t, answering(new Keeper()));
  for (let round = 0n; round < 5n; round++) {
    const ids = [1n, 2n, 3n].map((at) => HIGH + round * 3n + at);
    for (const id of ids) peer.send(id, 'GET');
    await peer.until(() => ids.every((id) => peer.payload(id) === ANSWER));
    for (const id of ids) peer.end(id);
    await settle();
  }
  assert.equal(streams.length, 3);
});

test('what comes before the end takes the permission back', async (t) => {
  const keeper = new Keeper();
  let answers = 0;
  const { peer, streams } = await acceptorAndPeer(t, (stream) => {
    stream.on('data', () => {
      if (answers++ === 0) stream.write(ANSWER, () => stream.parkAtEnd(keeper));
    });
  });
  peer.send(HIGH, 'GET');
  await peer.until(() => peer.payload(HIGH) === ANSWER);
  peer.send(HIGH, 'G');
  peer.end(HIGH);
  await once(streams[0]!, 'close');
  assert.deepEqual(keeper.calls, []);
});

test('not parked: with unread or unsent bytes, or ended here', async (t) => {
  const keeper = new Keeper();
  const { peer, streams, guest } = await acceptorAndPeer(t, () => undefined);
  const open = async (id: bigint): Promise<MuxStream> => {
    peer.send(id, 'GET');
    await peer.until(() => streams.at(-1)?.clientId === id);
    return streams.at(-1)!;
  };
  const unread = await open(HIGH + 1n);
  unread.parkAtEnd(keeper);
  peer.end(HIGH + 1n);
  unread.resume();
  await once(unread, 'close');

  const over = await open(HIGH + 2n);
  over.resume();
  await settle();
  over.parkAtEnd(keeper);
  over.end(ANSWER);
  peer.end(HIGH + 2n);
  await once(over, 'close');

  const unsent = await open(HIGH + 3n);
  unsent.resume();
  await settle();
  unsent.parkAtEnd(keeper);
  guest.stall();
  unsent.write(Buffer.alloc(1_000_000));
  peer.end(HIGH + 3n);
  const [error] = (await once(unsent, 'error')) as [unknown];
  assert.ok(error instanceof StreamResetError);
  guest.unstall();
  assert.deepEqual(keeper.calls, []);
});

test('a stream that is not wanted any more makes place for another one', async (t) => {
  const keeper = new Keeper();
  const { peer, streams } = await acceptorAndPeer(t, answering(keeper));
  peer.send(HIGH, 'GET');
  await peer.until(() => peer.payload(HIGH) === ANSWER);
  peer.end(HIGH);
  await settle();
  keeper.wanted = false;
  peer.send(HIGH + 1n, 'GET');
  await peer.until(() => peer.payload(HIGH + 1n) === ANSWER);
  assert.equal(streams.length, 2);
  assert.ok(streams[0]!.destroyed);
  await settle();
  assert.equal(peer.ends(HIGH) + peer.ends(HIGH + 1n), 0);
});

for (const [what, act] of Object.entries<(stream: MuxStream) => void>({
  write: (stream) => stream.write('late'),
  end: (stream) => stream.end('late'),
  destroy: (stream) => stream.destroy(),
})) {
  test(`parked, then ${what}(): nothing of it goes out, and no id gets the stream`, async (t) => {
    const { mux, peer, streams } = await acceptorAndPeer(t, answering(new Keeper()));
    for (const id of [-1n, -2n]) peer.send(id, 'GET');
    await peer.until(() => peer.payload(-1n) + peer.payload(-2n) === ANSWER + ANSWER);
    peer.end(-1n);
    await peer.until(() => mux.stats.openStreams === 1);
    act(streams[0]!);
    // The id comes back, and belongs to another stream.
    peer.send(-1n, 'GET');
    await peer.until(() => peer.payload(-1n) === ANSWER + ANSWER);
    await settle();
    assert.equal(streams.length, 3);
    assert.equal(peer.ends(-1n), 0);
    assert.equal(mux.stats.openStreams, 2);
    assert.ok(streams[0]!.destroyed);
  });
}

test('the end of a session ends its parked streams', async (t) => {
  const { peer, streams, guest } = await acceptorAndPeer(t, answering(new Keeper()));
  peer.send(HIGH, 'GET');
  await peer.until(() => peer.payload(HIGH) === ANSWER);
  peer.end(HIGH);
  await settle();
  const failed = once(streams[0]!, 'error');
  guest.cut();
  const [error] = (await failed) as [unknown];
  assert.ok(error instanceof StreamResetError);
});

test('there are no more parked streams than a bound', async (t) => {
  const { mux, peer, streams } = await acceptorAndPeer(t, answering(new Keeper()));
  const ids = Array.from({ length: 40 }, (_, at) => HIGH + BigInt(at));
  for (const id of ids) peer.send(id, 'GET');
  await peer.until(() => ids.every((id) => peer.payload(id) === ANSWER));
  for (const id of ids) peer.end(id);
  await peer.until(() => mux.stats.openStreams === 0);
  assert.equal(streams.filter(({ destroyed }) => !destroyed).length, 32);
  assert.equal(peer.ends(ids[0]!), 0);
});

test('an id of spice-webdavd that comes back by itself gets the stream that was at rest', async (t) => {
  const get = 'GET / HTTP/1.1\r\nHost: localhost:9843\r\n\r\n';
  const keeper = new Keeper();
  const received: string[] = [];
  const { peer, streams } = await acceptorAndPeer(t, answering(keeper, received));
  for (let count = 1; count <= 3; count++) {
    peer.send(-128n, get);
    await peer.until(() => peer.payload(-128n) === ANSWER.repeat(count));
    await settle();
  }
  assert.equal(streams.length, 1);
  assert.equal(peer.ends(-128n), 0);
  // The port was that of the former id.
  peer.end(-128n);
  peer.send(-256n, 'PUT');
  peer.send(-256n, get);
  await peer.until(() => received.length === 5);
  assert.equal(keeper.calls.filter((call) => call === 'parked').length, 3);
});
