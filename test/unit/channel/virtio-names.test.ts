import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  WEBDAV_PORT_NAME,
  findVirtioPort,
  listVirtioPorts,
} from '../../../src/channel/virtio-names.js';
import { makeTempDir } from '../../support/temp-dir.js';

/** A root folder with these ports in sysfs and, for `udev`, with udev's links to them. */
function makeRoot(ports: Readonly<Record<string, string>>, udev: boolean): string {
  const root = makeTempDir();
  mkdirSync(join(root, 'dev/virtio-ports'), { recursive: true });
  for (const [device, name] of Object.entries(ports)) {
    const folder = join(root, 'sys/class/virtio-ports', device);
    mkdirSync(folder, { recursive: true });
    if (name !== '') writeFileSync(join(folder, 'name'), `${name}\n`);
    writeFileSync(join(root, 'dev', device), '');
    if (udev && name !== '') symlinkSync(`../${device}`, join(root, 'dev/virtio-ports', name));
  }
  return root;
}

const PORTS = { vport2p1: 'com.redhat.spice.0', vport2p2: WEBDAV_PORT_NAME, vport2p3: '' };

test("udev's link is taken where it is", async () => {
  const root = makeRoot(PORTS, true);
  const link = join(root, 'dev/virtio-ports', WEBDAV_PORT_NAME);
  assert.equal(await findVirtioPort(WEBDAV_PORT_NAME, root), link);
});

test('without udev the port is found in sysfs', async () => {
  const root = makeRoot(PORTS, false);
  assert.equal(await findVirtioPort(WEBDAV_PORT_NAME, root), join(root, 'dev/vport2p2'));
  assert.equal(await findVirtioPort('other', root), undefined);
  assert.deepEqual(await listVirtioPorts(root), ['com.redhat.spice.0', WEBDAV_PORT_NAME]);
});

test('a machine without virtio ports', async () => {
  const root = makeTempDir();
  assert.equal(await findVirtioPort(WEBDAV_PORT_NAME, root), undefined);
  assert.deepEqual(await listVirtioPorts(root), []);
});

test('a name does not lead out of the folder', async () => {
  const root = makeRoot({ ...PORTS, vport2p4: '../odd' }, false);
  writeFileSync(join(root, 'dev/secret'), '');
  for (const name of ['../secret', '..', '.', '', 'a\0b']) {
    assert.equal(await findVirtioPort(name, root), undefined, JSON.stringify(name));
  }
  assert.equal(await findVirtioPort('../odd', root), join(root, 'dev/vport2p4'));
});
