import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { randomPrefix } from '../../../src/mux/opener.js';
import { ResyncScanner } from '../../../src/mux/resync.js';
import { checkProperty } from '../../support/property.js';
import { encodeFrame } from '../../support/raw-peer.js';

const PREFIX = 0x5a01_7e93;
const id = (low: number): bigint => (BigInt(PREFIX) << 32n) | BigInt(low);
const sentUpTo = (highest: number) => (low: number) => low > 0 && low <= highest;
const ANSWER = 'HTTP/1.1 200 OK\r\n\r\n';

function scanner(pristine = true): ResyncScanner {
  return new ResyncScanner(PREFIX, sentUpTo(5), pristine);
}

/** Feeds `bytes` in chunks of `size`; returns what the scanner gives back with what had not been fed yet. */
function scanIn(bytes: Buffer, size: number, own = scanner()): Buffer | undefined {
  for (let at = 0; at < bytes.length; at += size) {
    const found = own.scan(bytes.subarray(at, at + size));
    if (found !== undefined) return Buffer.concat([found, bytes.subarray(at + size)]);
    assert.ok(own.heldBytes < 300, `holds ${own.heldBytes} bytes`);
  }
  return undefined;
}

const first = encodeFrame(id(3), ANSWER);

/** What looks like the first frame of the session but is none. */
const nearMisses: [string, Buffer][] = [
  ['a counter that was never sent', encodeFrame(id(6), ANSWER)],
  ['counter 0', encodeFrame(id(0), ANSWER)],
  ['a payload that is no answer', encodeFrame(id(3), 'the body of a file')],
  ['a payload that begins as an answer does', encodeFrame(id(3), 'HTTP/2.0 200')],
  ['an end', encodeFrame(id(3), '')],
  ['the prefix alone', encodeFrame(id(3), '').subarray(4, 8)],
  ['an id that is cut', encodeFrame(id(3), ANSWER).subarray(0, 7)],
  [
    'short frames that stop fitting',
    Buffer.concat([encodeFrame(id(3), 'HT'), encodeFrame(id(3), 'ML')]),
  ],
  [
    'a short frame and then another id',
    Buffer.concat([encodeFrame(id(3), 'H'), encodeFrame(9n, 'T')]),
  ],
  ['another session', encodeFrame((1n << 60n) | 3n, ANSWER)],
];

for (const [name, junk] of nearMisses) {
  test(`skips ${name}, cut anywhere`, () => {
    const bytes = Buffer.concat([Buffer.from('junk'), junk, first, Buffer.from('more')]);
    for (let size = 1; size <= bytes.length; size++) {
      const own = scanner();
      const found = scanIn(bytes, size, own);
      assert.deepEqual(found, Buffer.concat([first, Buffer.from('more')]), `chunks of ${size}`);
      assert.equal(own.junkBytes, 4 + junk.length);
    }
  });
}

test('an answer in frames of one byte is found, also between those of another', () => {
  const letters = Array.from(ANSWER, (letter) => encodeFrame(id(2), letter));
  const mixed = Array.from(ANSWER, (letter) =>
    Buffer.concat([encodeFrame(id(2), letter), encodeFrame(id(4), letter)]),
  );
  for (const frames of [letters, mixed]) {
    const answer = Buffer.concat(frames);
    const bytes = Buffer.concat([Buffer.alloc(1000, 0x93), answer]);
    for (const size of [1, 2, 3, 7, 11, 100, 5000]) {
      assert.deepEqual(scanIn(bytes, size), answer);
    }
  }
});

test('an end as the very first frame of a clean session counts', () => {
  const end = encodeFrame(id(1), '');
  assert.deepEqual(scanner().scan(end), end);
  assert.equal(scanner(false).scan(end), undefined);
});

test('nothing of this session: nothing is found, and next to nothing is held', () => {
  const own = scanner();
  for (let i = 0; i < 20; i++) {
    assert.equal(own.scan(randomBytes(65_536)), undefined);
    assert.ok(own.heldBytes < 300);
  }
});

test('the first frame is found behind any stale bytes of former sessions', (t) => {
  const stale = fc.array(
    fc.record({
      id: fc.bigInt({ min: 1n, max: 2n ** 62n }),
      payload: fc.uint8Array({ maxLength: 99 }),
    }),
    { maxLength: 10 },
  );
  const nearMiss = fc.constantFrom(...nearMisses.map(([, bytes]) => bytes));
  checkProperty(
    t,
    fc.property(
      stale,
      fc.array(nearMiss, { maxLength: 4 }),
      fc.nat(),
      fc.integer({ min: 1, max: 500 }),
      (list, misses, cut, size) => {
        const frames = Buffer.concat(list.map((frame) => encodeFrame(frame.id, frame.payload)));
        const junk = Buffer.concat([frames.subarray(cut % (frames.length + 1)), ...misses]);
        const found = scanIn(Buffer.concat([junk, first]), size, scanner(false));
        assert.deepEqual(found, first);
      },
    ),
  );
});

test('64 MB of junk full of near misses take a moment, not a minute', () => {
  const junk = randomBytes(64 * 1024);
  encodeFrame(id(9), ANSWER).copy(junk, 1000);
  encodeFrame(id(3), 'HTTP/1,').copy(junk, 30_000);
  const own = scanner();
  const before = performance.now();
  for (let i = 0; i < 1000; i++) assert.equal(own.scan(junk), undefined);
  const seconds = (performance.now() - before) / 1000;
  console.log(`# scanned ${Math.round(65.5 / seconds)} MB/s`);
  assert.ok(seconds < 5, `${seconds} s`);
  assert.deepEqual(own.scan(first), first);
});

test('prefixes: positive, never small, no bytes that are common in data, never the former one', () => {
  let former = 0;
  for (let i = 0; i < 1000; i++) {
    const prefix = randomPrefix(former);
    assert.notEqual(prefix, former);
    assert.ok(prefix > 0x0100_0000 && prefix < 0x8000_0000);
    assert.ok((prefix & 0xff) >= 0x80);
    former = prefix;
  }
});
