/**
 * The resources of a scope, one after another, each as the client is told it. Symbolic links are shown or followed by policy, but
 * never descended into: what is inside of the share is met by its own path, and no walk is endless.
 */
import type { BigIntStats } from 'node:fs';
import type { Context } from '../context.js';
import { errnoCode } from '../errors.js';
import { FolderReader, type FolderEntry } from '../folder-reader.js';
import type { FsPath } from '../fs-path.js';
import type { Subject } from '../live-properties.js';
import { kindOf, Place } from '../place.js';
import { encodeSegment, formatHref } from '../target-path.js';
import type { Depth } from './query.js';
import type { Scope } from './scope.js';

export interface Candidate {
  readonly href: string;
  readonly subject: Subject;
  /** Until the next one is asked for. */
  readonly place: Place;
}

/** Ours: folders below each other that are open at a time. */
const MAX_LEVELS = 256;

interface Level {
  readonly reader: FolderReader;
  readonly segments: readonly string[];
  /** Href of the folder, with the slash. */
  readonly base: string;
}

export class ScopeWalk {
  /** Set when something was left out because it lies too deep. */
  incomplete = false;
  readonly #context: Context;
  readonly #scope: Scope;
  readonly #depth: Depth;
  readonly #showLinks: boolean;
  readonly #levels: Level[] = [];
  #begun = false;
  /** The folder told last, which comes next. */
  #next: { readonly path: FsPath; readonly segments: readonly string[] } | undefined;
  /** Where a link led to. */
  #target: Place | undefined;

  constructor(context: Context, scope: Scope, depth: Depth, showLinks: boolean) {
    this.#context = context;
    this.#scope = scope;
    this.#depth = depth;
    this.#showLinks = showLinks;
  }

  next(): Candidate | undefined {
    this.#target?.close();
    this.#target = undefined;
    if (!this.#begun) return this.#self();
    this.#descend();
    for (let level = this.#levels.at(-1); level; level = this.#levels.at(-1)) {
      const entry = level.reader.next();
      const candidate = entry && this.#member(level, entry);
      if (candidate) return candidate;
      if (!entry) this.#levels.pop()?.reader.close();
    }
    return undefined;
  }

  /** Idempotent. */
  close(): void {
    this.#target?.close();
    this.#next = undefined;
    for (const { reader } of this.#levels.splice(0)) reader.close();
  }

  #self(): Candidate {
    this.#begun = true;
    const { segments, place } = this.#scope;
    const stat = place.existing();
    const kind = place.kind === 'link' && !this.#showLinks ? 'special' : place.kind;
    const isCollection = kind === 'collection';
    if (isCollection && this.#depth !== '0') this.#next = { path: place.path, segments };
    const subject = { name: segments.at(-1) ?? '', path: place.path, kind, stat };
    return { href: formatHref(segments, isCollection), subject, place };
  }

  #descend(): void {
    const next = this.#next;
    this.#next = undefined;
    if (!next) return;
    if (this.#levels.length >= MAX_LEVELS) {
      this.incomplete = true;
      return;
    }
    try {
      const reader = new FolderReader(next.path);
      this.#levels.push({ reader, segments: next.segments, base: formatHref(next.segments, true) });
    } catch (error) {
      // Gone, swapped for something else, or not for us to read. Out of descriptors is no such thing.
      const code = errnoCode(error) ?? '';
      if (!['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ESTALE'].includes(code)) throw error;
    }
  }

  #member(level: Level, entry: FolderEntry): Candidate | undefined {
    if (this.#context.tempNames.isActive(entry.name)) return undefined;
    const stat = level.reader.stat(entry);
    if (!stat) return undefined;
    if (stat.isSymbolicLink()) return this.#link(level, entry, stat);
    const { name, path } = entry;
    const kind = kindOf(stat);
    const isCollection = kind === 'collection';
    if (isCollection && this.#depth === 'infinity') {
      this.#next = { path, segments: [...level.segments, name] };
    }
    const href = `${level.base}${encodeSegment(name)}${isCollection ? '/' : ''}`;
    const place = new Place(level.reader.fd, name, false, stat);
    return { href, subject: { name, path, kind, stat }, place };
  }

  #link(level: Level, { name, path }: FolderEntry, stat: BigIntStats): Candidate | undefined {
    const { policy } = this.#context.root;
    if (policy === 'hide') return undefined;
    const href = level.base + encodeSegment(name);
    const place = new Place(level.reader.fd, name, false, stat);
    if (this.#showLinks) return { href, subject: { name, path, kind: 'link', stat }, place };
    const target = policy === 'inside' ? this.#follow([...level.segments, name]) : undefined;
    if (!target?.stat) return { href, subject: { name, path, kind: 'special', stat }, place };
    const { kind } = target;
    const subject = { name, path: target.path, kind, stat: target.stat };
    return { href: kind === 'collection' ? `${href}/` : href, subject, place: target };
  }

  /** Undefined for a link that leads nowhere, or out of the root. */
  #follow(segments: readonly string[]): Place | undefined {
    try {
      this.#target = this.#context.root.locate(segments, true);
      return this.#target;
    } catch {
      return undefined;
    }
  }
}
