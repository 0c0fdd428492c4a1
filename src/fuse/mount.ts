import { DavportError, UsageError } from '../errors.js';
import type { Logger } from '../log.js';
import type { NativeBinding } from '../native/binding.js';
import type { FileSystem } from '../vfs/filesystem.js';
import type { BridgeOptions, KernelBridge, MountEnd } from './bridge.js';
import { FuseNativeBridge } from './fuse-native-bridge.js';
import { DeviceBridge } from './kernel-bridge.js';
import type { MountOptions } from './mount-options.js';
import { prepareMountpoint } from './mountpoint.js';

export interface MountSettings {
  readonly options: MountOptions;
  readonly log: Logger;
  /** The addon, or the error why it isn't there (loadNativeBinding). */
  readonly binding: NativeBinding | Error;
}

export interface Mount {
  /** Absolute and canonical. */
  readonly mountpoint: string;
  readonly bridge: 'kernel' | 'fuse-native';
  /** Resolves when it is unmounted, by whomever. The file system is not destroyed by it. Never rejects. */
  readonly ended: Promise<MountEnd>;
  /**
   * Resolves when it is unmounted. Rejects with code EBUSY while files are open, unless `force`: then the path is detached, and
   * whoever has files open gets ENOTCONN.
   */
  unmount(options?: { readonly force?: boolean }): Promise<void>;
}

/**
 * Mounts `fs` and resolves when the path is usable. Rejects with UsageError where the user can help it.
 *
 * From then on this process must not touch the path with a synchronous call: it would wait for itself.
 */
export async function mountFileSystem(
  fs: FileSystem,
  mountpoint: string,
  settings: MountSettings,
): Promise<Mount> {
  const { options, log } = settings;
  const kind = chooseBridge(settings);
  const canonical = await prepareMountpoint(mountpoint, log);
  const binding = settings.binding instanceof Error ? undefined : settings.binding;
  const bridge = makeBridge(kind, { fs, mountpoint: canonical, options, log, binding });
  try {
    await bridge.mount();
  } catch (error) {
    throw explain(error, canonical);
  }
  return {
    mountpoint: canonical,
    bridge: kind,
    ended: bridge.ended,
    unmount: ({ force = false } = {}) => bridge.unmount({ force }),
  };
}

function chooseBridge(settings: MountSettings): 'kernel' | 'fuse-native' {
  const kind = chosenBridge(settings);
  if (kind === 'fuse-native' && settings.options.locks === 'server') {
    throw new UsageError('locks=server needs bridge=kernel: fuse-native passes no locks on');
  }
  return kind;
}

function chosenBridge({ options, log, binding }: MountSettings): 'kernel' | 'fuse-native' {
  if (options.bridge === 'fuse-native') return 'fuse-native';
  if (!(binding instanceof Error)) return 'kernel';
  if (options.bridge === 'kernel') {
    throw new UsageError(
      `bridge=kernel needs the addon (${binding.message}); build it with: npm run build:native`,
      { cause: binding },
    );
  }
  log.warn('the addon is not built; using fuse-native', { reason: binding.message });
  return 'fuse-native';
}

function makeBridge(kind: 'kernel' | 'fuse-native', options: BridgeOptions): KernelBridge {
  const { binding } = options;
  if (kind === 'kernel' && binding !== undefined) return new DeviceBridge({ ...options, binding });
  return new FuseNativeBridge(options);
}

const REMEDIES: Readonly<Record<string, string>> = {
  EPERM: 'this needs root, or fusermount3 (on Debian: apt-get install fuse3)',
  EACCES: 'make /dev/fuse usable for this user: chmod 666 /dev/fuse',
  ENOENT: '/dev/fuse is missing: modprobe fuse (in a container: give it --device /dev/fuse)',
  ENODEV: 'the kernel has no FUSE: modprobe fuse',
  ENXIO: 'the kernel has no FUSE: modprobe fuse',
};

function explain(error: unknown, mountpoint: string): Error {
  if (error instanceof DavportError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const remedy = REMEDIES[code];
  const reason = error instanceof Error ? error.message : String(error);
  if (remedy === undefined) {
    return new DavportError('MOUNT_FAILED', `cannot mount on ${mountpoint}: ${reason}`, {
      cause: error,
    });
  }
  return new UsageError(`cannot mount on ${mountpoint}: ${reason}; ${remedy}`, { cause: error });
}
