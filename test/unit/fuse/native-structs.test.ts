import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { statvfsWords, statWords, timeFromMilliseconds } from '../../../src/fuse/native-structs.js';
import type { StatfsAnswer } from '../../../src/vfs/filesystem.js';
import { ATTRIBUTES } from './support/samples.js';

const two = (words: Uint32Array, at: number): number => words[at + 1]! * 2 ** 32 + words[at]!;

describe('structs of fuse-native', () => {
  test('struct stat', () => {
    const words = statWords(ATTRIBUTES);
    assert.equal(words.length, 18);
    assert.deepEqual([...words.subarray(0, 3)], [0o100640, 1000, 100]);
    assert.equal(two(words, 3), ATTRIBUTES.size);
    assert.equal(words[6], 3);
    assert.equal(words[9], 65536);
    assert.equal(two(words, 10), 77);
    assert.equal(two(words, 12), 1_700_000_000_000);
    assert.equal(two(words, 14), 0, 'a time before 1970 becomes 1970');
    assert.equal(two(words, 16), 5_000_000_000_000);
  });

  test('struct statvfs counts in larger blocks where 32 bits do not do', () => {
    const answer: StatfsAnswer = {
      blockSize: 4096,
      blocks: 2 ** 40,
      blocksFree: 2 ** 39,
      blocksAvailable: 2 ** 38,
      files: 2 ** 40,
      filesFree: 7,
      nameMax: 255,
    };
    const words = statvfsWords(answer);
    assert.equal(words[0]! * words[2]!, 4096 * 2 ** 40);
    assert.equal(words[1]! * words[3]!, 4096 * 2 ** 39);
    assert.equal(words[1]! * words[4]!, 4096 * 2 ** 38);
    assert.equal(words[5], 2 ** 32 - 1);
    const small = statvfsWords({ ...answer, blocks: 100, blocksFree: 50, blocksAvailable: 25 });
    assert.deepEqual([...small.subarray(0, 5)], [4096, 4096, 100, 50, 25]);
  });

  test('times have a sign', () => {
    assert.deepEqual(timeFromMilliseconds(1_500, 0), { sec: 1, nsec: 500_000_000 });
    assert.deepEqual(timeFromMilliseconds(2 ** 32 - 1, 2 ** 32 - 1), {
      sec: -1,
      nsec: 999_000_000,
    });
  });
});
