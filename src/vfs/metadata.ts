/**
 * setattr, readlink, access, statfs: what WebDAV can't say is stored as properties where the server keeps them, else refused.
 */
import { decodeName } from '../names.js';
import { formatPosixProperty } from '../webdav/posix-property.js';
import type {
  PosixProperty,
  PropertyChange,
  Quota,
  ServerProfile,
  Timespec,
} from '../webdav/types.js';
import { APACHE_NS, DAVPORT_NS } from '../webdav/types.js';
import { nowTimespec, permissionsOf, S_IFLNK, typeOf } from './attributes.js';
import { chain } from './awaitable.js';
import type { Core } from './core.js';
import type {
  AttributeChange,
  AttributesAnswer,
  Awaitable,
  RequestContext,
  StatfsAnswer,
} from './filesystem.js';
import { FsError } from './filesystem.js';
import { gated } from './gate.js';
import type { Node } from './node.js';
import type { Opening } from './opening.js';
import { sameTag } from './reader/versions.js';
import type { Space } from './space.js';

const BLOCK_SIZE = 4096;
/** Told when the server doesn't say: programs that check for room must not be turned away by a guess. */
const UNKNOWN_BYTES = 2 ** 50;
const NAME_MAX = 255;
const X_OK = 1;
const W_OK = 2;
const LINK_MAX_BYTES = 4096;

type Wanted = Pick<PosixProperty, 'mode' | 'mtime' | 'atime'>;

export class Metadata {
  readonly #core: Core;
  readonly #opening: Opening;
  readonly #space: Space;

  constructor(core: Core, opening: Opening, space: Space) {
    this.#core = core;
    this.#space = space;
    this.#opening = opening;
  }

  async setattr(
    node: Node,
    change: AttributeChange,
    fh: number | undefined,
    ctx: RequestContext,
  ): Promise<AttributesAnswer> {
    this.#core.access.check();
    this.#checkOwner(change);
    if (change.size !== undefined) {
      if (node.isDirectory) throw new FsError('EISDIR');
      await this.#opening.truncate(node, change.size, fh, ctx);
    }
    if (change.mode !== undefined || change.mtime !== undefined || change.atime !== undefined)
      await this.#setPosix(node, change, ctx);
    await this.#core.lookups.refresh(node, ctx);
    return this.#core.answers.answer(node);
  }

  /** The mode that mkdir(2) was given, where it isn't what folders have anyway. */
  async setNewMode(node: Node, mode: number, ctx: RequestContext): Promise<void> {
    const profile = await this.#core.profile(ctx.signal);
    if (!profile.deadProperties && !profile.livePosix) return;
    await this.#setPosix(node, { mode: mode & 0o7777 }, ctx);
  }

