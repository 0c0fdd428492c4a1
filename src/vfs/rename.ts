/**
 * rename(2) as MOVE, with everything checked that servers are known to destroy when it isn't.
 */
import type { CallOptions, MoveOptions, Resource } from '../webdav/types.js';
import { S_IFREG, typeOf } from './attributes.js';
import { NEVER } from './awaitable.js';
import type { Core } from './core.js';
import { isNotFound } from './errno.js';
import type { Contents } from './contents.js';
import type { RequestContext } from './filesystem.js';
import { FsError, RENAME_NOREPLACE } from './filesystem.js';
import { gated } from './gate.js';
import { isPreconditionFailed, wasSent, type Names } from './names.js';
import type { Node, NodeName } from './node.js';
import type { Uploads } from './uploads.js';

/** A target that appears between the question and the MOVE is looked at again this often. */
const ATTEMPTS = 3;

export class Renames {
  readonly #core: Core;
  readonly #contents: Contents;
  readonly #names: Names;
  readonly #uploads: Uploads;

  constructor(core: Core, uploads: Uploads, contents: Contents, names: Names) {
    this.#core = core;
    this.#contents = contents;
    this.#names = names;
    this.#uploads = uploads;
  }

  async rename(from: NodeName, to: NodeName, flags: number, ctx: RequestContext): Promise<void> {
    if ((flags & ~RENAME_NOREPLACE) !== 0)
      throw new FsError('EINVAL', 'names cannot be exchanged over WebDAV');
    this.#core.checkNewName(to.name);
    const node = await this.#core.lookups.child(from.parent, from.name, ctx);
    if (node === null) throw new FsError('ENOENT');
    for (let at: Node | undefined = to.parent; at !== undefined; at = at.parent) {
      if (at === node) throw new FsError('EINVAL', 'a folder cannot be moved into itself');
    }
    do await this.#bringDirty(node, ctx.signal);
    while (this.#isJournaled(node));
    await gated(node, () => this.#move(node, from, to, flags, ctx.signal));
  }

  /** What is only here goes to the peer under the old name first, so that MOVE takes it along. */
  async #bringDirty(node: Node, signal: AbortSignal): Promise<void> {
    await this.#uploads.upload(node, signal);
    if (node.isDirectory)
      for (const below of this.#uploads.dirty.below(node))
        await this.#uploads.upload(below, signal);
  }

  /** The journal has contents by the old name: closed while the others were brought. */
  #isJournaled(node: Node): boolean {
    if (this.#core.writeback === undefined) return false;
    const found = node.isDirectory ? this.#uploads.dirty.below(node) : [node];
    return found.some(
      ({ data }) => data?.committed !== undefined || data?.committing !== undefined,
    );
  }

  async #move(
    node: Node,
    from: NodeName,
    to: NodeName,
    flags: number,
    signal: AbortSignal,
  ): Promise<void> {
    const profile = await this.#core.profile(signal);
    let target = await this.#core.lookups.child(to.parent, to.name, { signal });
    let told: Resource | undefined;
    for (let attempt = 1; ; attempt++) {
      if (target === node) return;
      if (target !== null) {
        if ((flags & RENAME_NOREPLACE) !== 0) throw new FsError('EEXIST');
        const unsure = !target.isLocal && versionToReplace(target) === undefined;
        if (unsure && profile.moveClobbersCollections) {
          target = await this.#core.lookups.statChild(to.parent, to.name, signal);
        }
      }
      if (target !== null) await this.#makeWay(node, target, to, signal);
      await this.#core.secondTries.of(to.parent, to.name);
      try {
        const there = target;
        const replaced = there?.unlinked === false ? there : undefined;
        const send = (): Promise<Resource | undefined> =>
          this.#replace(replaced, () => this.#send(from, to, howToReplace(there, signal)));
        told = await (replaced === undefined
          ? send()
          : // Nobody may open the target while it is not sure which file the name leads to.
            gated(replaced, send));
        break;
      } catch (error) {
        if (!isPreconditionFailed(error) || attempt === ATTEMPTS) throw error;
        target = await this.#core.lookups.statChild(to.parent, to.name, signal);
        if (target === null) throw error;
      }
    }
    await this.#moved(node, from, to, target, told);
    await this.#core.writeback?.settle();
  }

  /** `target` loses its name by what `send` asks for. */
  async #replace<T>(target: Node | undefined, send: () => Promise<T>): Promise<T> {
    // One that began before the name was closed to it.
    await target?.data?.upload;
    if (target?.links.length === 0) await this.#contents.keepForHandles(target);
    const { writeback } = this.#core;
    await writeback?.beforeRemoval(target?.data);
    try {
      return await send();
    } catch (error) {
      await writeback?.removalFailed(target?.data);
      throw error;
    }
  }

