/** The text of {urn:davport:ns}posix: space-separated key=value, see PosixProperty. */
import { sameVersion } from './etag.js';
import type { PosixProperty, Timespec } from './types.js';

const NSEC_DIGITS = 9;

export function formatPosixProperty(posix: PosixProperty): string {
  const fields: string[] = [];
  if (posix.mode !== undefined) fields.push(`mode=${posix.mode.toString(8)}`);
  if (posix.mtime !== undefined) fields.push(`mtime=${formatTime(posix.mtime)}`);
  if (posix.atime !== undefined) fields.push(`atime=${formatTime(posix.atime)}`);
  if (posix.etag !== undefined) fields.push(`etag=${encodeValue(posix.etag)}`);
  if (posix.target !== undefined) fields.push(`target=${encodeValue(posix.target)}`);
  if (posix.ino !== undefined) fields.push(`ino=${posix.ino}`);
  if (posix.nlink !== undefined) fields.push(`nlink=${posix.nlink}`);
  if (posix.dev !== undefined) fields.push(`dev=${posix.dev}`);
  return fields.join(' ');
}

/** As our share writes it of nearly every file: reading it key by key takes five times as long. */
const USUAL =
  /^mode=([0-7]{1,7}) mtime=(-?\d{1,15})\.(\d{9}) atime=(-?\d{1,15})\.(\d{9}) ino=(\d{1,15}) nlink=(\d{1,9})$/;

/** Unknown keys and values that can't be read are left out. */
export function parsePosixProperty(text: string): PosixProperty {
  const usual = USUAL.exec(text);
  if (usual === null) return parseFields(text);
  return {
    mode: parseInt(usual[1]!, 8),
    mtime: { sec: Number(usual[2]), nsec: Number(usual[3]) },
    atime: { sec: Number(usual[4]), nsec: Number(usual[5]) },
    ino: Number(usual[6]),
    nlink: Number(usual[7]),
  };
}

function parseFields(text: string): PosixProperty {
  const posix: { -readonly [Key in keyof PosixProperty]: PosixProperty[Key] } = {};
  for (const field of text.split(/\s+/)) {
    const at = field.indexOf('=');
    if (at < 0) continue;
    const value = field.slice(at + 1);
    switch (field.slice(0, at)) {
      case 'mode':
        if (/^[0-7]{1,7}$/.test(value)) posix.mode = parseInt(value, 8);
        break;
      case 'mtime':
      case 'atime': {
        const time = parseTime(value);
        if (time !== undefined) posix[field.slice(0, at) as 'mtime' | 'atime'] = time;
        break;
      }
      case 'etag':
        posix.etag = decodeValue(value);
        break;
      case 'target':
        posix.target = decodeValue(value);
        break;
      case 'ino':
      case 'nlink':
      case 'dev':
        if (/^\d{1,16}$/.test(value) && Number.isSafeInteger(Number(value))) {
          posix[field.slice(0, at) as 'ino' | 'nlink' | 'dev'] = Number(value);
        }
        break;
    }
  }
  return posix;
}

/** What of it holds for the version that the resource has now: of another version only the permission bits. */
export function posixOfVersion(
  posix: PosixProperty,
  etag: string | undefined,
): PosixProperty | undefined {
  if (posix.etag === undefined) return posix;
  if (etag !== undefined && sameVersion(posix.etag, etag)) return posix;
  return posix.mode === undefined ? undefined : { mode: posix.mode };
}

/** Floor division keeps nsec positive before 1970: -1.5 s is sec -2, nsec 500000000. */
function formatTime({ sec, nsec }: Timespec): string {
  return `${sec}.${String(nsec).padStart(NSEC_DIGITS, '0')}`;
}

function parseTime(text: string): Timespec | undefined {
  const match = /^(-?\d{1,15})(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) return undefined;
  return { sec: Number(match[1]), nsec: Number((match[2] ?? '').padEnd(NSEC_DIGITS, '0')) };
}

function encodeValue(text: string): string {
  // Names that are no Unicode carry lone surrogates, which encodeURIComponent refuses: they travel as their escape.
  return text.replace(/[\s%&<>\\\x00-\x20\x7f-\u{10ffff}]/gu, (character) =>
    character.isWellFormed()
      ? encodeURIComponent(character)
      : `%u${character.charCodeAt(0).toString(16)}`,
  );
}

function decodeValue(text: string): string {
  return text.replace(/%u([0-9a-f]{4})|((?:%[0-9a-fA-F]{2})+)/g, (escape, unit?: string) => {
    if (unit !== undefined) return String.fromCharCode(parseInt(unit, 16));
    try {
      return decodeURIComponent(escape);
    } catch {
      return escape;
    }
  });
}
