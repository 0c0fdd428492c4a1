import type { Logger } from '../log.js';
import type { NativeBinding } from '../native/binding.js';
import type { FileSystem } from '../vfs/filesystem.js';
import type { MountOptions } from './mount-options.js';

/** How a mount came to its end: by umount(8), or because the kernel was told to cut it off. */
export type MountEnd = 'unmounted' | 'aborted';

/** Connects a FileSystem with the kernel at one mountpoint. Each instance mounts once. */
export interface KernelBridge {
  /** Resolves when the mountpoint answers. */
  mount(): Promise<void>;
  /** Resolves, after a successful mount(), when the kernel is done with it and nothing more will be asked. Never rejects. */
  readonly ended: Promise<MountEnd>;
  /**
   * Unmounts; resolves when the mount has ended. Rejects with code EBUSY while files are open, unless `force`: then the path is
   * detached, and whoever still has files open gets ENOTCONN.
   */
  unmount(options: { readonly force: boolean }): Promise<void>;
}

export interface BridgeOptions {
  readonly fs: FileSystem;
  /** Absolute and canonical. */
  readonly mountpoint: string;
  readonly options: MountOptions;
  readonly log: Logger;
  /** Undefined where the addon is not built. */
  readonly binding: NativeBinding | undefined;
}
