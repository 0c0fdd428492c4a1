import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContentChanges } from '../../../../src/vfs/content.js';
import { sendsParts } from '../../../../src/vfs/upload/strategy.js';
import { KiB, MiB } from './helpers.js';
import { PROFILES, SHARE } from './scripted-peer.js';

function changes(baseSize: number, ...extents: [number, number][]): ContentChanges {
  return {
    base: { size: baseSize, etag: '"strong"', mtime: undefined },
    extents: extents.map(([start, end]) => ({ start, end })),
    isWhole: false,
    complete: () => Promise.reject(new Error('not asked for')),
  };
}

test('apache: what is written anew goes whole, a patch of a large file alone', () => {
  const sends = (size: number, of: ContentChanges): boolean =>
    sendsParts(PROFILES.apache, size, of);
  assert.equal(sends(40 * MiB, changes(40 * MiB, [MiB, MiB + 4096])), true);
  assert.equal(sends(40 * MiB + 9, changes(40 * MiB, [40 * MiB, 40 * MiB + 9])), true);
  // Both would leave a mix if davport was killed: these are no patches.
  assert.equal(sends(1_024_128, changes(768_064, [0, 1_024_128])), false);
  assert.equal(sends(300 * KiB, changes(300 * KiB, [0, 160 * KiB])), false);
  assert.equal(sends(40 * MiB, changes(40 * MiB, [0, 300 * KiB])), false);
  assert.equal(sends(30 * MiB, changes(40 * MiB, [0, 10])), false);
  assert.equal(sends(100, changes(100, [0, 10])), false);
});

test('davport: up to half of what stays goes alone, by one request', () => {
  const sends = (size: number, of: ContentChanges): boolean => sendsParts(SHARE, size, of);
  assert.equal(sends(40 * MiB, changes(40 * MiB, [0, 20 * MiB])), true);
  assert.equal(sends(40 * MiB, changes(40 * MiB, [0, 21 * MiB])), false);
});

test('phodav: everything goes whole', () => {
  assert.equal(sendsParts(PROFILES.phodav, 40 * MiB, changes(40 * MiB, [0, 10])), false);
});
