/** A resource and, by Depth, its members: each is told by one DAV:response, while the folders are being read. */
import { readMembersAhead } from './ahead-reader.js';
import { coverByFeed } from './change-feed/cover.js';
import { requireIf } from './conditional.js';
import type { Context } from './context.js';
import { errnoCode, ShareError } from './errors.js';
import type { Exchange } from './exchange.js';
import type { FileState } from './file-state.js';
import type { Subject } from './live-properties.js';
import { lockDiscovery } from './locks/lock-properties.js';
import type { Member } from './member-reader.js';
import { MemberView, type ViewedFolder } from './member-view.js';
import { davCondition, formatStatusResponse, MultistatusWriter } from './multistatus-writer.js';
import { kindOf, type Place } from './place.js';
import { preferenceApplied, type Preferences } from './prefer.js';
import type { PropfindRequest } from './propfind-request.js';
import { compileReport, namesDead, namesPosix, type Report } from './property-report.js';
import { resourceStates } from './resource-states.js';
import { Slices } from '../slices.js';
import { encodeSegment, formatHref } from './target-path.js';

export type Depth = '0' | '1' | 'infinity';

/** A collection to be listed. */
interface Branch {
  readonly segments: readonly string[];
  /** The folder and those above it: a link to one of them isn't entered. */
  readonly ids: readonly string[];
}

/** Levels of folders below the collection. Each folder is found anew from the root, so deep ones are dear. Ours. */
const MAX_LEVELS = 200;

/** ENOTDIR, ELOOP: a file or a link is in the place of a folder. */
const GONE = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

/** Called for each member before it is told. */
type Count = () => void;

/** Ends a walk that has met more members, or levels, than it may. */
class TooManyMembers extends Error {}

export class Listing {
  readonly #exchange: Exchange;
  readonly #context: Context;
  readonly #report: Report;
  /** The client is shown symbolic links themselves. */
  readonly #showLinks: boolean;
  readonly #view: MemberView;
  /** Members are asked for their dead properties. */
  readonly #wantsDead: boolean;
  readonly #slices = new Slices();
  /** Undefined while members are only counted. */
  #writer: MultistatusWriter | undefined;

  constructor(exchange: Exchange, request: PropfindRequest, minimal: boolean) {
    const { deadProperties } = exchange.context;
    this.#exchange = exchange;
    this.#context = exchange.context;
    const discovery = lockDiscovery(exchange.context);
    this.#report = compileReport(request, deadProperties, minimal, discovery);
    this.#showLinks = namesPosix(request);
    this.#view = new MemberView(this.#context, this.#showLinks);
    this.#wantsDead = namesDead(request);
  }

  async run(depth: Depth, preferences: Preferences): Promise<void> {
    const { segments, trailingSlash } = this.#exchange.target;
    const follow = !this.#showLinks || trailingSlash;
    const place = this.#context.root.locate(segments, follow);
    try {
      await this.#unchanging(place);
      // A feed is of one folder each.
      if (depth !== 'infinity') coverByFeed(this.#exchange, place, follow);
      const subject = this.#self(place);
      requireIf(this.#exchange.req.headers, place.stat, resourceStates(this.#exchange));
      const isCollection = subject.kind === 'collection';
      const branch = { segments, ids: [idOf(subject.stat)] };
      const deep = depth === 'infinity' && isCollection;
      if (deep) await this.#requireFew(branch);
      // For a single resource the preference would leave nothing to tell.
      const noRoot = preferences.noRoot && depth !== '0';
      const headers = preferenceApplied({ ...preferences, noRoot });
      const writer = new MultistatusWriter(this.#exchange, headers);
      this.#writer = writer;
      const self = this.#report(formatHref(segments, isCollection), subject);
      if (!noRoot) await writer.add(self);
      if (deep) await this.#everything(branch, writer);
      else if (isCollection && depth === '1') await this.#members(place, branch);
      await writer.end();
    } finally {
      place.close();
    }
  }

  /** Half of a change in place is no version. Who asks what became of a request without an answer would take it for another's. */
  async #unchanging(place: Place): Promise<void> {
    const { contentLocks } = this.#context;
    for (let stat = place.stat; stat !== undefined; stat = place.refresh()) {
      const changing = contentLocks.beingChanged(stat);
      if (changing === undefined) return;
      await changing;
    }
  }

  #self(place: Place): Subject {
    const stat = place.existing();
    const { segments } = this.#exchange.target;
    if (this.#context.tempNames.isActive(place.name)) throw new ShareError(404, 'not there yet');
    const kind = place.kind === 'link' && !this.#showLinks ? 'special' : kindOf(stat);
    return { name: segments.at(-1) ?? '', path: place.path, kind, stat };
  }

  /** Counts first: a client must learn before the first byte that it has to ask folder by folder. */
  async #requireFew(top: Branch): Promise<void> {
    try {
      await this.#tree(top);
    } catch (error) {
      if (!(error instanceof TooManyMembers)) throw error;
      throw new ShareError(403, 'more members than are told by one request', {
        condition: davCondition('propfind-finite-depth'),
        cause: error,
      });
    }
  }

  async #everything(top: Branch, writer: MultistatusWriter): Promise<void> {
    try {
      await this.#tree(top);
    } catch (error) {
      if (!(error instanceof TooManyMembers)) throw error;
      // It grew since it was counted: the collection is told to be cut short.
      await writer.add(formatStatusResponse(formatHref(top.segments, true), 507));
    }
  }

