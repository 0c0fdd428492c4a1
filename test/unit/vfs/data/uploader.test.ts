import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { HttpError } from '../../../../src/http/types.js';
import type { StagingFile, UploadResult, UploadTarget } from '../../../../src/vfs/content.js';
import { versionOf } from '../../../../src/vfs/reader/index.js';
import { createStaging } from '../../../../src/vfs/staging.js';
import { Attempts } from '../../../../src/vfs/upload/attempts.js';
import { conflictName } from '../../../../src/vfs/upload/conflict-copy.js';
import { createUploader } from '../../../../src/vfs/uploader.js';
import { KiB, never, pattern, temporaryFolder, until } from './helpers.js';
import { PROFILES, ScriptedPeer, type Call, type Fault } from './scripted-peer.js';

const OLD = Buffer.from('the old content');
const kinds = ['phodav', 'unknown', 'apache', 'davport'] as const;
type Kind = (typeof kinds)[number];

class Upload {
  readonly peer: ScriptedPeer;
  readonly staging: StagingFile;
  readonly content: Buffer;

  constructor(t: TestContext, kind: Kind, size = 700 * KiB) {
    this.peer = new ScriptedPeer(PROFILES[kind]);
    this.staging = createStaging({ cacheDir: temporaryFolder(t) });
    this.content = pattern(1)(0, size);
  }

  async run(
    target: Omit<UploadTarget, 'path' | 'posix'> & Partial<UploadTarget>,
    signal: AbortSignal = never,
  ): Promise<UploadResult> {
    await this.staging.write(0, this.content);
    const uploader = createUploader(this.peer.options('/nowhere'));
    const snapshot = this.staging.snapshot();
    try {
      return await uploader.upload({ path: '/d/f', posix: undefined, ...target }, snapshot, signal);
    } finally {
      snapshot.release();
    }
  }

  /** Names beside the target. */
  others(): string[] {
    return [...this.peer.files.keys()].filter((path) => path !== '/d/f');
  }

  holds(path: string, content: Buffer): void {
    assert.ok(this.peer.content(path)?.equals(content), `${path} isn't what it should be`);
  }
}

function interruptNow(interrupt: AbortController): Promise<void> {
  interrupt.abort(new Error('interrupted'));
  return Promise.resolve();
}

const REQUESTS: Record<Kind, { create: string; replace: string }> = {
  davport: { create: 'PUT', replace: 'PUT' },
  apache: { create: 'PUT PROPFIND', replace: 'PUT PROPFIND' },
  phodav: { create: 'PUT PROPFIND MOVE', replace: 'COPY PUT PROPFIND PROPFIND MOVE' },
  unknown: {
    create: 'PUT PROPFIND PROPFIND MOVE PROPFIND',
    replace: 'PUT PROPFIND PROPFIND MOVE PROPFIND',
  },
};

