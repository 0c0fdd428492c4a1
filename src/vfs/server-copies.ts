/**
 * copy_file_range(2) of a whole file into a new or emptied one, as cp(1) does it, as COPY at the peer. Whatever else is asked for is
 * EOPNOTSUPP: the kernel then reads and writes.
 */
import { nowTimespec, S_IFREG } from './attributes.js';
import type { FileVersion, UploadResult } from './content.js';
import type { Contents } from './contents.js';
import type { Core } from './core.js';
import type { FileData } from './file-data.js';
import { FsError, type FilePosition, type FileRange } from './filesystem.js';
import type { Handles } from './handles.js';
import type { Node } from './node.js';
import { withSignal } from './shared-call.js';
import type { Uploads } from './uploads.js';

/** What is shorter came along when it was opened, and goes back with the request that makes the name. */
const MIN_BYTES = 256 * 1024;
/** The peer says nothing while it copies: more might not be done by the deadline. */
const MAX_BYTES = 4 * 1024 * 1024 * 1024;
/** phodav copies on the thread that also draws the window of the virtual machine (200 MB: half a second). */
const MAX_BYTES_PHODAV = 1024 * 1024 * 1024;

export class ServerCopies {
  readonly #core: Core;
  readonly #uploads: Uploads;
  readonly #handles: Handles;
  readonly #contents: Contents;

  constructor(core: Core, uploads: Uploads, handles: Handles, contents: Contents) {
    this.#core = core;
    this.#uploads = uploads;
    this.#handles = handles;
    this.#contents = contents;
  }

  async copyRange(from: FileRange, to: FilePosition, signal: AbortSignal): Promise<number> {
    this.#handles.get(from.fh);
    const source = this.#core.node(from.nodeId);
    const target = this.#core.node(to.nodeId);
    const data = target.data!;
    this.#contents.checkWritable(target, data, this.#handles.get(to.fh));
    const profile = await this.#core.profile(signal);
    while (source.gate !== undefined) await withSignal(source.gate, signal);
    const most = profile.name === 'phodav' ? MAX_BYTES_PHODAV : MAX_BYTES;
    const version = wholeFile(source, from, to);
    const possible =
      version !== undefined && version.size <= most && source !== target && isEmpty(target);
    if (!possible) throw new FsError('EOPNOTSUPP');
    // It is not broken off when the caller is interrupted: what the peer has then could not be told.
    const copying = this.#copy(source, version, target, data);
    data.upload = copying.then(ignore, ignore).finally(() => (data.upload = undefined));
    await withSignal(copying, signal);
    return version.size;
  }

  async #copy(source: Node, version: FileVersion, target: Node, data: FileData): Promise<void> {
    const { path, parent, name } = target;
    const { staging } = data;
    const generation = staging?.generation;
    const { mode } = this.#core.answers.attributes(target);
    // phodav gives the copy the time of the source.
    const dated = this.#core.client.knownProfile?.name === 'phodav' && { mtime: nowTimespec() };
    const posix = { mode: S_IFREG | (mode & 0o7777), ...dated };
    const request = { path, expect: data.expect, posix };
    await this.#core.writeback?.beforeUnknown();
    let result: UploadResult;
    try {
      result = await this.#core.options.uploader.copy(request, { path: source.path, version });
    } catch (error) {
      if (parent !== undefined) this.#core.recordUnknown(parent, name);
      throw error;
    }
    this.#uploads.confirmed(target, data, { parent, name }, result);
    target.writtenMtime = undefined;
    if (data.staging !== staging || staging?.generation !== generation) {
      // Another handle's O_TRUNC; the kernel keeps everything else off. What it left is stored at its close.
      throw new FsError('EIO', `${path} was changed while it was copied to`);
    }
    this.#uploads.discard(target);
    data.mtime = undefined;
    data.staging = undefined;
    await staging?.close();
  }
}

function ignore(): void {
  return;
}

/** The version that is copied; undefined: not all of a file that the peer has. */
function wholeFile(source: Node, from: FileRange, to: FilePosition): FileVersion | undefined {
  const { data } = source;
  if (source.unlinked || source.replaced || source.parent === undefined) return undefined;
  if (data === undefined || data.dirty || data.expect === 'absent') return undefined;
  const { expect } = data;
  const whole = from.offset === 0 && to.offset === 0 && from.length >= expect.size;
  return whole && expect.size >= MIN_BYTES && expect.etag !== undefined ? expect : undefined;
}

/** Nothing is in it, here or at the peer, that would be lost or be read by somebody. */
function isEmpty(target: Node): boolean {
  const { data, links, resource } = target;
  if (data === undefined || target.unlinked || target.parent === undefined) return false;
  if (links.length > 0 || (resource.posix?.nlink ?? 1) > 1) return false;
  if (data.upload !== undefined || data.stagingBusy !== undefined) return false;
  if (data.reader !== undefined || target.gate !== undefined) return false;
  if (data.staging !== undefined) return data.staging.size === 0;
  return data.expect !== 'absent' && data.expect.size === 0;
}
