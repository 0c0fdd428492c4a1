/**
 * A virtio port as Linux's virtio_console behaves, in memory: one opener at a time, reads of at most a page and of 0 without
 * host, writes of at most 32 KiB, EAGAIN without room, POLLHUP as long as the host is away, ENODEV after unplugging.
 */
import type { FdIo, NativeBinding, Readiness } from '../../../src/native/binding.js';

const PAGE = 4096;
const MAX_WRITE = 32 * 1024;

export function systemError(code: string, syscall: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}, ${syscall}`), { code, syscall });
}

export class FakePort {
  /** Until set, the device is not there at all. */
  plugged = true;
  hostPresent = false;
  /** Bytes that the host still takes before writes give EAGAIN. */
  room = Number.POSITIVE_INFINITY;
  /** What opening throws instead. */
  openFails: string | undefined;
  /** What the next read or write throws. */
  ioFails: string | undefined;
  /** What the guest has written, one entry per system call. */
  readonly writes: Buffer[] = [];
  opens = 0;
  polls = 0;
  readonly openedAtMs: number[] = [];
  readonly closedAtMs: number[] = [];
  opener: FakeIo | undefined;
  #incoming = Buffer.alloc(0);

  readonly binding: Pick<NativeBinding, 'open'> = {
    open: () => {
      if (this.openFails !== undefined) throw systemError(this.openFails, 'open');
      if (!this.plugged) throw systemError('ENOENT', 'open');
      if (this.opener !== undefined) throw systemError('EBUSY', 'open');
      this.opens += 1;
      this.openedAtMs.push(performance.now());
      this.opener = new FakeIo(this);
      return this.opener;
    },
  };

  get written(): Buffer {
    return Buffer.concat(this.writes);
  }

  get incoming(): number {
    return this.#incoming.length;
  }

  send(bytes: Buffer): void {
    this.#incoming = Buffer.concat([this.#incoming, bytes]);
  }

  take(limit: number): Buffer {
    const taken = this.#incoming.subarray(0, Math.min(limit, PAGE));
    this.#incoming = this.#incoming.subarray(taken.length);
    return taken;
  }

  closed(io: FakeIo): void {
    if (this.opener !== io) return;
    this.opener = undefined;
    this.closedAtMs.push(performance.now());
    // The kernel throws away what its reader has not fetched.
    this.#incoming = Buffer.alloc(0);
  }

  /** The device goes, with whoever has it open still holding the dead file. */
  unplug(): void {
    this.plugged = false;
    this.hostPresent = false;
    if (this.opener !== undefined) this.opener.dead = true;
    this.opener = undefined;
  }
}

class FakeIo implements FdIo {
  fd = 42;
  dead = false;
  readonly #port: FakePort;
  #readable = false;
  #writable = false;
  #callback: ((ready: Readiness) => void) | undefined;
  #scheduled = false;

  constructor(port: FakePort) {
    this.#port = port;
  }

  #check(syscall: string): void {
    if (this.fd < 0) throw Object.assign(new Error('closed'), { code: 'ERR_FD_CLOSED' });
    const failure = this.dead ? 'ENODEV' : this.#port.ioFails;
    if (failure === undefined) return;
    this.#port.ioFails = undefined;
    throw systemError(failure, syscall);
  }

  poll(): Readiness {
    this.#port.polls += 1;
    return this.#state();
  }

  #state(): Readiness {
    if (this.dead) return { readable: false, writable: false, hangup: true };
    const port = this.#port;
    return {
      readable: !port.hostPresent || port.incoming > 0 || port.ioFails !== undefined,
      writable: port.hostPresent && port.room > 0,
      hangup: !port.hostPresent,
    };
  }

  watch(readable: boolean, writable: boolean, callback: (ready: Readiness) => void): void {
    this.#readable = readable;
    this.#writable = writable;
    this.#callback = callback;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.fd < 0) return;
    if (!this.#readable && !this.#writable) return;
    this.#scheduled = true;
    setTimeout(() => {
      this.#scheduled = false;
      if (this.fd < 0) return;
      const ready = this.#state();
      const wanted = (this.#readable && ready.readable) || (this.#writable && ready.writable);
      if (wanted || ready.hangup) this.#callback?.(ready);
      this.#schedule();
    }, 1);
  }

  read(buffer: Buffer, offset = 0): number {
    this.#check('read');
    const bytes = this.#port.take(buffer.length - offset);
    bytes.copy(buffer, offset);
    if (bytes.length > 0) return bytes.length;
    return this.#port.hostPresent ? -1 : 0;
  }

  readBatch(): number {
    throw new Error('a virtio port has no messages');
  }

  writev(buffers: readonly Uint8Array[]): number {
    this.#check('writev');
    const room = this.#port.hostPresent ? Math.min(this.#port.room, MAX_WRITE) : 0;
    if (room === 0) return -1;
    const bytes = Buffer.concat(buffers).subarray(0, room);
    this.#port.room -= bytes.length;
    this.#port.writes.push(bytes);
    return bytes.length;
  }

  close(): void {
    this.fd = -1;
    this.#port.closed(this);
  }
}