  /** Owners can't be said; setting the one that is shown changes nothing. */
  #checkOwner(change: AttributeChange): void {
    const { uid, gid } = this.#core.options;
    if ((change.uid ?? uid) !== uid || (change.gid ?? gid) !== gid) {
      throw new FsError('EPERM', 'a WebDAV share has no owners');
    }
  }

  async #setPosix(node: Node, change: AttributeChange, ctx: RequestContext): Promise<void> {
    const profile = await this.#core.profile(ctx.signal);
    await this.#core.lookups.refresh(node, ctx);
    const { data } = node;
    const mode = this.#newMode(node, change, profile);
    // The kernel sends mtime along with a change of size; the content's own change says that already.
    const mtime = change.size !== undefined ? undefined : change.mtime;
    const atime = this.#storedAtime(node, change, profile);
    if (data?.dirty === true || node.unlinked) {
      if (data === undefined) return;
      if (mode !== undefined) data.pendingMode = mode;
      if (atime !== undefined) data.pendingAtime = atime;
      if (mtime === 'now') {
        data.mtime = nowTimespec();
        data.pendingMtime = undefined;
      } else if (mtime !== undefined)
        data.mtime = data.pendingMtime = this.#storableTime(mtime, profile);
      await this.#core.writeback?.commits.noteAttributes(node, data);
      return;
    }
    if (mode === undefined && mtime === undefined && atime === undefined) return;
    const wanted: Wanted = {
      ...pick('mode', mode),
      ...pick('mtime', mtime === 'now' ? nowTimespec() : mtime),
      ...pick('atime', atime),
    };
    await gated(node, () => this.#store(node, wanted, profile, ctx.signal));
  }

  /** Only our own share stores it: elsewhere it is kept here, until the kernel forgets the file. */
  #storedAtime(
    node: Node,
    { atime }: AttributeChange,
    profile: ServerProfile,
  ): Timespec | undefined {
    if (atime === undefined) return undefined;
    const time = atime === 'now' ? nowTimespec() : atime;
    node.atime = profile.livePosix ? undefined : time;
    return profile.livePosix ? time : undefined;
  }

  #storableTime(mtime: Timespec, profile: ServerProfile): Timespec {
    if (!profile.deadProperties && !profile.livePosix) throw cannotStore('times');
    return mtime;
  }

  /** Undefined: nothing to change. */
  #newMode(node: Node, change: AttributeChange, profile: ServerProfile): number | undefined {
    if (change.mode === undefined) return undefined;
    const wanted = change.mode & 0o7777;
    const shown =
      node.data?.pendingMode ?? permissionsOf(node.resource, this.#core.options, profile);
    if (wanted === shown) return undefined;
    const keepsMode = profile.deadProperties || profile.livePosix;
    if (!keepsMode && !(profile.setsExecutable && ((wanted ^ shown) & 0o100) !== 0))
      throw cannotStore('modes');
    return wanted;
  }

  async #store(
    node: Node,
    wanted: Wanted,
    profile: ServerProfile,
    signal: AbortSignal,
  ): Promise<void> {
    const changes = this.#changes(node, wanted, profile);
    if (changes.length === 0) throw cannotStore('times');
    const { path } = node;
    const told = await this.#core.client.proppatch(path, changes, { signal });
    if (wanted.mtime !== undefined) node.writtenMtime = undefined;
    await this.#core.sameContent(node, told, signal);
    this.#checkKept(node, wanted, profile);
  }

  #changes(node: Node, { mode, mtime, atime }: Wanted, profile: ServerProfile): PropertyChange[] {
    const { resource } = node;
    const stored = profile.livePosix ? undefined : resource.posix;
    const changes: PropertyChange[] = [];
    if (profile.livePosix || profile.deadProperties) {
      const posix: PosixProperty = {
        // A live property is changed field by field; a stored text is replaced as a whole.
        ...pick('mode', mode === undefined ? stored?.mode : typeOf(resource) | mode),
        ...pick('mtime', mtime ?? stored?.mtime),
        ...pick('atime', atime),
        // A folder's ETag goes with what is in it, on phodav some time after the answer: what is said of a folder is said of all versions.
        ...pick('etag', profile.livePosix || node.isDirectory ? undefined : resource.etag),
      };
      changes.push({ ns: DAVPORT_NS, name: 'posix', value: formatPosixProperty(posix) });
    }
    if (profile.setsExecutable && mode !== undefined && !node.isDirectory) {
      const executable = (mode & 0o100) !== 0;
      if (executable !== (resource.executable === true)) {
        changes.push({ ns: APACHE_NS, name: 'executable', value: executable ? 'T' : 'F' });
      }
    }
    return changes;
  }

  /** phodav says 200 to every PROPPATCH: only what it shows afterwards was stored. */
  #checkKept(node: Node, { mode, mtime }: Wanted, profile: ServerProfile): void {
    const { resource } = node;
    if (mode !== undefined && permissionsOf(resource, this.#core.options, profile) !== mode) {
      if (
        !profile.livePosix &&
        ((mode ^ permissionsOf(resource, this.#core.options, profile)) & 0o111) !== 0
      ) {
        throw cannotStore('modes');
      }
    }
    if (mtime !== undefined && resource.mtime?.sec !== mtime.sec) throw cannotStore('times');
  }

  // ---- links

  readlink(node: Node, ctx: RequestContext): Awaitable<string> {
    if (typeOf(node.resource) !== S_IFLNK) throw new FsError('EINVAL');
    const told = node.resource.posix?.target;
    if (told !== undefined) return told;
    const { linkTarget, resource } = node;
    if (linkTarget !== undefined && sameTag(linkTarget.etag, resource.etag))
      return linkTarget.target;
    return this.#readTarget(node, ctx.signal);
  }

  async #readTarget(node: Node, signal: AbortSignal): Promise<string> {
    if (node.resource.size > LINK_MAX_BYTES)
      throw new FsError('EIO', `${node.path}: no link target is that long`);
    const pieces: Buffer[] = [];
    const { etag } = await this.#core.client.get(
      node.path,
      { onData: (chunk) => void pieces.push(chunk) },
      { signal, ...pick('etag', node.resource.etag) },
    );
    const target = decodeName(Buffer.concat(pieces));
    node.linkTarget = { target, etag };
    return target;
  }

  // ---- access, statfs

  access(node: Node, mask: number, ctx: RequestContext): Awaitable<void> {
    return chain(this.#core.lookups.refresh(node, ctx), () => {
      if ((mask & W_OK) !== 0) this.#core.access.check();
      const { mode } = this.#core.answers.attributes(node);
      if ((mask & X_OK) !== 0 && !node.isDirectory && (mode & 0o111) === 0)
        throw new FsError('EACCES');
    });
  }

  statfs(ctx: RequestContext): Awaitable<StatfsAnswer> {
    return chain(this.#space.quota(ctx.signal), statfsOf);
  }
}

function statfsOf(quota: Quota): StatfsAnswer {
  const available = quota.availableBytes ?? UNKNOWN_BYTES;
  const blocksAvailable = Math.floor(available / BLOCK_SIZE);
  const blocks = Math.floor((available + (quota.usedBytes ?? 0)) / BLOCK_SIZE);
  return {
    blockSize: BLOCK_SIZE,
    blocks,
    blocksFree: blocksAvailable,
    blocksAvailable,
    files: 0,
    filesFree: 0,
    nameMax: NAME_MAX,
  };
}

function cannotStore(what: string): FsError {
  return new FsError('EPERM', `this server does not store ${what}`);
}

/** An optional field, left out when undefined (exactOptionalPropertyTypes). */
function pick<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]?: V });
}
