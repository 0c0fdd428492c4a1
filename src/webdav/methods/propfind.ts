import type { BodySink, HttpHead } from '../../http/types.js';
import { hasTime } from '../../slices.js';
import type { AskOptions } from '../change.js';
import { send, type DavContext } from '../context.js';
import { MultistatusReader, type MultistatusEntry } from '../multistatus.js';
import { XML_CONTENT_TYPE } from '../request-body.js';
import { requireStatus } from '../status.js';
import { XmlError, type ServerProfile } from '../types.js';

export interface PropfindRequest {
  readonly path: string;
  /** Never infinity: phodav and Apache refuse it. */
  readonly depth: '0' | '1';
  readonly body: Buffer;
  readonly profile: ServerProfile;
  readonly call: AskOptions | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** Called for each entry while the document arrives. */
  readonly onEntry: (entry: MultistatusEntry) => void;
  /** The document broke off and is asked for again: forget its entries. */
  readonly onRestart: () => void;
}

export async function propfind(context: DavContext, request: PropfindRequest): Promise<HttpHead> {
  const { path, call } = request;
  const question = call?.question;
  const sink = new MultistatusSink(request);
  try {
    const response = await send(context, {
      method: 'PROPFIND',
      path,
      collection: request.depth === '1',
      headers: {
        depth: request.depth,
        'content-type': XML_CONTENT_TYPE,
        ...request.headers,
        ...(question && { 'davport-feed': question.feed }),
      },
      body: request.body,
      sink,
      compressible: request.depth === '1',
      call,
    });
    if (question) question.covered = response.headers['davport-feed'] === question.feed;
    requireStatus('PROPFIND', path, response, [207]);
    if (!sink.isRead) await sink.whenRead();
    sink.end();
    return response;
  } finally {
    sink.stop();
  }
}

/** What is read in one go: less than a millisecond, or a few while nothing has been compiled. */
const PIECE_BYTES = 16 * 1024;

/** What may wait to be read. A peer that sends faster than that is read as it sends. */
const MOST_UNREAD_BYTES = 64 * 1024 * 1024;

/** What has come at once is not read at once: a long listing over a local socket would hold up everybody else. */
class MultistatusSink implements BodySink {
  readonly #request: PropfindRequest;
  #reader: MultistatusReader;
  #unread: Buffer[] = [];
  #unreadBytes = 0;
  #next: NodeJS.Immediate | undefined;
  #onRead: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(request: PropfindRequest) {
    this.#request = request;
    this.#reader = this.#newReader();
  }

  onHeaders(head: HttpHead): void {
    if (head.status === 207) return;
    throw new XmlError(`PROPFIND was answered with ${head.status} instead of a multistatus`);
  }

  onData(chunk: Buffer): void {
    if (this.#failure) throw this.#failure.error;
    this.#unreadBytes += chunk.length;
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      this.#unread.push(chunk.subarray(at, at + PIECE_BYTES));
    }
    if (this.#next === undefined || this.#isTooMuch) this.#read();
  }

  onRestart(): void {
    this.stop();
    this.#failure = undefined;
    this.#reader = this.#newReader();
    this.#request.onRestart();
  }

  /** Everything that came was read. */
  get isRead(): boolean {
    return this.#unread.length === 0 && !this.#failure;
  }

  /** REQUIRES: no more comes. */
  whenRead(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure) reject(this.#failure.error);
      else this.#onRead = { resolve, reject };
    });
  }

  end(): void {
    this.#reader.end();
  }

  stop(): void {
    clearImmediate(this.#next);
    this.#next = undefined;
    this.#unread = [];
    this.#unreadBytes = 0;
  }

  get #isTooMuch(): boolean {
    return this.#unreadBytes > MOST_UNREAD_BYTES;
  }

  #read(): void {
    let done = 0;
    while (done < this.#unread.length && (this.#isTooMuch || hasTime())) {
      const piece = this.#unread[done++]!;
      this.#unreadBytes -= piece.length;
      this.#reader.write(piece);
    }
    this.#unread.splice(0, done);
    if (this.#unread.length > 0) this.#next ??= setImmediate(() => this.#readLater());
    else this.#onRead?.resolve();
  }

  #readLater(): void {
    this.#next = undefined;
    try {
      this.#request.call?.signal?.throwIfAborted();
      this.#read();
    } catch (error) {
      this.stop();
      this.#failure = { error };
      this.#onRead?.reject(error as Error);
    }
  }

  #newReader(): MultistatusReader {
    return new MultistatusReader(this.#request.onEntry, {
      lenient: this.#request.profile.name === 'phodav',
    });
  }
}

/** Depth 0: the one entry, whatever its href. */
export async function propfindOne(
  context: DavContext,
  request: Pick<PropfindRequest, 'path' | 'body' | 'profile' | 'call' | 'headers'>,
): Promise<MultistatusEntry> {
  let found: MultistatusEntry | undefined;
  await propfind(context, {
    ...request,
    depth: '0',
    onEntry: (entry) => (found ??= entry),
    onRestart: () => (found = undefined),
  });
  if (found === undefined) throw new XmlError('the multistatus has no response in it');
  return found;
}
