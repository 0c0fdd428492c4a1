/** link(2) as BIND (RFC 5842), where the server has it. */
import { DavError, type Resource } from '../webdav/types.js';
import { NEVER } from './awaitable.js';
import type { Core } from './core.js';
import type { Entry, RequestContext } from './filesystem.js';
import { FsError } from './filesystem.js';
import { gated } from './gate.js';
import { isPreconditionFailed, wasSent } from './names.js';
import type { Node, NodeName } from './node.js';
import { fileKeyOf } from './node-table.js';
import type { Uploads } from './uploads.js';

export class HardLinks {
  readonly #core: Core;
  readonly #uploads: Uploads;

  constructor(core: Core, uploads: Uploads) {
    this.#core = core;
    this.#uploads = uploads;
  }

  async link(node: Node, parent: Node, name: string, ctx: RequestContext): Promise<Entry> {
    this.#core.checkNewName(name);
    const profile = await this.#core.profile(ctx.signal);
    // EPERM, as on FAT: programs that can do without hard links (git, cp, rsync) then copy or rename.
    if (!profile.hardLinks) throw new FsError('EPERM', 'this server has no hard links');
    if (node.isDirectory) throw new FsError('EPERM', 'a folder has one name');
    if (parent.children.get(name)?.isLocal === true) throw new FsError('EEXIST');
    await this.#uploads.upload(node, ctx.signal);
    if (node.unlinked) throw new FsError('ENOENT', 'the last name of the file is gone');
    return gated(node, () => this.#link(node, { parent, name }, ctx.signal));
  }

  async #link(node: Node, to: NodeName, signal: AbortSignal): Promise<Entry> {
    const told = await this.#send(node, to, signal);
    const stale = to.parent.children.get(to.name);
    if (stale !== undefined) this.#core.nodes.removeName(stale, to.parent, to.name);
    this.#core.nodes.addName(node, to.parent, to.name);
    this.#core.recordOwn(to.parent, to.name, { ...node.resource, name: to.name });
    // The change time is another one, and the ETag with it.
    await this.#core.sameContent(node, told, NEVER);
    const resource = { ...node.resource, name: to.name };
    this.#core.cache.put(to.parent.id, to.name, resource, this.#core.now());
    return this.#core.answers.entry(node);
  }

  async #send(node: Node, to: NodeName, signal: AbortSignal): Promise<Resource | undefined> {
    try {
      return await this.#core.client.bind(to.parent.path, to.name, node.path, { signal });
    } catch (error) {
      if (wasSent(error)) {
        const made = await this.#made(node, to);
        if (made !== undefined) return made;
      }
      this.#core.recordUnknown(to.parent, to.name);
      if (isPreconditionFailed(error)) throw new FsError('EEXIST');
      if (error instanceof DavError && error.condition === 'binding-allowed') {
        throw new FsError('EPERM', 'no further name for this file at the peer', { cause: error });
      }
      throw error;
    }
  }

  /** The answer was lost: two names of one file were made by the request. */
  async #made(node: Node, { parent, name }: NodeName): Promise<Resource | undefined> {
    const [file, made] = await Promise.all([
      this.#core.client.stat(node.path, { signal: NEVER }),
      this.#core.client.stat(`${parent.path}/${name}`, { signal: NEVER }),
    ]);
    const key = fileKeyOf(made);
    return key !== undefined && key === fileKeyOf(file) ? made : undefined;
  }
}
