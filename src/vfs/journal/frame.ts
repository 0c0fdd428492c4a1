/**
 * The form of a journal on disk. A segment is a header and frames behind each other; integers are little endian.
 *
 *     header   8 bytes  "DAVPJNL" and the version of the form
 *              4 bytes  number of the segment
 *              4 bytes  salt: random
 *     frame    4 bytes  mark
 *              4 bytes  length of the head
 *              4 bytes  length of the body
 *              4 bytes  CRC-32 of the body
 *              4 bytes  CRC-32 of the salt, of where in the segment the frame begins, of the 12 bytes before, and of the head
 *              head     JSON (see Frame)
 *              body     content of a small file
 *
 * Behind the last frame of the last segment may be zeros.
 *
 * Salt and place are in the sum because a content may be a journal itself, whose frames must not be taken for ours.
 *
 * What was being written when the machine stopped is a torn tail: nobody was told that it is stored, and it is dropped. Damage before
 * the last frame, or of a body, is the disk's, and is told.
 */
import { crc32 } from 'node:zlib';
import type { PosixProperty, Timespec } from '../../webdav/types.js';
import type { FileVersion } from '../content.js';

const MAGIC = Buffer.from('DAVPJNL\x01', 'latin1');
export const HEADER_BYTES = 16;
const MARK = Buffer.from([0x89, 0x4a, 0x46, 0x0a]);
const FRAME_BYTES = 20;
const MAX_HEAD_BYTES = 256 * 1024;

/** What is to be done with a content. */
export interface Intent {
  /** Decoded, at the peer. */
  readonly path: string;
  /** What must be there. */
  readonly expect: FileVersion | 'absent';
  readonly exclusive: boolean;
  readonly posix: Pick<PosixProperty, 'mode' | 'mtime' | 'atime'>;
  /** What programs see as the time of the last change. */
  readonly mtime: Timespec | undefined;
  /** The name is being removed, or replaced by rename: if the peer has carried that out, nothing is to be done any more. */
  readonly removing: boolean;
}

/** Where the bytes are: in the body of the frame, or in a file of their own beside the segments. */
export interface PutFrame {
  readonly op: 'put';
  readonly seq: number;
  readonly intent: Intent;
  readonly size: number;
  readonly inFile: boolean;
  /** Of the content. */
  readonly crc: number;
}

export type Frame =
  | PutFrame
  | { readonly op: 'change'; readonly seq: number; readonly intent: Intent }
  | { readonly op: 'done'; readonly seq: number };

export function encodeHeader(segment: number, salt: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(header);
  header.writeUInt32LE(segment, 8);
  header.writeUInt32LE(salt, 12);
  return header;
}

/** The salt; undefined: no header of this form and segment. */
export function readHeader(bytes: Buffer, segment: number): number | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const salt = bytes.readUInt32LE(12);
  return bytes.subarray(0, HEADER_BYTES).equals(encodeHeader(segment, salt)) ? salt : undefined;
}

function headCrc(salt: number, at: number, prefix: Buffer, head: Buffer): number {
  const place = Buffer.alloc(8);
  place.writeUInt32LE(salt, 0);
  place.writeUInt32LE(at, 4);
  return crc32(head, crc32(prefix.subarray(4, 16), crc32(place)));
}

const NO_BODY: Uint8Array = new Uint8Array(0);

/** For the place `at` of a segment. */
export function encodeFrame(frame: Frame, salt: number, at: number, body = NO_BODY): Buffer {
  // Times and file sizes are within 2^53; JSON leaves out what is undefined.
  const head = Buffer.from(JSON.stringify(frame));
  const prefix = Buffer.alloc(FRAME_BYTES);
  MARK.copy(prefix);
  prefix.writeUInt32LE(head.length, 4);
  prefix.writeUInt32LE(body.length, 8);
  prefix.writeUInt32LE(crc32(body), 12);
  prefix.writeUInt32LE(headCrc(salt, at, prefix, head), 16);
  return Buffer.concat([prefix, head, body]);
}

/** Where the body of the frame begins that `encodeFrame` made. */
export function bodyOffset(frame: Buffer): number {
  return FRAME_BYTES + frame.readUInt32LE(4);
}

export interface FoundFrame {
  readonly frame: Frame;
  /** Of the body in the segment. */
  readonly bodyAt: number;
  readonly bodyBytes: number;
  /** The content is what was written. */
  readonly intact: boolean;
}

export interface SegmentContent {
  readonly frames: readonly FoundFrame[];
  /** Up to here the segment is whole; what is behind is a torn tail. */
  readonly end: number;
  /** Bytes that are no frame, with frames behind them. */
  readonly damaged: number;
}

/** Never throws: whatever the bytes are, it finds the frames in them. */
export function readFrames(bytes: Buffer, salt: number): SegmentContent {
  const frames: FoundFrame[] = [];
  let at = HEADER_BYTES;
  let end = at;
  let damaged = 0;
  while (at < bytes.length) {
    const found = frameAt(bytes, salt, at);
    if (found === undefined) {
      const next = bytes.indexOf(MARK, at + 1);
      if (next < 0) break;
      at = next;
      continue;
    }
    damaged += at - end;
    frames.push(found);
    at = end = found.bodyAt + found.bodyBytes;
  }
  return { frames, end, damaged };
}

function frameAt(bytes: Buffer, salt: number, at: number): FoundFrame | undefined {
  const prefix = bytes.subarray(at, at + FRAME_BYTES);
  if (prefix.length < FRAME_BYTES || !prefix.subarray(0, 4).equals(MARK)) return undefined;
  const headBytes = prefix.readUInt32LE(4);
  const bodyBytes = prefix.readUInt32LE(8);
  const bodyAt = at + FRAME_BYTES + headBytes;
  if (headBytes > MAX_HEAD_BYTES || bodyAt + bodyBytes > bytes.length) return undefined;
  const head = bytes.subarray(at + FRAME_BYTES, bodyAt);
  if (headCrc(salt, at, prefix, head) !== prefix.readUInt32LE(16)) return undefined;
  const frame = JSON.parse(head.toString('utf8')) as Frame;
  const intact = crc32(bytes.subarray(bodyAt, bodyAt + bodyBytes)) === prefix.readUInt32LE(12);
  return { frame, bodyAt, bodyBytes, intact };
}
