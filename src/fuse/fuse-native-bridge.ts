import { UsageError } from '../errors.js';
import { FsError } from '../vfs/filesystem.js';
import type { BridgeOptions, KernelBridge, MountEnd } from './bridge.js';
import { loadFuseNative, type FuseNativeMount } from './fuse-native-package.js';
import type { MountOptions } from './mount-options.js';
import { findMount } from './mountinfo.js';
import { PathOperations } from './path-operations.js';
import { unmountPath } from './unmount.js';

/** The native side copies the option string into a buffer of this size, and cuts it. */
const MAX_OPTIONS_BYTES = 1023;
/** libfuse 2 takes no larger requests. */
const MAX_REQUEST_BYTES = 128 * 1024;
const DEFAULT_TIMEOUT_MS = 1000;
/** libfuse's thread ends without a word, so an unmount by somebody else is noticed in the mount table. */
const POLL_MS = 500;

/** Goes through the npm package fuse-native (libfuse 2). What it cannot do: doc/FUSE-NATIVE.md. */
export class FuseNativeBridge implements KernelBridge {
  readonly #options: BridgeOptions;
  readonly #stopping = new AbortController();
  readonly #operations: PathOperations;
  #native: FuseNativeMount | undefined;
  #timer: NodeJS.Timeout | undefined;
  #resolveEnded!: (end: MountEnd) => void;
  readonly ended: Promise<MountEnd>;

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#operations = new PathOperations(options.fs, options.log, this.#stopping.signal);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  async mount(): Promise<void> {
    const Fuse = loadFuseNative();
    const { fs, mountpoint, options } = this.#options;
    // The package's own unmount passes the path through a shell.
    Fuse.unmount = (path, callback) => {
      unmountPath(path, false).then(() => callback(null), callback);
    };
    // There is no way to tell libfuse 2's high-level interface; the timeouts alone bound what is stale.
    const nothing = () => Promise.resolve();
    fs.setInvalidator({ inode: nothing, entry: nothing });
    const native = new Fuse(mountpoint, this.#implemented(), {
      timeout: false,
      fsname: optionString(options),
    });
    Object.assign(native, this.#methods());
    await promised((callback) => native.mount(callback));
    this.#native = native;
    this.#watch();
  }

  async unmount({ force }: { readonly force: boolean }): Promise<void> {
    if (this.#native === undefined) return;
    await unmountPath(this.#options.mountpoint, force);
    if (force) await this.#end('aborted');
    await this.ended;
  }

  /** Libfuse is told of these. */
  #implemented(): object {
    return Object.fromEntries(Object.keys(this.#operations.table).map((name) => [name, true]));
  }

  /** Take the place of the package's methods; they are called with the same arguments. */
  #methods(): object {
    const rows = Object.entries(this.#operations.table);
    return Object.fromEntries(rows.map(([name, operation]) => [`_op_${name}`, operation]));
  }

  #watch(): void {
    const look = async () => {
      const mounted = await findMount(this.#options.mountpoint).catch(() => undefined);
      if (mounted === undefined) await this.#end('unmounted');
      else this.#timer = setTimeout(() => void look(), POLL_MS);
    };
    this.#timer = setTimeout(() => void look(), POLL_MS);
  }

  async #end(end: MountEnd): Promise<void> {
    const native = this.#native;
    this.#native = undefined;
    clearTimeout(this.#timer);
    this.#stopping.abort(new FsError('EINTR', 'unmounted'));
    if (native === undefined) return;
    // Lets go of the event loop; it is unmounted by now.
    await promised((callback) => native.unmount(callback)).catch((error: unknown) => {
      this.#options.log.warn('fuse-native did not end well', { error: String(error) });
    });
    await this.#operations.releaseAll();
    this.#resolveEnded(end);
  }
}

/**
 * The package joins its options with commas and leaves out the ones that matter; but what stands in `fsname` is joined with the
 * rest, so everything goes in there.
 */
function optionString(options: MountOptions): string {
  const attrTimeout = options.strict ? 0 : (options.attrTimeoutMs ?? DEFAULT_TIMEOUT_MS);
  const entryTimeout = options.strict ? 0 : (options.entryTimeoutMs ?? DEFAULT_TIMEOUT_MS);
  const negativeTimeout = options.strict ? 0 : (options.negativeTimeoutMs ?? 0);
  const words = [
    (options.fsname ?? 'davport').replace(/[\\,]/g, '\\$&'),
    `subtype=${options.subtype ?? 'davport'}`,
    'nonempty',
    'big_writes',
    `max_write=${MAX_REQUEST_BYTES}`,
    `max_read=${MAX_REQUEST_BYTES}`,
    'atomic_o_trunc',
    'auto_cache',
    'readdir_ino',
    `attr_timeout=${attrTimeout / 1000}`,
    `entry_timeout=${entryTimeout / 1000}`,
    `negative_timeout=${negativeTimeout / 1000}`,
  ];
  if (options.ro) words.push('ro');
  if (options.suid) words.push('suid');
  if (options.dev) words.push('dev');
  if (!options.exec) words.push('noexec');
  if (!options.atime) words.push('noatime');
  if (options.sync) words.push('sync');
  if (options.dirsync) words.push('dirsync');
  if (options.allowOther) words.push('allow_other');
  if (options.allowRoot) words.push('allow_root');
  if (options.defaultPermissions) words.push('default_permissions');
  const text = words.join(',');
  if (Buffer.byteLength(`-ofsname=${text}`) > MAX_OPTIONS_BYTES) {
    throw new UsageError('fsname is too long for bridge=fuse-native; use a shorter one');
  }
  return text;
}

function promised(call: (callback: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}
