/** What a search looks through between two pauses is bounded in files and bytes, whatever the clock says. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { NativeBinding } from '../../../src/native/binding.js';
import {
  BATCH_BYTES,
  BATCH_FILES,
  ContentBatches,
} from '../../../src/share/search/content-batches.js';
import type { MemberCandidate, OpenFolder } from '../../../src/share/search/walk.js';
import { Slices } from '../../../src/slices.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { binding } from '../native/helpers.js';
import { startShare } from './fixture.js';
import { find, found, search } from './search-fixture.js';

function candidatesOf(dir: string): { folder: OpenFolder; candidates: MemberCandidate[] } {
  const folder = { fd: fs.openSync(dir, 'r') };
  const candidates = fs.readdirSync(dir).map((name): MemberCandidate => {
    const file = path.join(dir, name);
    const stat = fs.lstatSync(file, { bigint: true });
    return { href: `/${name}`, subject: { name, path: file, kind: 'file', stat }, folder };
  });
  return { folder, candidates };
}

/** What this process has open there. Not the number of all descriptors: Node opens and closes some of its own. */
function openBelow(...dirs: string[]): string[] {
  const leadsTo = (fd: string): string => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // That of the folder that was listed for this.
      return '';
    }
  };
  return fs
    .readdirSync('/proc/self/fd')
    .map(leadsTo)
    .filter((to) => dirs.some((dir) => to.startsWith(dir)));
}

test('one batch between two pauses: so many files, so many bytes', async () => {
  const dirs = [makeTempDir(), makeTempDir()];
  for (let at = 0; at < 1000; at++) fs.writeFileSync(path.join(dirs[0]!, `few-${at}`), `few ${at}`);
  for (let at = 0; at < 30; at++) {
    fs.writeFileSync(path.join(dirs[1]!, `much-${at}`), `much ${at} `.padEnd(60_000));
  }
  const taken = new Map<string, string>();
  let [files, bytes] = [0, 0];
  const batches = new ContentBatches(
    binding,
    ({ href }, content) => {
      assert.ok(typeof content === 'object', String(content));
      taken.set(href, content.toString('latin1').trim());
      files++;
      bytes += content.length;
      assert.ok(files <= BATCH_FILES && bytes <= BATCH_BYTES, `${files} files, ${bytes} bytes`);
      return undefined;
    },
    async () => {
      await nextTurn();
      [files, bytes] = [0, 0];
    },
  );
  for (const dir of dirs) {
    const { folder, candidates } = candidatesOf(dir);
    for (const candidate of candidates) await batches.add(candidate);
    // The next folder gets the same number; what waits still belongs to this one.
    fs.closeSync(folder.fd);
  }
  await batches.drain();
  batches.close();
  assert.deepEqual(openBelow(...dirs), []);
  assert.equal(taken.size, 1030);
  for (const [href, text] of taken) assert.equal(text, href.slice(1).replace('-', ' '));
});

test('given up in the middle, it leaves nothing open', async () => {
  const dir = makeTempDir();
  for (let at = 0; at < 1000; at++) fs.writeFileSync(path.join(dir, `file-${at}`), 'x');
  const settled: Promise<unknown>[] = [];
  const readFiles: NativeBinding['readFiles'] = (...given) => {
    const reading = binding.readFiles(...given);
    settled.push(reading);
    return reading;
  };
  const stop = new Error('enough');
  const batches = new ContentBatches({ readFiles }, () => Promise.reject(stop), nextTurn);
  const { folder, candidates } = candidatesOf(dir);
  await assert.rejects(async () => {
    for (const candidate of candidates) await batches.add(candidate);
  }, stop);
  batches.close();
  fs.closeSync(folder.fd);
  await Promise.allSettled(settled);
  await nextTurn();
  assert.deepEqual(openBelow(dir), []);
});

test('a slice ends after so many steps, however fast they were', async () => {
  const slices = new Slices(1_000_000, 10);
  for (let round = 0; round < 3; round++) {
    for (let step = 1; step < 10; step++) assert.equal(slices.pause(), undefined);
    const pause = slices.pause();
    assert.ok(pause);
    await pause;
  }
});

test('a search over many files is made of many turns of the event loop', async () => {
  const share = await startShare();
  for (let folder = 0; folder < 4; folder++) {
    fs.mkdirSync(share.at(String(folder)));
    for (let at = 0; at < 1024; at++) {
      fs.writeFileSync(share.at(String(folder), String(at)), 'nothing to see here');
    }
  }
  for (const where of ['<contains>needle</contains>', '<not><is-collection/></not>']) {
    let turns = 0;
    let counting = setImmediate(function count() {
      turns++;
      counting = setImmediate(count);
    });
    const answer = await search(share, { where }).finally(() => clearImmediate(counting));
    const hrefs = answer.text.match(/<D:href>/g) ?? [];
    assert.equal(hrefs.length, where.includes('needle') ? 0 : 4096);
    // 256 resources each at most.
    assert.ok(turns >= 16, `${turns} turns for ${where}`);
  }
});

test('the result is the same with and without the addon', async () => {
  const dir = makeTempDir();
  fs.mkdirSync(path.join(dir, 'sub'));
  const contents = {
    ascii: 'The Needle',
    binary: Buffer.from('\0\x01NEEDLE\xff', 'latin1'),
    bytes: Buffer.from('\xff needle', 'latin1'),
    empty: '',
    large: `${'x'.repeat(500_000)}needle`,
    none: 'needl',
    short: 'n',
    umlaut: 'Nädel needlE',
    utf16: Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('a needle', 'utf16le')]),
  };
  for (const [name, content] of Object.entries(contents)) {
    fs.writeFileSync(path.join(dir, 'sub', name), content);
  }
  const expected = ['ascii', 'binary', 'bytes', 'large', 'umlaut', 'utf16'];
  for (const attributes of [binding, undefined]) {
    const share = await startShare({ root: dir, attributes });
    const hrefs = await found(share, '<contains>needle</contains>');
    assert.deepEqual(
      hrefs,
      expected.map((name) => `/sub/${name}`),
    );
    assert.deepEqual(await found(share, '<contains>nÄdel</contains>'), ['/sub/umlaut']);
    const without = '<and><not><contains>e</contains></not><not><is-collection/></not></and>';
    assert.deepEqual(await found(share, without), ['/sub/empty', '/sub/short']);
    await share.close();
  }
});

test('a file that could not be looked at makes the result incomplete; one that is not for us does not', async () => {
  const share = await startShare({
    attributes: { ...binding, readFiles: failing(constants.errno.EIO) },
  });
  fs.writeFileSync(share.at('file'), 'a needle');
  assert.deepEqual(await find(share, { where: '<contains>needle</contains>' }), {
    hrefs: [],
    cut: true,
  });
  const barred = await startShare({
    attributes: { ...binding, readFiles: failing(constants.errno.EACCES) },
  });
  fs.writeFileSync(barred.at('file'), 'a needle');
  assert.deepEqual(await find(barred, { where: '<contains>needle</contains>' }), {
    hrefs: [],
    cut: false,
  });
});

test('a file that grew since it was met is read as it is now', async () => {
  const share = await startShare({
    attributes: { ...binding, readFiles: failing(constants.errno.EFBIG) },
  });
  fs.writeFileSync(share.at('file'), 'a needle');
  assert.deepEqual(await found(share, '<contains>needle</contains>'), ['/file']);
});

function failing(errno: number): NativeBinding['readFiles'] {
  return (_folder, _names, _bytes, lengths) => {
    lengths[0] = -errno;
    return Promise.resolve(1);
  };
}
