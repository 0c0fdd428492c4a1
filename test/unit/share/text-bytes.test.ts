import assert from 'node:assert/strict';
import test from 'node:test';
import { TextBytes } from '../../../src/share/text-bytes.js';

const PIECE = 64 * 1024;

function encode(texts: readonly string[]): Buffer[] {
  const bytes = new TextBytes();
  const pieces: Buffer[] = [];
  for (const text of texts) if (bytes.add(text)) pieces.push(bytes.take());
  pieces.push(bytes.take());
  assert.ok(bytes.isEmpty);
  return pieces;
}

test('pieces together are the text in UTF-8, whatever it is made of', () => {
  const parts = ['', 'a', 'ü', '€', '😀', '\ud800', 'x'.repeat(700), '€'.repeat(900)];
  const texts = Array.from({ length: 4000 }, (_, at) => parts[(at * at) % parts.length]!);
  const pieces = encode(texts);
  assert.ok(Buffer.concat(pieces).equals(Buffer.concat(texts.map((text) => Buffer.from(text)))));
  for (const piece of pieces.slice(0, -1)) {
    assert.ok(piece.length >= PIECE && piece.length < 2 * PIECE, `${piece.length} bytes`);
  }
});

test('a text that is longer than a piece is taken as a whole', () => {
  const long = '€'.repeat(PIECE);
  const pieces = encode(['before', long, 'after']);
  assert.equal(Buffer.concat(pieces).toString(), `before${long}after`);
});

test('a piece that was taken does not change any more', () => {
  const bytes = new TextBytes();
  bytes.add('a'.repeat(5000));
  const first = bytes.take();
  bytes.add('b'.repeat(5000));
  assert.equal(first.toString(), 'a'.repeat(5000));
  assert.equal(bytes.take().toString(), 'b'.repeat(5000));
});
