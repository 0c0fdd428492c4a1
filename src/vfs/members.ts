/**
 * The members of a directory in the order in which the peer tells them, for those who read it while they come. As arrays side by side:
 * one object for each of 100,000 members would hold up the event loop.
 */
import type { Resource } from '../webdav/types.js';
import { withSignal } from './shared-call.js';

/** Fewer are not told before the end: short listings are told whole, long ones not by the handful. */
const ENOUGH = 100;

/** For each name: with more, most are empty. */
const MOST_PLACES = 2;

export class Members {
  /** Undefined: nothing is in that place (any more). */
  readonly names: (string | undefined)[];
  /** None for names that only we know of, which come last. */
  readonly resources: (Resource | undefined)[];
  /** When the last of them were told. */
  at: number;
  /** The number of our last change (`Core.sequence`) that the peer knew of when it was asked. */
  readonly sequence: number;
  /** What an answer that broke off has told already: it is asked for again, and tells that again. */
  #told: Set<string> | undefined;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #wake: (() => void)[] = [];

  /** `known`: what has been told before. */
  constructor(sequence: number, at: number, known?: ReadonlyMap<string, Resource>) {
    this.sequence = sequence;
    this.at = at;
    this.names = known === undefined ? [] : [...known.keys()];
    this.resources = known === undefined ? [] : [...known.values()];
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Is there enough behind the first `count`, or nothing to wait for? Throws what the listing failed with. */
  has(count: number): boolean {
    if (this.names.length >= count + ENOUGH) return true;
    if (this.#failure !== undefined && this.names.length <= count) throw this.#failure.error;
    return this.#ended || this.#failure !== undefined;
  }

  async waitFor(count: number, signal: AbortSignal): Promise<void> {
    while (!this.has(count)) {
      await withSignal(new Promise<void>((resolve) => this.#wake.push(resolve)), signal);
    }
  }

  add(resource: Resource, at: number): void {
    this.at = at;
    if (this.#told?.has(resource.name) === true) return;
    this.names.push(resource.name);
    this.resources.push(resource);
    this.#wakeAll();
  }

  restart(): void {
    this.#told = this.#nameSet();
  }

  /**
   * The same, of those that have ended, with each name where `before` has it: what telldir(3) gave before a handle began anew still
   * leads there. Names that have gone leave their places empty, unless there are too many of those.
   */
  placedAs(before: Members): Members {
    const { names, resources } = this;
    if (before.names.every((name, place) => name === undefined || name === names[place]))
      return this;
    const indexes = new Map(names.map((name, index) => [name, index]));
    const places = before.names.map((name) => indexes.get(name));
    const known = new Set(places);
    const others = names.map((_, index) => index).filter((index) => !known.has(index));
    const order = [...places, ...others];
    if (order.length > MOST_PLACES * names.length + ENOUGH) return this;
    const placed = new Members(this.sequence, this.at);
    for (const index of order) {
      placed.names.push(index === undefined ? undefined : names[index]);
      placed.resources.push(index === undefined ? undefined : resources[index]);
    }
    placed.#ended = true;
    return placed;
  }

  /** `ours`: names that we know of, told or not. */
  end(at: number, ours: readonly string[]): void {
    if (ours.length > 0) this.#addOurs(ours);
    this.at = at;
    this.#ended = true;
    this.#wakeAll();
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.#wakeAll();
  }

  #addOurs(ours: readonly string[]): void {
    const told = this.#nameSet();
    for (const name of ours) {
      if (told.has(name)) continue;
      this.names.push(name);
      this.resources.push(undefined);
    }
  }

  #nameSet(): Set<string> {
    return new Set(this.names.filter((name) => name !== undefined));
  }

  #wakeAll(): void {
    if (this.#wake.length === 0) return;
    const woken = this.#wake;
    this.#wake = [];
    for (const wake of woken) wake();
  }
}
