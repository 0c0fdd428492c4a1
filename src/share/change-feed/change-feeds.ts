/**
 * The feeds of a share and the folders that are watched for them. A folder is watched from the moment a client asks about it with the
 * name of its feed, until the feed ends, the folder leaves its place, or too many are.
 *
 * INVARIANT: what `cover` said yes to is told from that moment on, or the client is told that it is not (forget, reset).
 */
import fs from 'node:fs';
import { isUploadName } from '../../webdav/hidden-names.js';
import { errnoCode, ShareError } from '../errors.js';
import { STORE_NAME, type FsPath } from '../fs-path.js';
import type { Place } from '../place.js';
import type { Root } from '../root.js';
import { Feed, type WatchedFolder } from './feed.js';
import { Inotify, type InotifyListener, type MemberChange, type WatchCalls } from './inotify.js';
import { tellsAllChanges } from './local-file-systems.js';

/** Ours. A client needs one. */
const MAX_FEEDS = 64;
/** Per feed. The kernel has a limit, too (fs.inotify.max_user_watches), and a watch costs it about 1 KiB. */
const MAX_FOLDERS = 8192;

export class ChangeFeeds implements InotifyListener {
  readonly available: boolean;
  readonly #calls: WatchCalls | undefined;
  readonly #feeds = new Map<string, Feed>();
  readonly #byWatch = new Map<number, Set<WatchedFolder>>();
  /** By device. */
  readonly #tellsAll = new Map<bigint, boolean>();
  /** While there are feeds. */
  #inotify: Inotify | undefined;

  constructor(calls: WatchCalls | undefined, root: Root) {
    this.#calls = calls;
    this.available = calls !== undefined && this.#isWatchable(rootIdentity(root), root.path);
  }

  /** Throws ShareError 503, or the error of a system call. */
  open(): Feed {
    if (!this.#calls || this.#feeds.size >= MAX_FEEDS) {
      throw new ShareError(503, 'too many change feeds', { headers: { 'Retry-After': '60' } });
    }
    this.#inotify ??= new Inotify(this.#calls, this);
    const feed = new Feed();
    this.#feeds.set(feed.id, feed);
    return feed;
  }

  /** Whatever has happened before the call is noted by the feeds after it. */
  catchUp(): void {
    this.#inotify?.catchUp();
  }

