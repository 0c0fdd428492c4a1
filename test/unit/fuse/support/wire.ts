/** Builds and reads FUSE messages by hand, field by field as in fuse.h: a second opinion on the tables of src/fuse. */
import { RequestBuffer } from '../../../../src/fuse/message-reader.js';
import type { FuseTransport } from '../../../../src/fuse/replier.js';
import { FuseSession } from '../../../../src/fuse/session.js';
import { silentLogger, type Logger } from '../../../../src/log.js';
import type { FileSystem } from '../../../../src/vfs/filesystem.js';

export const u16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
};
export const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
};
export const u64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return bytes;
};
export const name = (text: string): Buffer => Buffer.from(`${text}\0`);
export const bytes = (...parts: readonly Buffer[]): Buffer => Buffer.concat(parts);

export interface Header {
  readonly opcode: number;
  readonly unique?: number | bigint;
  readonly nodeId?: number | bigint;
  readonly uid?: number;
  readonly gid?: number;
  readonly pid?: number;
}

/** fuse_in_header and a body. */
export function request(header: Header, ...body: readonly Buffer[]): Buffer {
  const rest = bytes(...body);
  return bytes(
    u32(40 + rest.length),
    u32(header.opcode),
    u64(header.unique ?? 2),
    u64(header.nodeId ?? 1),
    u32(header.uid ?? 1000),
    u32(header.gid ?? 100),
    // 0: a caller in another pid namespace; no real process must get into the test.
    u32(header.pid ?? 0),
    u32(0),
    rest,
  );
}

/** fuse_out_header and a body. */
export function reply(unique: number | bigint, error: number, ...body: readonly Buffer[]): Buffer {
  const rest = bytes(...body);
  return bytes(u32(16 + rest.length), u32(error), u64(unique), rest);
}

export interface Reply {
  readonly length: number;
  readonly error: number;
  readonly unique: number;
  readonly body: Buffer;
}

export function parseReply(message: Buffer): Reply {
  return {
    length: message.readUInt32LE(0),
    error: message.readInt32LE(4),
    unique: Number(message.readBigUInt64LE(8)),
    body: message.subarray(16),
  };
}

/** Takes replies instead of /dev/fuse. */
export class RecordingTransport implements FuseTransport {
  readonly sent: Buffer[] = [];
  readonly notifications: Buffer[] = [];
  /** Error codes that the next sends fail with. */
  readonly failures: string[] = [];

  send(message: readonly Uint8Array[]): void {
    const code = this.failures.shift();
    if (code !== undefined) throw Object.assign(new Error(code), { code });
    this.sent.push(Buffer.concat(message));
  }

  sendBlocking(message: Uint8Array): Promise<void> {
    this.notifications.push(Buffer.from(message));
    return Promise.resolve();
  }

  get replies(): Reply[] {
    return this.sent.map(parseReply);
  }
}

/** Puts a message into a buffer of its own and hands it to the session. */
export function feed(session: FuseSession, message: Buffer): void {
  const buffer = new RequestBuffer((message.length + 7) & ~7);
  message.copy(buffer.bytes);
  session.handle(buffer, 0, message.length);
}

export interface Call {
  readonly method: string;
  readonly args: readonly unknown[];
}

/** A file system that records calls and answers with what the test gives for the method. */
export function scriptedFileSystem(
  answers: Readonly<Record<string, (...args: never[]) => unknown>>,
): { readonly fs: FileSystem; readonly calls: Call[]; readonly releasedReads: unknown[] } {
  const calls: Call[] = [];
  const releasedReads: unknown[] = [];
  const fs = new Proxy(
    {},
    {
      get: (_, method: string) => {
        if (method === 'setInvalidator') return () => undefined;
        if (method === 'releaseRead') return (pieces: unknown) => void releasedReads.push(pieces);
        return (...args: never[]) => {
          calls.push({ method, args });
          return answers[method]?.(...args);
        };
      },
    },
  );
  return { fs: fs as FileSystem, calls, releasedReads };
}

export function makeSession(
  fs: FileSystem,
  options: { log?: Logger; onlyUid?: number } = {},
): { readonly session: FuseSession; readonly transport: RecordingTransport } {
  const transport = new RecordingTransport();
  const session = new FuseSession({ fs, transport, log: silentLogger, ...options });
  return { session, transport };
}

/** Until all that is settled now has been answered. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
