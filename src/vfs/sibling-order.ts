/** Whether the members of a folder are used one after the other, and which come next: a policy without a request in it. */

/** Members used in turn before the next ones are foreseen: two may be chance. */
const ENOUGH = 3;
/** Programs with several threads, and those that leave some out. */
const NEAR = 8;

/** So many in turn make it likely that the next folder is gone through as well. */
const TRUSTED_RUN = 16;

/** To sort the names of more would hold up everybody else. */
const MAX_SORTED = 10_000;

/** The members of one folder, in each order that programs go by: that of the listing, and that of the names. */
export class Siblings {
  readonly #orders: readonly SiblingOrder[];

  constructor(names: readonly string[]) {
    const orders = names.length > MAX_SORTED ? [names] : [names, names.toSorted()];
    this.#orders = orders.map((order) => new SiblingOrder(order));
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

  /** The next one to be used that was not foreseen yet, while they are used in turn. */
  foresee(): string | undefined {
    return this.#orders.find(({ isRun }) => isRun)?.foresee();
  }
}

export type Step = 'follows' | 'near' | 'elsewhere';

/** One order of the names of a folder. */
export class SiblingOrder {
  readonly #names: readonly string[];
  readonly #indexes = new Map<string, number>();
  #last: number | undefined;
  #inTurn = 0;
  /** Foreseen up to there. */
  #upTo = 0;

  constructor(names: readonly string[]) {
    this.#names = names;
    for (const [index, name] of names.entries()) this.#indexes.set(name, index);
  }

  /** A run that will go on, as far as can be said. */
  get isRun(): boolean {
    return this.#inTurn >= ENOUGH;
  }

  get inTurn(): number {
    return this.#inTurn;
  }

  /** A member is used now. `trusting`: programs have gone through folders before this one, and this may be the first of it. */
  use(name: string, trusting: boolean): Step {
    const index = this.#indexes.get(name);
    const last = this.#last;
    if (index === undefined) return 'elsewhere';
    if (last !== undefined && index <= last && last - index <= NEAR) return 'near';
    const follows = last === undefined ? index === 0 : index > last && index - last <= NEAR;
    this.#last = index;
    if (!follows) {
      this.#inTurn = 1;
      this.#upTo = index + 1;
      return 'elsewhere';
    }
    this.#inTurn = last === undefined ? (trusting ? ENOUGH : 1) : this.#inTurn + 1;
    this.#upTo = Math.max(this.#upTo, index + 1);
    return 'follows';
  }

  /** The next one that was not foreseen yet. */
  foresee(): string | undefined {
    return this.isRun ? this.#names[this.#upTo++] : undefined;
  }
}
