import type { BigIntStats } from 'node:fs';
import { coverByFeed } from '../change-feed/cover.js';
import type { Context } from '../context.js';
import { errnoCode, ShareError } from '../errors.js';
import type { Exchange } from '../exchange.js';
import { FolderReader, type FolderEntry } from '../folder-reader.js';
import { lockDiscovery } from '../locks/lock-properties.js';
import { davCondition, MultistatusWriter } from '../multistatus-writer.js';
import { kindOf, type Place } from '../place.js';
import { compileReport, namesPosix, type Report } from '../property-report.js';
import { parsePropfind } from '../propfind-request.js';
import { Slices } from '../slices.js';
import { encodeSegment, formatHref } from '../target-path.js';
import type { Subject } from '../live-properties.js';

/** RFC 4918 section 9.1. */
export async function handlePropfind(exchange: Exchange): Promise<void> {
  const depth = exchange.header('depth') ?? 'infinity';
  if (depth === 'infinity') {
    throw new ShareError(403, 'a PROPFIND of infinite depth', {
      condition: davCondition('propfind-finite-depth'),
    });
  }
  if (depth !== '0' && depth !== '1') throw new ShareError(400, 'Depth is 0 or 1');
  const request = parsePropfind(await exchange.smallBody());
  const minimal = /(^|[,;\s])return\s*=\s*"?minimal/i.test(exchange.header('prefer') ?? '');
  const { context } = exchange;
  const discovery = lockDiscovery(context);
  const report = compileReport(request, context.deadProperties, minimal, discovery);
  const listing = new Listing(exchange, report, namesPosix(request));
  await listing.run(depth === '1', minimal);
}

class Listing {
  readonly #exchange: Exchange;
  readonly #context: Context;
  readonly #report: Report;
  /** The client is shown symbolic links themselves. */
  readonly #showLinks: boolean;

  constructor(exchange: Exchange, report: Report, showLinks: boolean) {
    this.#exchange = exchange;
    this.#context = exchange.context;
    this.#report = report;
    this.#showLinks = showLinks;
  }

  async run(withMembers: boolean, minimal: boolean): Promise<void> {
    const { segments, trailingSlash } = this.#exchange.target;
    const follow = !this.#showLinks || trailingSlash;
    const place = this.#context.root.locate(segments, follow);
    try {
      coverByFeed(this.#exchange, place, follow);
      const subject = this.#self(place);
      const isCollection = subject.kind === 'collection';
      const headers = minimal ? { 'Preference-Applied': 'return=minimal' } : {};
      const writer = new MultistatusWriter(this.#exchange, headers);
      await writer.add(this.#report(formatHref(segments, isCollection), subject));
      if (withMembers && isCollection) await this.#members(place, writer);
      await writer.end();
    } finally {
      place.close();
    }
  }

  #self(place: Place): Subject {
    const stat = place.existing();
    const { segments } = this.#exchange.target;
    if (this.#context.tempNames.isActive(place.name)) throw new ShareError(404, 'not there yet');
    const kind = place.kind === 'link' && !this.#showLinks ? 'special' : kindOf(stat);
    return { name: segments.at(-1) ?? '', path: place.path, kind, stat };
  }

  async #members(place: Place, writer: MultistatusWriter): Promise<void> {
    const base = formatHref(this.#exchange.target.segments, true);
    const folder = new FolderReader(place.path);
    const slices = new Slices();
    try {
      for (let entry = folder.next(); entry; entry = folder.next()) {
        const stat = this.#context.tempNames.isActive(entry.name) ? undefined : folder.stat(entry);
        const response = stat && this.#member(base, entry, stat);
        const wait = response && writer.add(response);
        if (wait) await wait;
        const pause = slices.pause();
        if (pause) {
          await pause;
          this.#context.closing.throwIfAborted();
        }
      }
    } finally {
      folder.close();
    }
  }

  #member(base: string, entry: FolderEntry, stat: BigIntStats): string | undefined {
    const { name, path } = entry;
    if (stat.isSymbolicLink()) return this.#link(base, entry, stat);
    const kind = kindOf(stat);
    const href = `${base}${encodeSegment(name)}${kind === 'collection' ? '/' : ''}`;
    return this.#tell(href, { name, path, kind, stat });
  }

  #link(base: string, { name, path }: FolderEntry, stat: BigIntStats): string | undefined {
    const { policy } = this.#context.root;
    if (policy === 'hide') return undefined;
    const href = base + encodeSegment(name);
    if (this.#showLinks) return this.#tell(href, { name, path, kind: 'link', stat });
    const target = policy === 'inside' ? this.#followed(name) : undefined;
    if (!target?.stat) return this.#tell(href, { name, path, kind: 'special', stat });
    try {
      const { kind } = target;
      const subject = { name, path: target.path, kind, stat: target.stat };
      return this.#tell(kind === 'collection' ? `${href}/` : href, subject);
    } finally {
      target.close();
    }
  }

  /** Where the member `name` leads to; undefined for nowhere, and for out of the root. */
  #followed(name: string): Place | undefined {
    let place: Place;
    try {
      place = this.#context.root.locate([...this.#exchange.target.segments, name], true);
    } catch {
      return undefined;
    }
    if (place.stat) return place;
    place.close();
    return undefined;
  }

  /** A member that goes while it is told (a read of its attributes says so) isn't one. */
  #tell(href: string, subject: Subject): string | undefined {
    try {
      return this.#report(href, subject);
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}
