/**
 * The shared folder, and the only way from a path to a file. Nothing outside of the folder is ever reached: the walk goes component by
 * component from an open descriptor of the root, never through a symbolic link unknowingly, and `..` (of a link's target) goes back
 * along the descriptors of the walk itself. A folder that somebody swaps for a link meanwhile is either the one that was opened, or ENOTDIR.
 */
import fs from 'node:fs';
import { resolve } from 'node:path';
import { DavportError } from '../errors.js';
import { decodeName } from '../names.js';
import { ShareError, errnoCode } from './errors.js';
import { FolderCalls } from './folder-calls.js';
import { at, PIN_FOLDER, STORE_NAME } from './fs-path.js';
import type { SystemCalls } from './options.js';
import { Place } from './place.js';
import type { FileState } from './file-state.js';

/**
 * inside: followed while the target is inside of the shared folder. show: shown as links where the client understands them, never
 * followed. hide: as if they weren't there.
 */
export type SymlinkPolicy = 'inside' | 'hide' | 'show';

/** As the kernel's own limit (path_resolution(7)). */
const MAX_LINKS = 40;
/** Names of one walk that are not in the request: a chain of links, each 4 KiB long, could keep the server busy for seconds. */
const MAX_LINK_STEPS = 4096;

export class Root {
  readonly path: string;
  readonly fd: number;
  readonly policy: SymlinkPolicy;
  readonly calls: FolderCalls;
  #closed = false;

  /** Throws the error of open(2) when `path` is no folder that can be read, DavportError NO_PROC when no name can be looked up. */
  constructor(path: string, policy: SymlinkPolicy, calls?: SystemCalls) {
    this.calls = new FolderCalls(calls);
    this.path = fs.realpathSync(resolve(path));
    this.policy = policy;
    this.fd = fs.openSync(this.path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
    if (!leadsTo(this.fd)) {
      fs.closeSync(this.fd);
      // Each request would end in a 404 that is a lie.
      throw new DavportError(
        'NO_PROC',
        'sharing a folder needs /proc; mount it: mount -t proc proc /proc',
      );
    }
  }

  /**
   * Finds the folder of the last name, and what the name is. `follow`: a link as the last name is followed by policy (its place is
   * then that of the target); otherwise it is the place. Throws ShareError 404 when a folder on the way isn't there.
   */
  locate(segments: readonly string[], follow: boolean): Place {
    try {
      const place = this.#reach(segments) ?? this.#walk(segments, follow);
      // What is missing in a folder below proves nothing: the way led through a member of the shared folder, so that is there.
      const isMissingHere = place.kind === 'missing' && place.parentFd === this.fd;
      if (place.name === '' || isMissingHere) this.#mustExist(place);
      return place;
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') this.#mustExist();
      throw error;
    }
  }

  /** Where no symbolic link is on the way, and the folder is there: the kernel goes all the way by one call. */
  #reach(segments: readonly string[]): Place | undefined {
    const name = segments.at(-1);
    if (name === undefined || segments.includes(STORE_NAME)) return undefined;
    if (segments.length > 1) return this.#reachBelow(segments.slice(0, -1), name);
    const stat = this.calls.stat(this.fd, name);
    return stat?.isSymbolicLink() ? undefined : new Place(this.calls, this.fd, name, false, stat);
  }

  #reachBelow(folders: readonly string[], name: string): Place | undefined {
    const found = this.calls.find(this.fd, folders, name);
    if (!found) return undefined;
    const { fd, stat } = found;
    if (!stat?.isSymbolicLink()) return new Place(this.calls, fd, name, true, stat);
    fs.closeSync(fd);
    return undefined;
  }

  #walk(segments: readonly string[], follow: boolean): Place {
    const walk = new Walk(this, follow);
    try {
      return walk.run(segments);
    } finally {
      walk.close();
    }
  }

  /**
   * Nothing is found any more when the folder itself was removed: 410 instead of 404, for the names in it weren't removed one by one,
   * and another folder of that path is not this one.
   */
  #mustExist(place?: Place): void {
    if ((this.calls.stat(this.fd, '')?.nlink ?? 0n) > 0n) return;
    place?.close();
    throw new ShareError(410, 'the shared folder is no longer there');
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    fs.closeSync(this.fd);
  }
}

