import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { UploadResult } from '../../../../src/vfs/content.js';
import type { FsError } from '../../../../src/vfs/filesystem.js';
import { versionOf } from '../../../../src/vfs/reader/index.js';
import { createUploader } from '../../../../src/vfs/uploader.js';
import { XATTR_NS } from '../../../../src/webdav/types.js';
import { KiB, pattern } from './helpers.js';
import { PROFILES, ScriptedPeer, type Call, type Fault } from './scripted-peer.js';

const CONTENT = pattern(1)(0, 700 * KiB);
const kinds = ['phodav', 'unknown', 'apache', 'davport'] as const;

class Copy {
  readonly peer: ScriptedPeer;

  constructor(kind: (typeof kinds)[number]) {
    this.peer = new ScriptedPeer(PROFILES[kind]);
    this.peer.put('/d/source', CONTENT);
  }

  run(expect: 'absent' | 'there' = 'absent'): Promise<UploadResult> {
    const version = versionOf(this.peer.resource('/d/source'));
    const target = expect === 'absent' ? expect : versionOf(this.peer.resource('/d/f'));
    return createUploader(this.peer.options('/nowhere')).copy(
      { path: '/d/f', expect: target, posix: { mode: 0o100644 } },
      { path: '/d/source', version },
    );
  }

  /** The `count`th COPY goes wrong. */
  fault(fault: Fault, count = 1): void {
    let copies = 0;
    this.peer.fault = ({ method }: Call) => (method === 'COPY' && ++copies === count ? fault : {});
  }

  get names(): string[] {
    return [...this.peer.files.keys()].sort();
  }
}

const errno =
  (name: string) =>
  (error: FsError): boolean =>
    error.errno === name;

for (const kind of kinds) {
  test(`${kind}: a copy is made without a byte`, async () => {
    const copy = new Copy(kind);
    const { resource } = await copy.run();
    assert.equal(resource.size, CONTENT.length);
    assert.ok(copy.peer.content('/d/f')!.equals(CONTENT));
    assert.ok(!copy.peer.methods().some((method) => method === 'PUT' || method === 'GET'));
    assert.deepEqual(copy.names, ['/d/f', '/d/source']);
  });

  test(`${kind}: a copy onto the version that was expected`, async () => {
    const copy = new Copy(kind);
    copy.peer.put('/d/f', Buffer.from('old'));
    await copy.run('there');
    assert.ok(copy.peer.content('/d/f')!.equals(CONTENT));
  });

  test(`${kind}: what appeared meanwhile is not copied over`, async () => {
    const copy = new Copy(kind);
    copy.peer.put('/d/f', CONTENT);
    await assert.rejects(copy.run(), errno('EEXIST'));
    assert.deepEqual(copy.names, ['/d/f', '/d/source']);
  });

  test(`${kind}: a source that changes, and a server that refuses, are left to reads and writes`, async () => {
    for (const fault of [
      { status: 403 },
      { status: 501 },
      {
        gate: () => Promise.resolve(),
        status: 412,
      },
    ]) {
      const copy = new Copy(kind);
      copy.fault(fault);
      const running = copy.run();
      if (fault.status === 412) copy.peer.put('/d/source', Buffer.from('another'));
      await assert.rejects(running, errno('EOPNOTSUPP'));
      assert.deepEqual(copy.names, ['/d/source']);
    }
  });

  test(`${kind}: a full disk is told`, async () => {
    const copy = new Copy(kind);
    copy.fault({ status: 507 });
    await assert.rejects(copy.run(), { status: 507 });
  });
}

for (const kind of ['phodav', 'apache'] as const) {
  test(`${kind}: a COPY whose answer is lost is made again`, async () => {
    const copy = new Copy(kind);
    copy.fault({ loseAnswer: true });
    await copy.run();
    assert.ok(copy.peer.content('/d/f')!.equals(CONTENT));
    assert.deepEqual(copy.names, ['/d/f', '/d/source']);
  });

  test(`${kind}: extended attributes of the source stay there`, async () => {
    const copy = new Copy(kind);
    copy.peer.files.get('/d/source')!.properties.set(`${XATTR_NS} x-user`, 'dGV4dA==');
    await copy.run();
    const keys = (path: string): string[] => [...copy.peer.files.get(path)!.properties.keys()];
    assert.ok(keys('/d/source').some((key) => key.startsWith(XATTR_NS)));
    assert.ok(!keys('/d/f').some((key) => key.startsWith(XATTR_NS)));
  });
}
