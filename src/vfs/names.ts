/**
 * Making and removing names: mkdir, rmdir, unlink, symlink, mknod.
 */
import { encodeName } from '../names.js';
import { HttpError } from '../http/types.js';
import type { RemoveOptions, Resource } from '../webdav/types.js';
import { DavError } from '../webdav/types.js';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, typeOf } from './attributes.js';
import type { Core } from './core.js';
import { NEVER } from './awaitable.js';
import { isNotFound } from './errno.js';
import type { Contents } from './contents.js';
import type { Entry, RequestContext } from './filesystem.js';
import { FsError } from './filesystem.js';
import { gated } from './gate.js';
import type { Handles } from './handles.js';
import { makeLink } from './make-link.js';
import type { Node, NodeName } from './node.js';
import type { Opening } from './opening.js';
import { createStaging } from './staging.js';
import type { Uploads } from './uploads.js';

const PATH_MAX_BYTES = 4095;

export class Names {
  readonly #core: Core;
  readonly #handles: Handles;
  readonly #contents: Contents;
  readonly #opening: Opening;
  readonly #uploads: Uploads;

  constructor(
    core: Core,
    uploads: Uploads,
    handles: Handles,
    contents: Contents,
    opening: Opening,
  ) {
    this.#core = core;
    this.#uploads = uploads;
    this.#handles = handles;
    this.#contents = contents;
    this.#opening = opening;
  }

