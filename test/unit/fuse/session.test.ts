import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { createLogger } from '../../../src/log.js';
import { FsError, type RequestContext } from '../../../src/vfs/filesystem.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { ENTRY } from './support/samples.js';
import {
  bytes,
  feed,
  makeSession,
  name,
  reply,
  request,
  scriptedFileSystem,
  settled,
  u32,
  u64,
} from './support/wire.js';

const writeIn = (size: number): Buffer =>
  bytes(u64(1), u64(0), u32(size), u32(0), u64(0), u32(0), u32(0));
const readIn = (size: number): Buffer =>
  bytes(u64(1), u64(0), u32(size), u32(0), u64(0), u32(0), u32(0));
const interrupt = (unique: number): Buffer =>
  request({ opcode: 36, unique: unique + 1 }, u64(unique));

describe('session: errors', () => {
  for (const when of ['thrown', 'rejected'] as const) {
    const fail = (error: unknown) => () => {
      if (when === 'rejected') return Promise.reject(error);
      throw error as Error;
    };

    test(`an FsError ${when} becomes its errno`, async () => {
      const { fs } = scriptedFileSystem({ unlink: fail(new FsError('ESTALE', 'gone')) });
      const { session, transport } = makeSession(fs);
      feed(session, request({ opcode: 10 }, name('a')));
      await settled();
      assert.deepEqual(transport.sent, [reply(2, -116)]);
    });

    for (const thrown of [new TypeError('oops'), 'text', undefined, null, 5]) {
      test(`${String(thrown)} ${when} becomes EIO and a log line`, async () => {
        const lines: string[] = [];
        const log = createLogger('error', (line) => lines.push(line));
        const { session, transport } = makeSession(
          scriptedFileSystem({ unlink: fail(thrown) }).fs,
          { log },
        );
        feed(session, request({ opcode: 10 }, name('a')));
        await settled();
        assert.deepEqual(transport.sent, [reply(2, -5)]);
        assert.equal(lines.length, 1);
      });
    }
  }

  test('more data than was asked for is EIO, never a longer reply', () => {
    const { fs } = scriptedFileSystem({ read: () => [Buffer.alloc(11)] });
    const { session, transport } = makeSession(fs);
    feed(session, request({ opcode: 15 }, readIn(10)));
    assert.deepEqual(transport.sent, [reply(2, -5)]);
  });

  test('a read of very many pieces stays within what writev takes', () => {
    const pieces = Array.from({ length: 3000 }, (_, index) => Buffer.of(index & 255));
    const { session, transport } = makeSession(scriptedFileSystem({ read: () => pieces }).fs);
    let vectors = 0;
    const send = transport.send.bind(transport);
    transport.send = (message) => {
      vectors = message.length;
      send(message);
    };
    feed(session, request({ opcode: 15 }, readIn(4000)));
    assert.ok(vectors <= 1024);
    assert.deepEqual(transport.sent, [reply(2, 0, Buffer.concat(pieces))]);
  });

  test('an extended attribute larger than the room is ERANGE', () => {
    const { session, transport } = makeSession(
      scriptedFileSystem({ getxattr: () => Buffer.alloc(11) }).fs,
    );
    feed(session, request({ opcode: 22 }, u32(10), u32(0), name('user.x')));
    assert.deepEqual(transport.sent, [reply(2, -34)]);
  });

  test('offsets beyond 2^53: writes EFBIG, reads end of file', () => {
    const { fs, calls } = scriptedFileSystem({});
    const { session, transport } = makeSession(fs);
    const at = u64(2n ** 60n);
    const rest = [u32(4), u32(0), u64(0), u32(0), u32(0)];
    feed(session, request({ opcode: 16, unique: 2 }, u64(1), at, ...rest, Buffer.alloc(4)));
    feed(session, request({ opcode: 15, unique: 4 }, u64(1), at, ...rest));
    assert.deepEqual(transport.sent, [reply(2, -27), reply(4, 0)]);
    assert.equal(calls.length, 0);
  });

  test('requests shorter than their struct, name or data are EINVAL', () => {
    const { fs, calls } = scriptedFileSystem({});
    const { session, transport } = makeSession(fs);
    feed(session, request({ opcode: 15, unique: 2 }, u64(1)));
    feed(session, request({ opcode: 1, unique: 4 }, Buffer.from('no nul')));
    feed(session, request({ opcode: 16, unique: 6 }, writeIn(100), Buffer.alloc(99)));
    assert.deepEqual(transport.sent, [reply(2, -22), reply(4, -22), reply(6, -22)]);
    assert.equal(calls.length, 0);
  });

  test('bytes that are no message are dropped', () => {
    const { session, transport } = makeSession(scriptedFileSystem({}).fs);
    feed(session, Buffer.alloc(8));
    const wrongLength = request({ opcode: 1 }, name('a'));
    wrongLength.writeUInt32LE(1000, 0);
    feed(session, wrongLength);
    assert.equal(transport.sent.length, 0);
  });

  test('allow_root lets the owner and root in, and others only use handles they have', () => {
    const { fs } = scriptedFileSystem({ lookup: () => ENTRY, read: () => [] });
    const { session, transport } = makeSession(fs, { onlyUid: 1000 });
    for (const uid of [1000, 0, 1001]) feed(session, request({ opcode: 1, uid }, name('a')));
    feed(session, request({ opcode: 15, uid: 1001 }, readIn(10)));
    assert.deepEqual(
      transport.replies.map(({ error }) => error),
      [0, 0, -13, 0],
    );
  });
});