for (const kind of kinds) {
  test(`${kind}: a new file, with the requests that it may cost`, async (t) => {
    for (const size of [0, 10, 700 * KiB]) {
      const upload = new Upload(t, kind, size);
      const { resource } = await upload.run({ expect: 'absent' });
      upload.holds('/d/f', upload.content);
      assert.deepEqual(versionOf(resource), versionOf(upload.peer.resource('/d/f')));
      assert.equal(upload.peer.methods().join(' '), REQUESTS[kind].create);
      assert.deepEqual(upload.others(), []);
    }
  });

  test(`${kind}: replaces the version that was expected`, async (t) => {
    const upload = new Upload(t, kind);
    upload.peer.put('/d/f', OLD);
    const { resource } = await upload.run({ expect: versionOf(upload.peer.resource('/d/f')) });
    upload.holds('/d/f', upload.content);
    assert.equal(resource.etag, upload.peer.resource('/d/f').etag);
    assert.equal(upload.peer.methods().join(' '), REQUESTS[kind].replace);
    assert.deepEqual(upload.others(), []);
  });

  test(`${kind}: 'any' replaces whatever is there`, async (t) => {
    const upload = new Upload(t, kind);
    await upload.run({ expect: 'any' });
    upload.peer.put('/d/f', OLD);
    await upload.run({ expect: 'any' });
    upload.holds('/d/f', upload.content);
  });

  test(`${kind}: another version keeps its place, ours becomes a conflict copy`, async (t) => {
    const upload = new Upload(t, kind);
    upload.peer.put('/d/f', OLD);
    const expect = versionOf(upload.peer.resource('/d/f'));
    const theirs = Buffer.from('what someone else wrote');
    upload.peer.put('/d/f', theirs);
    const copies: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      await assert.rejects(upload.run({ expect }), (error: Error & { errno?: string }) => {
        assert.equal(error.errno, 'ESTALE');
        const copy = /kept as (f \(conflict [-\d ]+\)( \d)?)$/.exec(error.message)?.[1];
        assert.ok(copy, error.message);
        copies.push(`/d/${copy}`);
        return true;
      });
    }
    upload.holds('/d/f', theirs);
    assert.equal(new Set(copies).size, 3);
    for (const copy of copies) upload.holds(copy, upload.content);
    assert.deepEqual(upload.others().sort(), copies.sort());
  });

  test(`${kind}: a version that is gone is a conflict`, async (t) => {
    const upload = new Upload(t, kind);
    upload.peer.put('/d/f', OLD);
    const expect = versionOf(upload.peer.resource('/d/f'));
    upload.peer.files.delete('/d/f');
    await assert.rejects(upload.run({ expect }), { errno: 'ESTALE', message: /was removed/ });
    assert.equal(upload.peer.files.has('/d/f'), false);
    assert.equal(upload.others().length, 1);
    upload.holds(upload.others()[0]!, upload.content);
  });

  test(`${kind}: a file that appeared meanwhile is EEXIST, and ours is kept`, async (t) => {
    const upload = new Upload(t, kind);
    upload.peer.put('/d/f', OLD);
    await assert.rejects(upload.run({ expect: 'absent' }), { errno: 'EEXIST' });
    upload.holds('/d/f', OLD);
    assert.equal(upload.others().length, 1);
    upload.holds(upload.others()[0]!, upload.content);
  });

  test(`${kind}: the same bytes by someone else are no conflict`, async (t) => {
    const upload = new Upload(t, kind);
    upload.peer.put('/d/f', upload.content);
    const { resource } = await upload.run({ expect: 'absent' });
    assert.equal(resource.etag, upload.peer.resource('/d/f').etag);
    assert.deepEqual(upload.others(), []);
  });

  test(`${kind}: a change at any moment is never overwritten`, async (t) => {
    const theirs = Buffer.from('someone else in between');
    for (let moment = 1; moment <= 6; moment += 1) {
      const upload = new Upload(t, kind, 10);
      upload.peer.put('/d/f', OLD);
      const expect = versionOf(upload.peer.resource('/d/f'));
      let calls = 0;
      upload.peer.fault = () => {
        if ((calls += 1) === moment) upload.peer.put('/d/f', theirs);
        return undefined;
      };
      const result = await upload.run({ expect }).then(
        () => 'stored',
        (error: unknown) => (error as { errno?: string }).errno,
      );
      const present = upload.peer.content('/d/f')!;
      const kept = upload
        .others()
        .some((path) => upload.peer.content(path)?.equals(upload.content));
      if (present.equals(theirs)) assert.ok(kept || moment > 4, `moment ${moment}`);
      // phodav and unknown servers: between the look at the target and the MOVE there is a moment left.
      else assert.ok(present.equals(upload.content) && result === 'stored', `moment ${moment}`);
      assert.ok(!upload.others().some((path) => path.endsWith('.part')));
    }
  });

  for (const method of ['PUT', 'MOVE', 'PROPFIND', 'COPY']) {
    test(`${kind}: lost answers to ${method} end well, the content stored once`, async (t) => {
      for (const replace of [false, true]) {
        const upload = new Upload(t, kind);
        if (replace) upload.peer.put('/d/f', OLD);
        const expect = replace ? versionOf(upload.peer.resource('/d/f')) : 'absent';
        let lost = 0;
        upload.peer.fault = (call) =>
          call.method === method && (lost += 1) === 1 ? { loseAnswer: true } : undefined;
        await upload.run({ expect }).catch((error: unknown) => {
          assert.equal((error as { code?: string }).code, 'HTTP_LOST');
          assert.equal(method, 'PROPFIND');
        });
        const present = upload.peer.content('/d/f');
        assert.ok(!present || present.equals(upload.content) || present.equals(OLD));
        if (method !== 'PROPFIND') upload.holds('/d/f', upload.content);
        assert.deepEqual(upload.others(), []);
      }
    });
  }

  test(`${kind}: a PUT cut anywhere leaves the target old or new`, async (t) => {
    for (const cutAfter of [0, 1, 300 * KiB, 700 * KiB]) {
      const upload = new Upload(t, kind);
      upload.peer.put('/d/f', OLD);
      const expect = versionOf(upload.peer.resource('/d/f'));
      let cuts = 0;
      upload.peer.fault = ({ method }): Fault | undefined => {
        const present = upload.peer.content('/d/f')!;
        assert.ok(present.equals(OLD) || present.equals(upload.content));
        return method === 'PUT' && (cuts += 1) === 1 ? { cutAfter } : undefined;
      };
      await upload.run({ expect });
      upload.holds('/d/f', upload.content);
      await until(() => upload.others().length === 0);
      // For good: the old content stays, and nothing is left behind.
      upload.peer.put('/d/f', OLD);
      upload.peer.fault = ({ method }) => (method === 'PUT' ? { cutAfter: 5 } : undefined);
      const again = upload.run({ expect: versionOf(upload.peer.resource('/d/f')) });
      await assert.rejects(again, { code: 'HTTP_LOST' });
      upload.holds('/d/f', OLD);
      await until(() => upload.others().length === 0);
    }
  });

  test(`${kind}: refusals pass with their status, and nothing is left behind`, async (t) => {
    for (const status of [403, 413, 507]) {
      const upload = new Upload(t, kind, 10);
      upload.peer.fault = ({ method }) => (method === 'PUT' ? { status } : undefined);
      await assert.rejects(upload.run({ expect: 'absent' }), { code: `DAV_${status}` });
      assert.deepEqual(upload.others(), []);
    }
  });

  test(`${kind}: done without an answer, more written, then tried again: no conflict`, async (t) => {
    const upload = new Upload(t, kind, 100);
    upload.peer.put('/d/f', OLD);
    const target = {
      expect: versionOf(upload.peer.resource('/d/f')),
      attempts: new Attempts(),
    };
    // Only the last request of all is heard no more.
    const [last] = REQUESTS[kind].replace.match(/(MOVE|PUT)(?!.*(MOVE|PUT))/)!;
    let silent = false;
    upload.peer.fault = ({ method }) => {
      silent ||= method === last;
      return silent ? { loseAnswer: true } : undefined;
    };
    await assert.rejects(upload.run(target), { code: 'HTTP_LOST' });
    upload.holds('/d/f', upload.content);
    upload.peer.fault = () => undefined;
    upload.content.write('since', 10);
    await upload.run(target);
    upload.holds('/d/f', upload.content);
    assert.deepEqual(
      upload.others().filter((path) => path.includes('conflict')),
      [],
    );
    // Somebody else's is one all the same.
    upload.peer.put('/d/f', OLD);
    upload.content.write('later', 20);
    await assert.rejects(upload.run(target), { errno: 'ESTALE' });
    upload.holds('/d/f', OLD);
  });

  test(`${kind}: a folder that is gone is ENOENT`, async (t) => {
    for (const status of [409, 500]) {
      const upload = new Upload(t, kind, 10);
      upload.peer.fault = ({ method }) => (method === 'PUT' ? { status } : undefined);
      await assert.rejects(upload.run({ expect: 'absent' }), { errno: 'ENOENT' });
    }
  });

  test(`${kind}: an interrupt ends the upload and cleans up`, async (t) => {
    const interrupt = new AbortController();
    const upload = new Upload(t, kind, 10);
    upload.peer.put('/d/f', OLD);
    const expect = versionOf(upload.peer.resource('/d/f'));
    upload.peer.fault = ({ method }: Call) =>
      method === 'PUT' ? { gate: () => interruptNow(interrupt) } : undefined;
    await assert.rejects(upload.run({ expect }, interrupt.signal), /interrupted/);
    upload.holds('/d/f', OLD);
    await until(() => upload.others().length === 0);
  });
}

