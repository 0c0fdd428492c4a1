import { patternsOf, type ResponsePatterns } from './response-pattern.js';
import { XmlError } from './types.js';
import { XmlScanner, type XmlHandler, type XmlName, type XmlOptions } from './xml-scanner.js';

/** One `response` element (RFC 4918 14.24). */
export interface MultistatusEntry {
  /** The first one, as sent. */
  readonly href: string;
  /** Status of the whole resource, where there are no propstats. */
  readonly status: number | undefined;
  /** Text of the properties told with 200, by `${ns} ${local}`; resourcetype: the names within, separated by spaces. */
  readonly properties: ReadonlyMap<string, string>;
  /** Properties told with another status. */
  readonly refused: ReadonlyMap<string, number>;
  /** Precondition element (RFC 4918 16). */
  readonly condition: string | undefined;
}

/** Text of one property or href; file names are at most 255 bytes, extended attributes 64 KiB (base64: 86 KiB). */
const MAX_TEXT_LENGTH = 1024 * 1024;

const RESOURCETYPE = 'DAV: resourcetype';
const NONE: ReadonlyMap<string, number> = new Map();
const STATUS_LINE = /^HTTP\/\d+(?:\.\d+)? +(\d{3})(?: |$)/;

/** Depth of the element that is being read, the root being 1. */
const RESPONSE_LEVEL = 2;
const RESPONSE_PART_LEVEL = 3;
const PROPSTAT_PART_LEVEL = 4;
const PROPERTY_LEVEL = 5;

/** Turns the bytes of a multistatus document into entries while they arrive. */
export class MultistatusReader implements XmlHandler {
  readonly #scanner: XmlScanner;
  readonly #onEntry: (entry: MultistatusEntry) => void;
  readonly #keepSpace: boolean;
  #level = 0;
  /** The element of RESPONSE_PART_LEVEL that is open. */
  #part = '';
  #inProp = false;
  #collecting = false;
  #text = '';

  #inResponse = false;
  #href: string | undefined;
  #status: number | undefined;
  #condition: string | undefined;
  #properties = new Map<string, string>();
  #refused: Map<string, number> | undefined;

  /** Undefined where text is not what it is elsewhere. */
  #patterns: ResponsePatterns | undefined;
  /** What the child of the root that was read last says, where it is a response. */
  #last: MultistatusEntry | undefined;

  #propstatStatus: number | undefined;
  #names: string[] = [];
  #values: string[] = [];

  constructor(onEntry: (entry: MultistatusEntry) => void, options: XmlOptions = {}) {
    this.#onEntry = onEntry;
    this.#keepSpace = options.lenient ?? false;
    this.#scanner = new XmlScanner(this, options);
  }

  write(chunk: Buffer): void {
    this.#scanner.write(chunk);
  }

  /** Throws XmlError when the document is not complete. */
  end(): void {
    this.#scanner.end();
  }

  root(tag: string): void {
    if (!this.#keepSpace) this.#patterns = patternsOf(tag);
  }

  takeChild(text: string, at: number): number {
    const taken = this.#patterns?.read(text, at);
    if (!taken) return -1;
    this.#onEntry(taken.entry);
    return taken.end;
  }

  childRead(text: string): void {
    if (this.#last) this.#patterns?.learn(text, this.#last);
  }

  open(name: XmlName): void {
    this.#level += 1;
    switch (this.#level) {
      case 1:
        if (name.key !== 'DAV: multistatus') {
          throw new XmlError(`the XML answer is <${name.local}>, not a multistatus`);
        }
        break;
      case RESPONSE_LEVEL:
        this.#last = undefined;
        if (name.key === 'DAV: response') this.#beginResponse();
        break;
      case RESPONSE_PART_LEVEL:
        if (this.#inResponse) this.#openPart(name.key);
        break;
      case PROPSTAT_PART_LEVEL:
        if (this.#inResponse) this.#openInPart(name);
        break;
      default:
        this.#openInProp(name);
    }
  }

  text(text: string): void {
    if (!this.#collecting) return;
    this.#text += text;
    if (this.#text.length > MAX_TEXT_LENGTH)
      throw new XmlError('the XML answer has a value of over 1 MiB');
  }

  close(name: XmlName): void {
    const level = this.#level;
    this.#level -= 1;
    if (!this.#inResponse) return;
    if (level === PROPERTY_LEVEL && this.#inProp) this.#values.push(this.#takeText());
    else if (level === PROPSTAT_PART_LEVEL) this.#closeInPart(name.key);
    else if (level === RESPONSE_PART_LEVEL) this.#closePart(name.key);
    else if (level === RESPONSE_LEVEL) this.#endResponse();
  }

  #beginResponse(): void {
    this.#inResponse = true;
    this.#href = undefined;
    this.#status = undefined;
    this.#condition = undefined;
    this.#properties = new Map();
    this.#refused = undefined;
  }

  #endResponse(): void {
    this.#inResponse = false;
    if (this.#href === undefined) throw new XmlError('the XML answer has a response without href');
    this.#last = {
      href: this.#href,
      status: this.#status,
      properties: this.#properties,
      refused: this.#refused ?? NONE,
      condition: this.#condition,
    };
    this.#onEntry(this.#last);
  }

  #openPart(key: string): void {
    this.#part = key;
    if (key === 'DAV: href' || key === 'DAV: status') {
      this.#collect();
    } else if (key === 'DAV: propstat') {
      this.#propstatStatus = undefined;
      this.#names = [];
      this.#values = [];
    }
  }

  #closePart(key: string): void {
    if (key === 'DAV: href') this.#setHref(this.#takeText());
    else if (key === 'DAV: status') this.#status = parseStatus(this.#takeText());
    else if (key === 'DAV: propstat') this.#endPropstat();
    this.#part = '';
  }

  #setHref(text: string): void {
    // phodav puts no white space around, but has that of file names in it as it is.
    this.#href ??= this.#keepSpace ? text : text.trim();
  }

  #openInPart(name: XmlName): void {
    if (this.#part === 'DAV: propstat') {
      this.#inProp = name.key === 'DAV: prop';
      if (name.key === 'DAV: status') this.#collect();
    } else if (this.#part === 'DAV: error') {
      this.#condition ??= name.local;
    }
  }

  #closeInPart(key: string): void {
    if (this.#part !== 'DAV: propstat') return;
    if (key === 'DAV: status') this.#propstatStatus = parseStatus(this.#takeText());
    this.#inProp = false;
  }

  #openInProp(name: XmlName): void {
    if (!this.#inProp) {
      if (this.#level === PROPERTY_LEVEL && this.#part === 'DAV: propstat') {
        this.#condition ??= name.local;
      }
      return;
    }
    if (this.#level === PROPERTY_LEVEL) {
      this.#names.push(name.key);
      this.#collect();
    } else if (this.#level === PROPERTY_LEVEL + 1 && this.#names.at(-1) === RESOURCETYPE) {
      this.#text += `${name.key} `;
    }
  }

  #endPropstat(): void {
    const status = this.#propstatStatus ?? 200;
    for (const [index, name] of this.#names.entries()) {
      if (status >= 200 && status < 300) this.#properties.set(name, this.#values[index] ?? '');
      else (this.#refused ??= new Map()).set(name, status);
    }
  }

  #collect(): void {
    this.#collecting = true;
    this.#text = '';
  }

  #takeText(): string {
    this.#collecting = false;
    const text = this.#text;
    this.#text = '';
    return text;
  }
}

function parseStatus(text: string): number {
  const match = STATUS_LINE.exec(text.trim());
  if (!match) throw new XmlError('the XML answer has a broken status line');
  return Number(match[1]);
}
