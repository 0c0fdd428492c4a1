import { UsageError } from '../errors.js';
import { COMPRESS_MODES, type CompressMode } from '../http/compression.js';
import { LOG_LEVELS, type LogLevel } from '../log.js';
import { nearest } from './nearest.js';

const LOCKS = ['local', 'server'] as const;

/** What `-o` says, after mount.fuse(8) and sshfs(1) where they have the name. Times are seconds there and milliseconds here. */
export interface MountOptions {
  readonly ro: boolean;
  readonly allowOther: boolean;
  readonly allowRoot: boolean;
  readonly defaultPermissions: boolean;
  readonly suid: boolean;
  readonly dev: boolean;
  readonly exec: boolean;
  readonly atime: boolean;
  readonly dirsync: boolean;
  readonly sync: boolean;
  readonly fsname: string | undefined;
  readonly subtype: string | undefined;
  readonly bridge: 'kernel' | 'fuse-native' | undefined;
  readonly debug: boolean;
  /** How long to look for the next request after replies, before the process sleeps. */
  readonly busyPollUs: number;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly umask: number | undefined;
  readonly fmask: number | undefined;
  readonly dmask: number | undefined;
  readonly attrTimeoutMs: number | undefined;
  readonly entryTimeoutMs: number | undefined;
  readonly negativeTimeoutMs: number | undefined;
  readonly strict: boolean;
  /** An open asks the peer, whatever is known. */
  readonly closeToOpen: boolean;
  readonly locks: (typeof LOCKS)[number];
  readonly lockTimeoutMs: number;
  readonly cacheDir: string | undefined;
  readonly cacheBytes: number | undefined;
  /** A close returns when the content is in a journal on local disk. */
  readonly writeback: boolean;
  /** Undefined: the cache folder. */
  readonly stagingDir: string | undefined;
  readonly stagingBytes: number;
  readonly readAheadBytes: number | undefined;
  readonly timeoutMs: number;
  readonly maxRequests: number | undefined;
  readonly compress: CompressMode;
  readonly username: string | undefined;
  readonly passwdFile: string | undefined;
  readonly cacert: string | undefined;
  readonly insecure: boolean;
  readonly log: string | undefined;
  readonly logLevel: LogLevel | undefined;
}

type Kind =
  | 'flag'
  | 'number'
  | 'octal'
  | 'seconds'
  | 'micros'
  | 'bytes'
  | 'text'
  | 'ignored'
  | readonly string[];
/** Who acts on it. */
export type OptionUser = 'kernel' | 'fuse' | 'vfs' | 'http' | 'cli' | 'nobody';

export interface OptionRow {
  readonly kind: Kind;
  readonly usedBy: OptionUser;
  readonly help: string;
  /** Field of MountOptions; absent for options that are only accepted. */
  readonly field?: keyof MountOptions;
  /** Flags: what the field becomes. */
  readonly value?: boolean;
}

const flag = (
  field: keyof MountOptions,
  value: boolean,
  usedBy: OptionUser,
  help: string,
): OptionRow => ({ kind: 'flag', field, value, usedBy, help });

const valued = (
  field: keyof MountOptions,
  kind: Kind,
  usedBy: OptionUser,
  help: string,
): OptionRow => ({ kind, field, usedBy, help });

const ignored = (help: string): OptionRow => ({ kind: 'ignored', usedBy: 'nobody', help });

const fstab = ignored('for fstab; accepted');

