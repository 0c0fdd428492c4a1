/** The npm package fuse-native 2.2.6: its shape, written by hand, and its only loader. */
import { createRequire } from 'node:module';

import { UsageError } from '../errors.js';

/**
 * Answers one operation. `result`: 0 or a negative errno; for read, write, getxattr and listxattr the count of bytes. `values` are
 * what the native side of the operation takes beside it.
 */
export type Done = (result: number, ...values: unknown[]) => void;

export interface FuseNativeOptions {
  readonly timeout: false;
  readonly fsname: string;
  readonly allowOther?: boolean;
  readonly allowRoot?: boolean;
  readonly defaultPermissions?: boolean;
}

export interface FuseNativeMount {
  mount(callback: (error: Error | null) => void): void;
  unmount(callback: (error: Error | null) => void): void;
}

export interface FuseNativeClass {
  new (mountpoint: string, ops: object, options: FuseNativeOptions): FuseNativeMount;
  /** Called by the unmount of an instance. */
  unmount(mountpoint: string, callback: (error: Error | null) => void): void;
}

export function loadFuseNative(): FuseNativeClass {
  try {
    return createRequire(import.meta.url)('fuse-native') as FuseNativeClass;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new UsageError(
      `bridge=fuse-native needs the npm package fuse-native, which cannot be loaded (${reason}); ` +
        'install it with: npm install fuse-native@2.2.6, or build the addon with: npm run build:native',
      { cause: error },
    );
  }
}
