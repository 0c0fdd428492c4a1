import { UsageError } from '../errors.js';
import {
  MS_NOATIME,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  type FdIo,
  type NativeBinding,
} from '../native/binding.js';
import { mountWithFusermount } from '../native/fusermount.js';
import type { BridgeOptions, KernelBridge, MountEnd } from './bridge.js';
import { BusyPolling } from './busy-polling.js';
import { DeviceReader, DeviceTransport } from './device.js';
import type { MountOptions } from './mount-options.js';
import { FuseSession } from './session.js';
import { unmountPath } from './unmount.js';

const MS_SYNCHRONOUS = 16;
const MS_DIRSYNC = 128;
const DEFAULT_SUBTYPE = 'davport';

/** Speaks the FUSE protocol itself, over /dev/fuse. */
export class DeviceBridge implements KernelBridge {
  readonly #options: BridgeOptions;
  readonly #binding: NativeBinding;
  #io: FdIo | undefined;
  #session: FuseSession | undefined;
  #reader: DeviceReader | undefined;
  #resolveEnded!: (end: MountEnd) => void;
  readonly ended: Promise<MountEnd>;

  constructor(options: BridgeOptions & { readonly binding: NativeBinding }) {
    this.#options = options;
    this.#binding = options.binding;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  async mount(): Promise<void> {
    const { fs, log, options } = this.#options;
    const io = this.#binding.openFd(await this.#mountDevice());
    const session = new FuseSession({
      fs,
      log,
      transport: new DeviceTransport(io),
      withLocks: options.locks === 'server',
      ...(options.allowRoot ? { onlyUid: process.getuid?.() ?? 0 } : {}),
    });
    this.#io = io;
    this.#session = session;
    const onEnd = (error: unknown): void => void this.#end(this.#endOf(error));
    this.#reader = new DeviceReader(io, session, new BusyPolling(options.busyPollUs), onEnd);
    this.#reader.start();
    try {
      const negotiated = await session.initialised;
      log.debug('mounted', { minor: negotiated.minor, maxWrite: negotiated.maxWriteBytes });
    } catch (error) {
      await this.unmount({ force: true });
      throw error;
    }
  }

  async unmount({ force }: { readonly force: boolean }): Promise<void> {
    if (this.#io === undefined) return;
    await unmountPath(this.#options.mountpoint, force);
    // Detached, but alive while files are open: the kernel ends it when its descriptor is closed.
    if (force) await this.#end('aborted');
    await this.ended;
  }

  async #mountDevice(): Promise<number> {
    const { mountpoint, options } = this.#options;
    if (process.geteuid?.() === 0) {
      return this.#binding.mountFuse(
        options.fsname ?? DEFAULT_SUBTYPE,
        mountpoint,
        `fuse.${options.subtype ?? DEFAULT_SUBTYPE}`,
        mountFlags(options),
        kernelOptions(options),
      );
    }
    return mountWithFusermount(this.#binding, mountpoint, fusermountOptions(options));
  }

  #endOf(error: unknown): MountEnd {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    if (code === 'ENODEV') return 'unmounted';
    if (code === 'ECONNABORTED') this.#options.log.warn('the kernel was told to abort the mount');
    else this.#options.log.error('reading requests failed; the mount ends', { code });
    return 'aborted';
  }

  async #end(end: MountEnd): Promise<void> {
    this.#reader?.stop();
    this.#session?.close();
    // A notification being written on a thread uses the number of the descriptor; closed under it, the number may be another file's.
    await this.#session?.notifier.idle();
    this.#io?.close();
    this.#io = undefined;
    this.#resolveEnded(end);
  }
}

function mountFlags(options: MountOptions): number {
  let flags = 0;
  if (options.ro) flags |= MS_RDONLY;
  if (!options.suid) flags |= MS_NOSUID;
  if (!options.dev) flags |= MS_NODEV;
  if (!options.exec) flags |= MS_NOEXEC;
  if (!options.atime) flags |= MS_NOATIME;
  if (options.sync) flags |= MS_SYNCHRONOUS;
  if (options.dirsync) flags |= MS_DIRSYNC;
  return flags;
}

/** For mount(2). allow_root is for the kernel allow_other; the session turns the others away. */
function kernelOptions(options: MountOptions): string {
  const words = [
    'rootmode=40000',
    `user_id=${process.getuid?.() ?? 0}`,
    `group_id=${process.getgid?.() ?? 0}`,
  ];
  if (options.allowOther || options.allowRoot) words.push('allow_other');
  if (options.defaultPermissions) words.push('default_permissions');
  return words.join(',');
}

/** For fusermount3, which sets nosuid and nodev itself. */
function fusermountOptions(options: MountOptions): string {
  if (options.suid || options.dev) {
    throw new UsageError('the mount options suid and dev are for root; leave them out');
  }
  const source = (options.fsname ?? DEFAULT_SUBTYPE).replace(/[\\,]/g, '\\$&');
  const words = [`fsname=${source}`, `subtype=${options.subtype ?? DEFAULT_SUBTYPE}`];
  if (options.ro) words.push('ro');
  if (!options.exec) words.push('noexec');
  if (!options.atime) words.push('noatime');
  if (options.sync) words.push('sync');
  if (options.dirsync) words.push('dirsync');
  if (options.allowOther || options.allowRoot) words.push('allow_other');
  if (options.defaultPermissions) words.push('default_permissions');
  return words.join(',');
}
