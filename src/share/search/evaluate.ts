/** Whether a resource meets a condition, in the three-valued logic of RFC 5323 section 5.5. */
import type { DeadProperties } from '../dead-properties.js';
import type { Subject } from '../live-properties.js';
import type { Comparison, Condition } from './condition.js';
import { matchesLike } from './like.js';
import {
  compareValues,
  contentReader,
  readValue,
  toValue,
  typeOfProperty,
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
export function compileCondition(condition: Condition, dead: DeadProperties): Predicate {
  switch (condition.op) {
    case 'and':
      return combine(compileAll(condition.operands, dead), 'false', 'true');
    case 'or':
      return combine(compileAll(condition.operands, dead), 'true', 'false');
    case 'not': {
      const operand = compileCondition(condition.operand, dead);
      return (subject, contents) => negate(operand(subject, contents));
    }
    case 'like': {
      const { property, pattern } = condition;
      const content = contentReader(property, dead);
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
      const content = contentReader(condition.property, dead);
      return (subject) => truth(content(subject) !== undefined);
    }
    case 'is-collection':
      return ({ kind }) => truth(kind === 'collection');
    default:
      return compileComparison(condition, dead);
  }
}

function compileAll(conditions: readonly Condition[], dead: DeadProperties): Predicate[] {
  return conditions.map((condition) => compileCondition(condition, dead));
}

function compileComparison(
  { op, property, literal, type, caseless }: Extract<Condition, { op: Comparison }>,
  dead: DeadProperties,
): Predicate {
  const content = contentReader(property, dead);
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
