/**
 * The resources of a scope, one after another, each as the client is told it. What a symbolic link leads to is told, but not entered:
 * what is inside of the share is met by its own path, once, and no walk is endless.
 */
import type { Context } from '../context.js';
import { errnoCode } from '../errors.js';
import type { FsPath } from '../fs-path.js';
import type { Subject } from '../live-properties.js';
import { readMembersAhead, type AheadReader } from '../ahead-reader.js';
import type { Member } from '../member-reader.js';
import { MemberView, type ViewedFolder } from '../member-view.js';
import type { Place } from '../place.js';
import { formatHref } from '../target-path.js';
import type { Depth } from './query.js';
import type { Scope } from './scope.js';

/** Until the next one is asked for. */
export interface Candidate {
  readonly href: string;
  readonly subject: Subject;
  /** Where it is a member by its own name; of what a link leads to there is none. */
  readonly folder?: OpenFolder | undefined;
}

export type MemberCandidate = Candidate & { readonly folder: OpenFolder };

/** Closed when the walk goes on behind it. */
export interface OpenFolder {
  readonly fd: number;
}

/** Ours: folders below each other that are open at a time. */
const MAX_LEVELS = 256;
/** Deeper down they are read one by one: a batch is memory. */
const MAX_BATCHED_LEVELS = 16;

interface Level extends ViewedFolder {
  readonly members: AheadReader;
}

export interface WalkOptions {
  readonly depth: Depth;
  /** The client is shown symbolic links themselves. */
  readonly showLinks: boolean;
}

export class ScopeWalk {
  /** Set when something was left out because it lies too deep. */
  incomplete = false;
  readonly #context: Context;
  readonly #scope: Scope;
  readonly #options: WalkOptions;
  readonly #view: MemberView;
  readonly #levels: Level[] = [];
  #begun = false;
  /** A thread reads on in the folder. */
  #more: Promise<void> | undefined;
  /** The folder told last, which comes next. */
  #next: { readonly path: FsPath; readonly segments: readonly string[] } | undefined;
  /** Where the link told last leads to. */
  #target: Place | undefined;

  constructor(context: Context, scope: Scope, options: WalkOptions) {
    this.#context = context;
    this.#scope = scope;
    this.#options = options;
    this.#view = new MemberView(context, options.showLinks);
  }

  /** The next one at hand. Undefined: see `more`. */
  next(): Candidate | undefined {
    this.#target?.close();
    this.#target = undefined;
    if (!this.#begun) return this.#self();
    this.#descend();
    for (let level = this.#levels.at(-1); level && !this.#more; level = this.#levels.at(-1)) {
      const candidate = this.#member(level);
      if (candidate) return candidate;
    }
    return undefined;
  }

  /** Undefined: that was the last one. Else there may be others when it resolves. */
  more(): Promise<void> | undefined {
    return this.#more;
  }

  /** Idempotent. */
  close(): void {
    this.#target?.close();
    this.#next = undefined;
    for (const { members } of this.#levels.splice(0)) members.close();
  }

  #self(): Candidate {
    this.#begun = true;
    const { segments, place } = this.#scope;
    const { path } = place;
    const kind = place.kind === 'link' && !this.#options.showLinks ? 'special' : place.kind;
    const isCollection = kind === 'collection';
    if (isCollection && this.#options.depth !== '0') this.#next = { path, segments };
    const subject = { name: segments.at(-1) ?? '', path, kind, stat: place.existing() };
    return { href: formatHref(segments, isCollection), subject };
  }

  #descend(): void {
    const next = this.#next;
    this.#next = undefined;
    if (!next) return;
    const depth = this.#levels.length;
    if (depth >= MAX_LEVELS) {
      this.incomplete = true;
      return;
    }
    const { path, segments } = next;
    const { attributes } = this.#context.options;
    const calls = depth < MAX_BATCHED_LEVELS ? attributes : undefined;
    try {
      const members = readMembersAhead(path, calls, false);
      this.#levels.push({ members, segments, base: formatHref(segments, true) });
    } catch (error) {
      requireGone(error);
    }
  }

  /** Undefined for what isn't there for the client, and where there is none at hand; at the end of the folder this goes back to the one above. */
  #member(level: Level): Candidate | undefined {
    const member = this.#nextOf(level);
    const viewed = member?.state && this.#view.of(level, member, member.state);
    if (!viewed) return undefined;
    const { href, subject, target } = viewed;
    this.#target = target;
    if (target) return viewed;
    if (subject.kind === 'collection' && this.#options.depth === 'infinity') {
      this.#next = { path: member.path, segments: [...level.segments, member.name] };
    }
    return { href, subject, folder: level.members };
  }

  #nextOf(level: Level): Member | undefined {
    try {
      const member = level.members.next();
      if (member) return member;
      const more = level.members.more();
      if (more) this.#more = this.#wait(level, more);
      else this.#leave(level);
    } catch (error) {
      requireGone(error);
      this.#leave(level);
    }
    return undefined;
  }

  async #wait(level: Level, more: Promise<void>): Promise<void> {
    try {
      await more;
    } catch (error) {
      requireGone(error);
      this.#leave(level);
    } finally {
      this.#more = undefined;
    }
  }

  /** REQUIRES: it is the deepest one. */
  #leave({ members }: Level): void {
    this.#levels.pop();
    members.close();
  }
}

export function isMember(candidate: Candidate): candidate is MemberCandidate {
  return candidate.folder !== undefined;
}

/** What goes, is swapped for something else, or is not for us to read. EINVAL: something that isn't read. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ESTALE', 'EINVAL']);

export function isGone(code: string | undefined): boolean {
  return code !== undefined && GONE.has(code);
}

function requireGone(error: unknown): void {
  if (!isGone(errnoCode(error))) throw error;
}
