/** inotify(7): which names change in the folders that are watched. Reads and decodes; what it means is decided elsewhere. */
import { decodeName } from '../../names.js';
import type { FsPath } from '../fs-path.js';

/** System calls that node:fs lacks; fs.watch drops what doesn't fit into the kernel's queue without a word. */
export interface WatchCalls {
  inotifyInit(): number;
  inotifyAdd(fd: number, path: FsPath, mask: number): number;
  inotifyRemove(fd: number, watch: number): void;
  openFd(fd: number): WatchFd;
}

export interface WatchFd {
  readonly fd: number;
  watch(readable: boolean, writable: boolean, callback: () => void): void;
  /** -1: nothing there. */
  read(buffer: Buffer): number;
  close(): void;
}

const IN_MODIFY = 0x2;
const IN_ATTRIB = 0x4;
/** Also of a program that wrote through a mapping, when it lets go of the file. */
const IN_CLOSE_WRITE = 0x8;
const IN_MOVED_FROM = 0x40;
const IN_MOVED_TO = 0x80;
const IN_CREATE = 0x100;
const IN_DELETE = 0x200;
const IN_DELETE_SELF = 0x400;
const IN_MOVE_SELF = 0x800;
const IN_UNMOUNT = 0x2000;
const IN_Q_OVERFLOW = 0x4000;
const IN_IGNORED = 0x8000;
const IN_ONLYDIR = 0x1000000;
const IN_DONT_FOLLOW = 0x2000000;
const IN_ISDIR = 0x40000000;

const CONTENT = IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE;
const NAMES = IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE;
const SELF = IN_DELETE_SELF | IN_MOVE_SELF;
const GONE = SELF | IN_IGNORED | IN_UNMOUNT;
const MASK = CONTENT | NAMES | SELF | IN_ONLYDIR | IN_DONT_FOLLOW;

/** struct inotify_event { int wd; uint32_t mask, cookie, len; char name[]; }, in the byte order of the machine. */
const HEADER_BYTES = 16;
const BUFFER_BYTES = 64 * 1024;
/** The kernel gives as many as fit: with so much room left, no more were there. NAME_MAX, NUL, padded. */
const MAX_EVENT_BYTES = HEADER_BYTES + 256 + 16;
/** Reads in one turn of the event loop. */
const MAX_READS = 8;

export interface MemberChange {
  /** Names were made, renamed or removed: the folder's own times have changed, too. */
  readonly names: boolean;
  /** A folder has left, with everything in it. */
  readonly folderLeft: boolean;
}

export interface InotifyListener {
  /** A name in the folder, or what it names, has changed. */
  onMember(watch: number, name: string, what: MemberChange): void;
  /** The folder's own mode, owner or times. */
  onSelf(watch: number): void;
  /** The folder is at its place no more. `moved`: and what is in it neither. */
  onGone(watch: number, moved: boolean): void;
  /** Events were lost. */
  onOverflow(): void;
}

export class Inotify {
  readonly #calls: WatchCalls;
  readonly #io: WatchFd;
  readonly #listener: InotifyListener;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #closed = false;

  /** Throws the error of the system call. */
  constructor(calls: WatchCalls, listener: InotifyListener) {
    this.#calls = calls;
    this.#listener = listener;
    this.#io = calls.openFd(calls.inotifyInit());
    this.#io.watch(true, false, () => this.#read());
  }

  /** The watch; the same one for the same folder. Throws the error of the system call. */
  add(folder: FsPath): number {
    return this.#calls.inotifyAdd(this.#io.fd, folder, MASK);
  }

  remove(watch: number): void {
    try {
      this.#calls.inotifyRemove(this.#io.fd, watch);
    } catch {
      // The kernel took it back with its folder.
    }
  }

  close(): void {
    this.#closed = true;
    this.#io.close();
  }

  /** Tells the listener of everything that has happened before the call. */
  catchUp(): void {
    while (!this.#closed && this.#readOnce());
  }

  #read(): void {
    for (let reads = 0; reads < MAX_READS && !this.#closed; reads++) {
      if (!this.#readOnce()) return;
    }
  }

  /** False: that was all there was. */
  #readOnce(): boolean {
    const length = this.#io.read(this.#buffer);
    if (length <= 0) return false;
    this.#decode(this.#buffer.subarray(0, length));
    return length > BUFFER_BYTES - MAX_EVENT_BYTES;
  }

  #decode(events: Buffer): void {
    for (let at = 0; at + HEADER_BYTES <= events.length && !this.#closed;) {
      const view = new DataView(events.buffer, events.byteOffset + at, HEADER_BYTES);
      const watch = view.getInt32(0, LITTLE_ENDIAN);
      const mask = view.getUint32(4, LITTLE_ENDIAN);
      const end = at + HEADER_BYTES + view.getUint32(12, LITTLE_ENDIAN);
      const padded = events.subarray(at + HEADER_BYTES, end);
      const length = padded.indexOf(0);
      const name = length < 0 ? padded : padded.subarray(0, length);
      this.#tell(watch, mask, name);
      at = end;
    }
  }

  #tell(watch: number, mask: number, name: Buffer): void {
    if ((mask & IN_Q_OVERFLOW) !== 0) {
      this.#listener.onOverflow();
    } else if ((mask & GONE) !== 0) {
      this.#listener.onGone(watch, (mask & IN_MOVE_SELF) !== 0);
    } else if (name.length === 0) {
      this.#listener.onSelf(watch);
    } else {
      this.#listener.onMember(watch, decodeName(name), {
        names: (mask & NAMES) !== 0,
        folderLeft: (mask & IN_MOVED_FROM) !== 0 && (mask & IN_ISDIR) !== 0,
      });
    }
  }
}

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
