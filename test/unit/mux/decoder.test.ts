import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameDecoder } from '../../../src/mux/decoder.js';
import { encodeHeader, toClientId } from '../../../src/mux/frame.js';
import { checkProperty } from '../../support/property.js';
import type { RawFrame } from '../../support/raw-peer.js';
import { decodeFrames, encodeFrame } from '../../support/raw-peer.js';

/** Collects whole frames; checks that pieces are slices of what was fed in, and never more than announced. */
class Collector {
  readonly frames: RawFrame[] = [];
  refuse = (_high: number, _low: number): boolean => false;
  #id = 0n;
  #left = 0;
  #pieces: Buffer[] = [];

  onHeader(high: number, low: number, size: number): boolean {
    assert.equal(this.#left, 0);
    if (this.refuse(high, low)) return false;
    this.#id = toClientId(high, low);
    this.#left = size;
    if (size === 0) this.frames.push({ id: this.#id, payload: Buffer.alloc(0) });
    return true;
  }

  onPayload(piece: Buffer): void {
    assert.ok(piece.length > 0 && piece.length <= this.#left);
    this.#left -= piece.length;
    this.#pieces.push(piece);
    if (this.#left > 0) return;
    this.frames.push({ id: this.#id, payload: Buffer.concat(this.#pieces) });
    this.#pieces = [];
  }
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const sorted = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort(
    (a, b) => a - b,
  );
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end));
}

const frames = fc.array(
  fc.record({
    id: fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constant(-128n)),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constant(new Uint8Array(65535).fill(7)),
      fc.constant(new Uint8Array(0)),
    ),
  }),
  { maxLength: 12 },
);

test('any stream of frames, cut anywhere, decodes as the obvious decoder does', (t) => {
  checkProperty(
    t,
    fc.property(frames, fc.array(fc.nat(), { maxLength: 30 }), fc.nat(20), (list, cuts, tail) => {
      const whole = Buffer.concat(list.map(({ id, payload }) => encodeFrame(id, payload)));
      const bytes = whole.subarray(0, Math.max(0, whole.length - tail));
      const collector = new Collector();
      const decoder = new FrameDecoder(collector);
      for (const chunk of split(bytes, cuts)) {
        if (chunk.length > 0) assert.equal(decoder.decode(chunk), undefined);
      }
      const expected = decodeFrames(bytes).frames;
      assert.deepEqual(collector.frames, expected);
    }),
  );
});

test('every way to cut a stream in two, and all cuts at once', () => {
  const bytes = Buffer.concat([
    encodeFrame(-128n, 'GET'),
    encodeFrame(0x1234_5678_0000_0001n, ''),
    encodeFrame(1n, 'x'),
    encodeFrame(-1n, Buffer.alloc(300, 'y')),
  ]);
  const expected = decodeFrames(bytes).frames;
  const check = (chunks: Buffer[]): void => {
    const collector = new Collector();
    const decoder = new FrameDecoder(collector);
    for (const chunk of chunks) decoder.decode(chunk);
    assert.deepEqual(collector.frames, expected);
  };
  for (let cut = 0; cut <= bytes.length; cut++) {
    check([bytes.subarray(0, cut), bytes.subarray(cut)]);
  }
  check(Array.from(bytes, (byte) => Buffer.of(byte)));
});

test('payload is handed on as slices of the chunk, not copied', () => {
  const pieces: Buffer[] = [];
  const decoder = new FrameDecoder({
    onHeader: () => true,
    onPayload: (piece) => pieces.push(piece),
  });
  const chunk = Buffer.concat([encodeFrame(1n, 'abc'), encodeFrame(2n, 'defg')]);
  decoder.decode(chunk);
  for (const piece of pieces) assert.equal(piece.buffer, chunk.buffer);
  assert.deepEqual(pieces.map(String), ['abc', 'defg']);
});

test('a refused header comes back with all that follows, wherever it was cut; the decoder is as new', () => {
  const good = encodeFrame(5n, 'good');
  const bad = encodeFrame(6n, 'bad');
  const bytes = Buffer.concat([good, bad, good]);
  for (let cut = 1; cut < bytes.length; cut++) {
    const collector = new Collector();
    collector.refuse = (_high, low) => low === 6;
    const decoder = new FrameDecoder(collector);
    let rest = decoder.decode(bytes.subarray(0, cut));
    rest =
      rest === undefined
        ? decoder.decode(bytes.subarray(cut))
        : Buffer.concat([rest, bytes.subarray(cut)]);
    assert.deepEqual(rest, Buffer.concat([bad, good]));
    decoder.decode(good);
    assert.equal(collector.frames.at(-1)?.payload.toString(), 'good');
  }
});

test('stop() ends the chunk at hand', () => {
  const seen: number[] = [];
  const decoder: FrameDecoder = new FrameDecoder({
    onHeader: (_high, low) => {
      seen.push(low);
      decoder.stop();
      return true;
    },
    onPayload: () => assert.fail('payload after stop()'),
  });
  decoder.decode(Buffer.concat([encodeFrame(1n, 'a'), encodeFrame(2n, 'b')]));
  decoder.decode(encodeFrame(3n, 'c'));
  assert.deepEqual(seen, [1]);
});

test('headers are little endian, ids are signed', () => {
  const header = encodeHeader(0xffff_ffff, 0xffff_ff80, 0x0102);
  assert.equal(header.toString('hex'), '80ffffffffffffff0201');
  assert.equal(toClientId(0xffff_ffff, 0xffff_ff80), -128n);
  assert.equal(toClientId(0x1234_5678, 9), 0x1234_5678_0000_0009n);
});