  end(feed: Feed): void {
    if (!this.#feeds.delete(feed.id)) return;
    feed.end();
    for (const folder of feed.folders.values()) this.#unwatch(folder);
    if (this.#feeds.size > 0) return;
    this.#inotify?.close();
    this.#inotify = undefined;
  }

  /**
   * Before the resource is told to the client of the feed: the folder it is in is watched (also where nothing is), a collection
   * itself as well. Refreshes `place` after that, so that no change falls in between. `followed`: the last name may have been a link.
   */
  cover(
    feedId: string | undefined,
    place: Place,
    segments: readonly string[],
    followed: boolean,
  ): boolean {
    const feed = feedId === undefined ? undefined : this.#feeds.get(feedId);
    if (!feed) return false;
    try {
      return this.#cover(feed, place, segments, followed);
    } catch (error) {
      // No permission to read the folder, the kernel's limit, gone meanwhile.
      if (errnoCode(error) === undefined) throw error;
      place.refresh();
      return false;
    }
  }

  #cover(feed: Feed, place: Place, segments: readonly string[], followed: boolean): boolean {
    const before = place.stat;
    if (before?.isDirectory()) {
      if (!this.#watch(feed, segments.join('/'), before, place.path)) return false;
      if (!followed && !this.#watchParent(feed, place, segments)) return false;
      const after = place.refresh();
      return after?.ino === before.ino && after.dev === before.dev;
    }
    // The folder of a link's target isn't the one that the path names.
    if (followed || !this.#watchParent(feed, place, segments)) return false;
    return !place.refresh()?.isDirectory();
  }

  /** The folder that the name is in; the root has none. */
  #watchParent(feed: Feed, place: Place, segments: readonly string[]): boolean {
    if (segments.length === 0) return place.stat?.isDirectory() === true;
    const parent = segments.slice(0, -1).join('/');
    return this.#watch(feed, parent, place.parentIdentity(), place.sibling(''));
  }

  #watch(feed: Feed, path: string, { dev, ino }: Identity, folder: FsPath): boolean {
    const known = feed.folders.get(path);
    if (known) {
      feed.folders.delete(path);
      if (known.dev === dev && known.ino === ino) {
        feed.folders.set(path, known);
        return true;
      }
      this.#unwatch(known);
    }
    if (!this.#isWatchable({ dev }, folder)) return false;
    if (feed.folders.size >= MAX_FOLDERS) this.#forgetOldest(feed);
    const watch = this.#add(feed, folder);
    const watched = { feed, path, watch, dev, ino };
    feed.folders.set(path, watched);
    const all = this.#byWatch.get(watch);
    if (all) all.add(watched);
    else this.#byWatch.set(watch, new Set([watched]));
    return true;
  }

  #add(feed: Feed, folder: FsPath): number {
    try {
      return this.#inotify!.add(folder);
    } catch (error) {
      // The kernel's limit: room for this one is made by another.
      if (errnoCode(error) !== 'ENOSPC' || !this.#forgetOldest(feed)) throw error;
      return this.#inotify!.add(folder);
    }
  }

  #forgetOldest(feed: Feed): boolean {
    for (const oldest of feed.folders.values()) {
      this.#forget(oldest);
      return true;
    }
    return false;
  }

  #forget(folder: WatchedFolder): void {
    const { feed, path } = folder;
    feed.folders.delete(path);
    this.#unwatch(folder);
    if (feed.isFull) this.#reset(feed);
    else feed.noteForgotten(path);
  }

  #unwatch(folder: WatchedFolder): void {
    const all = this.#byWatch.get(folder.watch);
    if (!all?.delete(folder) || all.size > 0) return;
    this.#byWatch.delete(folder.watch);
    this.#inotify?.remove(folder.watch);
  }

  #reset(feed: Feed): void {
    for (const folder of feed.folders.values()) this.#unwatch(folder);
    feed.folders.clear();
    feed.noteReset();
  }

  #change(feed: Feed, path: string): void {
    if (feed.isFull) this.#reset(feed);
    else feed.noteChange(path);
  }

  /** A folder has been moved away, with what is in it. */
  #leave(feed: Feed, path: string): void {
    const below = `${path}/`;
    for (const folder of [...feed.folders.values()]) {
      if (folder.path === path || folder.path.startsWith(below)) this.#forget(folder);
    }
  }

  // ---- From the kernel. What is walked may change meanwhile: a copy is.

  onMember(watch: number, name: string, { names, folderLeft }: MemberChange): void {
    for (const { feed, path } of this.#watchedBy(watch)) {
      const member = path === '' ? name : `${path}/${name}`;
      if (folderLeft) this.#leave(feed, member);
      if (names) this.#change(feed, path);
      // Uploads on the way are nobody's files yet.
      if (!isUploadName(name) && name !== STORE_NAME) this.#change(feed, member);
    }
  }

  onSelf(watch: number): void {
    for (const { feed, path } of this.#watchedBy(watch)) this.#change(feed, path);
  }

  onGone(watch: number, moved: boolean): void {
    for (const folder of this.#watchedBy(watch)) {
      const { feed, path } = folder;
      if (moved) this.#leave(feed, path);
      else this.#forget(folder);
      this.#change(feed, path);
    }
  }

  #watchedBy(watch: number): readonly WatchedFolder[] {
    const all = this.#byWatch.get(watch);
    return all ? [...all] : [];
  }

  onOverflow(): void {
    for (const feed of this.#feeds.values()) this.#reset(feed);
  }

  #isWatchable({ dev }: Pick<Identity, 'dev'>, path: FsPath): boolean {
    let tellsAll = this.#tellsAll.get(dev);
    if (tellsAll === undefined) {
      tellsAll = tellsAllChanges(path);
      this.#tellsAll.set(dev, tellsAll);
    }
    return tellsAll;
  }
}

interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

function rootIdentity(root: Root): Identity {
  return fs.fstatSync(root.fd, { bigint: true });
}
