import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Notifier } from '../../../src/fuse/notifier.js';
import { createLogger, silentLogger } from '../../../src/log.js';
import { bytes, name, settled, u32, u64 } from './support/wire.js';

/** A sink whose writes wait until the test ends them. */
class SlowSink {
  readonly written: Buffer[] = [];
  readonly ends: ((error?: Error) => void)[] = [];
  readonly sent: Buffer[] = [];

  send(message: readonly Uint8Array[]): void {
    if (message.length > 3) throw Object.assign(new Error('refused'), { code: 'EINVAL' });
    this.sent.push(Buffer.concat(message));
  }

  sendBlocking(message: Uint8Array): Promise<void> {
    this.written.push(Buffer.from(message));
    return new Promise((resolve, reject) => {
      this.ends.push((error) => (error === undefined ? resolve() : reject(error)));
    });
  }
}

const invalInode = (node: number, off: number, len: number): Buffer =>
  bytes(u32(40), u32(2), u64(0), u64(node), u64(off), u64(len));

describe('notifier', () => {
  test('messages, byte for byte', async () => {
    const sink = new SlowSink();
    const notifier = new Notifier(sink, silentLogger);
    const first = notifier.inode(0x1_0000_0005, -1, 0);
    const second = notifier.entry(7, 'näme');
    sink.ends[0]!();
    await first;
    await settled();
    sink.ends[1]!();
    await second;
    assert.deepEqual(sink.written, [
      invalInode(0x1_0000_0005, -1, 0),
      bytes(u32(38), u32(3), u64(0), u64(7), u32(5), u32(0), name('näme')),
    ]);
  });

  test('pages are written at once', () => {
    const sink = new SlowSink();
    const notifier = new Notifier(sink, silentLogger);
    assert.equal(notifier.store(0x1_0000_0005, [Buffer.from('abc'), Buffer.from('de')]), true);
    const header = bytes(u32(45), u32(4), u64(0), u64(0x1_0000_0005), u64(0), u32(5), u32(0));
    assert.deepEqual(sink.sent, [bytes(header, Buffer.from('abcde'))]);
    const refused = [1, 2, 3].map(() => Buffer.from('x'));
    assert.equal(notifier.store(5, refused), false);
  });

  test('the kernel is asked to forget nodes once it is known to understand that', async () => {
    const sink = new SlowSink();
    const notifier = new Notifier(sink, silentLogger);
    assert.equal(notifier.prune, undefined);
    notifier.allowPrune();
    const asked = notifier.prune!([5, 0x1_0000_0005]);
    sink.ends[0]!();
    await asked;
    const header = bytes(u32(48), u32(9), u64(0), u32(2), u32(0), u64(0));
    assert.deepEqual(sink.written, [bytes(header, u64(5), u64(0x1_0000_0005))]);
  });

  test('one at a time, in order, and the same thing only once while it waits', async () => {
    const sink = new SlowSink();
    const notifier = new Notifier(sink, silentLogger);
    const all = [1, 2, 2, 2, 3].map((node) => notifier.inode(node, 0, 0));
    assert.equal(sink.written.length, 1);
    for (let index = 0; index < 3; index += 1) {
      assert.equal(sink.written.length, index + 1);
      sink.ends[index]!();
      await settled();
    }
    await Promise.all(all);
    assert.deepEqual(sink.written, [invalInode(1, 0, 0), invalInode(2, 0, 0), invalInode(3, 0, 0)]);
  });

  test('a name whose folder is locked does not hold up attributes and pages', async () => {
    const sink = new SlowSink();
    const notifier = new Notifier(sink, silentLogger);
    const name = notifier.entry(7, 'name');
    const inode = notifier.inode(8, 0, 0);
    sink.ends[1]!();
    await inode;
    let idle = false;
    const ended = notifier.idle().then(() => (idle = true));
    await settled();
    assert.equal(idle, false);
    sink.ends[0]!();
    await Promise.all([name, ended]);
  });

  test('what is being written is written again when asked for again', async () => {
    const sink = new SlowSink();
    const notifier = new Notifier(sink, silentLogger);
    const first = notifier.inode(1, 0, 0);
    const again = notifier.inode(1, 0, 0);
    sink.ends[0]!();
    await first;
    await settled();
    assert.equal(sink.written.length, 2);
    sink.ends[1]!();
    await again;
  });

  test('refusals resolve; only the unforeseen ones are logged', async () => {
    const lines: string[] = [];
    const sink = new SlowSink();
    const notifier = new Notifier(
      sink,
      createLogger('error', (line) => lines.push(line)),
    );
    for (const code of ['ENOENT', 'EINVAL']) {
      const done = notifier.inode(1, 0, 0);
      sink.ends.pop()!(Object.assign(new Error(code), { code }));
      await done;
      await settled();
    }
    assert.equal(lines.length, 1);
    assert.match(lines[0]!, /EINVAL/);
  });

  test('closing resolves what waits; idle() waits for what is being written', async () => {
    const sink = new SlowSink();
    const notifier = new Notifier(sink, silentLogger);
    const writing = notifier.inode(1, 0, 0);
    const waiting = notifier.inode(2, 0, 0);
    notifier.close();
    await waiting;
    await notifier.entry(1, 'after');
    let idle = false;
    const done = notifier.idle().then(() => (idle = true));
    await settled();
    assert.equal(idle, false);
    sink.ends[0]!();
    await Promise.all([writing, done]);
    assert.equal(sink.written.length, 1);
  });
});
