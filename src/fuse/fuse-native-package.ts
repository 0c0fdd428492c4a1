/** The npm package fuse-native 2.2.6: its shape, written by hand, and its only loader. */
import { createRequire } from 'node:module';
import { constants } from 'node:os';

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

const PACKAGE = 'fuse-native';
/** dlopen(3): the library stays loaded when Node closes it again. */
const RTLD_NODELETE = 0x1000;

export function loadFuseNative(): FuseNativeClass {
  const require = createRequire(import.meta.url);
  try {
    return require(PACKAGE) as FuseNativeClass;
  } catch (first) {
    try {
      loadBundledLibrary(createRequire(require.resolve(PACKAGE)));
      return require(PACKAGE) as FuseNativeClass;
    } catch (error) {
      throw unavailable(first, error);
    }
  }
}

/**
 * The prebuilt addon wants libfuse.so.2, which is not on newer systems. The package brings one, but nothing tells the loader where;
 * once it is in memory the loader takes it by its name.
 */
function loadBundledLibrary(require: NodeJS.Require): void {
  const { lib } = require('fuse-shared-library') as { readonly lib: string };
  try {
    process.dlopen({ exports: {} }, lib, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
  } catch {
    // Always thrown: it is a plain library, no addon. Whether it is there is seen when the addon is loaded again.
  }
}

function unavailable(first: unknown, error: unknown): UsageError {
  const reason = first instanceof Error ? first.message.split('\n')[0] : String(first);
  return new UsageError(
    `bridge=fuse-native needs the npm package fuse-native, which cannot be loaded (${reason}); ` +
      'install it with: npm install fuse-native@2.2.6, or build the addon with: npm run build:native',
    { cause: error },
  );
}