  async mkdir(parent: Node, name: string, mode: number, ctx: RequestContext): Promise<Node> {
    this.#core.checkNewName(name);
    const path = `${parent.path}/${name}`;
    await this.#core.profile(ctx.signal);
    let told: Resource | undefined;
    try {
      const posix = { mode: S_IFDIR | (mode & 0o7777) };
      told = await this.#core.client.mkcol(path, { signal: ctx.signal, posix });
    } catch (error) {
      // Lost answer: MKCOL never replaces, so a folder that is there now may be ours or a rival's; both make mkdir's promise true
      // only if it was not there before, which is all that can be known.
      if (!wasSent(error) || !(await this.#isCollection(path))) {
        this.#core.recordUnknown(parent, name);
        throw error;
      }
    }
    const stale = parent.children.get(name);
    if (stale !== undefined) this.#core.nodes.removeName(stale, parent, name);
    const resource = told === undefined ? newCollection(name) : { ...told, name };
    this.#core.recordOwn(parent, name, resource);
    const at = this.#core.now();
    const node = this.#core.nodes.create(parent, name, resource, at);
    // We made it, so we know what is in it.
    this.#core.cache.putListing(node.id, new Map(), at);
    return node;
  }

  async unlink(parent: Node, name: string, ctx: RequestContext): Promise<void> {
    this.#core.access.check();
    const node = await this.#core.lookups.child(parent, name, ctx);
    if (node === null) throw new FsError('ENOENT');
    if (node.isDirectory) throw new FsError('EISDIR');
    await this.#core.writeback?.beforeLoss(node, ctx.signal);
    await this.#core.secondTries.of(parent, name);
    await gated(node, () => this.#unlink(parent, name, node, ctx.signal));
  }

  async #unlink(parent: Node, name: string, node: Node, signal: AbortSignal): Promise<void> {
    await node.data?.upload;
    await node.data?.committing;
    // By another name the content stays there for those who have it open.
    if (node.links.length === 0) await this.#contents.keepForHandles(node);
    const { writeback } = this.#core;
    const { data } = node;
    if (data?.created !== true) {
      await writeback?.beforeRemoval(data);
      try {
        await this.#remove(parent, name, { signal });
      } catch (error) {
        await writeback?.removalFailed(data);
        throw error;
      }
    }
    this.removed(parent, name, node);
    await writeback?.commits.noteName(node);
    await writeback?.settle();
    await this.otherNamesLeft(node);
  }

  /** After one name of a file went: the count of names and the ETag are others now. */
  async otherNamesLeft(node: Node): Promise<void> {
    if (node.unlinked) return;
    node.resourceAt = -Infinity;
    if (node.data === undefined) return;
    try {
      await this.#core.sameContent(node, undefined, NEVER);
    } catch (error) {
      // The name is gone, and that was asked for. Who has the file open is told when it is used.
      this.#core.log.debug('what is left of a file was not told', { error: String(error) });
    }
  }

  async rmdir(parent: Node, name: string, ctx: RequestContext): Promise<void> {
    this.#core.access.check();
    const node = await this.#core.lookups.child(parent, name, ctx);
    if (node === null) throw new FsError('ENOENT');
    if (!node.isDirectory) throw new FsError('ENOTDIR');
    await this.removeEmpty(node, { parent, name }, ctx.signal);
  }

  /**
   * DELETE on a collection takes all with it, on some servers also what a link points at. Our own share can be asked for an empty one;
   * elsewhere only what was just seen empty goes.
   */
  async removeEmpty(
    directory: Node,
    { parent, name }: NodeName,
    signal: AbortSignal,
  ): Promise<void> {
    for (const child of directory.children.values())
      if (child.isLocal) throw new FsError('ENOTEMPTY');
    const onlyEmpty = (await this.#core.profile(signal)).livePosix;
    if (!onlyEmpty) {
      const members = await this.#core.listings.list(directory, signal);
      if (members.size > 0) throw new FsError('ENOTEMPTY');
    }
    try {
      await gated(directory, () => this.#remove(parent, name, { signal, onlyEmpty }));
    } catch (error) {
      const hasMembers = onlyEmpty && error instanceof DavError && error.status === 409;
      throw hasMembers ? new FsError('ENOTEMPTY') : error;
    }
    this.removed(parent, name, directory);
  }

  /** DELETE. A lost answer counts as success when the name is gone. */
  async #remove(parent: Node, name: string, options: RemoveOptions): Promise<void> {
    const path = `${parent.path}/${name}`;
    try {
      await this.#core.client.remove(path, options);
    } catch (error) {
      if (wasSent(error) && (await this.#isGone(path))) return;
      this.#core.recordUnknown(parent, name);
      throw error;
    }
  }

  /** The name is gone: cache, node, and with the last name unsaved data. */
  removed(parent: Node, name: string, node: Node): void {
    this.#core.secondTries.changed(parent, name);
    this.#core.recordOwn(parent, name, undefined);
    this.#core.nodes.removeName(node, parent, name);
    if (!node.unlinked) return;
    this.#uploads.discard(node);
    if (node.data?.handles === 0) this.#handles.dispose(node);
  }

  async mknod(parent: Node, name: string, mode: number, ctx: RequestContext): Promise<Entry> {
    this.#core.checkNewName(name);
    const type = mode & S_IFMT;
    if (type !== S_IFREG && type !== 0) {
      throw new FsError('EPERM', 'WebDAV has files and folders only');
    }
    if ((await this.#core.lookups.statChild(parent, name, ctx.signal)) !== null)
      throw new FsError('EEXIST');
    const node = await this.#opening.newFile(parent, name, mode, ctx.signal);
    node.data!.exclusive = true;
    try {
      await this.#uploads.upload(node, ctx.signal);
      // Counted before its content goes: nothing else would keep the node.
      return this.#core.answers.entry(node);
    } catch (error) {
      this.#uploads.dropWritten(node);
      throw error;
    } finally {
      this.#handles.dispose(node);
    }
  }

  /** A file whose content is the target, marked by the posix property; our own share makes a real link of it. */
  async symlink(parent: Node, name: string, target: string, ctx: RequestContext): Promise<Entry> {
    this.#core.checkNewName(name);
    const bytes = encodeName(target);
    if (bytes.length === 0 || bytes.length > PATH_MAX_BYTES) throw new FsError('ENAMETOOLONG');
    const profile = await this.#core.profile(ctx.signal);
    if (!profile.deadProperties && !profile.livePosix) {
      throw new FsError('EPERM', 'this server stores no properties, so no symbolic links');
    }
    if ((await this.#core.lookups.child(parent, name, ctx)) !== null) throw new FsError('EEXIST');
    if (profile.livePosix) {
      const path = `${parent.path}/${name}`;
      const resource = await makeLink(this.#core.client, path, bytes, ctx.signal);
      return this.#linkMade(parent, name, target, { ...resource, name }, path);
    }
    const staging = createStaging(this.#core.options);
    try {
      await staging.write(0, bytes);
      const path = `${parent.path}/${name}`;
      const snapshot = staging.snapshot();
      const { resource } = await this.#core.options.uploader.upload(
        { path, expect: 'absent', posix: { mode: S_IFLNK | 0o777 } },
        snapshot,
        ctx.signal,
      );
      snapshot.release();
      return await this.#linkMade(parent, name, target, { ...resource, name }, path);
    } finally {
      await staging.close();
    }
  }

  async #linkMade(
    parent: Node,
    name: string,
    target: string,
    resource: Resource,
    path: string,
  ): Promise<Entry> {
    if (typeOf(resource) !== S_IFLNK) {
      await this.#core.client.remove(path, { signal: NEVER });
      throw new FsError(
        'EPERM',
        'this server did not keep the property that makes a symbolic link',
      );
    }
    this.#core.recordOwn(parent, name, resource);
    const node = this.#core.adopt(parent, name, resource, this.#core.now());
    node.linkTarget = { target, etag: resource.etag };
    return this.#core.answers.entry(node);
  }

  async #isCollection(path: string): Promise<boolean> {
    try {
      return (await this.#core.client.stat(path)).kind === 'collection';
    } catch (error) {
      // What failed is the request before, and that is what is told.
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async #isGone(path: string): Promise<boolean> {
    try {
      await this.#core.client.stat(path);
      return false;
    } catch (error) {
      return isNotFound(error);
    }
  }
}

/** The request may have been carried out although its answer never came. */
export function wasSent(error: unknown): boolean {
  return error instanceof HttpError && !error.unsent;
}

export function isPreconditionFailed(error: unknown): boolean {
  return error instanceof DavError && error.status === 412;
}

function newCollection(name: string): Resource {
  const now = Date.now();
  const mtime = { sec: Math.floor(now / 1000), nsec: (now % 1000) * 1_000_000 };
  return {
    name,
    kind: 'collection',
    size: 0,
    mtime,
    created: mtime,
    etag: undefined,
    executable: undefined,
    posix: undefined,
  };
}
