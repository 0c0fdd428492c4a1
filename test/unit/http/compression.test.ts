/** Which requests ask for a compressed answer, and what becomes of the answers. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { systemClock } from '../../../src/http/clock.js';
import type { MuxHttpOptions } from '../../../src/http/mux-client.js';
import type { BodySink, HttpClient, HttpRequest } from '../../../src/http/types.js';
import { createLogger } from '../../../src/log.js';
import { withCode, withServer, type Rig } from './mux-rig.js';

const plain = Buffer.from('<a>some text of a listing</a>'.repeat(500));
const coded = gzipSync(plain);
const LIST: HttpRequest = { method: 'PROPFIND', target: '/', compressible: true };

type Answer = (response: ServerResponse, coding: string | undefined, index: number) => void;

const send = (response: ServerResponse, body: Buffer, coding?: string): void => {
  response.writeHead(207, coding === undefined ? {} : { 'content-encoding': coding });
  response.end(body);
};

/** As asked for. */
const honest: Answer = (response, coding) =>
  coding === undefined ? send(response, plain) : send(response, coded, 'gzip');

interface Asked extends Rig {
  /** Accept-Encoding of the requests so far. */
  readonly asked: (string | undefined)[];
  readonly lines: string[];
}

async function withAnswers(
  answer: Answer,
  body: (rig: Asked) => Promise<void>,
  options: MuxHttpOptions = {},
): Promise<void> {
  const asked: (string | undefined)[] = [];
  const lines: string[] = [];
  await withServer(
    (request, response) => {
      const field = request.headers['accept-encoding'];
      const coding = Array.isArray(field) ? field.join() : field;
      asked.push(coding);
      answer(response, coding, asked.length);
    },
    (rig) => body({ ...rig, asked, lines }),
    { compress: 'always', log: createLogger('warn', (line) => lines.push(line)), ...options },
  );
}

async function lists(client: HttpClient, request = LIST): Promise<void> {
  assert.ok((await client.request(request)).body.equals(plain));
}

/** Collects, and starts anew when it has to. */
class Sink implements BodySink {
  pieces: Buffer[] = [];
  restarts = 0;
  onData(chunk: Buffer): void {
    this.pieces.push(chunk);
  }
  onRestart(): void {
    this.pieces = [];
    this.restarts += 1;
  }
}

