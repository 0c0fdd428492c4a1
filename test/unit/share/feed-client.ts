/** A client of a change feed. */
import assert from 'node:assert/strict';
import http from 'node:http';
import { waitUntil } from '../../support/wait-until.js';
import { POSIX_BODY, type Answer, type TestShare } from './fixture.js';

export const REPORT = (heartbeat = 60): string =>
  `<P:changes xmlns:P="urn:davport:ns"><P:heartbeat>${heartbeat}</P:heartbeat></P:changes>`;

export interface Feed {
  readonly id: string;
  readonly response: http.IncomingMessage;
  /** Of everything but signs of life. */
  readonly lines: string[];
  readonly heartbeats: number;
  readonly ended: boolean;
  /** Only of a feed that was opened with `questions`. */
  ask(question: number): void;
  close(): void;
}

export async function openFeed(
  { socketPath }: TestShare,
  heartbeat?: number,
  questions = false,
): Promise<Feed> {
  const headers = questions ? { 'Davport-Told': '1' } : {};
  const request = http.request({ socketPath, method: 'REPORT', path: '/', agent: false, headers });
  request.on('error', () => undefined);
  if (questions) request.write(`${REPORT(heartbeat)}\n`);
  else request.end(REPORT(heartbeat));
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', reject);
  });
  assert.equal(response.statusCode, 200);
  const state = { lines: [] as string[], heartbeats: 0, ended: false };
  let rest = '';
  response.setEncoding('utf8');
  response.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === 'alive') state.heartbeats += 1;
      else state.lines.push(line);
    }
  });
  response.on('error', () => undefined);
  response.on('close', () => (state.ended = true));
  await waitUntil('the first sign of life', () => state.heartbeats > 0);
  return {
    id: response.headers['davport-feed'] as string,
    response,
    lines: state.lines,
    get heartbeats() {
      return state.heartbeats;
    },
    get ended() {
      return state.ended;
    },
    ask: (question) => request.write(`told? ${question}\n`),
    close: () => request.destroy(),
  };
}

/** PROPFIND that is to be covered by the feed. */
export async function ask(
  share: TestShare,
  feed: Feed,
  target: string,
  depth: '0' | '1',
): Promise<Answer> {
  const answer = await share.request('PROPFIND', target, {
    headers: { Depth: depth, 'Davport-Feed': feed.id },
    body: POSIX_BODY,
  });
  assert.equal(answer.headers['davport-feed'], feed.id, `${target}: not covered`);
  return answer;
}

export function told(feed: Feed, start: string): Promise<boolean> {
  return waitUntil(`a line that begins with ${start}`, () =>
    feed.lines.some((line) => line.startsWith(start)),
  );
}
