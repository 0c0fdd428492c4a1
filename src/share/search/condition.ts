import type { PropertyName } from '../../webdav/types.js';
import type { LikePattern } from './like.js';

/** How operands are compared; undefined: as the property's own type has it. */
export type ValueType = 'number' | 'time' | 'text';

export const COMPARISONS = ['eq', 'lt', 'lte', 'gt', 'gte'] as const;
export type Comparison = (typeof COMPARISONS)[number];

/** The tree of DAV:where. */
export type Condition =
  | { readonly op: 'and' | 'or'; readonly operands: readonly Condition[] }
  | { readonly op: 'not'; readonly operand: Condition }
  | {
      readonly op: Comparison;
      readonly property: PropertyName;
      readonly literal: string;
      readonly type: ValueType | undefined;
      readonly caseless: boolean;
    }
  | { readonly op: 'like'; readonly property: PropertyName; readonly pattern: LikePattern }
  | { readonly op: 'contains'; readonly needle: number }
  | { readonly op: 'is-defined'; readonly property: PropertyName }
  | { readonly op: 'is-collection' };
