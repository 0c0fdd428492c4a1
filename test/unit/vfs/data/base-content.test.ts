import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBaseContent } from '../../../../src/vfs/base-content.js';
import type { ContentReader, FileVersion } from '../../../../src/vfs/content.js';
import { FsError } from '../../../../src/vfs/filesystem.js';
import { never } from './helpers.js';

const versionOf = (etag: string): FileVersion => ({ size: 10, etag, mtime: undefined });

/** Reads `present`, or finds that another version is there. */
class Peer {
  present = '"1"';
  uploading: Promise<void> | undefined;
  readonly opened: string[] = [];
  readonly closed: string[] = [];

  readonly base = createBaseContent({
    version: versionOf('"1"'),
    reader: undefined,
    open: (version) => this.#open(version),
    uploading: () => this.uploading,
  });

  #open(version: FileVersion): ContentReader {
    const etag = version.etag!;
    this.opened.push(etag);
    const read = async (offset: number, length: number): Promise<Uint8Array[]> => {
      await new Promise(setImmediate);
      if (this.present !== etag) throw new FsError('ESTALE', `${this.present} is there`);
      return [Buffer.from(`content of ${etag}`).subarray(offset, offset + length)];
    };
    const close = (): void => void this.closed.push(etag);
    return { version, read, close, retag: () => undefined, copyTo: () => Promise.resolve() };
  }
}

/** As the kernel's side has it: made when it is asked for. */
class Asking {
  readonly controller = new AbortController();

  get signal(): AbortSignal {
    return this.controller.signal;
  }
}

test('a read that meets our own upload waits for it, and reads of the version after it', async () => {
  const peer = new Peer();
  let done: () => void = () => undefined;
  peer.uploading = new Promise((resolve) => (done = resolve));
  peer.present = '"2"';
  const reading = peer.base.read(0, 14, { signal: never });
  await new Promise(setImmediate);
  peer.base.rebase(versionOf('"2"'));
  done();
  assert.equal(Buffer.concat(await reading).toString(), 'content of "2"');
  assert.deepEqual([peer.opened, peer.closed], [['"1"', '"2"'], ['"1"']]);
});

test('an interrupt ends the waiting', async () => {
  const peer = new Peer();
  peer.uploading = new Promise(() => undefined);
  peer.present = '"2"';
  const asking = new Asking();
  const reading = Promise.resolve(peer.base.read(0, 5, asking));
  setTimeout(() => asking.controller.abort(new Error('interrupted')), 10);
  await assert.rejects(reading, /interrupted/);
});

test('the upload itself waits for nothing, and a change by someone else is ESTALE', async () => {
  const peer = new Peer();
  peer.uploading = new Promise(() => undefined);
  peer.present = '"2"';
  const reading = peer.base.read(0, 5, { signal: never, forUpload: true });
  await assert.rejects(Promise.resolve(reading), { errno: 'ESTALE' });
  peer.uploading = undefined;
  await assert.rejects(Promise.resolve(peer.base.read(0, 5, { signal: never })), {
    errno: 'ESTALE',
  });
});

test('bytes that are missing are no content', async () => {
  const peer = new Peer();
  await assert.rejects(Promise.resolve(peer.base.read(0, 100, { signal: never })), {
    errno: 'EIO',
  });
  peer.base.close();
  assert.throws(() => peer.base.read(0, 1, { signal: never }), { errno: 'EBADF' });
});
