import {
  FUSE_KERNEL_MINOR_VERSION,
  FUSE_KERNEL_VERSION,
  INIT_IN,
  INIT_OUT,
  INIT_OUT_BYTES,
  OLDEST_MINOR_VERSION,
} from './protocol.js';
import { LOCK_INIT_FLAGS, WANTED_INIT_FLAGS, type InitFlag } from './protocol-flags.js';
import type { MessageReader } from './message-reader.js';
import { StructWriter } from './reply-writer.js';

/** 256 pages of 4 KiB: the kernel's own limit (fs.fuse.max_pages_limit). */
const MAX_PAGES = 256;
const PAGE_BYTES = 4096;
export const MAX_WRITE_BYTES = MAX_PAGES * PAGE_BYTES;
/** What a kernel without FUSE_MAX_PAGES (before 4.20) sends at most. */
const OLD_MAX_WRITE_BYTES = 32 * PAGE_BYTES;
/** Asynchronous requests (read-ahead) under way before the kernel queues them itself, and before it calls itself congested. */
const MAX_BACKGROUND = 64;
const CONGESTION_THRESHOLD = 48;
const HIGH_BIT = 0x1_0000_0000;
const BITS = { ...WANTED_INIT_FLAGS, ...LOCK_INIT_FLAGS };

export interface Negotiated {
  readonly minor: number;
  readonly flags: ReadonlySet<InitFlag>;
  readonly maxWriteBytes: number;
}

/**
 * Answers FUSE_INIT.
 * - negotiated: the body of the reply, and what was agreed.
 * - retry: the kernel is of a newer major version and is told ours; another INIT follows.
 * - too-old: it can't be spoken with.
 */
export type InitAnswer =
  | { readonly kind: 'negotiated'; readonly body: Buffer; readonly negotiated: Negotiated }
  | { readonly kind: 'retry'; readonly body: Buffer }
  | { readonly kind: 'too-old'; readonly version: string };

export function answerInit(input: MessageReader, withLocks = false): InitAnswer {
  const at = INIT_IN.at;
  const major = input.u32(at.major);
  const minor = input.u32(at.minor);
  if (major > FUSE_KERNEL_VERSION) return { kind: 'retry', body: versionOnly() };
  if (major < FUSE_KERNEL_VERSION || minor < OLDEST_MINOR_VERSION) {
    return { kind: 'too-old', version: `${major}.${minor}` };
  }
  const low = input.u32(at.flags);
  const extended = bit(low, WANTED_INIT_FLAGS.INIT_EXT) && input.bodyBytes >= INIT_IN.bytes;
  const high = extended ? input.u32(at.flags2) : 0;
  const flags = new Set<InitFlag>();
  const wanted = { ...WANTED_INIT_FLAGS, ...(withLocks ? LOCK_INIT_FLAGS : {}) };
  for (const [name, position] of Object.entries(wanted)) {
    const offered = position < 32 ? bit(low, position) : bit(high, position - 32);
    if (offered) flags.add(name as InitFlag);
  }
  const maxWriteBytes = flags.has('MAX_PAGES') ? MAX_WRITE_BYTES : OLD_MAX_WRITE_BYTES;
  const negotiated = {
    minor: Math.min(minor, FUSE_KERNEL_MINOR_VERSION),
    flags,
    maxWriteBytes,
  };
  return { kind: 'negotiated', body: body(negotiated, input.u32(at.maxReadahead)), negotiated };
}

function body(negotiated: Negotiated, maxReadahead: number): Buffer {
  const out = new StructWriter(INIT_OUT_BYTES);
  const at = INIT_OUT.at;
  let flags = 0;
  for (const name of negotiated.flags) flags += 2 ** BITS[name];
  out.u32(at.major, FUSE_KERNEL_VERSION);
  out.u32(at.minor, negotiated.minor);
  out.u32(at.maxReadahead, Math.max(maxReadahead, negotiated.maxWriteBytes));
  out.u32(at.flags, flags % HIGH_BIT);
  out.u16(at.maxBackground, MAX_BACKGROUND);
  out.u16(at.congestionThreshold, CONGESTION_THRESHOLD);
  out.u32(at.maxWrite, negotiated.maxWriteBytes);
  out.u32(at.timeGran, 1);
  out.u16(at.maxPages, negotiated.flags.has('MAX_PAGES') ? MAX_PAGES : 0);
  out.u32(at.flags2, Math.floor(flags / HIGH_BIT));
  return out.bytes;
}

function versionOnly(): Buffer {
  const out = new StructWriter(INIT_OUT_BYTES);
  out.u32(INIT_OUT.at.major, FUSE_KERNEL_VERSION);
  out.u32(INIT_OUT.at.minor, FUSE_KERNEL_MINOR_VERSION);
  return out.bytes;
}

function bit(word: number, position: number): boolean {
  return ((word >>> position) & 1) === 1;
}
