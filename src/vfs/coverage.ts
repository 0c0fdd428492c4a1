/** What is known of one directory that a feed of changes tells about. */
import type { Change } from '../webdav/change.js';
import type { Resource } from '../webdav/types.js';
import { S_IFDIR, S_IFMT, typeOf } from './attributes.js';
import type { Node } from './node.js';
import { sameTag } from './reader/versions.js';

/** What a line said of a name; undefined: we have changed it ourselves, or an answer of it isn't covered. */
export type Said = Extract<Change, { kind: 'changed' | 'gone' }> | undefined;

/** The directory itself. */
export const SELF = '';
/** Names of which something was said since they were last asked for. */
const MAX_NAMES = 1024;

interface Entry {
  readonly count: number;
  readonly said: Said;
  /** An answer to a question that was asked later has come. */
  settled: boolean;
}

export class Coverage {
  readonly #names = new Map<string, Entry>();
  /** Which directory it is of: another one may take the place of it, or of one above. */
  #identity: string | undefined;
  /** Arrival of the first answer from which on changes are told. */
  #since: number | undefined;
  #count = 0;
  /** Questions on their way. */
  #asked = 0;
  ownChangeAt = -Infinity;

  /** A question is asked; returns what has been said so far, by number. */
  begin(): number {
    this.#forgetSettled();
    this.#asked += 1;
    return this.#count;
  }

  /** It was answered, or given up. */
  end(): void {
    this.#asked -= 1;
    this.#forgetSettled();
  }

  /** Only while no older question is on its way, whose answer it would have to contradict. */
  #forgetSettled(): void {
    if (this.#asked > 0) return;
    for (const [name, entry] of this.#names) if (entry.settled) this.#names.delete(name);
  }

  isOf(directory: Node): boolean {
    return this.#identity === undefined || identityOf(directory) === this.#identity;
  }

  establish(directory: Node, at: number): void {
    if (this.#since !== undefined) return;
    this.#since = at;
    this.#identity = identityOf(directory);
  }

  /** An answer that arrived then is told of since. */
  isSince(at: number): boolean {
    return this.#since !== undefined && at >= this.#since;
  }

  /** False: too many names, this is to be given up. */
  say(name: string, said: Said): boolean {
    this.#count += 1;
    this.#names.delete(name);
    this.#names.set(name, { count: this.#count, said, settled: false });
    return this.#names.size <= MAX_NAMES;
  }

  /** An answer is used whose question was asked at `count`. */
  settle(name: string, count: number): void {
    const entry = this.#names.get(name);
    if (entry !== undefined && entry.count <= count) entry.settled = true;
  }

  settleMembers(count: number): void {
    for (const [name, entry] of this.#names) {
      if (name !== SELF && entry.count <= count) entry.settled = true;
    }
  }

  /** `resource` undefined: no such name. */
  verdict(name: string, resource: Resource | undefined): Verdict {
    const entry = this.#names.get(name);
    if (entry === undefined) return 'nothing said';
    if (entry.said === undefined) return 'unsure';
    const same = name === SELF ? isSameState(entry.said, resource) : isSame(entry.said, resource);
    return same ? 'confirmed' : 'contradicted';
  }

  /** Of all members that something was said of. */
  worstVerdict(members: ReadonlyMap<string, Resource>): Verdict {
    let worst: Verdict = 'nothing said';
    for (const name of this.#names.keys()) {
      if (name === SELF) continue;
      const verdict = this.verdict(name, members.get(name));
      if (verdict === 'contradicted') return verdict;
      if (verdict === 'unsure') worst = verdict;
    }
    return worst;
  }
}

export type Verdict = 'nothing said' | 'confirmed' | 'unsure' | 'contradicted';

/** Inode numbers and names from below the root down. */
function identityOf(directory: Node): string {
  let text = '';
  for (let at = directory; at.parent !== undefined; at = at.parent) {
    text = `${at.name} ${at.resource.posix?.ino ?? ''}/${text}`;
  }
  return text;
}

/** Does the line tell what is known of the name? Of a folder its parent's line says nothing about what is in it. */
export function isSame(said: NonNullable<Said>, resource: Resource | undefined): boolean {
  if (said.kind === 'gone' || resource === undefined) {
    return said.kind === 'gone' && resource === undefined;
  }
  if (!isFolder(said)) return resource.kind !== 'collection' && isSameState(said, resource);
  const { mode, ino } = said.posix;
  return isSameFile(said, resource) && mode === resource.posix?.mode && ino === resource.posix?.ino;
}

/** The same file still, or the same folder, whatever has changed of it. */
export function isSameFile(said: NonNullable<Said>, resource: Resource): boolean {
  if (said.kind === 'gone' || isFolder(said) !== (resource.kind === 'collection')) return false;
  if (isFolder(said)) return said.posix.ino === resource.posix?.ino;
  return typeBits(said.posix.mode) === typeBits(resource.posix?.mode ?? typeOf(resource));
}

function isSameState(said: NonNullable<Said>, resource: Resource | undefined): boolean {
  return said.kind === 'changed' && sameTag(said.etag, resource?.etag);
}

function isFolder(said: NonNullable<Said>): boolean {
  return said.kind === 'changed' && typeBits(said.posix.mode) === S_IFDIR;
}

function typeBits(mode = 0): number {
  return mode & S_IFMT;
}
