/** A long listing that comes at once is read in turns, and ends as it would have ended otherwise. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpRequest } from '../../../src/http/types.js';
import { silentLogger } from '../../../src/log.js';
import type { DavContext } from '../../../src/webdav/context.js';
import { propfind } from '../../../src/webdav/methods/propfind.js';
import { XmlError, type ServerProfile } from '../../../src/webdav/types.js';

const ENTRIES = 40_000;

function document(entries: number): string {
  const status = '<D:status>HTTP/1.1 200 OK</D:status>';
  const responses = Array.from(
    { length: entries },
    (_, at) =>
      `<D:response><D:href>/file-${at}</D:href><D:propstat><D:prop>` +
      `<D:getcontentlength>${at}</D:getcontentlength></D:prop>${status}</D:propstat></D:response>`,
  );
  return `<D:multistatus xmlns:D="DAV:">${responses.join('')}</D:multistatus>`;
}

/** A peer whose whole answer is there in one turn of the event loop. */
function answeringAtOnce(chunks: readonly Buffer[], onSent?: () => void): DavContext {
  const head = { status: 207, headers: {} };
  const request = ({ sink }: HttpRequest) => {
    sink!.onHeaders!(head);
    for (const chunk of chunks) sink!.onData(chunk);
    onSent?.();
    return Promise.resolve({ ...head, body: Buffer.alloc(0) });
  };
  const http = { basePath: '', absoluteUrl: (target: string) => target, request };
  const locks = { within: () => [] };
  return { http, log: silentLogger, locks } as unknown as DavContext;
}

function list(
  chunks: readonly Buffer[],
  onEntry: () => void,
  { signal, onSent }: { signal?: AbortSignal; onSent?: () => void } = {},
) {
  return propfind(answeringAtOnce(chunks, onSent), {
    path: '',
    depth: '1',
    body: Buffer.alloc(0),
    profile: { name: 'davport' } as unknown as ServerProfile,
    call: signal && { signal },
    onEntry,
    onRestart: () => undefined,
  });
}

/** Turns of the event loop until the promise is settled. */
async function turnsUntil(settled: Promise<unknown>): Promise<number> {
  let turns = 0;
  let over = false;
  const beat = (): void => {
    turns += 1;
    if (!over) setImmediate(beat);
  };
  setImmediate(beat);
  await settled.finally(() => (over = true));
  return turns;
}

test('others get their turns, and every entry is told', async () => {
  let entries = 0;
  const turns = await turnsUntil(list([Buffer.from(document(ENTRIES))], () => (entries += 1)));
  assert.equal(entries, ENTRIES);
  assert.ok(turns >= 5, `${turns} turns`);
});

test('what is wrong in a part that is read later is told', async () => {
  const whole = document(ENTRIES);
  const cut = Buffer.from(whole.slice(0, whole.length - 30));
  await assert.rejects(
    list([cut], () => undefined),
    XmlError,
  );
  const wrong = Buffer.from(whole.replace('/file-39999<', '/file-39999</D:wrong><'));
  await assert.rejects(
    list([wrong, Buffer.from(' ')], () => undefined),
    XmlError,
  );
});

test('an abort ends the reading', async () => {
  const controller = new AbortController();
  const reason = new Error('interrupted');
  let entries = 0;
  const onEntry = (): void => {
    entries += 1;
    if (entries === 100) controller.abort(reason);
  };
  const listing = list([Buffer.from(document(ENTRIES))], onEntry, { signal: controller.signal });
  await assert.rejects(listing, reason);
  assert.ok(entries < ENTRIES, `${entries} entries`);
});

test('a peer that sends faster than is read fills no more than 64 MiB', async () => {
  const MiB = 1024 * 1024;
  const [begin, end] = document(0).split('><') as [string, string];
  const response = Buffer.alloc(MiB, ' ');
  response.write(document(1).slice(begin.length + 1, -end.length - 1));
  const chunks = [Buffer.from(`${begin}>`), ...Array.from({ length: 80 }, () => response)];
  let entries = 0;
  let atOnce = 0;
  const onSent = (): void => void (atOnce = entries);
  await list([...chunks, Buffer.from(`<${end}`)], () => (entries += 1), { onSent });
  assert.equal(entries, 80);
  assert.ok(atOnce >= 16, `${atOnce} of 80 MiB were read`);
});
