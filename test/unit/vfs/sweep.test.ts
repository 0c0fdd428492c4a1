import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { Core } from '../../../src/vfs/core.js';
import { silentLogger } from '../../../src/log.js';
import { Sweep } from '../../../src/vfs/sweep.js';
import { isOrphan, newPartName } from '../../../src/vfs/upload/part-name.js';
import { isUploadName, uploadName, uploadOwner } from '../../../src/webdav/hidden-names.js';
import type { Resource } from '../../../src/webdav/types.js';
import { fileResource } from './resources.js';

const DAY = 86_400;
const NOW = 1_700_000_000;
/** Of a process that has ended; its id may be anybody's by now. */
const endedPid = Number(execFileSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }));
const own = uploadOwner(newPartName())!;
const orphan = (): string => uploadName(randomBytes(8), { ...own, pid: endedPid, start: 1 });

class Rig {
  clock = 0;
  allowed = true;
  readonly removed: string[] = [];
  readonly sweep: Sweep;

  constructor() {
    const remove = async (path: string): Promise<void> => void this.removed.push(path);
    this.sweep = new Sweep({
      client: { remove },
      log: silentLogger,
      access: this,
      now: () => this.clock,
    } as unknown as Core);
  }

  async look(...uploads: Resource[]): Promise<string[]> {
    this.removed.length = 0;
    this.sweep.look('/d', uploads, NOW);
    await new Promise(setImmediate);
    return this.removed;
  }
}

const old = (name: string, etag = '"1"'): Resource =>
  fileResource(name, 1, { mtime: { sec: NOW - DAY - 1, nsec: 0 }, etag });

test('names of parts are hidden, whoever made them', () => {
  for (const name of [newPartName(), orphan(), uploadName(randomBytes(8))]) {
    assert.ok(isUploadName(name), name);
    assert.ok(name.length < 100, name);
  }
  assert.equal(own.pid, process.pid);
  assert.ok(!isUploadName('.davport-x.part'));
});

test('whose process has ended is an orphan, on this machine alone', () => {
  assert.ok(isOrphan(orphan()));
  assert.ok(!isOrphan(newPartName()));
  assert.ok(!isOrphan(uploadName(randomBytes(8))));
  assert.ok(!isOrphan(uploadName(randomBytes(8), { ...own, start: 1, home: '0'.repeat(16) })));
  // Another process has the id by now.
  assert.ok(isOrphan(uploadName(randomBytes(8), { ...own, start: own.start - 1 })));
});

test('an orphan is removed at once, what is alive never', async () => {
  const rig = new Rig();
  const name = orphan();
  const young = { mtime: { sec: NOW, nsec: 0 } };
  const uploads = [fileResource(name, 1, young), fileResource(newPartName(), 1, young)];
  assert.deepEqual(await rig.look(...uploads), [`/d/${name}`]);
  rig.allowed = false;
  assert.deepEqual(await rig.look(fileResource(orphan(), 1, young)), []);
});

test('a part of others is removed when it is old, and has stayed as it was', async () => {
  const rig = new Rig();
  const name = uploadName(randomBytes(8));
  assert.deepEqual(await rig.look(old(name)), []);
  rig.clock += 599_000;
  assert.deepEqual(await rig.look(old(name)), []);
  // Somebody goes on with it.
  rig.clock += 2000;
  assert.deepEqual(await rig.look(old(name, '"2"')), []);
  rig.clock += 601_000;
  assert.deepEqual(await rig.look(fileResource(name, 1, { mtime: { sec: NOW - 5, nsec: 0 } })), []);
  assert.deepEqual(await rig.look(old(name, '"2"')), [`/d/${name}`]);
});
