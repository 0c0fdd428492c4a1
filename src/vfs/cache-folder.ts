/**
 * The local folder for staging and spool files, which are unlinked from the start, and for the contents that `cache_size` keeps.
 */
import { lstat, mkdir, readFile, readlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { UsageError } from '../errors.js';

const SYSTEM_FOLDER = '/var/cache/davport';
/** As the kernel's own limit (path_resolution(7)). */
const MAX_LINKS = 40;

export interface CacheFolderEnvironment {
  readonly uid: number;
  readonly home: string;
  readonly xdgCacheHome: string | undefined;
}

function ownEnvironment(): CacheFolderEnvironment {
  return {
    uid: process.getuid?.() ?? 0,
    home: homedir(),
    xdgCacheHome: process.env['XDG_CACHE_HOME'],
  };
}

export function defaultCacheFolder(env: CacheFolderEnvironment = ownEnvironment()): string {
  if (env.uid === 0) return SYSTEM_FOLDER;
  // XDG base directory specification: a relative path in the variable is to be ignored.
  const base = env.xdgCacheHome?.startsWith('/') ? env.xdgCacheHome : join(env.home, '.cache');
  return join(base, 'davport');
}

/**
 * Makes the folder (mode 0700) and returns its real path. A folder that lies on a davport mount is refused, and found out without
 * touching that mount: a file system that stores its staging files on itself waits for itself for ever.
 */
export async function prepareCacheFolder(path: string, mountInfo?: string): Promise<string> {
  const mounts = davportMounts(mountInfo ?? (await readFile('/proc/self/mountinfo', 'utf8')));
  const real = await resolveOutside(resolve(path), mounts);
  try {
    await mkdir(real, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new UsageError(
      `cache_dir ${path} can't be made: ${(error as Error).message}; name another one with -o cache_dir=DIR`,
      { cause: error },
    );
  }
  return real;
}

/** Mount points of davport file systems, from the text of /proc/self/mountinfo (proc(5)). */
export function davportMounts(mountInfo: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const line of mountInfo.split('\n')) {
    const [left, right] = line.split(' - ');
    if (left === undefined || right === undefined) continue;
    const [type, source] = right.split(' ');
    if (type !== 'fuse.davport' && !(type?.startsWith('fuse') && source === 'davport')) continue;
    const point = left.split(' ')[4];
    if (point !== undefined) found.add(unescapeOctal(point));
  }
  return found;
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** Follows symbolic links name by name; each name is compared with the mounts before it is looked at. */
async function resolveOutside(path: string, mounts: ReadonlySet<string>): Promise<string> {
  let rest = path.split('/').filter((name) => name !== '');
  let at = '';
  let links = 0;
  while (rest.length > 0) {
    const next = `${at}/${rest.shift()!}`;
    if (mounts.has(next)) {
      throw new UsageError(
        `cache_dir ${path} lies on the davport mount ${next}; name a local folder with -o cache_dir=DIR`,
      );
    }
    const info = await lstat(next).catch(() => undefined);
    if (!info?.isSymbolicLink()) {
      at = next;
      continue;
    }
    if ((links += 1) > MAX_LINKS)
      throw new UsageError(`cache_dir ${path}: too many symbolic links`);
    const target = resolve(at === '' ? '/' : at, await readlink(next));
    rest = [...target.split('/').filter((name) => name !== ''), ...rest];
    at = '';
  }
  return at === '' ? '/' : at;
}