  /** Folder after folder, one open at a time, however deep they lie. */
  async #tree(top: Branch): Promise<void> {
    const limit = this.#context.options.infinityMembers;
    const waiting: Branch[] = [top];
    let count = 0;
    const counted: Count = () => {
      if (++count > limit) throw new TooManyMembers();
    };
    for (let branch = waiting.pop(); branch; branch = waiting.pop()) {
      if (branch.ids.length > MAX_LEVELS) throw new TooManyMembers();
      const below: Branch[] = [];
      await this.#branch(branch, counted, below);
      waiting.push(...below.reverse());
    }
  }

  async #branch(branch: Branch, count: Count, below: Branch[]): Promise<void> {
    let place: Place;
    try {
      place = this.#context.root.locate(branch.segments, true);
    } catch (error) {
      // It went, or was barred, since it was told.
      if (error instanceof ShareError || errnoCode(error) !== undefined) return;
      throw error;
    }
    try {
      if (place.kind === 'collection') await this.#members(place, branch, count, below);
    } catch (error) {
      if (!['ENOENT', 'ENOTDIR', 'EACCES'].includes(errnoCode(error) ?? '')) throw error;
    } finally {
      place.close();
    }
  }

  /** `below`: gets the collections among the members. */
  async #members(place: Place, branch: Branch, count?: Count, below?: Branch[]): Promise<void> {
    const folder = { segments: branch.segments, base: formatHref(branch.segments, true) };
    const calls = this.#context.options.attributes;
    const members = readMembersAhead(place.path, calls, this.#wantsDead);
    try {
      for (;;) {
        for (let member = members.next(); member; member = members.next()) {
          const response = this.#member(folder, member, branch, below);
          if (response !== undefined) {
            count?.();
            const wait = this.#writer?.add(response);
            if (wait) await wait;
          }
          const pause = this.#slices.pause();
          if (pause) await pause;
          this.#context.closing.throwIfAborted();
        }
        const more = members.more();
        if (!more) break;
        // The client has the first ones to work on while a thread reads the others.
        await this.#writer?.begin();
        await more;
      }
    } finally {
      members.close();
    }
  }

  #member(
    folder: ViewedFolder,
    member: Member,
    branch: Branch,
    below: Branch[] | undefined,
  ): string | undefined {
    const { name, state } = member;
    if (!state) return formatStatusResponse(folder.base + encodeSegment(name), 403);
    const viewed = this.#view.of(folder, member, state);
    if (!viewed) return undefined;
    const { href, subject, target } = viewed;
    try {
      // A link back to where it comes from is told, not entered.
      const isLoop = target !== undefined && branch.ids.includes(idOf(subject.stat));
      const isBranch = subject.kind === 'collection' && !isLoop;
      if (isBranch) below?.push(branchBelow(branch, name, subject.stat));
      return this.#tell(href, subject);
    } finally {
      target?.close();
    }
  }

  /** A member that goes, or becomes another, while it is told (a read of its attributes says so) isn't one. */
  #tell(href: string, subject: Subject): string | undefined {
    try {
      return this.#report(href, subject);
    } catch (error) {
      if (GONE.has(errnoCode(error) ?? '')) return undefined;
      throw error;
    }
  }
}

function idOf({ dev, ino }: FileState): string {
  return `${dev}:${ino}`;
}

function branchBelow({ segments, ids }: Branch, name: string, stat: FileState): Branch {
  return { segments: [...segments, name], ids: [...ids, idOf(stat)] };
}
