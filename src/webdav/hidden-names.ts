/**
 * Names that exist at the peer for a moment or for its own purposes and that a mount neither lists nor finds.
 */

/**
 * Uploads on the way, next to the target so that MOVE is a rename: `.davport-<16 hex>.part`, or with the process that they belong to
 * `.davport-<home>-<pid>-<start>-<16 hex>.part`.
 */
const UPLOAD_NAME =
  /^\.davport-(?:([0-9a-f]{16})-([0-9a-f]{1,8})-([0-9a-f]{1,16})-)?[0-9a-f]{16}\.part$/;

/** A process that uploads, so that those after it on its machine can tell whether it is still there. */
export interface UploadOwner {
  /** 16 hexadecimal digits: the machine since it was started, and the space of process ids. */
  readonly home: string;
  readonly pid: number;
  /** When the process started, in its home's own count. */
  readonly start: number;
}

export function uploadName(random: Uint8Array, owner?: UploadOwner): string {
  return uploadNameOf(Buffer.from(random).subarray(0, 8).toString('hex'), owner);
}

/** `digits`: 16 of them, hexadecimal. */
export function uploadNameOf(digits: string, owner?: UploadOwner): string {
  if (owner === undefined) return `.davport-${digits}.part`;
  const { home, pid, start } = owner;
  return `.davport-${home}-${pid.toString(16)}-${start.toString(16)}-${digits}.part`;
}

/** Undefined where the name doesn't say. */
export function uploadOwner(name: string): UploadOwner | undefined {
  const [, home, pid, start] = UPLOAD_NAME.exec(name) ?? [];
  if (home === undefined) return undefined;
  return { home, pid: Number.parseInt(pid!, 16), start: Number.parseInt(start!, 16) };
}

export function isUploadName(name: string): boolean {
  return UPLOAD_NAME.test(name);
}

/** GLib's temporary file while phodav replaces a file's content. */
const GLIB_TEMPORARY = /^\.goutputstream-[0-9A-Z]{6}$/;

/** What phodav shows but nobody made: its clipboard folder at the root, and files on their way into place. */
export function isPhodavInternal(parentPath: string, name: string): boolean {
  return (parentPath === '' && name === '.spice-clipboard') || GLIB_TEMPORARY.test(name);
}
