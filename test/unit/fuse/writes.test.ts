import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { RequestBuffer } from '../../../src/fuse/message-reader.js';
import { ATTRIBUTES, ENTRY } from './support/samples.js';
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

describe('writes: data', () => {
  /** A session whose writes wait until told; gives the data each write sees. */
  function slowWrites() {
    const writes: { data: Uint8Array; done: (count: number) => void }[] = [];
    const { fs } = scriptedFileSystem({
      write: (_n: number, _f: number, _o: number, data: Uint8Array) =>
        new Promise<number>((done) => writes.push({ data, done })),
    });
    return { ...makeSession(fs), writes };
  }

  for (const size of [1, 65_536, 65_537, 1 << 20]) {
    test(`${size} bytes stay as they were until the answer, whatever is read next`, async () => {
      const { session, transport, writes } = slowWrites();
      const buffer = session.buffers.take();
      const message = request({ opcode: 16 }, writeIn(size), Buffer.alloc(size, 1));
      message.copy(buffer.bytes);
      session.handle(buffer, 0, message.length);
      // What a reader does: reuse the buffer unless somebody else uses it.
      if (buffer.users === 1) buffer.bytes.fill(2);
      const seen = Buffer.from(writes[0]!.data);
      assert.ok(seen.equals(Buffer.alloc(size, 1)));
      writes[0]!.done(size);
      await settled();
      assert.deepEqual(transport.sent, [reply(2, 0, u32(size), u32(0))]);
      assert.equal(buffer.users, 1);
    });
  }

  test('data that is used at once is not copied', async () => {
    const seen: Uint8Array[] = [];
    const { fs } = scriptedFileSystem({
      write: (_n: number, _f: number, _o: number, data: Uint8Array) =>
        seen.push(data) && data.length,
    });
    const { session } = makeSession(fs);
    const buffer = session.buffers.take();
    const message = request({ opcode: 16 }, writeIn(4096), Buffer.alloc(4096, 1));
    message.copy(buffer.bytes);
    session.handle(buffer, 0, message.length);
    await settled();
    assert.equal(seen[0]!.buffer, buffer.bytes.buffer);
    assert.equal(buffer.users, 1);
  });

  test('held buffers are bounded: further data is copied', async () => {
    const { session, writes } = slowWrites();
    const size = 100_000;
    const message = request({ opcode: 16 }, writeIn(size), Buffer.alloc(size, 1));
    const taken: RequestBuffer[] = [];
    for (let index = 0; index < 12; index += 1) {
      const buffer = session.buffers.take();
      message.copy(buffer.bytes);
      session.handle(buffer, 0, message.length);
      taken.push(buffer);
    }
    assert.equal(taken.filter(({ users }) => users === 2).length, 8);
    for (const { done } of writes) done(size);
    await settled();
    assert.ok(taken.every(({ users }) => users === 1));
  });
});

describe('writes: setuid bits (FUSE_HANDLE_KILLPRIV_V2)', () => {
  const script = (mode: number) => {
    const attributes = { ...ATTRIBUTES, mode };
    return scriptedFileSystem({
      lookup: () => ({ ...ENTRY, nodeId: 8, attributes }),
      getattr: () => ({ attributes, attrTimeoutMs: 0 }),
      setattr: () => ({ attributes, attrTimeoutMs: 0 }),
      write: (_n: number, _f: number, _o: number, data: Uint8Array) => data.length,
    });
  };
  const write = (flags: number): Buffer =>
    request(
      { opcode: 16, nodeId: 8, unique: 4 },
      bytes(u64(1), u64(0), u32(1), u32(flags), u64(0), u32(0), u32(0), Buffer.of(1)),
    );

  for (const [what, mode, flags, expected] of [
    ['setuid', 0o104755, 4, 0o100755],
    ['setgid with group execution', 0o102755, 4, 0o100755],
    ['setgid without', 0o102745, 4, undefined],
    ['setuid, written by root', 0o104755, 0, undefined],
    ['neither', 0o100755, 4, undefined],
  ] as const) {
    test(`${what}: ${expected === undefined ? 'left' : 'cleared before the write'}`, async () => {
      const { fs, calls } = script(mode);
      const { session, transport } = makeSession(fs);
      feed(session, request({ opcode: 1 }, name('a')));
      feed(session, write(flags));
      await settled();
      const names = calls.map(({ method }) => method);
      if (expected === undefined) {
        assert.deepEqual(names, ['lookup', 'write']);
      } else {
        assert.deepEqual(names, ['lookup', 'getattr', 'setattr', 'write']);
        assert.deepEqual(calls[2]!.args[1], { mode: expected });
      }
      assert.deepEqual(transport.sent.at(-1), reply(4, 0, u32(1), u32(0)));
    });
  }
});