describe('compressed answers', () => {
  test('are asked for where it is text that is listed, and nowhere else', async () => {
    await withAnswers(honest, async ({ client, asked }) => {
      await lists(client);
      await lists(client, { method: 'PROPFIND', target: '/' });
      await lists(client, { method: 'GET', target: '/', headers: { range: 'bytes=0-' } });
      assert.deepEqual(asked, ['gzip', undefined, undefined]);
    });
  });

  test('reach a sink decoded', async () => {
    await withAnswers(honest, async ({ client }) => {
      const sink = new Sink();
      await client.request({ ...LIST, sink });
      assert.ok(Buffer.concat(sink.pieces).equals(plain));
    });
  });

  test('are never asked for with compress=never', async () => {
    await withAnswers(
      honest,
      async ({ client, asked }) => {
        await lists(client);
        assert.deepEqual(asked, [undefined]);
      },
      { compress: 'never' },
    );
  });

  test('are decoded though nobody asked, and so are errors', async () => {
    const unasked: Answer = (response, _coding, index) => {
      response.writeHead(index === 1 ? 207 : 403, { 'content-encoding': 'x-gzip' });
      response.end(coded);
    };
    await withAnswers(
      unasked,
      async ({ client }) => {
        await lists(client);
        const refused = await client.request({ ...LIST, sink: new Sink() });
        assert.equal(refused.status, 403);
        assert.ok(refused.body.equals(plain));
      },
      { compress: 'never' },
    );
  });

  test('a server that sends them as they are is listened to', async () => {
    const plainly: Answer = (response) => send(response, plain);
    const byName: Answer = (response) => send(response, plain, 'identity');
    for (const answer of [plainly, byName]) {
      await withAnswers(answer, async ({ client, asked, lines }) => {
        await lists(client);
        await lists(client);
        assert.deepEqual(asked, ['gzip', 'gzip']);
        assert.deepEqual(lines, []);
      });
    }
  });

  const cutShort = coded.subarray(0, coded.length - 9);
  for (const [what, broken] of [
    ['cut', cutShort],
    ['broken', Buffer.concat([cutShort, Buffer.alloc(9)])],
  ] as const) {
    test(`that are ${what} are asked for again, plain, and once in all`, async () => {
      const answer: Answer = (response, coding) =>
        coding === undefined ? send(response, plain) : send(response, broken, 'gzip');
      await withAnswers(answer, async ({ client, asked, lines }) => {
        const sink = new Sink();
        await client.request({ ...LIST, sink });
        assert.ok(Buffer.concat(sink.pieces).equals(plain));
        assert.equal(sink.restarts, 1);
        await lists(client);
        assert.deepEqual(asked, ['gzip', undefined, undefined]);
        assert.equal(lines.length, 1);
        assert.match(lines[0]!, /none are asked for any more request="PROPFIND \/" reason=/);
      });
    });
  }

  test('that are broken are an error of requests that are sent once', async () => {
    const answer: Answer = (response) => send(response, cutShort, 'gzip');
    await withAnswers(answer, async ({ client, asked }) => {
      const once = { ...LIST, retriable: false };
      await assert.rejects(client.request(once), withCode('HTTP_PROTOCOL'));
      assert.equal(asked.length, 1);
    });
  });

  test('that break off are asked for again as others are', async () => {
    const answer: Answer = (response, coding, index) => {
      if (index > 1) {
        honest(response, coding, index);
        return;
      }
      response.writeHead(207, { 'content-encoding': 'gzip', 'content-length': coded.length });
      response.write(coded.subarray(0, 50));
      response.destroy();
    };
    await withAnswers(answer, async ({ client, asked }) => {
      await lists(client);
      assert.deepEqual(asked, ['gzip', 'gzip']);
    });
  });

  test('in a coding that nobody asked for are refused', async () => {
    const answer: Answer = (response, coding) =>
      coding === undefined ? send(response, plain) : send(response, plain, 'br');
    await withAnswers(answer, async ({ client, asked, lines }) => {
      await assert.rejects(client.request(LIST), {
        code: 'HTTP_PROTOCOL',
        message: 'the response has the content coding br, which was not asked for',
      });
      await lists(client);
      assert.deepEqual(asked, ['gzip', undefined]);
      assert.equal(lines.length, 1);
    });
  });

  test('that would fill the memory are refused', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    await withAnswers(
      (response) => send(response, bomb, 'gzip'),
      async ({ client, asked, lines }) => {
        const request = { ...LIST, sink: new Sink() };
        await assert.rejects(client.request(request), withCode('HTTP_BODY_TOO_LARGE'));
        assert.equal(asked.length, 1);
        assert.match(lines[0]!, /200 times as large/);
      },
    );
  });

  test('a sink that throws ends the request with its error', async () => {
    const error = new Error('enough');
    const onData = (): void => {
      throw error;
    };
    await withAnswers(honest, async ({ client, lines }) => {
      await assert.rejects(client.request({ ...LIST, sink: { onData } }), error);
      assert.deepEqual(lines, []);
      await lists(client);
    });
  });

  test('can be given up at any time', async () => {
    await withAnswers(honest, async ({ client }) => {
      const abort = new AbortController();
      const reason = new Error('given up');
      const onData = (): void => abort.abort(reason);
      const request = { ...LIST, sink: { onData }, signal: abort.signal };
      await assert.rejects(client.request(request), reason);
      await lists(client);
    });
  });

  test('are tried again with the next peer', async () => {
    const answer: Answer = (response, coding, index) =>
      index === 1 ? send(response, plain, 'br') : honest(response, coding, index);
    await withAnswers(answer, async ({ client, opener, asked }) => {
      await assert.rejects(client.request(LIST), withCode('HTTP_PROTOCOL'));
      await lists(client);
      opener.restartSession(new Error('another peer'));
      await lists(client);
      assert.deepEqual(asked, ['gzip', undefined, 'gzip']);
    });
  });
});

describe('compress=auto', () => {
  const SIZE = 8 * 1024 * 1024;
  /** Every look at the clock is `ms` later than the one before. */
  const clockOf = (step: { ms: number }) => {
    let now = 0;
    return { ...systemClock, now: () => (now += step.ms) };
  };
  const bodies: Answer = (response, coding) => {
    if (coding !== undefined) send(response, coded, 'gzip');
    else send(response, Buffer.alloc(SIZE, 'x'));
  };
  const get = (client: HttpClient): Promise<unknown> =>
    client.request({ method: 'GET', target: '/f', sink: new Sink() });
  const list = (client: HttpClient): Promise<unknown> =>
    client.request({ ...LIST, sink: new Sink() });

  test('goes by the speed of the link, and by what files tell before what listings do', async () => {
    const step = { ms: 100 };
    const options = { compress: 'auto', clock: clockOf(step), timeoutMs: 1e9 } as const;
    await withAnswers(
      bodies,
      async ({ client, asked }) => {
        // Nothing is known; then at most 64 KiB in 100 ms.
        await list(client);
        await list(client);
        step.ms = 0;
        await get(client);
        await list(client);
        step.ms = 100;
        await get(client);
        await get(client);
        await list(client);
        const none = undefined;
        assert.deepEqual(asked, [none, 'gzip', none, none, none, none, 'gzip']);
      },
      options,
    );
  });

  test('what lasts tells nothing of the link', async () => {
    const options = { compress: 'auto', clock: clockOf({ ms: 100 }), timeoutMs: 1e9 } as const;
    await withAnswers(
      bodies,
      async ({ client, asked }) => {
        await client.request({ ...LIST, sink: new Sink(), standing: true });
        await list(client);
        assert.deepEqual(asked, [undefined, undefined]);
      },
      options,
    );
  });
});
