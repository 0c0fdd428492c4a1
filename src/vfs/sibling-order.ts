/** Whether the members of a folder are used one after the other, and which come next: a policy without a request in it. */

/** Members used in turn before the next ones are foreseen: two may be chance, and where fewer programs go, three. */
const ENOUGH = { forward: 3, backward: 4 };
/** Programs with several threads, and those that leave some out. */
const NEAR = 8;

/** So many in turn make it likely that the next folder is gone through as well. */
const TRUSTED_RUN = 16;

/** To sort the names of more would hold up everybody else. */
const MAX_SORTED = 10_000;

/** The members of one folder, in each order that programs go by: that of the listing, and that of the names. */
export class Siblings {
  readonly #orders: readonly SiblingOrder[];

  /** `backward`: from the last one, too. */
  constructor(names: readonly string[], { backward }: { readonly backward: boolean }) {
    const directions: Direction[] = backward ? ['forward', 'backward'] : ['forward'];
    const orders = names.length > MAX_SORTED ? [names] : [names, names.toSorted()];
    this.#orders = orders
      .map(numbered)
      .flatMap((order) => directions.map((direction) => new SiblingOrder(order, direction)));
  }

  /** A member is used now. False: it is none that could have been foreseen. */
  use(name: string, trusting: boolean): boolean {
    return this.#orders
      .map((order) => order.use(name, trusting))
      .some((step) => step !== 'elsewhere');
  }

  get isLongRun(): boolean {
    return this.#orders.some(({ inTurn }) => inTurn >= TRUSTED_RUN);
  }

  /** The next one to be used that was not foreseen yet, while they are used in turn: by the order that has held for longest. */
  foresee(): string | undefined {
    let best: SiblingOrder | undefined;
    for (const order of this.#orders) {
      if (order.isRun && order.inTurn > (best?.inTurn ?? 0)) best = order;
    }
    return best?.foresee();
  }
}

/** Names in an order, and the place of each. */
export interface NumberedNames {
  readonly names: readonly string[];
  readonly places: ReadonlyMap<string, number>;
}

export function numbered(names: readonly string[]): NumberedNames {
  return { names, places: new Map(names.map((name, place) => [name, place])) };
}

type Direction = keyof typeof ENOUGH;
export type Step = 'follows' | 'near' | 'elsewhere';

/** One order of the names of a folder. Indexes count in its direction. */
export class SiblingOrder {
  readonly #order: NumberedNames;
  readonly #direction: Direction;
  #last: number | undefined;
  #inTurn = 0;
  /** Foreseen up to there. */
  #upTo = 0;

  constructor(order: NumberedNames, direction: Direction) {
    this.#order = order;
    this.#direction = direction;
  }

  /** A run that will go on, as far as can be said. */
  get isRun(): boolean {
    return this.#inTurn >= ENOUGH[this.#direction];
  }

  get inTurn(): number {
    return this.#inTurn;
  }

  /** A member is used now. `trusting`: programs have gone through folders before this one, and this may be the first of it. */
  use(name: string, trusting: boolean): Step {
    const place = this.#order.places.get(name);
    const last = this.#last;
    if (place === undefined) return 'elsewhere';
    const index = this.#turned(place);
    if (last !== undefined && index <= last && last - index <= NEAR) return 'near';
    const follows = last === undefined ? index === 0 : index > last && index - last <= NEAR;
    this.#last = index;
    if (!follows) {
      this.#inTurn = 1;
      this.#upTo = index + 1;
      return 'elsewhere';
    }
    this.#inTurn = last === undefined ? (trusting ? ENOUGH[this.#direction] : 1) : this.#inTurn + 1;
    this.#upTo = Math.max(this.#upTo, index + 1);
    return 'follows';
  }

  /** The next one that was not foreseen yet. */
  foresee(): string | undefined {
    return this.isRun ? this.#order.names[this.#turned(this.#upTo++)] : undefined;
  }

  /** From a place to an index, and back. */
  #turned(at: number): number {
    return this.#direction === 'backward' ? this.#order.names.length - 1 - at : at;
  }
}
