/** The channel of a guest on a true virtio port: a small Linux in an emulator, the host's end in this process. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { WEBDAV_PORT_NAME } from '../../../src/channel/virtio-names.js';
import { startBackground, type Background } from '../../support/background.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';
import { buildGuestImage } from './guest-image.js';

const BODY_BYTES = 50_000_000;
/** Emulated, beside other tests: generous. */
const STEP_MS = 120_000;

type Event = Readonly<Record<string, unknown>> & { readonly event: string };

let folder = '';
let guest: Background;
let seen = 0;

/** The next line of the guest with this event; those before it are passed over. */
async function nextEvent(event: string): Promise<Event> {
  const found = await waitUntil(`the guest says ${event}`, () => findEvent(event), STEP_MS);
  assert.ok(found !== undefined);
  return found;
}

function findEvent(event: string): Event | undefined {
  if (!guest.running) throw new Error(`the guest has ended:\n${guest.log()}`);
  const lines = guest.log().split('\n').slice(0, -1);
  for (; seen < lines.length; seen++) {
    const line = lines[seen]!.trim();
    if (!line.startsWith('{"event"')) continue;
    const parsed = JSON.parse(line) as Event;
    if (parsed.event !== event) continue;
    seen += 1;
    return parsed;
  }
  return undefined;
}

async function hostConnects(): Promise<Socket> {
  const socket = connect(join(folder, 'port.sock'));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** QEMU's control socket: one command, its answer looked at. */
async function qmp(execute: string, args: Record<string, unknown>): Promise<void> {
  const socket = connect(join(folder, 'qmp.sock'));
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => (text += part));
  const answers = (count: number): Promise<unknown> =>
    waitUntil(`${count} answers of QEMU`, () => text.split('"return"').length > count);
  socket.write(`${JSON.stringify({ execute: 'qmp_capabilities' })}\n`);
  await answers(1);
  socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
  await answers(2);
  socket.destroy();
}

before(async () => {
  folder = makeTempDir();
  const { kernel, initrd } = await buildGuestImage(folder);
  guest = startBackground('qemu-system-x86_64', [
    ...['-accel', 'tcg', '-cpu', 'max', '-smp', '2', '-m', '1024', '-display', 'none'],
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-serial', 'stdio'],
    ...['-kernel', kernel, '-initrd', initrd, '-append', 'console=ttyS0 quiet panic=-1'],
    ...['-qmp', `unix:${join(folder, 'qmp.sock')},server=on,wait=off`],
    ...['-device', 'virtio-serial-pci,id=bus'],
    ...['-chardev', `socket,id=host,path=${join(folder, 'port.sock')},server=on,wait=off`],
    '-device',
    `virtserialport,id=port,bus=bus.0,nr=1,chardev=host,name=${WEBDAV_PORT_NAME}`,
  ]);
});
after(() => guest.stop());

test('the port is found without udev, and a name that is not there is refused with the remedy', async () => {
  const found = await nextEvent('found');
  assert.match(String(found['path']), /^\/dev\/vport\d+p1$/);
  const absent = await nextEvent('absent');
  assert.deepEqual(absent, {
    event: 'absent',
    poll: { readable: true, writable: false, hangup: true },
    read: 0,
    write: -1,
  });
  const refused = await nextEvent('refused');
  assert.equal(refused['code'], 'CHANNEL_NOT_FOUND');
  assert.match(String(refused['message']), /this machine has: org\.spice-space\.webdav\.0/);
});

let host: Socket;

test('the guest waits for the host, and the port is taken meanwhile', async () => {
  const waiting = await nextEvent('log');
  assert.match(String(waiting['line']), /the host has not connected yet/);
  host = await hostConnects();
  await nextEvent('open');
  host.write('busy\n');
  const refused = await nextEvent('refused');
  assert.equal(refused['code'], 'CHANNEL_BUSY');
  assert.match(String(refused['message']), /spice-webdavd/);
});

test('50 MB to the guest', async (t) => {
  const random = new SeededRandom();
  const block = random.bytes(1_000_000);
  const hash = createHash('sha256');
  host.write(`sink ${BODY_BYTES}\n`);
  for (let sent = 0; sent < BODY_BYTES; sent += block.length) {
    hash.update(block);
    if (!host.write(block)) await once(host, 'drain');
  }
  const received = await nextEvent('received');
  assert.equal(received['sha256'], hash.digest('hex'), `seed ${random.seed}`);
  t.diagnostic(`${String(received['ms'])} ms in ${String(received['chunks'])} chunks`);
});

test('50 MB from the guest', async (t) => {
  const hash = createHash('sha256');
  let got = 0;
  host.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    got += chunk.length;
  });
  const started = performance.now();
  host.write(`source ${BODY_BYTES}\n`);
  const queued = await nextEvent('queued');
  await waitUntil('all bytes', () => got >= BODY_BYTES, STEP_MS);
  t.diagnostic(`${Math.round(performance.now() - started)} ms`);
  assert.equal(got, BODY_BYTES);
  assert.equal(hash.digest('hex'), queued['sha256']);
  host.removeAllListeners('data');
});

async function echoes(text: string): Promise<void> {
  let got = '';
  host.on('data', (chunk: Buffer) => (got += chunk.toString()));
  host.write(`echo ${text}\n`);
  await waitUntil('the echo', () => got === `${text}\n`, STEP_MS);
  host.removeAllListeners('data');
}

test('the host leaves and comes back: a new session', async () => {
  host.destroy();
  const over = await nextEvent('over');
  assert.equal(over['code'], undefined);
  host = await hostConnects();
  await nextEvent('open');
  await echoes('again');
});

test('the guest closes and opens again, with a host that stays', async () => {
  host.write('close\n');
  await nextEvent('over');
  await nextEvent('open');
  await echoes('reopened');
});

test('the device is unplugged and plugged in again', async () => {
  await qmp('device_del', { id: 'port' });
  const over = await nextEvent('over');
  assert.equal(over['code'], 'CHANNEL_CLOSED');
  const waiting = await nextEvent('log');
  assert.match(String(waiting['line']), /unplugged/);
  await qmp('device_add', {
    driver: 'virtserialport',
    ...{ id: 'port2', bus: 'bus.0', nr: 1, chardev: 'host', name: WEBDAV_PORT_NAME },
  });
  host.destroy();
  host = await hostConnects();
  await nextEvent('open');
  await echoes('replugged');
});

test('the guest ends in good order', async () => {
  host.write('end\n');
  await nextEvent('done');
  const exit = await guest.exited;
  assert.match(guest.log(), /guest: exit code 0/);
  assert.equal(exit.code, 0);
});
