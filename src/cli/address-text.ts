import path from 'node:path';

/** Kinds whose value is a path of this machine. */
const PATH_KINDS = /^(unix|unix-listen|spice\+unix):(.+)$/s;

/**
 * A channel address with its path made absolute: a mount in the background works in "/", and connects again long after the shell
 * that started it has gone elsewhere.
 */
export function absoluteAddress(address: string, cwd: string): string {
  const match = PATH_KINDS.exec(address);
  if (match) return `${match[1]!}:${path.resolve(cwd, match[2]!)}`;
  // A device by its relative path.
  if (/^\.{1,2}\//.test(address)) return path.resolve(cwd, address);
  return address;
}