test('phodav: a PUT that was never done is not taken for done: the copy it was to replace has its size', async (t) => {
  const upload = new Upload(t, 'phodav', 1000);
  const old = pattern(2)(0, 1000);
  upload.peer.put('/d/f', old);
  const expect = versionOf(upload.peer.resource('/d/f'));
  const { client } = upload.peer;
  const put = client.put.bind(client);
  let puts = 0;
  client.put = (path, body, options) =>
    (puts += 1) === 1
      ? Promise.reject(new HttpError('HTTP_LOST', 'before it was read'))
      : put(path, body, options);
  await upload.run({ expect });
  upload.holds('/d/f', upload.content);
});

test('phodav: mode and times are stored with the part, the old mode goes along', async (t) => {
  const upload = new Upload(t, 'phodav', 10);
  const mtime = { sec: 1_700_000_000, nsec: 5 };
  await upload.run({ expect: 'absent', posix: { mode: 0o100755, mtime } });
  const text = upload.peer.files.get('/d/f')!.properties.get('urn:davport:ns posix');
  assert.match(text!, /mode=100755 mtime=1700000000\.000000005 etag=/);
  assert.equal(upload.peer.methods().join(' '), 'PUT PROPFIND PROPPATCH MOVE');
});

test('apache: executable and mode are stored after the PUT', async (t) => {
  const upload = new Upload(t, 'apache', 10);
  const { resource } = await upload.run({ expect: 'absent', posix: { mode: 0o100755 } });
  assert.equal(resource.executable, true);
  const { properties } = upload.peer.files.get('/d/f')!;
  assert.equal(properties.get('http://apache.org/dav/props/ executable'), 'T');
  assert.equal(upload.peer.methods().join(' '), 'PUT PROPFIND PROPPATCH');
});

