/** DAV:where, within bounds on how much work one resource can be. */
import { ShareError } from '../errors.js';
import { DAV_NS } from '../live-properties.js';
import { elementsOf, isElement, textOf, type XmlElement } from '../xml-reader.js';
import { COMPARISONS, type Comparison, type Condition, type ValueType } from './condition.js';
import { parseLike } from './like.js';
import { isCaseless, onlyProperty, requireChild, unprocessable } from './xml-parts.js';

/** Ours, of one query. */
const MAX_CONDITIONS = 100;
/** Characters of all literals together. */
const MAX_LITERALS_LENGTH = 4096;
const MAX_NEEDLES = 8;
const MAX_NEEDLE_LENGTH = 256;

const XSI_NS = 'http://www.w3.org/2001/XMLSchema-instance';

/** Of DAV:typed-literal; the prefix is whatever the client has bound to XML Schema. */
const TYPES: Readonly<Record<string, ValueType>> = {
  string: 'text',
  integer: 'number',
  int: 'number',
  long: 'number',
  decimal: 'number',
  double: 'number',
  float: 'number',
  nonNegativeInteger: 'number',
  unsignedLong: 'number',
  unsignedInt: 'number',
  dateTime: 'time',
};

export class ConditionReader {
  readonly needles: string[] = [];
  #conditions = 0;
  #literalsLength = 0;

  /** An empty one holds for everything. */
  readWhere(where: XmlElement): Condition | undefined {
    const [condition, ...others] = elementsOf(where);
    if (others.length > 0) throw new ShareError(400, 'where has one condition');
    return condition && this.#read(condition);
  }

  #read(element: XmlElement): Condition {
    if (++this.#conditions > MAX_CONDITIONS) throw unprocessable('too many conditions');
    const { ns, name } = element;
    if (ns !== DAV_NS) throw unprocessable(`no operator ${name} of that namespace`);
    switch (name) {
      case 'and':
      case 'or':
        return { op: name, operands: this.#operands(element) };
      case 'not':
        return { op: 'not', operand: this.#operand(element) };
      case 'like': {
        const pattern = parseLike(this.#literal(element).text, isCaseless(element));
        return { op: 'like', property: onlyProperty(element), pattern };
      }
      case 'contains':
        return { op: 'contains', needle: this.#needle(textOf(element)) };
      case 'is-defined':
        return { op: 'is-defined', property: onlyProperty(element) };
      case 'is-collection':
        return { op: 'is-collection' };
      default:
        return this.#comparison(element);
    }
  }

  #operands(element: XmlElement): Condition[] {
    const operands = elementsOf(element).map((operand) => this.#read(operand));
    if (operands.length === 0) throw new ShareError(400, `${element.name} has no operand`);
    return operands;
  }

  #operand(element: XmlElement): Condition {
    const [operand, ...others] = this.#operands(element);
    if (!operand || others.length > 0) throw new ShareError(400, `${element.name} has one operand`);
    return operand;
  }

  /** language-defined and language-matches are optional, and no text here has a language. */
  #comparison(element: XmlElement): Condition {
    const op = COMPARISONS.find(
      (comparison): comparison is Comparison => comparison === element.name,
    );
    if (!op) throw unprocessable(`no operator ${element.name}`);
    const { text, type } = this.#literal(element);
    const property = onlyProperty(element);
    return { op, property, literal: text, type, caseless: isCaseless(element) };
  }

  #literal(element: XmlElement): { text: string; type: ValueType | undefined } {
    const typed = elementsOf(element).find((child) => isElement(child, DAV_NS, 'typed-literal'));
    const literal = typed ?? requireChild(element, 'literal');
    const text = textOf(literal);
    this.#literalsLength += text.length;
    if (this.#literalsLength > MAX_LITERALS_LENGTH) throw unprocessable('too much text');
    return { text, type: typed && typeOf(typed) };
  }

  #needle(text: string): number {
    if (text === '') throw new ShareError(400, 'contains has no text');
    if (text.length > MAX_NEEDLE_LENGTH) throw unprocessable('contains has too much text');
    const known = this.needles.indexOf(text);
    if (known >= 0) return known;
    if (this.needles.length >= MAX_NEEDLES) throw unprocessable('too many texts to look for');
    return this.needles.push(text) - 1;
  }
}

function typeOf(literal: XmlElement): ValueType {
  const attribute = literal.attributes.find(({ ns, name }) => ns === XSI_NS && name === 'type');
  // Without one it is a string (section 5.10).
  if (!attribute) return 'text';
  const name = attribute.value.trim().replace(/^[^:]*:/, '');
  if (!Object.hasOwn(TYPES, name)) throw unprocessable(`no type ${name}`);
  return TYPES[name]!;
}
