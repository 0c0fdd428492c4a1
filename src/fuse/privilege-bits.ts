import type { Awaitable, Entry, FileSystem, Attributes } from '../vfs/filesystem.js';
import type { FuseRequest } from './request.js';

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_IXGRP = 0o0010;

/**
 * With FUSE_HANDLE_KILLPRIV_V2 the kernel leaves it to us to clear the setuid and setgid bits of a file that an unprivileged process
 * writes to or truncates. Nearly no file has them, so the ones that do are remembered as their modes are told.
 */
export class PrivilegeBits {
  readonly #marked = new Set<number>();

  saw(nodeId: number, attributes: Attributes): void {
    if (cleared(attributes.mode) !== attributes.mode) this.#marked.add(nodeId);
    else if (this.#marked.size > 0) this.#marked.delete(nodeId);
  }

  sawEntry(entry: Entry): void {
    if (entry.nodeId !== 0) this.saw(entry.nodeId, entry.attributes);
  }

  forgot(nodeId: number): void {
    if (this.#marked.size > 0) this.#marked.delete(nodeId);
  }

  /** Runs `change` after the bits of the file, if it has any, are cleared. */
  clearedFirst<T>(
    fs: FileSystem,
    fh: number | undefined,
    request: FuseRequest,
    change: () => Awaitable<T>,
  ): Awaitable<T> {
    if (!this.#marked.has(request.nodeId)) return change();
    return this.#clear(fs, fh, request).then(change);
  }

  async #clear(fs: FileSystem, fh: number | undefined, request: FuseRequest): Promise<void> {
    const { attributes } = await fs.getattr(request.nodeId, fh, request);
    const mode = cleared(attributes.mode);
    if (mode !== attributes.mode) await fs.setattr(request.nodeId, { mode }, fh, request);
    this.#marked.delete(request.nodeId);
  }
}

/** S_ISGID without group execution marks mandatory locking, not a privilege (setattr_should_drop_sgid in the kernel). */
function cleared(mode: number): number {
  if ((mode & S_IFMT) !== S_IFREG) return mode;
  const withoutUid = mode & ~S_ISUID;
  return (mode & S_IXGRP) === 0 ? withoutUid : withoutUid & ~S_ISGID;
}
