/** The members of a folder as a client is told them: symbolic links by policy, and by whether the client knows what they are. */
import type { Context } from './context.js';
import type { FileState } from './file-state.js';
import type { FsPath } from './fs-path.js';
import type { Subject } from './live-properties.js';
import type { Member } from './member-reader.js';
import { kindOf, type Kind, type Place } from './place.js';
import { encodeSegment } from './target-path.js';

export interface ViewedMember {
  readonly href: string;
  readonly subject: Subject;
  /** Where a link that is followed leads to. Whoever got it closes it. */
  readonly target: Place | undefined;
}

/** A folder that is read. */
export interface ViewedFolder {
  readonly segments: readonly string[];
  /** Its href, with the slash. */
  readonly base: string;
}

export class MemberView {
  readonly #context: Context;
  readonly #showLinks: boolean;

  /** `showLinks`: the client is shown symbolic links themselves. */
  constructor(context: Context, showLinks: boolean) {
    this.#context = context;
    this.#showLinks = showLinks;
  }

  /** Undefined for what isn't there for the client. REQUIRES: `state` is that of the member. */
  of(folder: ViewedFolder, member: Member, state: FileState): ViewedMember | undefined {
    if (this.#context.tempNames.isActive(member.name)) return undefined;
    if (state.isSymbolicLink()) return this.#link(folder, member, state);
    const kind = kindOf(state);
    const href = hrefOf(folder, member.name, kind);
    return { href, subject: new MemberSubject(member, kind, state), target: undefined };
  }

  #link(folder: ViewedFolder, member: Member, state: FileState): ViewedMember | undefined {
    const { policy } = this.#context.root;
    if (policy === 'hide') return undefined;
    const { name } = member;
    const itself = (kind: Kind): ViewedMember => ({
      href: hrefOf(folder, name, kind),
      subject: new MemberSubject(member, kind, state),
      target: undefined,
    });
    if (this.#showLinks) return itself('link');
    const target = policy === 'inside' ? this.#followed([...folder.segments, name]) : undefined;
    if (!target?.stat) return itself('special');
    const { kind, stat, path } = target;
    return { href: hrefOf(folder, name, kind), subject: { name, path, kind, stat }, target };
  }

  /** Where a link leads to; undefined for nowhere, and for out of the root. */
  #followed(segments: readonly string[]): Place | undefined {
    let place: Place;
    try {
      place = this.#context.root.locate(segments, true);
    } catch {
      return undefined;
    }
    if (place.stat) return place;
    place.close();
    return undefined;
  }
}

function hrefOf({ base }: ViewedFolder, name: string, kind: Kind): string {
  const href = base + encodeSegment(name);
  return kind === 'collection' ? `${href}/` : href;
}

/** A member as it is told; its path is made only where a property needs it. */
class MemberSubject implements Subject {
  readonly kind: Kind;
  readonly stat: FileState;
  readonly #member: Member;

  constructor(member: Member, kind: Kind, stat: FileState) {
    this.#member = member;
    this.kind = kind;
    this.stat = stat;
  }

  get name(): string {
    return this.#member.name;
  }

  get path(): FsPath {
    return this.#member.path;
  }

  get hasDeadProperties(): boolean {
    return this.#member.mayHaveProperties;
  }
}
