import type { BodySink } from '../../http/types.js';
import { send, type DavContext } from '../context.js';
import { decodeSegment, encodeSegment } from '../href.js';
import { contentsBody, XML_CONTENT_TYPE } from '../request-body.js';
import { requireStatus } from '../status.js';
import { XmlError, type CallOptions, type SmallContent } from '../types.js';

/** Longer than any name, encoded, with what is told of it. */
const MAX_LINE_BYTES = 8 * 1024;

/** Whole small files of a collection of our own share, by one request (doc/EXTENSIONS.md). */
export async function contents(
  context: DavContext,
  path: string,
  names: readonly string[],
  onContent: (content: SmallContent) => void,
  options?: CallOptions,
): Promise<void> {
  const sink = new ContentsSink(onContent);
  const response = await send(context, {
    method: 'REPORT',
    path,
    collection: true,
    headers: { 'content-type': XML_CONTENT_TYPE },
    body: contentsBody(names.map(encodeSegment)),
    sink,
    priority: 'bulk',
    retriable: true,
    call: options,
  });
  requireStatus('REPORT', path, response, [200]);
  sink.end();
}

interface Arriving {
  readonly name: string;
  readonly etag: string;
  readonly bytes: Buffer;
  filled: number;
}

/** A line for each name, and behind it the bytes. What is handed on is copied: a small piece would keep all that came with it. */
class ContentsSink implements BodySink {
  readonly #onContent: (content: SmallContent) => void;
  #line = '';
  #arriving: Arriving | undefined;

  constructor(onContent: (content: SmallContent) => void) {
    this.#onContent = onContent;
  }

  onRestart(): void {
    this.#line = '';
    this.#arriving = undefined;
  }

  onData(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      at = this.#arriving ? this.#takeBytes(this.#arriving, chunk, at) : this.#takeLine(chunk, at);
    }
  }

  end(): void {
    if (this.#arriving !== undefined || this.#line !== '') throw new XmlError('a cut answer');
  }

  #takeBytes(arriving: Arriving, chunk: Buffer, at: number): number {
    const taken = chunk.copy(arriving.bytes, arriving.filled, at);
    arriving.filled += taken;
    if (arriving.filled === arriving.bytes.length) this.#finish(arriving);
    return at + taken;
  }

  #finish({ name, etag, bytes }: Arriving): void {
    this.#arriving = undefined;
    this.#onContent({ name, etag, bytes });
  }

  #takeLine(chunk: Buffer, at: number): number {
    const end = chunk.indexOf(0x0a, at);
    this.#line += chunk.toString('latin1', at, end < 0 ? chunk.length : end);
    if (this.#line.length > MAX_LINE_BYTES) throw new XmlError('a line has no end');
    if (end < 0) return chunk.length;
    const [word, segment = '', etag = '', size = ''] = this.#line.split(' ');
    this.#line = '';
    if (word !== 'content') return end + 1;
    const bytes = Buffer.allocUnsafeSlow(sizeOf(size));
    const arriving = { name: decodeSegment(segment), etag, bytes, filled: 0 };
    if (bytes.length > 0) this.#arriving = arriving;
    else this.#finish(arriving);
    return end + 1;
  }
}

/** Not more than any share sends. */
const MAX_BYTES = 1024 * 1024;

function sizeOf(text: string): number {
  const size = /^\d{1,7}$/.test(text) ? Number(text) : Infinity;
  if (size > MAX_BYTES) throw new XmlError('a malformed size');
  return size;
}
