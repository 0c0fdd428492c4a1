import { randomBytes } from 'node:crypto';
import { FrameDecoder } from './decoder.js';
import { copied } from './piece-queue.js';
import { DuplexMuxStream } from './mux-stream.js';
import { ResyncScanner } from './resync.js';
import type { SessionContext } from './session.js';
import { MuxSession } from './session.js';
import type { OpenStreamOptions } from './types.js';
import { MuxError, StreamResetError } from './types.js';

const HEAD_END = '\r\n\r\n';
/** Of the answers that there are; a longer one costs memory only. */
const MAX_COPIED_HEAD = 4096;
const DEFAULT_MAX_UNREAD_BYTES = 64 * 1024 * 1024;

const MAX_COUNTER = 0xffff_ffff;

/** Real stale bytes are some 20 MB (what QEMU and a SPICE server hold); a peer that sends this much without a frame has none. */
const MAX_JUNK_BYTES = 256 * 1024 * 1024;

/**
 * The upper half of all ids of a session: no pattern of another opener (spice-webdavd's ids have all zeros or all ones there), no
 * byte that is common in data, since this is what the scanner looks for first; and positive, for peers that print or hash it.
 */
export function randomPrefix(former: number): number {
  for (;;) {
    const bytes = randomBytes(4);
    bytes[0]! |= 0x80;
    bytes[3]! &= 0x7f;
    const prefix = bytes.readUInt32LE();
    if (!bytes.includes(0) && !bytes.includes(0xff) && prefix !== former) return prefix;
  }
}

/**
 * The side that makes ids and gets answers on them. It never stops reading: there is no flow control per id, so an answer that
 * nobody takes would hold up all others. A stream that isn't read is reset instead.
 *
 *     unsynced ──first valid frame──► synced ──header without our prefix──► unsynced
 */
export class OpenerSession extends MuxSession {
  readonly prefix: number;
  #counter = 0;
  /** The highest counter of an id that the peer may know. */
  #highestSent = 0;
  #scanner: ResyncScanner | undefined;
  #lostSync = false;

  constructor(context: SessionContext, prefix: number) {
    super(context);
    this.prefix = prefix;
    this.#scanner = this.#newScanner(true);
  }

  get exhausted(): boolean {
    return this.#counter === MAX_COUNTER;
  }

  openStream(options: OpenStreamOptions): DuplexMuxStream {
    if (this.exhausted) throw new MuxError('NOT_CONNECTED', 'this session has used up its ids');
    this.#counter += 1;
    const stream = new DuplexMuxStream(this, {
      high: this.prefix,
      low: this.#counter,
      metadata: options.priority === 'metadata',
      endSendsFrame: false,
      maxUnreadBytes: options.maxUnreadBytes ?? DEFAULT_MAX_UNREAD_BYTES,
    });
    this.adopt(stream);
    return stream;
  }

  override onUnparked(stream: DuplexMuxStream): boolean {
    if (this.exhausted) {
      // All of them have to be made anew, in another session.
      for (const other of [...this.streams]) if (other.parked && other !== stream) other.destroy();
      return false;
    }
    this.#counter += 1;
    stream.low = this.#counter;
    this.adopt(stream);
    return true;
  }

  override onSendable(stream: DuplexMuxStream): void {
    this.#highestSent = Math.max(this.#highestSent, stream.low);
    super.onSendable(stream);
  }

  #wasSent(low: number): boolean {
    const stream = this.ids.get(this.prefix, low);
    if (stream !== undefined) return stream.bytesSent > 0;
    return low > 0 && low <= this.#highestSent;
  }

  #newScanner(pristine: boolean): ResyncScanner {
    return new ResyncScanner(this.prefix, (low) => this.#wasSent(low), pristine);
  }

  protected override decode(chunk: Buffer): void {
    let bytes: Buffer | undefined = chunk;
    while (bytes !== undefined && !this.ended) {
      if (this.#scanner !== undefined) bytes = this.#scan(this.#scanner, bytes);
      if (bytes !== undefined) bytes = this.decoder.decode(bytes);
      if (bytes !== undefined) bytes = this.#loseSync(bytes);
    }
  }

  #scan(scanner: ResyncScanner, bytes: Buffer): Buffer | undefined {
    const junkBefore = scanner.junkBytes;
    const found = scanner.scan(bytes);
    this.counters.junkBytes += scanner.junkBytes - junkBefore;
    if (found !== undefined) {
      if (scanner.junkBytes > 0) {
        this.log.info('found the first frame behind stale bytes', { bytes: scanner.junkBytes });
      }
      this.#scanner = undefined;
    } else if (scanner.junkBytes > MAX_JUNK_BYTES) {
      this.sentJunk = true;
      this.end(new MuxError('NOT_A_CHANNEL', `${scanner.junkBytes} bytes without a frame`));
    }
    return found;
  }

  /** `rest` begins with a header that isn't ours: bytes are missing or foreign. Looks on from its second byte. */
  #loseSync(rest: Buffer): Buffer {
    this.counters.resyncs += 1;
    this.counters.junkBytes += 1;
    // Said once for each session: a peer may make it happen as often as it likes.
    this.log[this.#lostSync ? 'debug' : 'warn'](
      'lost the frame borders; looking for the next answer',
    );
    this.#lostSync = true;
    this.current = undefined;
    this.decoder = new FrameDecoder(this);
    this.#scanner = this.#newScanner(false);
    // An answer that has begun may lack what was lost; one that hasn't begun yet is found by its beginning.
    for (const stream of this.streams) {
      if (stream.hasReceived) {
        stream.destroy(new StreamResetError('bytes of the channel were lost or damaged'));
      }
    }
    return rest.subarray(1);
  }

  override onHeader(high: number, low: number, size: number): boolean {
    if (high !== this.prefix) return false;
    const stream = this.ids.get(high, low);
    if (stream === undefined) {
      // A finished id: the peer had this on its way when the id was closed.
      this.counters.framesIn += 1;
      this.current = undefined;
    } else {
      this.routeFrame(stream, size);
    }
    return true;
  }

  override onPayload(piece: Buffer): void {
    const { current } = this;
    if (current?.hasReceived !== false) {
      super.onPayload(piece);
      return;
    }
    const end = headLength(piece);
    if (end > 0) super.onPayload(copied(piece.subarray(0, end)));
    if (end < piece.length) super.onPayload(piece.subarray(end));
  }

  protected override onReceived(stream: DuplexMuxStream): void {
    if (stream.unreadBytes <= stream.maxUnreadBytes) return;
    stream.destroy(
      new StreamResetError(`more than ${stream.maxUnreadBytes} bytes arrived without being read`),
    );
  }

  override onRead(): void {
    // An opener has nothing to take up again.
  }
}

/** Nobody gives back the memory of a head; cut off, it doesn't keep that of the body from being used again. */
function headLength(piece: Buffer): number {
  const at = piece.indexOf(HEAD_END);
  return at < 0 || at > MAX_COPIED_HEAD ? 0 : at + HEAD_END.length;
}