describe('session: replies that the kernel does not take', () => {
  test('ENOENT: what the answer counted is given back', () => {
    const entry = { ...ENTRY, nodeId: 8 };
    const opened = { fh: 4, keepCache: false, directIo: false };
    const { fs, calls } = scriptedFileSystem({
      lookup: () => entry,
      open: () => opened,
      opendir: () => opened,
      create: () => ({ ...opened, entry }),
    });
    const { session, transport } = makeSession(fs);
    const undone = (message: Buffer): unknown[] => {
      calls.length = 0;
      transport.failures.push('ENOENT');
      feed(session, message);
      return calls.slice(1).map(({ method, args }) => [method, ...args]);
    };
    assert.deepEqual(undone(request({ opcode: 1 }, name('a'))), [['forget', 8, 1]]);
    assert.deepEqual(undone(request({ opcode: 14, nodeId: 9 }, u32(0), u32(0))), [
      ['release', 9, 4],
    ]);
    assert.deepEqual(undone(request({ opcode: 27, nodeId: 9 }, u32(0), u32(0))), [
      ['releasedir', 9, 4],
    ]);
    const createIn = bytes(u32(0), u32(0o100644), u32(0), u32(0), name('a'));
    assert.deepEqual(undone(request({ opcode: 35 }, createIn)), [
      ['release', 8, 4],
      ['forget', 8, 1],
    ]);
    assert.equal(transport.sent.length, 0);
  });

  test('any other refusal is logged and answered with EIO', () => {
    const lines: string[] = [];
    const log = createLogger('error', (line) => lines.push(line));
    const { session, transport } = makeSession(
      scriptedFileSystem({ readlink: () => 'target' }).fs,
      { log },
    );
    transport.failures.push('EINVAL');
    feed(session, request({ opcode: 5 }));
    assert.deepEqual(transport.sent, [reply(2, -5)]);
    assert.equal(lines.length, 1);
  });
});