  async #makeWay(node: Node, target: Node, to: NodeName, signal: AbortSignal): Promise<void> {
    if (target.isDirectory) {
      if (!node.isDirectory) throw new FsError('EISDIR');
      await this.#names.removeEmpty(target, to, signal);
      return;
    }
    if (node.isDirectory) throw new FsError('ENOTDIR');
    await this.#core.writeback?.beforeLoss(target, signal);
  }

  async #send(
    from: NodeName,
    to: NodeName,
    how: CallOptions & MoveOptions,
  ): Promise<Resource | undefined> {
    const source = `${from.parent.path}/${from.name}`;
    const destination = `${to.parent.path}/${to.name}`;
    try {
      return await this.#core.client.move(source, destination, how);
    } catch (error) {
      if (wasSent(error) && (await this.#happened(source, destination))) return undefined;
      this.#core.recordUnknown(from.parent, from.name);
      this.#core.recordUnknown(to.parent, to.name);
      throw error;
    }
  }

  /** The answer was lost: both names tell what became of the request. */
  async #happened(source: string, destination: string): Promise<boolean> {
    try {
      await this.#core.client.stat(source, { signal: NEVER });
      return false;
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    await this.#core.client.stat(destination, { signal: NEVER });
    return true;
  }

  async #moved(
    node: Node,
    from: NodeName,
    to: NodeName,
    target: Node | null,
    told: Resource | undefined,
  ): Promise<void> {
    if (target !== null && !target.unlinked) {
      this.#names.removed(to.parent, to.name, target);
      await this.#names.otherNamesLeft(target);
    }
    const stale = to.parent.children.get(to.name);
    if (stale !== undefined && stale !== node)
      this.#core.nodes.removeName(stale, to.parent, to.name);
    this.#core.nodes.rename(node, from, to);
    this.#core.recordOwn(from.parent, from.name, undefined);
    this.#core.recordOwn(to.parent, to.name, { ...node.resource, name: to.name });
    const profile = this.#core.client.knownProfile;
    // Their ETags are made of size and mtime, which MOVE keeps.
    if (node.isDirectory || profile?.name === 'phodav' || profile?.name === 'apache') return;
    if (told !== undefined || node.data !== undefined)
      await this.#core.sameContent(node, told, NEVER);
    else this.#core.recordUnknown(to.parent, to.name);
  }
}

/** To be asked when nothing is on its way to the target any more. */
function howToReplace(target: Node | null, signal: AbortSignal): CallOptions & MoveOptions {
  const overwrite = target !== null && !target.isDirectory;
  const destinationEtag = target === null ? undefined : versionToReplace(target);
  return { overwrite, signal, ...(destinationEtag !== undefined && { destinationEtag }) };
}

/**
 * What the cache takes for a file may be a folder by now, and MOVE would delete it with all that is in it: it has to be this version.
 * Undefined: its version is not known, or not at the peer; or that of a link, which our share takes for its target's in a condition.
 */
function versionToReplace(target: Node): string | undefined {
  const known = typeOf(target.resource) === S_IFREG && !target.isLocal;
  return known ? target.resource.etag : undefined;
}
