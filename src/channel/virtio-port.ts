/** The channel of a guest: a virtio port, which the host may connect to, leave, unplug and plug in again. */
import { constants } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../log.js';
import type { FdIo, NativeBinding } from '../native/binding.js';
import type { Channel, ChannelSession, ChannelSink } from './channel.js';
import { ChannelError } from './errors.js';
import { findVirtioPort, listVirtioPorts } from './virtio-names.js';
import { VirtioSession } from './virtio-session.js';

/** There is no event for "the host has come": the state is asked for, often at first. */
const HOST_POLL_MIN_MS = 50;
const HOST_POLL_MAX_MS = 250;
/** Looking for a device that was unplugged costs a directory search each time. */
const DEVICE_POLL_MIN_MS = 50;
const DEVICE_POLL_MAX_MS = 1000;
/** A host takes a close for one only if the port stays closed for a moment; then it drops all ids of the old session. */
const MIN_CLOSED_MS = 100;

export interface VirtioPortOptions {
  readonly binding: Pick<NativeBinding, 'open'>;
  readonly log: Logger;
  /** The folder that holds dev/ and sys/, for finding a port by name. */
  readonly root?: string;
}

export class VirtioPortChannel implements Channel {
  readonly address: string;
  readonly #port: string | { readonly name: string };
  readonly #options: VirtioPortOptions;
  readonly #closing = new AbortController();
  #session: VirtioSession | undefined;
  /** The wait of `open`, and what it waits on. */
  #opening: Promise<ChannelSession> | undefined;
  /** Whether the device has been there: then its absence is an unplugging, and worth waiting. */
  #seen = false;
  #closedAtMs = Number.NEGATIVE_INFINITY;

  /** `port`: a device file, or the name of a port. */
  constructor(
    address: string,
    port: string | { readonly name: string },
    options: VirtioPortOptions,
  ) {
    this.address = address;
    this.#port = port;
    this.#options = options;
  }

