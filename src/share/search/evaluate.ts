/** Whether a resource meets a condition, in the three-valued logic of RFC 5323 section 5.5. */
import type { Subject } from '../live-properties.js';
import type { Comparison, Condition } from './condition.js';
import { matchesLike } from './like.js';
import {
  compareValues,
  readValue,
  toValue,
  typeOfProperty,
  type ContentReader,
} from './property-value.js';

/** undecided: the content has not been looked at, and decides it. */
export type Truth = 'true' | 'false' | 'unknown' | 'undecided';

/** `contents`: of each needle, whether it is in the content. Without it the result may be 'undecided'. */
export type Predicate = (subject: Subject, contents?: readonly Truth[]) => Truth;

const HOLDS: Readonly<Record<Comparison, (order: number) => boolean>> = {
  eq: (order) => order === 0,
  lt: (order) => order < 0,
  lte: (order) => order <= 0,
  gt: (order) => order > 0,
  gte: (order) => order >= 0,
};

/** Compiled once for a query: tables are not looked up for each resource. */
export function compileCondition(condition: Condition, read: ContentReader): Predicate {
  switch (condition.op) {
    case 'and':
      return combine(compileAll(condition.operands, read), 'false', 'true');
    case 'or':
      return combine(compileAll(condition.operands, read), 'true', 'false');
    case 'not': {
      const operand = compileCondition(condition.operand, read);
      return (subject, contents) => negate(operand(subject, contents));
    }
    case 'like': {
      const { property, pattern } = condition;
      const content = read(property);
      return (subject) => {
        const value = readValue(content(subject), 'text');
        return truth(value?.type === 'text' ? matchesLike(pattern, value.value) : undefined);
      };
    }
    case 'contains':
      return (subject, contents) => {
        if (subject.kind !== 'file') return 'unknown';
        return contents ? (contents[condition.needle] ?? 'unknown') : 'undecided';
      };
    case 'is-defined': {
      const content = read(condition.property);
      return (subject) => truth(content(subject) !== undefined);
    }
    case 'is-collection':
      return ({ kind }) => truth(kind === 'collection');
    default:
      return compileComparison(condition, read);
  }
}

function compileAll(conditions: readonly Condition[], read: ContentReader): Predicate[] {
  return conditions.map((condition) => compileCondition(condition, read));
}

function compileComparison(
  { op, property, literal, type, caseless }: Extract<Condition, { op: Comparison }>,
  read: ContentReader,
): Predicate {
  const content = read(property);
  const comparedAs = type ?? typeOfProperty(property);
  const operand = toValue(literal, comparedAs);
  // A literal that is no value of that type compares with nothing.
  if (!operand) return () => 'unknown';
  const holds = HOLDS[op];
  return (subject) => {
    const value = readValue(content(subject), comparedAs);
    return value ? truth(holds(compareValues(value, operand, caseless))) : 'unknown';
  };
}

/** `strong` decides whatever the others are; all `neutral` is neutral. */
function combine(operands: readonly Predicate[], strong: Truth, neutral: Truth): Predicate {
  return (subject, contents) => {
    let result = neutral;
    for (const operand of operands) {
      const one = operand(subject, contents);
      if (one === strong) return strong;
      if (one === 'undecided' || (one === 'unknown' && result !== 'undecided')) result = one;
    }
    return result;
  };
}

function negate(value: Truth): Truth {
  return value === 'true' ? 'false' : value === 'false' ? 'true' : value;
}

export function truth(value: boolean | undefined): Truth {
  return value === undefined ? 'unknown' : value ? 'true' : 'false';
}
