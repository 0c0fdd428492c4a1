import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { loadNativeBinding } from '../../../src/native/binding.js';
import { makeTempDir } from '../../support/temp-dir.js';

const IN_CREATE = 0x100;
const IN_MOVED_TO = 0x80;
const IN_IGNORED = 0x8000;

test('inotify: one watch per folder, events by name, an end by removal', () => {
  const binding = loadNativeBinding();
  assert.ok(!(binding instanceof Error));
  const folder = makeTempDir();
  const io = binding.openFd(binding.inotifyInit());
  try {
    const watch = binding.inotifyAdd(io.fd, folder, IN_CREATE | IN_MOVED_TO);
    assert.equal(binding.inotifyAdd(io.fd, `${folder}/.`, IN_CREATE | IN_MOVED_TO), watch);
    const buffer = Buffer.alloc(4096);
    assert.equal(io.read(buffer), -1);
    writeFileSync(path.join(folder, 'file'), '');
    mkdirSync(path.join(folder, 'sub'));
    renameSync(path.join(folder, 'file'), path.join(folder, 'sub', 'file'));
    binding.inotifyRemove(io.fd, watch);
    assert.deepEqual(decode(buffer.subarray(0, io.read(buffer))), [
      [watch, IN_CREATE, 'file'],
      [watch, 0x40000000 + IN_CREATE, 'sub'],
      [watch, IN_IGNORED, ''],
    ]);
    assert.throws(() => binding.inotifyRemove(io.fd, watch), { code: 'EINVAL' });
    assert.throws(() => binding.inotifyAdd(io.fd, `${folder}/none`, IN_CREATE), { code: 'ENOENT' });
    assert.throws(() => binding.inotifyAdd(io.fd, folder, 2 ** 32), RangeError);
  } finally {
    io.close();
  }
});

function decode(bytes: Buffer): [number, number, string][] {
  const events: [number, number, string][] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + 16 + bytes.readUInt32LE(at + 12);
    const name = bytes.toString('utf8', at + 16, end).replace(/\0+$/, '');
    events.push([bytes.readInt32LE(at), bytes.readUInt32LE(at + 4), name]);
    at = end;
  }
  return events;
}
