/** Closed files that the peer doesn't take: told once each, and tried again now and then. */
import type { Core } from '../core.js';
import { toFsError } from '../errno.js';
import type { Committed } from '../file-data.js';
import type { FsError } from '../filesystem.js';
import type { Node } from '../node.js';

/** What was refused may be taken later: somebody made room there. */
const RETRY_MS = 5 * 60_000;

export class Refusals {
  readonly #core: Core;
  readonly #retry: (node: Node) => void;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(core: Core, retry: (node: Node) => void) {
    this.#core = core;
    this.#retry = retry;
  }

  add(node: Node, committed: Committed, error: unknown): void {
    const refused = toFsError(error);
    if (committed.refused?.message !== refused.message) {
      this.#core.log.error('the peer does not take a closed file; it stays in the journal', {
        path: node.path,
        errno: refused.errno,
        reason: refused.message,
        remedy: remedyOf(refused),
      });
    }
    committed.refused = refused;
    committed.untold = true;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#retry(node);
    }, RETRY_MS).unref();
    this.#timers.add(timer);
  }

  /** For a close or fsync: fails with the error of an upload of what was closed before, once. */
  tell(committed: Committed): void {
    const { refused, untold } = committed;
    if (refused === undefined || untold !== true) return;
    committed.untold = false;
    throw refused;
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}

function remedyOf({ errno }: FsError): string {
  switch (errno) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'make room at the peer';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'let the user write there, or remove or move the file here';
    case 'ENOENT':
      return 'make its folder again, or remove or move the file here';
    default:
      return 'see davport status; remove or move the file here to end it';
  }
}
