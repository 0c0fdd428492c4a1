import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { createGzip, deflateSync, gzipSync } from 'node:zlib';
import { Decoder, isCoded, UnknownCodingError } from '../../../src/http/decoder.js';
import { HttpError } from '../../../src/http/types.js';
import { waitUntil } from '../../support/wait-until.js';

class Decoded {
  readonly decoder = new Decoder({
    onData: (chunk) => this.pieces.push(chunk),
    onEnd: () => this.outcomes.push('end'),
    onError: (error) => this.outcomes.push(error),
  });
  readonly pieces: Buffer[] = [];
  readonly outcomes: ('end' | HttpError)[] = [];

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }

  async outcome(): Promise<'end' | HttpError> {
    await waitUntil('the outcome', () => this.outcomes.length > 0);
    await turn();
    assert.equal(this.outcomes.length, 1);
    return this.outcomes[0]!;
  }

  async failsWith(code: string, message: RegExp): Promise<void> {
    const error = await this.outcome();
    assert.ok(error instanceof HttpError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
  }
}

async function decode(...chunks: Buffer[]): Promise<Decoded> {
  const decoded = new Decoded();
  for (const chunk of chunks) decoded.decoder.write(chunk);
  decoded.decoder.end();
  await decoded.outcome();
  return decoded;
}

const plain = Buffer.from('<a>some text of a listing</a>'.repeat(5));
const coded = gzipSync(plain);

describe('decoding', () => {
  test('whatever pieces it comes in', async () => {
    for (let at = 0; at <= coded.length; at += 1) {
      const { bytes, outcomes } = await decode(coded.subarray(0, at), coded.subarray(at));
      assert.deepEqual(outcomes, ['end']);
      assert.ok(bytes.equals(plain));
    }
    const bytewise = await decode(...[...coded].map((byte) => Buffer.from([byte])));
    assert.ok(bytewise.bytes.equals(plain));
  });

  test('what has been flushed comes out before the rest is there', async () => {
    const gzip = createGzip();
    const decoded = new Decoded();
    gzip.on('data', (chunk: Buffer) => decoded.decoder.write(chunk));
    gzip.write(plain);
    await new Promise<void>((done) => gzip.flush(done));
    await waitUntil('the first part', () => decoded.bytes.equals(plain));
    assert.deepEqual(decoded.outcomes, []);
    gzip.end(plain);
    await once(gzip, 'end');
    decoded.decoder.end();
    assert.equal(await decoded.outcome(), 'end');
    assert.ok(decoded.bytes.equals(Buffer.concat([plain, plain])));
  });

  test('a body of nothing is one', async () => {
    assert.deepEqual((await decode()).outcomes, ['end']);
  });

  test('cut anywhere it is an error', async () => {
    for (let at = 1; at < coded.length; at += 1) {
      const decoded = await decode(coded.subarray(0, at));
      await decoded.failsWith('HTTP_PROTOCOL', /can't be decoded: unexpected end of file/);
    }
  });

  test('what is no gzip, or a broken one, is an error', async () => {
    await (await decode(plain)).failsWith('HTTP_PROTOCOL', /incorrect header check/);
    await (await decode(deflateSync(plain))).failsWith('HTTP_PROTOCOL', /incorrect header check/);
    const wrongSum = Buffer.from(coded);
    wrongSum[coded.length - 6]! ^= 1;
    await (await decode(wrongSum)).failsWith('HTTP_PROTOCOL', /incorrect data check/);
  });

  test('nothing may follow', async () => {
    const decoded = new Decoded();
    decoded.decoder.write(Buffer.concat([coded, Buffer.alloc(9)]));
    await decoded.failsWith('HTTP_PROTOCOL', /goes on after the end/);
    const more = await decode(Buffer.concat([coded, plain]));
    await more.failsWith('HTTP_PROTOCOL', /incorrect header check/);
  });

  test('a bomb is refused long before its end', async () => {
    const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024));
    const decoded = await decode(bomb);
    await decoded.failsWith('HTTP_BODY_TOO_LARGE', /more than 200 times as large/);
    assert.ok(decoded.bytes.length < 4 * 1024 * 1024, `${decoded.bytes.length} bytes`);
  });

  test('the most regular of listings is no bomb', async () => {
    const entry = (at: number): string =>
      `<D:response><D:href>/${at}</D:href><D:propstat><D:prop><D:getcontentlength>0</D:getcontentlength>` +
      '<D:getlastmodified>Sun, 22 Nov 2026 22:00:00 GMT</D:getlastmodified><D:resourcetype/></D:prop>' +
      '<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>\n';
    const listing = Buffer.from(Array.from({ length: 20_000 }, (_, at) => entry(at)).join(''));
    const decoded = await decode(gzipSync(listing, { level: 9 }));
    assert.deepEqual(decoded.outcomes, ['end']);
    assert.ok(decoded.bytes.equals(listing));
  });

  test('what waits is bounded', async () => {
    const decoded = new Decoded();
    const piece = Buffer.alloc(1024 * 1024);
    for (let at = 0; at < 40; at += 1) decoded.decoder.write(piece);
    await decoded.failsWith('HTTP_BODY_TOO_LARGE', /wait for being decoded/);
  });

  test('nothing comes out of one that was given up', async () => {
    const decoded = new Decoded();
    decoded.decoder.write(coded);
    decoded.decoder.destroy();
    decoded.decoder.write(coded);
    decoded.decoder.end();
    await decode(coded);
    assert.deepEqual([decoded.pieces, decoded.outcomes], [[], []]);
  });

  test('names of codings', () => {
    for (const name of [undefined, '', 'identity', ' Identity '])
      assert.equal(isCoded(name), false);
    for (const name of ['gzip', 'x-gzip', 'GZip']) assert.equal(isCoded(name), true);
    for (const name of ['br', 'deflate', 'gzip, gzip', 'gzip;q=1']) {
      assert.throws(() => isCoded(name), UnknownCodingError, name);
    }
    assert.throws(() => isCoded('zstd'), /content coding zstd, which was not asked for/);
  });
});
