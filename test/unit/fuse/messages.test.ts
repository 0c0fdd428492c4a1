/** Every message, byte for byte: request → call of the file system → reply. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { RequestContext } from '../../../src/vfs/filesystem.js';
import { HANDLE_EXCHANGES } from './support/handle-exchanges.js';
import { NODE_EXCHANGES } from './support/node-exchanges.js';
import { ENTRY } from './support/samples.js';
import {
  feed,
  makeSession,
  name,
  reply,
  request,
  scriptedFileSystem,
  u32,
  u64,
} from './support/wire.js';

describe('messages', () => {
  for (const exchange of [...NODE_EXCHANGES, ...HANDLE_EXCHANGES]) {
    test(exchange.what, () => {
      const { fs, calls } = scriptedFileSystem({ [exchange.method]: () => exchange.answer });
      const { session, transport } = makeSession(fs);
      const unique = 0x1_0000_0006;
      feed(session, request({ ...exchange.header, unique }, ...(exchange.body ?? [])));
      assert.equal(calls.length, 1);
      const call = calls[0]!;
      assert.equal(call.method, exchange.method);
      assert.deepEqual(call.args.slice(0, exchange.args.length), exchange.args);
      assert.deepEqual(transport.sent, [reply(unique, 0, ...(exchange.out ?? []))]);
    });
  }

  test('who asks is told to the file system', () => {
    const { fs, calls } = scriptedFileSystem({ lookup: () => ENTRY });
    const { session } = makeSession(fs);
    feed(session, request({ opcode: 1, uid: 7, gid: 8, pid: 9 }, name('a')));
    const ctx = calls[0]!.args[2] as RequestContext;
    assert.deepEqual([ctx.uid, ctx.gid, ctx.pid, ctx.signal.aborted], [7, 8, 9, false]);
  });

  test('the bytes of a read are given back once they have been sent, or nobody wants them', () => {
    const pieces = [Buffer.from('ab')];
    const { fs, releasedReads } = scriptedFileSystem({ read: () => pieces });
    const { session, transport } = makeSession(fs);
    const send = transport.send.bind(transport);
    transport.send = (message) => {
      assert.equal(releasedReads.length, transport.sent.length);
      send(message);
    };
    const body = [u64(1), u64(0), u32(2), u32(0), u64(0), u32(0), u32(0)];
    feed(session, request({ opcode: 15, unique: 2 }, ...body));
    assert.deepEqual(releasedReads, [pieces]);
    transport.send = () => {
      throw Object.assign(new Error('killed'), { code: 'ENOENT' });
    };
    feed(session, request({ opcode: 15, unique: 4 }, ...body));
    assert.deepEqual(releasedReads, [pieces, pieces]);
  });

  test('a negative entry has node id 0', () => {
    const negative = { ...ENTRY, nodeId: 0 };
    const { session, transport } = makeSession(scriptedFileSystem({ lookup: () => negative }).fs);
    feed(session, request({ opcode: 1 }, name('a')));
    const body = transport.replies[0]!.body;
    assert.equal(body.readBigUInt64LE(0), 0n);
    assert.equal(body.readBigUInt64LE(16), 1n);
  });

  test('FORGET and BATCH_FORGET are passed on and not answered', () => {
    const { fs, calls } = scriptedFileSystem({});
    const { session, transport } = makeSession(fs);
    feed(session, request({ opcode: 2, nodeId: 5 }, u64(3)));
    feed(
      session,
      request({ opcode: 42 }, u32(2), u32(0), u64(6), u64(1), u64(0x1_0000_0001), u64(9)),
    );
    assert.deepEqual(
      calls.map(({ args }) => args),
      [
        [5, 3],
        [6, 1],
        [0x1_0000_0001, 9],
      ],
    );
    assert.equal(transport.sent.length, 0);
  });

  test('a BATCH_FORGET that says more than it holds is cut to what it holds', () => {
    const { fs, calls } = scriptedFileSystem({});
    feed(makeSession(fs).session, request({ opcode: 42 }, u32(1e9), u32(0), u64(6), u64(1)));
    assert.deepEqual(calls, [{ method: 'forget', args: [6, 1] }]);
  });

  for (const [what, opcode] of Object.entries({
    BMAP: 37,
    IOCTL: 39,
    POLL: 40,
    TMPFILE: 51,
    STATX: 52,
    'an opcode of the future': 4000,
  })) {
    test(`${what} is answered with ENOSYS`, () => {
      const { session, transport } = makeSession(scriptedFileSystem({}).fs);
      feed(session, request({ opcode, unique: 44 }, Buffer.alloc(64)));
      assert.deepEqual(transport.sent, [reply(44, -38)]);
    });
  }

  test('DESTROY is answered', () => {
    const { session, transport } = makeSession(scriptedFileSystem({}).fs);
    feed(session, request({ opcode: 38, unique: 44 }));
    assert.deepEqual(transport.sent, [reply(44, 0)]);
  });
});
