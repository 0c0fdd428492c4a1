import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { BaseContent } from '../../../src/vfs/content.js';
import { keepContent } from '../../../src/vfs/keep-content.js';
import { createStagedContent } from '../../../src/vfs/staged-content.js';
import { makeTempDir } from '../../support/temp-dir.js';

const gone: BaseContent = {
  read: () => Promise.reject(new Error('the peer is away')),
  rebase: () => undefined,
  close: () => undefined,
};

test('of a large file that was changed in parts these are kept, and listed', async () => {
  const options = { cacheDir: makeTempDir('davport-cache-') };
  const version = { size: 1_000_000, etag: '"1"', mtime: undefined };
  const staging = createStagedContent(options, { version, content: gone });
  await staging.write(10, Buffer.from('here'));
  await staging.write(500_000, Buffer.from('and there'));
  const whole = createStagedContent(options);
  await whole.write(0, Buffer.from('all of it'));
  const folder = makeTempDir('davport-kept-');
  const kept = await keepContent(
    [
      { path: '/d/large', staging },
      { path: '/whole', staging: whole },
    ],
    folder,
  );
  assert.deepEqual(kept, [
    { path: '/d/large', keptIn: `${folder}/d/large`, partsIn: `${folder}/d/large.parts` },
    { path: '/whole', keptIn: `${folder}/whole` },
  ]);
  const expected = Buffer.alloc(1_000_000);
  expected.write('here', 10);
  expected.write('and there', 500_000);
  assert.ok(readFileSync(`${folder}/d/large`).equals(expected));
  assert.equal(readFileSync(`${folder}/d/large.parts`, 'utf8'), '10 14\n500000 500009\n');
  assert.equal(readFileSync(`${folder}/whole`, 'utf8'), 'all of it');
  await staging.close();
  await whole.close();
});
