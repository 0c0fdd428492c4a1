import type { BodySink, HttpHead } from '../../http/types.js';
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
  sink.end();
  return response;
}

class MultistatusSink implements BodySink {
  readonly #request: PropfindRequest;
  #reader: MultistatusReader;

  constructor(request: PropfindRequest) {
    this.#request = request;
    this.#reader = this.#newReader();
  }

  onHeaders(head: HttpHead): void {
    if (head.status === 207) return;
    throw new XmlError(`PROPFIND was answered with ${head.status} instead of a multistatus`);
  }

  onData(chunk: Buffer): void {
    this.#reader.write(chunk);
  }

  onRestart(): void {
    this.#reader = this.#newReader();
    this.#request.onRestart();
  }

  end(): void {
    this.#reader.end();
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