  async open(sink: ChannelSink, signal: AbortSignal): Promise<ChannelSession> {
    if (this.#session !== undefined || this.#opening !== undefined) {
      throw new Error(`${this.address}: open() during a session`);
    }
    this.#opening = this.#open(sink, AbortSignal.any([signal, this.#closing.signal]));
    try {
      return await this.#opening;
    } catch (error) {
      // timers/promises wraps the reason in an AbortError of its own.
      signal.throwIfAborted();
      this.#closing.signal.throwIfAborted();
      throw error;
    } finally {
      this.#opening = undefined;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new ChannelError('CHANNEL_CLOSED', `${this.address} was closed`));
    this.#session?.close();
    // Until then the wait may hold the device open.
    await this.#opening?.catch(() => undefined);
  }

  async #open(sink: ChannelSink, signal: AbortSignal): Promise<ChannelSession> {
    signal.throwIfAborted();
    await sleepMs(this.#closedAtMs + MIN_CLOSED_MS - performance.now(), signal);
    let io: FdIo | undefined;
    do {
      io = await this.#waitForHost(await this.#openDevice(signal), signal);
    } while (io === undefined);
    if (signal.aborted) {
      io.close();
      this.#closedAtMs = performance.now();
      throw signal.reason;
    }
    const session = new VirtioSession(this.address, io, sink, () => {
      this.#session = undefined;
      this.#closedAtMs = performance.now();
    });
    try {
      session.start();
    } catch (error) {
      io.close();
      throw await this.#openError(error);
    }
    this.#session = session;
    return session;
  }

  /** Opens the device; waits for it when it was unplugged. */
  async #openDevice(signal: AbortSignal): Promise<FdIo> {
    for (let delayMs = DEVICE_POLL_MIN_MS; ; delayMs = Math.min(delayMs * 2, DEVICE_POLL_MAX_MS)) {
      const path = await this.#findDevice();
      signal.throwIfAborted();
      try {
        if (path === undefined) throw notThere();
        const io = this.#options.binding.open(path, constants.O_RDWR);
        this.#seen = true;
        return io;
      } catch (error) {
        if (!isNotThere(error) || !this.#seen) throw await this.#openError(error);
      }
      if (delayMs === DEVICE_POLL_MIN_MS) {
        this.#options.log.info('virtio port unplugged: waiting for it', { channel: this.address });
      }
      await sleepMs(delayMs, signal);
    }
  }

  #findDevice(): Promise<string | undefined> {
    return typeof this.#port === 'string'
      ? Promise.resolve(this.#port)
      : findVirtioPort(this.#port.name, this.#options.root);
  }

  /**
   * Undefined: the device was unplugged meanwhile. The port stays open during the wait, so that nobody else takes it, and so
   * that the host sees a guest that listens.
   */
  async #waitForHost(io: FdIo, signal: AbortSignal): Promise<FdIo | undefined> {
    let told = false;
    try {
      for (let delayMs = HOST_POLL_MIN_MS; ; delayMs = Math.min(delayMs * 2, HOST_POLL_MAX_MS)) {
        const ready = io.poll();
        if (!ready.hangup) return io;
        // A port without host reads as end of file, hence is readable; only one without device is not.
        if (!ready.readable) {
          io.close();
          await sleepMs(delayMs, signal);
          return undefined;
        }
        if (!told) {
          told = true;
          this.#options.log.info('virtio port: the host has not connected yet', {
            channel: this.address,
          });
        }
        await sleepMs(delayMs, signal);
      }
    } catch (error) {
      io.close();
      this.#closedAtMs = performance.now();
      throw error;
    }
  }

  async #openError(cause: unknown): Promise<Error> {
    const code = (cause as NodeJS.ErrnoException).code;
    const make = (own: ChannelError['code'], text: string): ChannelError =>
      new ChannelError(own, `${this.address}: ${text}`, { cause });
    if (isNotThere(cause)) return make('CHANNEL_NOT_FOUND', await this.#notFoundText());
    switch (code) {
      case 'EBUSY':
        return make(
          'CHANNEL_BUSY',
          'another program has the port open, most likely spice-webdavd; stop it ' +
            '(systemctl stop spice-webdavd), or mount through it: davport mount http://localhost:9843/ DIR',
        );
      case 'EACCES':
      case 'EPERM':
        return make(
          'CHANNEL_PERMISSION',
          'this user may not open the port; run as root, or let a udev rule give it to a group: ' +
            'SUBSYSTEM=="virtio-ports", ATTR{name}=="org.spice-space.webdav.0", GROUP="users", MODE="0660"',
        );
      default:
        return make('CHANNEL_FAILED', `cannot be opened: ${String(cause)}`);
    }
  }

  async #notFoundText(): Promise<string> {
    const name = typeof this.#port === 'string' ? 'org.spice-space.webdav.0' : this.#port.name;
    const others = await listVirtioPorts(this.#options.root);
    const seen = others.length === 0 ? 'none' : others.join(', ');
    return (
      `no such virtio port (this machine has: ${seen}); add it to the virtual machine, ` +
      `libvirt: <channel type='spiceport'><source channel='${name}'/><target type='virtio' name='${name}'/></channel>, ` +
      `QEMU: -device virtio-serial-pci -chardev spiceport,id=webdav,name=${name} ` +
      `-device virtserialport,chardev=webdav,name=${name}`
    );
  }
}

const NOT_THERE = new Set(['ENOENT', 'ENODEV', 'ENXIO', 'ENOTDIR']);

function isNotThere(error: unknown): boolean {
  return NOT_THERE.has((error as NodeJS.ErrnoException).code ?? '');
}

function notThere(): NodeJS.ErrnoException {
  return Object.assign(new Error('no virtio port of that name'), { code: 'ENOENT' });
}

async function sleepMs(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal });
}
