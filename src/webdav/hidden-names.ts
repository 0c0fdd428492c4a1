/**
 * Names that exist at the peer for a moment or for its own purposes and that a mount neither lists nor finds.
 */

/** Uploads on the way: `.davport-<16 hex>.part`, next to the target so that MOVE is a rename. */
const UPLOAD_NAME = /^\.davport-[0-9a-f]{16}\.part$/;

export function uploadName(random: Uint8Array): string {
  return uploadNameOf(Buffer.from(random).subarray(0, 8).toString('hex'));
}

/** `digits`: 16 of them, hexadecimal. */
export function uploadNameOf(digits: string): string {
  return `.davport-${digits}.part`;
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