describe('session: interrupts', () => {
  test('the signal of a request under way aborts', async () => {
    const { fs } = scriptedFileSystem({
      read: (_n: number, _f: number, _o: number, _l: number, ctx: RequestContext) =>
        new Promise((_, reject) => {
          ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error));
        }),
    });
    const { session, transport } = makeSession(fs);
    feed(session, request({ opcode: 15, unique: 10 }, readIn(10)));
    feed(session, interrupt(10));
    await settled();
    assert.deepEqual(transport.sent, [reply(10, -4)]);
  });

  test('a signal that is first looked at after the interrupt is aborted already', async () => {
    let context: RequestContext | undefined;
    const { fs } = scriptedFileSystem({
      unlink: (_parent: number, _name: string, ctx: RequestContext) => {
        context = ctx;
        return new Promise(() => undefined);
      },
    });
    const { session } = makeSession(fs);
    feed(session, request({ opcode: 10, unique: 10 }, name('a')));
    feed(session, interrupt(10));
    assert.equal(context?.signal.aborted, true);
  });

  test('an interrupt before its request, or after its answer, is answered with EAGAIN', () => {
    const { session, transport } = makeSession(scriptedFileSystem({ read: () => [] }).fs);
    feed(session, interrupt(10));
    feed(session, request({ opcode: 15, unique: 10 }, readIn(10)));
    feed(session, interrupt(10));
    assert.deepEqual(transport.sent, [reply(11, -11), reply(10, 0), reply(11, -11)]);
  });

  test('closing interrupts what is under way and answers nothing any more', async () => {
    let context: RequestContext | undefined;
    let finish: (() => void) | undefined;
    const { fs } = scriptedFileSystem({
      unlink: (_parent: number, _name: string, ctx: RequestContext) => {
        context = ctx;
        return new Promise<void>((resolve) => (finish = resolve));
      },
    });
    const { session, transport } = makeSession(fs);
    feed(session, request({ opcode: 10 }, name('a')));
    assert.equal(context!.signal.aborted, false);
    session.close();
    assert.equal(context!.signal.aborted, true);
    finish!();
    await settled();
    feed(session, request({ opcode: 10 }, name('a')));
    assert.equal(transport.sent.length, 0);
    assert.equal(session.pendingRequests, 0);
    await assert.rejects(session.initialised, { code: 'FUSE_ENDED' });
  });
});

describe('session: every request is answered exactly once', () => {
  test('random answers, failures, interrupts and a close in between', async () => {
    const random = new SeededRandom();
    console.log(`seed ${random.seed}`);
    for (let round = 0; round < 30; round += 1) await playRound(random);
  });

  async function playRound(random: SeededRandom): Promise<void> {
    const waiting: (() => void)[] = [];
    const outcome = (): unknown => {
      const kind = random.between(0, 7);
      if (kind === 0) return undefined;
      if (kind === 1) throw new FsError('ENOENT');
      if (kind === 2) throw new Error('broken');
      if (kind === 3) return Promise.resolve();
      if (kind === 4) return Promise.reject(new FsError('ETIMEDOUT'));
      return new Promise<void>((resolve, reject) => {
        waiting.push(() => {
          if (random.between(0, 2) === 0) resolve();
          else reject(new Error('late'));
          // Once settled, a promise stays so.
          resolve();
        });
      });
    };
    const { fs } = scriptedFileSystem({ unlink: outcome, fsync: outcome });
    const { session, transport } = makeSession(fs);
    const expected = new Set<number>();
    for (let unique = 2; unique < 400; unique += 2) {
      const isUnlink = random.between(0, 2) === 0;
      expected.add(unique);
      feed(
        session,
        isUnlink
          ? request({ opcode: 10, unique }, name('a'))
          : request({ opcode: 20, unique }, u64(1), u32(0), u32(0)),
      );
      if (random.between(0, 4) === 0) feed(session, interrupt(random.between(1, 200) * 2));
      if (random.between(0, 3) === 0) waiting.splice(random.between(0, waiting.length), 1)[0]?.();
      if (random.between(0, 20) === 0) await settled();
    }
    const closesEarly = random.between(0, 3) === 0;
    if (closesEarly) session.close();
    for (const settle of waiting) settle();
    await settled();
    const answered = transport.replies.map(({ unique }) => unique).filter((u) => u % 2 === 0);
    assert.equal(new Set(answered).size, answered.length, 'answered twice');
    if (!closesEarly) assert.deepEqual(new Set(answered), expected);
    assert.equal(session.pendingRequests, 0);
  }
});