/** Every option, in the order of the help text. */
export const OPTION_TABLE: Readonly<Record<string, OptionRow>> = {
  ro: flag('ro', true, 'kernel', 'read-only'),
  rw: flag('ro', false, 'kernel', 'read and write (default)'),
  allow_other: flag('allowOther', true, 'kernel', 'other users may use the mount'),
  allow_root: flag('allowRoot', true, 'fuse', 'root may use the mount, beside its owner'),
  default_permissions: flag('defaultPermissions', true, 'kernel', 'the kernel checks the modes'),
  nosuid: flag('suid', false, 'kernel', 'setuid bits have no effect (default)'),
  suid: flag('suid', true, 'kernel', 'setuid bits have effect (root only)'),
  nodev: flag('dev', false, 'kernel', 'device files have no effect (default)'),
  dev: flag('dev', true, 'kernel', 'device files have effect (root only)'),
  noexec: flag('exec', false, 'kernel', 'no program can be run from the mount'),
  exec: flag('exec', true, 'kernel', 'programs can be run (default)'),
  noatime: flag('atime', false, 'kernel', 'access times are not updated'),
  atime: flag('atime', true, 'kernel', 'access times are as the kernel likes (default)'),
  relatime: ignored('the default of the kernel'),
  dirsync: flag('dirsync', true, 'kernel', 'changes of directories are synchronous'),
  sync: flag('sync', true, 'kernel', 'all writes are synchronous'),
  async: flag('sync', false, 'kernel', 'not all writes are synchronous (default)'),
  fsname: valued('fsname', 'text', 'kernel', 'source shown by mount(8); default: the channel'),
  subtype: valued('subtype', 'text', 'kernel', 'type shown is fuse.SUBTYPE; default: davport'),
  bridge: valued('bridge', ['kernel', 'fuse-native'], 'fuse', 'kernel (default) or fuse-native'),
  debug: flag('debug', true, 'fuse', 'log every request of the kernel'),
  busy_poll: valued('busyPollUs', 'micros', 'fuse', 'looking for the next call, µs (0: off)'),
  uid: valued('uid', 'number', 'vfs', 'owner of all files'),
  gid: valued('gid', 'number', 'vfs', 'group of all files'),
  umask: valued('umask', 'octal', 'vfs', 'mode bits to take away, octal'),
  fmask: valued('fmask', 'octal', 'vfs', 'umask for files'),
  dmask: valued('dmask', 'octal', 'vfs', 'umask for directories'),
  attr_timeout: valued('attrTimeoutMs', 'seconds', 'vfs', 'age of attributes, seconds (1)'),
  entry_timeout: valued('entryTimeoutMs', 'seconds', 'vfs', 'age of names, seconds (1)'),
  negative_timeout: valued('negativeTimeoutMs', 'seconds', 'vfs', 'age of absent names, seconds'),
  strict: flag('strict', true, 'vfs', 'no metadata is cached'),
  nocto: flag('closeToOpen', false, 'vfs', 'an open uses what is cached, as with nfs(5)'),
  locks: valued('locks', LOCKS, 'vfs', 'local (default), or server: hold against other clients'),
  lock_timeout: valued('lockTimeoutMs', 'seconds', 'vfs', 'life of a lock left behind, s (120)'),
  cache_dir: valued('cacheDir', 'text', 'vfs', 'folder for data on its way and for cache_size'),
  cache_size: valued('cacheBytes', 'bytes', 'vfs', 'disk for what was read: 1G (default: none)'),
  writeback: flag('writeback', true, 'vfs', 'close waits for the local disk, not for the peer'),
  staging_dir: valued(
    'stagingDir',
    'text',
    'vfs',
    'folder for the journal of writeback (cache_dir)',
  ),
  staging_size: valued('stagingBytes', 'bytes', 'vfs', 'what writeback may leave pending (1G)'),
  read_ahead: valued('readAheadBytes', 'bytes', 'vfs', 'memory for read-ahead: 64M, 1G'),
  timeout: valued('timeoutMs', 'seconds', 'http', 'longest time an operation takes, seconds (30)'),
  max_requests: valued('maxRequests', 'number', 'http', 'requests under way at once'),
  compress: valued('compress', COMPRESS_MODES, 'http', 'listings: auto (default), always, never'),
  username: valued('username', 'text', 'http', 'user name for an HTTP server'),
  passwd_file: valued('passwdFile', 'text', 'http', 'file with the password for an HTTP server'),
  cacert: valued('cacert', 'text', 'http', 'file with the certificate of the authority to trust'),
  insecure: flag('insecure', true, 'http', 'do not check the certificate of an HTTPS server'),
  log: valued('log', 'text', 'cli', 'file for log lines'),
  log_level: valued('logLevel', LOG_LEVELS, 'cli', LOG_LEVELS.join(', ')),
  auto: fstab,
  noauto: fstab,
  user: fstab,
  users: fstab,
  nouser: fstab,
  owner: fstab,
  group: fstab,
  defaults: fstab,
  nofail: fstab,
  _netdev: fstab,
};

/** Options that people will try, and what to say. */
const REFUSED: Readonly<Record<string, string>> = {
  auto_unmount: 'auto_unmount is not needed: the next davport mount takes over a dead mountpoint',
  nonempty: 'nonempty is not needed: a folder that is not empty can be mounted on',
};

const DEFAULTS: MountOptions = {
  ro: false,
  allowOther: false,
  allowRoot: false,
  defaultPermissions: false,
  suid: false,
  dev: false,
  exec: true,
  atime: true,
  dirsync: false,
  sync: false,
  fsname: undefined,
  subtype: undefined,
  bridge: undefined,
  debug: false,
  busyPollUs: 0,
  uid: undefined,
  gid: undefined,
  umask: undefined,
  fmask: undefined,
  dmask: undefined,
  attrTimeoutMs: undefined,
  entryTimeoutMs: undefined,
  negativeTimeoutMs: undefined,
  strict: false,
  closeToOpen: true,
  locks: 'local',
  lockTimeoutMs: 120_000,
  cacheDir: undefined,
  cacheBytes: undefined,
  writeback: false,
  stagingDir: undefined,
  stagingBytes: 2 ** 30,
  readAheadBytes: undefined,
  timeoutMs: 30_000,
  maxRequests: undefined,
  compress: 'auto',
  username: undefined,
  passwdFile: undefined,
  cacert: undefined,
  insecure: false,
  log: undefined,
  logLevel: undefined,
};

