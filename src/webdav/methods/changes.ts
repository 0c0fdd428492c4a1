import type { BodySink, HttpHead } from '../../http/types.js';
import type { Change, ChangesListener, FeedQuestions } from '../change.js';
import { send, type DavContext } from '../context.js';
import { FeedRequest } from '../feed-request.js';
import { hrefSegments, decodeSegment, isUnsafeName } from '../href.js';
import { parsePosixProperty } from '../posix-property.js';
import { changesBody, XML_CONTENT_TYPE } from '../request-body.js';
import { hasToldQuestions } from '../server-profile.js';
import { requireStatus } from '../status.js';
import { XmlError, type CallOptions } from '../types.js';

/** Longer than any path, encoded, with what is told of it. */
const MAX_LINE_BYTES = 64 * 1024;

const TOLD = 'told ';

/** Our own share's feed of changes (doc/EXTENSIONS.md): lasts until the signal or the peer ends it. */
export async function changes(
  context: DavContext,
  listener: ChangesListener,
  options: CallOptions & { heartbeatMs: number },
): Promise<void> {
  const report = changesBody(options.heartbeatMs / 1000);
  const questions = hasToldQuestions(await context.profile(options))
    ? new FeedRequest(report)
    : undefined;
  const response = await send(context, {
    method: 'REPORT',
    path: '',
    headers: { 'content-type': XML_CONTENT_TYPE, ...(questions && { 'davport-told': '1' }) },
    body: questions ?? report,
    sink: new LineSink(context.http.basePath, listener, questions),
    standing: true,
    call: options,
  });
  requireStatus('REPORT', '', response, [200]);
}

class LineSink implements BodySink {
  readonly #basePath: string;
  readonly #listener: ChangesListener;
  readonly #questions: FeedQuestions | undefined;
  #rest = '';

  constructor(basePath: string, listener: ChangesListener, questions: FeedQuestions | undefined) {
    this.#basePath = basePath;
    this.#listener = listener;
    this.#questions = questions;
  }

  onHeaders({ headers }: HttpHead): void {
    const feed = headers['davport-feed'];
    if (feed === undefined) throw new XmlError('the answer to REPORT names no feed');
    this.#listener.onOpen(feed, this.#questions);
  }

  /** Lines are ASCII. */
  onData(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('latin1')).split('\n');
    this.#rest = lines.pop()!;
    if (this.#rest.length > MAX_LINE_BYTES) throw new XmlError('a line of the feed has no end');
    this.#listener.onSign();
    for (const line of lines) {
      if (line.startsWith(TOLD)) {
        this.#listener.onTold(Number(line.slice(TOLD.length)));
        continue;
      }
      const change = parseChange(line, this.#basePath);
      if (change !== undefined) this.#listener.onChange(change);
    }
  }
}

/** Undefined: a sign of life, or a word that came later than this reader. */
export function parseChange(line: string, basePath: string): Change | undefined {
  const [word, href = '', etag = ''] = line.split(' ', 3);
  if (word === 'reset') return { kind: 'reset' };
  if (word !== 'changed' && word !== 'gone' && word !== 'forget') return undefined;
  const path = toPath(href, basePath);
  // A change of who knows what.
  if (path === undefined) return { kind: 'reset' };
  if (word !== 'changed') return { kind: word, path };
  const posix = parsePosixProperty(line.slice(word.length + href.length + etag.length + 3));
  return { kind: 'changed', path, etag, posix };
}

function toPath(href: string, basePath: string): string | undefined {
  if (!href.startsWith(`${basePath}/`)) return undefined;
  const segments = hrefSegments(href.slice(basePath.length), { rawDelimiters: false });
  const names = segments?.map(decodeSegment);
  if (names === undefined || names.some(isUnsafeName)) return undefined;
  return names.map((name) => `/${name}`).join('');
}
