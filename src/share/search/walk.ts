/**
 * The resources of a scope, one after another, each as the client is told it. What a symbolic link leads to is told, but not entered:
 * what is inside of the share is met by its own path, once, and no walk is endless.
 */
import type { Context } from '../context.js';
import { errnoCode } from '../errors.js';
import type { FsPath } from '../fs-path.js';
import type { Subject } from '../live-properties.js';
import { readMembers, type Member, type MemberReader } from '../member-reader.js';
import { MemberView, type ViewedFolder } from '../member-view.js';
import type { Place } from '../place.js';
import { formatHref } from '../target-path.js';
import type { Depth } from './query.js';
import type { Scope } from './scope.js';

/** Until the next one is asked for. */
export interface Candidate {
  readonly href: string;
  readonly subject: Subject;
}

/** Ours: folders below each other that are open at a time. */
const MAX_LEVELS = 256;
/** Deeper down they are read one by one: a batch is memory. */
const MAX_BATCHED_LEVELS = 16;

interface Level extends ViewedFolder {
  readonly members: MemberReader;
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

  next(): Candidate | undefined {
    this.#target?.close();
    this.#target = undefined;
    if (!this.#begun) return this.#self();
    this.#descend();
    for (let level = this.#levels.at(-1); level; level = this.#levels.at(-1)) {
      const candidate = this.#member(level);
      if (candidate) return candidate;
    }
    return undefined;
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
      const members = readMembers(path, calls, false);
      this.#levels.push({ members, segments, base: formatHref(segments, true) });
    } catch (error) {
      requireGone(error);
    }
  }

  /** Undefined for what isn't there for the client; at the end of the folder this goes back to the one above. */
  #member(level: Level): Candidate | undefined {
    const member = nextOf(level);
    if (!member) {
      this.#levels.pop();
      level.members.close();
      return undefined;
    }
    const viewed = member.state && this.#view.of(level, member, member.state);
    if (!viewed) return undefined;
    const { subject, target } = viewed;
    this.#target = target;
    if (subject.kind === 'collection' && !target && this.#options.depth === 'infinity') {
      this.#next = { path: member.path, segments: [...level.segments, member.name] };
    }
    return viewed;
  }
}

function nextOf({ members }: Level): Member | undefined {
  try {
    return members.next();
  } catch (error) {
    requireGone(error);
    return undefined;
  }
}

/** Throws unless the folder went, was swapped for something else, or is not for us to read. */
function requireGone(error: unknown): void {
  const code = errnoCode(error) ?? '';
  if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ESTALE'].includes(code)) throw error;
}
