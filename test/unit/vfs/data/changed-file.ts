/** An open file of which parts are changed, and the uploads of it. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { createBaseContent } from '../../../../src/vfs/base-content.js';
import type { StagedFile, UploadResult } from '../../../../src/vfs/content.js';
import { createContentReader, versionOf } from '../../../../src/vfs/reader/index.js';
import { createStagedContent } from '../../../../src/vfs/staged-content.js';
import { takeSnapshot } from '../../../../src/vfs/take-snapshot.js';
import { Attempts } from '../../../../src/vfs/upload/attempts.js';
import { createUploader } from '../../../../src/vfs/uploader.js';
import type { ServerProfile } from '../../../../src/webdav/types.js';
import { KiB, never, pattern, temporaryFolder } from './helpers.js';
import { ScriptedPeer } from './scripted-peer.js';

export const SIZE = 600 * KiB;
export const OLD = Buffer.from(pattern(1)(0, SIZE));

export class Change {
  readonly peer: ScriptedPeer;
  readonly staging: StagedFile;
  readonly attempts: Attempts;
  expect;
  content: Buffer = Buffer.from(OLD);

  readonly #uploader;

  /** `arrivalMs`: so long what got no answer may be carried out yet. */
  constructor(t: TestContext, profile: ServerProfile, arrivalMs = 20) {
    this.attempts = new Attempts(arrivalMs);
    this.peer = new ScriptedPeer(profile);
    this.peer.put('/d/f', OLD);
    this.expect = versionOf(this.peer.resource('/d/f'));
    const options = this.peer.options(temporaryFolder(t));
    const content = createBaseContent({
      version: this.expect,
      reader: undefined,
      open: (version) => createContentReader(() => '/d/f', version, profile, options),
      uploading: () => undefined,
    });
    this.#uploader = createUploader(options);
    this.staging = createStagedContent(options, { version: this.expect, content });
  }

  async write(offset: number, text: string): Promise<void> {
    await this.staging.write(offset, Buffer.from(text));
    const next = Buffer.alloc(Math.max(this.content.length, offset + text.length));
    this.content.copy(next);
    next.write(text, offset);
    this.content = next;
  }

  async several(): Promise<void> {
    await this.write(10, 'at the beginning');
    await this.write(SIZE - 3, 'over the end');
    await this.write(300 * KiB, 'in the middle');
  }

  async upload(signal: AbortSignal = never): Promise<UploadResult> {
    const uploader = this.#uploader;
    const { expect, attempts } = this;
    const target = { path: '/d/f', expect, posix: undefined, attempts };
    const snapshot = await takeSnapshot(this.staging, uploader, target, signal);
    try {
      const result = await uploader.upload(target, snapshot, signal);
      this.expect = versionOf(result.resource);
      attempts.clear();
      this.staging.confirm(snapshot, this.expect);
      return result;
    } finally {
      snapshot.release();
    }
  }

  holds(content: Buffer, path = '/d/f'): void {
    assert.ok(this.peer.content(path)?.equals(content), `${path} isn't what it should be`);
  }

  copies(): string[] {
    return [...this.peer.files.keys()].filter((path) => path !== '/d/f');
  }
}
