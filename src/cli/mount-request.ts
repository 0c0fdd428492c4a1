import path from 'node:path';
import type { Address } from '../channel/address.js';
import type { MountOptions } from '../fuse/mount-options.js';
import type { Credentials } from './credentials.js';

/** What a user asked for, checked. */
export interface MountRequest {
  /** The address as text, with absolute paths; never with a credential in it. */
  readonly source: string;
  readonly address: Address;
  readonly mountpoint: string;
  readonly options: MountOptions;
  /** The values of -o as given. */
  readonly lists: readonly string[];
  readonly credentials: Credentials | undefined;
}

/** Paths in options are those of the shell that gave them, wherever the process works later. */
export function absoluteOptionPaths(options: MountOptions, cwd: string): MountOptions {
  const absolute = (file: string | undefined): string | undefined =>
    file === undefined ? undefined : path.resolve(cwd, file);
  return {
    ...options,
    passwdFile: absolute(options.passwdFile),
    cacheDir: absolute(options.cacheDir),
    stagingDir: absolute(options.stagingDir),
    cacert: absolute(options.cacert),
    log: absolute(options.log),
  };
}
