/** Connections of the load generator: plain sockets, or ids on one channel, a fresh one for each request as the mount has it. */
import { once } from 'node:events';
import net from 'node:net';
import { encodeHeader, HEADER_BYTES, MAX_PAYLOAD_BYTES } from '../../../src/mux/frame.js';
import { AnswerReader } from './answer-reader.js';

export interface Target {
  readonly port?: number;
  readonly path?: string;
  /** Frames of the multiplexer. */
  readonly framed: boolean;
}

/** One request at a time. */
export interface Lane {
  /** The head, and as much of the body as there is. Resolves with the status, unless `onAnswer` is used. */
  send(parts: readonly Buffer[], onAnswer: (status: number) => void): void;
  /** More of the body; false: wait for `drained`. */
  more(part: Buffer): boolean;
  drained(): Promise<void>;
}

const READ_BYTES = 1 << 20;

async function connect(target: Target, onData: (chunk: Buffer) => void): Promise<net.Socket> {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  const onread = {
    buffer,
    callback: (size: number) => {
      onData(buffer.subarray(0, size));
      return true;
    },
  };
  const socket = net.connect(
    target.path === undefined
      ? { port: target.port ?? 0, host: '127.0.0.1', noDelay: true, onread }
      : { path: target.path, onread },
  );
  await once(socket, 'connect');
  return socket;
}

/** `count` lanes, and the function that closes them. */
export async function openLanes(
  target: Target,
  count: number,
): Promise<{ lanes: Lane[]; close: () => void }> {
  if (target.framed) return openFramed(target, count);
  const lanes = await Promise.all(Array.from({ length: count }, () => openPlain(target)));
  return {
    lanes,
    close: () => {
      for (const { socket } of lanes) socket.destroy();
    },
  };
}

async function openPlain(target: Target): Promise<Lane & { socket: net.Socket }> {
  let answered: (status: number) => void = () => undefined;
  const reader = new AnswerReader((status) => answered(status));
  const socket = await connect(target, (chunk) => reader.feed(chunk));
  socket.on('close', () => answered(0));
  socket.on('error', () => undefined);
  return {
    socket,
    send: (parts, onAnswer) => {
      answered = onAnswer;
      if (parts.length > 1) socket.cork();
      for (const part of parts) socket.write(part);
      if (parts.length > 1) socket.uncork();
    },
    more: (part) => socket.write(part),
    drained: async () => {
      if (socket.writableNeedDrain) await once(socket, 'drain');
    },
  };
}

/** Upper half of all ids here; any that is no sign extension will do. */
const HIGH = 0x6a01;

async function openFramed(
  target: Target,
  count: number,
): Promise<{ lanes: Lane[]; close: () => void }> {
  const readers = new Map<number, AnswerReader>();
  const frames = new FrameReader((low, piece) => readers.get(low)?.feed(piece));
  const socket = await connect(target, (chunk) => {
    // What the answers in one piece lead to goes out in one.
    socket.cork();
    frames.feed(chunk);
    socket.uncork();
  });
  socket.on('error', () => undefined);
  let nextId = 1;
  const frame = (low: number, part: Buffer): boolean => {
    let more = true;
    for (let at = 0; at < part.length; at += MAX_PAYLOAD_BYTES) {
      const payload = part.subarray(at, at + MAX_PAYLOAD_BYTES);
      socket.write(encodeHeader(HIGH, low, payload.length));
      more = socket.write(payload);
    }
    return more;
  };
  const lane = (): Lane => {
    let low = 0;
    return {
      send: (parts, onAnswer) => {
        low = nextId++;
        const own = low;
        readers.set(
          own,
          new AnswerReader((status) => {
            readers.delete(own);
            socket.write(encodeHeader(HIGH, own, 0));
            onAnswer(status);
          }),
        );
        socket.cork();
        for (const part of parts) frame(low, part);
        socket.uncork();
      },
      more: (part) => {
        socket.cork();
        const more = frame(low, part);
        socket.uncork();
        return more;
      },
      drained: async () => {
        if (socket.writableNeedDrain) await once(socket, 'drain');
      },
    };
  };
  return { lanes: Array.from({ length: count }, lane), close: () => socket.destroy() };
}

class FrameReader {
  readonly #onPayload: (low: number, piece: Buffer) => void;
  #header = Buffer.alloc(HEADER_BYTES);
  #have = 0;
  #low = 0;
  #left = 0;

  constructor(onPayload: (low: number, piece: Buffer) => void) {
    this.#onPayload = onPayload;
  }

  feed(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#left > 0) {
        const end = Math.min(at + this.#left, chunk.length);
        this.#left -= end - at;
        this.#onPayload(this.#low, chunk.subarray(at, end));
        at = end;
        continue;
      }
      const taken = chunk.copy(this.#header, this.#have, at, at + HEADER_BYTES - this.#have);
      at += taken;
      this.#have += taken;
      if (this.#have < HEADER_BYTES) return;
      this.#have = 0;
      this.#low = this.#header.readUInt32LE(0);
      this.#left = this.#header.readUInt16LE(8);
    }
  }
}
