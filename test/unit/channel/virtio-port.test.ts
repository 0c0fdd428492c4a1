import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChannelError } from '../../../src/channel/errors.js';
import { VirtioPortChannel } from '../../../src/channel/virtio-port.js';
import { createLogger, silentLogger } from '../../../src/log.js';
import { loadNativeBinding } from '../../../src/native/binding.js';
import { waitUntil } from '../../support/wait-until.js';
import { FakePort } from './virtio-fake-port.js';
import { Recorder, ended, makeChannel, never, openPresent } from './virtio-helpers.js';

test('a host that comes later: open waits, asks a few times a second, and then has a session', async () => {
  const port = new FakePort();
  const lines: string[] = [];
  const channel = new VirtioPortChannel('virtio:test', '/dev/vport1p1', {
    binding: port.binding,
    log: createLogger('info', (line) => lines.push(line)),
  });
  const sink = new Recorder();
  const opening = channel.open(sink, never());
  await waitUntil('some polls', () => port.polls >= 4);
  const waitedMs = performance.now() - port.openedAtMs[0]!;
  assert.ok(waitedMs >= 50 + 100 + 200 - 5, `4 polls within ${waitedMs} ms`);
  assert.equal(port.opens, 1);
  assert.equal(lines.length, 1, 'says once what it waits for');
  port.hostPresent = true;
  port.send(Buffer.from('hello'));
  await opening;
  assert.equal(sink.chunks.length, 0, 'no data before open has resolved');
  await waitUntil('data', () => sink.bytes.toString() === 'hello');
  await channel.close();
  assert.equal(await ended(sink), undefined);
});

test('sessions are at least 100 ms apart', async () => {
  const { port, channel, sink, session } = await openPresent();
  session.close();
  await ended(sink);
  const next = new Recorder();
  await channel.open(next, never());
  const gapMs = port.openedAtMs[1]! - port.closedAtMs[0]!;
  assert.ok(gapMs >= 99, `${gapMs} ms`);
  await channel.close();
});

test('unplugged during a session: an error, and open waits for the device', async () => {
  const { port, channel, sink } = await openPresent();
  port.unplug();
  const error = await ended(sink);
  assert.ok(error instanceof ChannelError);
  assert.equal(error.code, 'CHANNEL_CLOSED');
  const next = new Recorder();
  const opening = channel.open(next, never());
  const timer = setTimeout(() => {
    port.plugged = true;
    port.hostPresent = true;
  }, 300);
  await opening;
  clearTimeout(timer);
  assert.equal(port.opens, 2);
  await channel.close();
  assert.equal(await ended(next), undefined);
});

test('unplugged while waiting for the host', async () => {
  const port = new FakePort();
  const channel = makeChannel(port);
  const opening = channel.open(new Recorder(), never());
  await waitUntil('the wait', () => port.polls > 0);
  port.unplug();
  await waitUntil('noticed', () => port.opener === undefined);
  port.plugged = true;
  port.hostPresent = true;
  await opening;
  assert.equal(port.opens, 2);
  await channel.close();
});

const REFUSALS = [
  ['ENOENT', 'CHANNEL_NOT_FOUND', /virtserialport.*name=org\.spice-space\.webdav\.0/],
  ['ENXIO', 'CHANNEL_NOT_FOUND', /libvirt: <channel type='spiceport'>/],
  ['EBUSY', 'CHANNEL_BUSY', /spice-webdavd.*davport mount http:\/\/localhost:9843\//],
  ['EACCES', 'CHANNEL_PERMISSION', /udev/],
  ['EIO', 'CHANNEL_FAILED', /EIO/],
] as const;

for (const [errno, code, message] of REFUSALS) {
  test(`opening fails with ${errno}: ${code}, at once, with the remedy`, async () => {
    const port = new FakePort();
    port.openFails = errno;
    await assert.rejects(makeChannel(port).open(new Recorder(), never()), (error) => {
      assert.ok(error instanceof ChannelError);
      assert.equal(error.code, code);
      assert.match(error.message, /^virtio:test: /);
      assert.match(error.message, message);
      assert.equal((error.cause as NodeJS.ErrnoException).code, errno);
      return true;
    });
  });
}

test('an abort ends the wait with its reason and gives the port back', async () => {
  const port = new FakePort();
  const channel = makeChannel(port);
  const abort = new AbortController();
  const opening = channel.open(new Recorder(), abort.signal);
  await waitUntil('the wait', () => port.polls > 0);
  const reason = new Error('enough');
  abort.abort(reason);
  await assert.rejects(opening, (error) => error === reason);
  assert.equal(port.opener, undefined);
  await assert.rejects(channel.open(new Recorder(), abort.signal), (error) => error === reason);
  // Not worn out by that.
  port.hostPresent = true;
  await channel.open(new Recorder(), never());
  await channel.close();
});

test('close ends the wait and the port; open afterwards is refused', async () => {
  const port = new FakePort();
  const channel = makeChannel(port);
  const opening = channel.open(new Recorder(), never());
  await waitUntil('the wait', () => port.polls > 0);
  await Promise.all([channel.close(), assert.rejects(opening, { code: 'CHANNEL_CLOSED' })]);
  assert.equal(port.opener, undefined);
  await channel.close();
  await assert.rejects(channel.open(new Recorder(), never()), { code: 'CHANNEL_CLOSED' });
});

test('close at any moment of open leaves no port open', async () => {
  for (let turns = 0; turns < 12; turns++) {
    const port = new FakePort();
    port.hostPresent = true;
    const channel = makeChannel(port);
    const sink = new Recorder();
    const outcome = channel.open(sink, never()).then(
      () => 'session',
      () => 'rejected',
    );
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    await channel.close();
    if ((await outcome) === 'session') assert.equal(await ended(sink), undefined);
    assert.equal(port.opener, undefined, `after ${turns} turns`);
  }
});

test('open during a session is refused', async () => {
  const { channel } = await openPresent();
  await assert.rejects(channel.open(new Recorder(), never()), /during a session/);
  await channel.close();
});

test('what is no device is refused, with the real binding', async () => {
  const binding = loadNativeBinding();
  assert.ok(!(binding instanceof Error));
  const path = import.meta.filename;
  const channel = new VirtioPortChannel(path, path, { binding, log: silentLogger });
  await assert.rejects(channel.open(new Recorder(), never()), ChannelError);
  await channel.close();
});
