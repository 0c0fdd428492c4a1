/** Names of virtio ports → their devices, with udev (/dev/virtio-ports) and without. */
import { access, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';

/** What QEMU and libvirt call the port of the SPICE folder sharing; spice-webdavd opens the same. */
export const WEBDAV_PORT_NAME = 'org.spice-space.webdav.0';

/**
 * The device of the port called `name`, or undefined while there is none. `root` is the folder that holds dev/ and sys/.
 */
export async function findVirtioPort(name: string, root = '/'): Promise<string | undefined> {
  // A name with a slash can't be udev's link; the sysfs search below compares it as a text only.
  if (!/[/\0]/.test(name) && name !== '' && name !== '.' && name !== '..') {
    const link = path.join(root, 'dev/virtio-ports', name);
    if (await exists(link)) return link;
  }
  return searchSysfs(name, root);
}

/** The names of all virtio ports of this machine, for messages. */
export async function listVirtioPorts(root = '/'): Promise<string[]> {
  const names: string[] = [];
  for (const device of await devices(root)) {
    const name = await portName(root, device);
    if (name !== undefined && name !== '') names.push(name);
  }
  return names;
}

async function searchSysfs(name: string, root: string): Promise<string | undefined> {
  for (const device of await devices(root)) {
    if ((await portName(root, device)) !== name) continue;
    const node = path.join(root, 'dev', device);
    if (await exists(node)) return node;
  }
  return undefined;
}

const sysfs = (root: string): string => path.join(root, 'sys/class/virtio-ports');

async function devices(root: string): Promise<string[]> {
  try {
    return (await readdir(sysfs(root))).sort();
  } catch {
    // No such class: no virtio-serial device, or the module virtio_console is not loaded.
    return [];
  }
}

/** A port may have no name, and may be unplugged while it is looked at. */
async function portName(root: string, device: string): Promise<string | undefined> {
  try {
    const text = await readFile(path.join(sysfs(root), device, 'name'), 'utf8');
    return text.replace(/\n$/, '');
  } catch {
    return undefined;
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}
