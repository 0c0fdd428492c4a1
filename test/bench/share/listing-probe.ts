/** Times one PROPFIND of Depth 1 on a bare socket: what arrives is counted and not parsed, so that the client costs next to nothing. */
import net from 'node:net';

export interface ListingTimes {
  readonly firstByteMs: number;
  readonly wholeMs: number;
  readonly bytes: number;
}

/** What davport's mount asks for, but for its own property. */
export const COMMON_PROPERTIES =
  '<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/>' +
  '<getlastmodified/><creationdate/><getetag/></prop></propfind>';

const LIMIT_MS = 60_000;
const END = Buffer.from('multistatus>');

/** `body` empty: all properties. Rejects when the answer is not a whole multistatus. */
export function probeListing(
  to: net.NetConnectOpts,
  target: string,
  body: string,
): Promise<ListingTimes> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(to);
    let tail = Buffer.alloc(0);
    let [began, firstByteMs, bytes] = [0, 0, 0];
    socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error('no answer')));
    socket.on('error', reject);
    socket.once('connect', () => {
      began = performance.now();
      socket.write(
        `PROPFIND ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nDepth: 1\r\nConnection: close\r\n` +
          `Content-Type: application/xml\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    });
    socket.on('data', (chunk: Buffer) => {
      if (bytes === 0) firstByteMs = performance.now() - began;
      bytes += chunk.length;
      tail = Buffer.concat([tail, chunk]).subarray(-64);
    });
    socket.on('end', () => {
      if (!tail.includes(END)) reject(new Error(`cut short after ${bytes} bytes`));
      else resolve({ firstByteMs, wholeMs: performance.now() - began, bytes });
    });
  });
}