/** It is waited for until it has arrived, and a busy machine may be late. */
const LONG_MS = 60_000;

test('apache: what is put in place late, after its client has gone, never takes the place of what came later', async (t) => {
  for (const isNew of [true, false]) {
    const upload = new Upload(t, 'apache', 100);
    if (!isNew) upload.peer.put('/d/f', OLD);
    const target = {
      expect: isNew ? ('absent' as const) : versionOf(upload.peer.resource('/d/f')),
      attempts: new Attempts(LONG_MS),
    };
    const interrupt = new AbortController();
    const doneLate = delay(300);
    let puts = 0;
    upload.peer.fault = ({ method }) => {
      if (method !== 'PUT' || (puts += 1) > 1) return undefined;
      interrupt.abort(new Error('interrupted'));
      return { doneLate };
    };
    await assert.rejects(upload.run(target, interrupt.signal), /interrupted/);
    upload.content.write('since', 10);
    await upload.run(target);
    await doneLate;
    upload.holds('/d/f', upload.content);
    assert.deepEqual(upload.others(), []);
  }
});

test('apache: the same content is not sent again while it may be put in place yet', async (t) => {
  const upload = new Upload(t, 'apache', 100);
  let puts = 0;
  upload.peer.fault = ({ method }) =>
    method === 'PUT' && (puts += 1) === 1 ? { doneLate: delay(300) } : undefined;
  const { resource } = await upload.run({ expect: 'absent', attempts: new Attempts(LONG_MS) });
  upload.holds('/d/f', upload.content);
  assert.equal(resource.etag, upload.peer.resource('/d/f').etag);
  await delay(400);
  assert.equal(resource.etag, upload.peer.resource('/d/f').etag);
  assert.deepEqual(upload.others(), []);
});

test('apache: a tag that is weak for a second after a write is no conflict', async (t) => {
  const upload = new Upload(t, 'apache', 10);
  const file = upload.peer.put('/d/f', OLD);
  const expect = versionOf(upload.peer.resource('/d/f'));
  upload.peer.files.set('/d/f', { ...file, etag: `W/${file.etag}` });
  await upload.run({ expect });
  upload.holds('/d/f', upload.content);
  assert.deepEqual(upload.others(), []);
});

test('conflict names are unique in a second, dated in UTC and not too long', () => {
  const at = new Date('2026-11-22T12:34:56.789Z');
  assert.equal(conflictName('a.txt', at, 1), 'a.txt (conflict 2026-11-22 12-34-56)');
  assert.equal(conflictName('a.txt', at, 2), 'a.txt (conflict 2026-11-22 12-34-56) 2');
  const long = conflictName('é'.repeat(127), at, 1);
  assert.ok(Buffer.byteLength(long) <= 255);
  assert.match(long, /^é+ \(conflict /);
});
