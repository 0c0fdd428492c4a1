import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import {
  bytes,
  feed,
  makeSession,
  reply,
  request,
  scriptedFileSystem,
  u16,
  u32,
} from './support/wire.js';

const INIT = 26;
const EVERYTHING = 0x7fff_ffff;

/** fuse_init_in of 7.36 and later */
const initIn = (minor: number, flags: number, flags2: number): Buffer =>
  bytes(u32(7), u32(minor), u32(131072), u32(flags), u32(flags2), Buffer.alloc(44));

/** Bits of the flags we take when all are offered. */
const TAKEN = [0, 3, 5, 12, 13, 14, 15, 18, 21, 22, 28, 30];
const TAKEN2 = [36, 38];
const mask = (bits: readonly number[], from: number): number =>
  bits.reduce((sum, bit) => sum + 2 ** (bit - from), 0);

describe('INIT', () => {
  test('a current kernel: everything useful is taken, nothing else', async () => {
    const { session, transport } = makeSession(scriptedFileSystem({}).fs);
    feed(session, request({ opcode: INIT }, initIn(44, EVERYTHING, 0xffff_ffff)));
    assert.deepEqual(transport.sent, [
      reply(
        2,
        0,
        u32(7), // major
        u32(44), // minor
        u32(1 << 20), // max_readahead
        u32(mask(TAKEN, 0)), // flags
        u16(64), // max_background
        u16(48), // congestion_threshold
        u32(1 << 20), // max_write
        u32(1), // time_gran
        u16(256), // max_pages
        u16(0), // map_alignment
        u32(mask(TAKEN2, 32)), // flags2
        Buffer.alloc(28),
      ),
    ]);
    const negotiated = await session.initialised;
    assert.equal(negotiated.minor, 44);
    assert.equal(negotiated.maxWriteBytes, 1 << 20);
  });

  test('a kernel of the future is answered with the version known here', async () => {
    const { session, transport } = makeSession(scriptedFileSystem({}).fs);
    feed(session, request({ opcode: INIT }, initIn(99, EVERYTHING, 0)));
    assert.equal(transport.replies[0]!.body.readUInt32LE(4), 45);
    assert.equal((await session.initialised).minor, 45);
  });

  test('7.23: the short fuse_init_in, no max_pages, nothing that was not offered', async () => {
    const { session, transport } = makeSession(scriptedFileSystem({}).fs);
    feed(session, request({ opcode: INIT }, u32(7), u32(23), u32(131072), u32(0b101001)));
    const { body } = transport.replies[0]!;
    assert.equal(body.readUInt32LE(4), 23);
    assert.equal(body.readUInt32LE(12), 0b101001);
    assert.equal(body.readUInt32LE(20), 131072);
    assert.equal(body.readUInt16LE(28), 0);
    assert.equal((await session.initialised).maxWriteBytes, 131072);
  });

  test('flags2 without INIT_EXT is not looked at', () => {
    const { session, transport } = makeSession(scriptedFileSystem({}).fs);
    feed(session, request({ opcode: INIT }, initIn(31, 1, 0xffff_ffff)));
    assert.equal(transport.replies[0]!.body.readUInt32LE(32), 0);
  });

  test('a newer major version is told ours, and asks again', async () => {
    const { session, transport } = makeSession(scriptedFileSystem({}).fs);
    feed(session, request({ opcode: INIT, unique: 2 }, u32(8), u32(0), u32(0), u32(0)));
    assert.deepEqual([...transport.replies[0]!.body.subarray(0, 4)], [7, 0, 0, 0]);
    feed(session, request({ opcode: INIT, unique: 4 }, initIn(38, 1, 0)));
    assert.equal((await session.initialised).minor, 38);
  });

  test('an old kernel is refused with a reason', async () => {
    const { session, transport } = makeSession(scriptedFileSystem({}).fs);
    feed(session, request({ opcode: INIT }, u32(7), u32(22), u32(0), u32(0)));
    assert.deepEqual(transport.sent, [reply(2, -71)]);
    await assert.rejects(session.initialised, { code: 'FUSE_TOO_OLD', message: /7\.22/ });
  });
});