/** Does the way by /proc lead to the folder that is open? */
function leadsTo(fd: number): boolean {
  const there = fs.lstatSync(at(fd, ''), { bigint: true, throwIfNoEntry: false });
  const { dev, ino } = fs.fstatSync(fd, { bigint: true });
  return there?.dev === dev && there.ino === ino;
}

class Walk {
  readonly #root: Root;
  readonly #follow: boolean;
  /** Open folders from the root to here. */
  #folders: number[];
  #links = 0;
  #steps = 0;

  constructor(root: Root, follow: boolean) {
    this.#root = root;
    this.#follow = follow;
    this.#folders = [root.fd];
  }

  run(segments: readonly string[]): Place {
    let rest = segments;
    for (let index = 0; index < rest.length; index++) {
      if (++this.#steps > segments.length + MAX_LINK_STEPS)
        throw new ShareError(508, 'symbolic links lead too far');
      const name = rest[index]!;
      if (name === '..') {
        this.#up();
      } else if (name === STORE_NAME) {
        throw new ShareError(403, 'a name that the share keeps for itself');
      } else if (name !== '.' && name !== '') {
        const last = index === rest.length - 1;
        const target = last ? this.#last(name) : this.#enter(name);
        if (target instanceof Place) return target;
        if (target !== undefined) {
          rest = [...target, ...rest.slice(index + 1)];
          index = -1;
        }
      }
    }
    // The root, or a link that leads to a folder by its end ("..", "/", ".").
    return this.#take('', this.#root.calls.stat(this.#top, ''));
  }

  /** Opens the folder `name`; gives the path to go on with when it is a link. */
  #enter(name: string): string[] | undefined {
    try {
      this.#folders.push(fs.openSync(at(this.#top, name), PIN_FOLDER));
      return undefined;
    } catch (error) {
      const code = errnoCode(error);
      if (code !== 'ENOTDIR' && code !== 'ELOOP') throw error;
    }
    const target = this.#readLink(name);
    if (target === undefined || this.#root.policy !== 'inside') {
      throw new ShareError(404, 'a name on the way is no collection');
    }
    return target;
  }

  /** The place, or the path to go on with when it is a link to follow. */
  #last(name: string): Place | string[] {
    const stat = this.#root.calls.stat(this.#top, name);
    if (stat?.isSymbolicLink()) {
      if (this.#root.policy === 'hide') throw new ShareError(404, 'no such resource');
      const target =
        this.#follow && this.#root.policy === 'inside' ? this.#readLink(name) : undefined;
      if (target) return target;
    }
    return this.#take(name, stat);
  }

  /** Undefined when it is no link (any more). */
  #readLink(name: string): string[] | undefined {
    try {
      const target = fs.readlinkSync(at(this.#top, name), { encoding: 'buffer' });
      if (++this.#links > MAX_LINKS) throw new ShareError(508, 'too many symbolic links');
      return this.#targetPath(decodeName(target));
    } catch (error) {
      if (errnoCode(error) === 'EINVAL') return undefined;
      throw error;
    }
  }

  /** An absolute target is taken from the root on, or refused. */
  #targetPath(target: string): string[] {
    if (!target.startsWith('/')) return target.split('/');
    const root = this.#root.path === '/' ? '' : this.#root.path;
    if (target !== root && !target.startsWith(`${root}/`)) throw outside();
    this.#popTo(1);
    return target.slice(root.length).split('/');
  }

  #up(): void {
    if (this.#folders.length === 1) throw outside();
    this.#popTo(this.#folders.length - 1);
  }

  #popTo(length: number): void {
    while (this.#folders.length > length) fs.closeSync(this.#folders.pop()!);
  }

  get #top(): number {
    return this.#folders.at(-1)!;
  }

  /** Makes the place: it takes over the descriptor of the folder reached so far. */
  #take(name: string, stat: FileState | undefined): Place {
    const owned = this.#folders.length > 1;
    const fd = owned ? this.#folders.pop()! : this.#root.fd;
    return new Place(this.#root.calls, fd, name, owned, stat);
  }

  close(): void {
    this.#popTo(1);
  }
}

function outside(): ShareError {
  return new ShareError(403, 'a symbolic link that leads out of the shared folder');
}