/** Parses the arguments of all `-o`, in order; a later one wins. `\,` stands for a comma and `\\` for a backslash. */
export function parseMountOptions(lists: readonly string[]): MountOptions {
  const fields: Record<string, unknown> = { ...DEFAULTS };
  for (const word of lists.flatMap(splitList)) {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word : word.slice(0, equals);
    const value = equals < 0 ? undefined : word.slice(equals + 1);
    // x-systemd.automount, x-gvfs-hide, comment=…: words for other programs.
    if (name.startsWith('x-') || name.startsWith('X-') || name === 'comment') continue;
    const row = findRow(name);
    if (row.kind === 'ignored') continue;
    if (row.field !== undefined) fields[row.field] = parseValue(name, row, value);
  }
  const options = fields as unknown as MountOptions;
  if (options.allowOther && options.allowRoot) {
    throw new UsageError('allow_other and allow_root exclude each other; use one of them');
  }
  if (options.writeback && options.locks === 'server') {
    throw new UsageError(
      'writeback and locks=server exclude each other: a lock would end before the data is there',
    );
  }
  return options;
}

function splitList(list: string): string[] {
  const words: string[] = [];
  let word = '';
  for (let at = 0; at < list.length; at += 1) {
    const character = list[at]!;
    if (character === '\\' && (list[at + 1] === ',' || list[at + 1] === '\\')) {
      at += 1;
      word += list[at]!;
    } else if (character === ',') {
      words.push(word);
      word = '';
    } else {
      word += character;
    }
  }
  words.push(word);
  return words.filter((each) => each !== '');
}

function findRow(name: string): OptionRow {
  const refusal = Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined;
  if (refusal !== undefined) throw new UsageError(refusal);
  const row = Object.hasOwn(OPTION_TABLE, name) ? OPTION_TABLE[name] : undefined;
  if (row !== undefined) return row;
  const near = nearest(name, Object.keys(OPTION_TABLE));
  const hint = near === undefined ? 'davport mount --help lists them' : `did you mean '${near}'?`;
  throw new UsageError(`unknown mount option '${name}'; ${hint}`);
}

function parseValue(name: string, row: OptionRow, value: string | undefined): unknown {
  if (row.kind === 'flag') {
    if (value !== undefined) throw new UsageError(`mount option ${name} takes no value`);
    return row.value;
  }
  if (value === undefined || value === '') {
    throw new UsageError(`mount option ${name} needs a value: ${name}=… (${row.help})`);
  }
  if (typeof row.kind === 'object') {
    if (row.kind.includes(value)) return value;
    throw new UsageError(`${name}=${value}: must be one of ${row.kind.join(', ')}`);
  }
  return row.kind === 'text' ? value : parseNumber(name, row.kind, value);
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
/** 100 years, so that sums of times stay exact. */
const MAX_SECONDS = 3_153_600_000;
/** Nothing else happens in the process meanwhile. */
const MAX_MICROS = 1000;

function parseNumber(name: string, kind: Kind, value: string): number {
  switch (kind) {
    case 'octal':
      if (/^0?[0-7]{1,4}$/.test(value)) return parseInt(value, 8);
      throw new UsageError(`${name}=${value}: must be an octal number such as 022`);
    case 'seconds':
      if (/^\d+(\.\d+)?$/.test(value) && Number(value) <= MAX_SECONDS) return Number(value) * 1000;
      throw new UsageError(`${name}=${value}: must be seconds such as 1 or 0.5`);
    case 'micros':
      if (/^\d{1,4}$/.test(value) && Number(value) <= MAX_MICROS) return Number(value);
      throw new UsageError(`${name}=${value}: must be microseconds from 0 to ${MAX_MICROS}`);
    case 'bytes': {
      const [, digits, unit] = /^(\d{1,12})([KMG]?)$/i.exec(value) ?? [];
      if (digits !== undefined) return Number(digits) * UNITS[unit!.toUpperCase()]!;
      throw new UsageError(`${name}=${value}: must be a size such as 67108864, 64M or 1G`);
    }
    default:
      if (/^\d{1,10}$/.test(value) && Number(value) < 2 ** 32) return Number(value);
      throw new UsageError(`${name}=${value}: must be a number from 0 to 4294967295`);
  }
}
