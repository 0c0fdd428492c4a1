/**
 * A streaming, namespace-aware XML reader for multistatus documents: fed with bytes as they arrive, bounded in memory, and strict:
 * a document that is cut, ill-formed, too deep or has a DTD fails with XmlError. It does not validate attributes other than
 * namespace declarations beyond their syntax, because WebDAV uses none.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { XmlError } from './types.js';
import { decodeReferences } from './xml-references.js';
import {
  innerScope,
  namespaceOf,
  resolveName,
  rootScope,
  type Scope,
  type XmlName,
} from './xml-scope.js';
import { readTag, type Tag } from './xml-tag.js';

export type { XmlName } from './xml-scope.js';

export interface XmlHandler {
  open(name: XmlName): void;
  /** Text may come in several pieces. */
  text(text: string): void;
  close(name: XmlName): void;
  /** The tag of the root as it is written. Before it is opened. */
  root?(tag: string): void;
  /** May take the child of the root that begins at `at` as a whole: where it ends, or -1. */
  takeChild?(text: string, at: number): number;
  /** A child of the root has been closed; all of it, where it came in one chunk. */
  childRead?(text: string): void;
}

export interface XmlOptions {
  /** phodav copies control characters of file names, and ampersands of paths, into the document as they are. */
  readonly lenient?: boolean;
}

/** Limits of our own; the deepest multistatus seen has 8 levels. */
const MAX_DEPTH = 64;
const MAX_TOKEN_LENGTH = 64 * 1024;
const MAX_CACHED_TAGS = 1024;
const MAX_CACHED_TAG_LENGTH = 256;
/** Text without an end in sight is passed on in pieces from this length on. */
const TEXT_PIECE = 4096;

/** XML 1.0 production 2: what Char leaves out. */
const FORBIDDEN = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/;

interface Level {
  readonly qname: string;
  readonly name: XmlName;
  readonly scope: Scope;
}

export class XmlScanner {
  readonly #handler: XmlHandler;
  readonly #lenient: boolean;
  readonly #levels: Level[] = [];
  readonly #tags = new Map<string, Tag>();
  readonly #rootScope: Scope = rootScope();
  /** Decoded, not yet parsed. */
  #pending = '';
  /** Bytes of a character that goes on in the next chunk. */
  #partial: Buffer = Buffer.alloc(0);
  #begun = false;
  #rootSeen = false;
  /** Where the child of the root begins that is being read; -1: not in this text. */
  #childAt = -1;

  constructor(handler: XmlHandler, options: XmlOptions = {}) {
    this.#handler = handler;
    this.#lenient = options.lenient ?? false;
  }

  write(chunk: Buffer): void {
    const text = this.#decode(chunk);
    if (text === '') return;
    this.#pending = this.#pending === '' ? text : this.#pending + text;
    if (!this.#begun) {
      this.#begun = true;
      if (this.#pending.startsWith('\ufeff')) this.#pending = this.#pending.slice(1);
    }
    this.#parse();
  }

  /** The document has ended. */
  end(): void {
    if (this.#partial.length > 0)
      throw new XmlError('the XML answer ends in the middle of a character');
    if (this.#levels.length > 0 || !this.#rootSeen || this.#pending.trim() !== '') {
      throw new XmlError('the XML answer is cut off before its end');
    }
  }

  #decode(chunk: Buffer): string {
    const bytes = this.#partial.length === 0 ? chunk : Buffer.concat([this.#partial, chunk]);
    const complete = bytes.length - incompleteTail(bytes);
    this.#partial = Buffer.from(bytes.subarray(complete));
    const whole = bytes.subarray(0, complete);
    if (!isUtf8(whole) && !this.#lenient) throw new XmlError('the XML answer is not UTF-8');
    const text = whole.toString(isAscii(whole) ? 'latin1' : 'utf8');
    if (!this.#lenient && FORBIDDEN.test(text)) {
      throw new XmlError('the XML answer has a control character in it');
    }
    return text;
  }

  #parse(): void {
    const text = this.#pending;
    let at = 0;
    this.#childAt = -1;
    while (at < text.length) {
      const next = text.charCodeAt(at) === 0x3c ? this.#element(text, at) : this.#text(text, at);
      if (next < 0) break;
      at = next;
    }
    this.#pending = at === 0 ? text : text.slice(at);
    if (this.#pending.length > MAX_TOKEN_LENGTH)
      throw new XmlError('the XML answer has a tag of over 64 KiB');
  }

  /** Character data from `at`; returns where it ends, or -1 when more input is needed. */
  #text(text: string, at: number): number {
    let end = text.indexOf('<', at);
    if (end < 0) {
      end = text.length - at < TEXT_PIECE ? -1 : safeCut(text, at);
      if (end <= at) return -1;
    }
    const piece = text.slice(at, end);
    if (piece.includes(']]>')) throw new XmlError('the XML answer has ]]> in its text');
    this.#emitText(decodeReferences(this.#lineEnds(piece), this.#lenient));
    return end;
  }

  /** XML 1.0, 2.11; where control characters are data, a carriage return is one, too. */
  #lineEnds(text: string): string {
    return text.includes('\r') && !this.#lenient ? text.replace(/\r\n?/g, '\n') : text;
  }

  #emitText(text: string): void {
    if (this.#levels.length > 0) this.#handler.text(text);
    else if (/[^ \t\r\n]/.test(text))
      throw new XmlError('the XML answer has text outside its root');
  }

  /** A child of the root as a whole, or as #markup. */
  #element(text: string, at: number): number {
    if (this.#levels.length !== 1) return this.#markup(text, at);
    this.#childAt = at;
    const end = this.#handler.takeChild?.(text, at) ?? -1;
    return end < 0 ? this.#markup(text, at) : end;
  }

  /** One tag, comment, CDATA section or processing instruction from `<` at `at`; as #text. */
  #markup(text: string, at: number): number {
    switch (text.charCodeAt(at + 1)) {
      case 0x2f: // '/'
        return this.#endTag(text, at);
      case 0x21: // '!'
        return this.#declaration(text, at);
      case 0x3f: // '?'
        return this.#instruction(text, at);
      default:
        return this.#startTag(text, at);
    }
  }

  #startTag(text: string, at: number): number {
    const shortest = text.indexOf('>', at + 1);
    if (shortest < 0) return -1;
    // A tag that was read before has no quote open where it ends.
    const known = this.#tags.get(text.slice(at + 1, shortest));
    const end = known !== undefined ? shortest : tagEnd(text, at + 1);
    if (end < 0) return -1;
    const tag = known ?? this.#readTag(text.slice(at + 1, end));
    const parent = this.#levels.at(-1)?.scope ?? this.#rootScope;
    if (this.#levels.length === 0) {
      if (this.#rootSeen) throw new XmlError('the XML answer has a second root');
      this.#rootSeen = true;
      this.#handler.root?.(text.slice(at, end + 1));
    }
    const scope = tag.declares ? innerScope(parent, tag) : parent;
    const name = resolveName(scope, tag.qname);
    for (const prefix of tag.attributePrefixes) namespaceOf(scope, prefix);
    this.#handler.open(name);
    if (tag.selfClosing) {
      this.#handler.close(name);
    } else {
      if (this.#levels.length >= MAX_DEPTH) throw new XmlError('the XML answer is nested too deep');
      this.#levels.push({ qname: tag.qname, name, scope });
    }
    return end + 1;
  }

  #readTag(inner: string): Tag {
    const tag = readTag(inner);
    if (inner.length <= MAX_CACHED_TAG_LENGTH && this.#tags.size < MAX_CACHED_TAGS) {
      this.#tags.set(inner, tag);
    }
    return tag;
  }

  #endTag(text: string, at: number): number {
    const end = text.indexOf('>', at + 2);
    if (end < 0) return -1;
    const level = this.#levels.pop();
    const qname = text.slice(at + 2, end);
    if (level === undefined || (level.qname !== qname && level.qname !== trimEnd(qname))) {
      throw new XmlError(`the XML answer ends an element that is not open`);
    }
    this.#handler.close(level.name);
    if (this.#levels.length === 1 && this.#childAt >= 0) {
      this.#handler.childRead?.(text.slice(this.#childAt, end + 1));
    }
    return end + 1;
  }

  #declaration(text: string, at: number): number {
    if (text.startsWith('<!--', at)) {
      const end = text.indexOf('--', at + 4);
      if (end < 0 || end + 2 >= text.length) return -1;
      if (text[end + 2] !== '>') throw new XmlError('the XML answer has -- in a comment');
      return end + 3;
    }
    if (text.startsWith('<![CDATA[', at)) {
      const end = text.indexOf(']]>', at + 9);
      if (end < 0) return -1;
      if (this.#levels.length === 0) throw new XmlError('the XML answer has text outside its root');
      this.#handler.text(this.#lineEnds(text.slice(at + 9, end)));
      return end + 3;
    }
    const begun = text.slice(at, at + 9);
    if ('<!--'.startsWith(begun) || '<![CDATA['.startsWith(begun)) return -1;
    // No WebDAV answer needs a DTD; entities defined in one are how XML readers are made to eat memory or files.
    throw new XmlError('the XML answer has a document type declaration');
  }

  #instruction(text: string, at: number): number {
    const end = text.indexOf('?>', at + 2);
    if (end < 0) return -1;
    const content = text.slice(at + 2, end);
    if (/^xml[ \t\r\n]/.test(content)) this.#xmlDeclaration(content);
    else if (/^xml$/i.test(/^[^ \t\r\n]*/.exec(content)![0])) {
      throw new XmlError('the XML answer has a broken XML declaration');
    }
    return end + 2;
  }

  #xmlDeclaration(content: string): void {
    if (this.#rootSeen) throw new XmlError('the XML answer has a late XML declaration');
    const encoding = /\bencoding\s*=\s*["']([^"']*)["']/.exec(content)?.[1];
    if (encoding !== undefined && !/^(utf-?8|us-ascii)$/i.test(encoding)) {
      throw new XmlError(`the XML answer is encoded in ${encoding}, not in UTF-8`);
    }
  }
}

/** Bytes at the end that begin a UTF-8 character without ending it. */
function incompleteTail(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? back : 0;
    }
  }
  return 0;
}

/** The `>` that ends the tag whose content begins at `from`; quoted values may hold one. */
function tagEnd(text: string, from: number): number {
  let at = from;
  for (;;) {
    const end = text.indexOf('>', at);
    if (end < 0) return -1;
    const quote = firstQuote(text, at, end);
    if (quote < 0) return end;
    const closing = text.indexOf(text[quote]!, quote + 1);
    if (closing < 0) return -1;
    at = closing + 1;
  }
}

function firstQuote(text: string, from: number, to: number): number {
  for (let at = from; at < to; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x22 || code === 0x27) return at;
  }
  return -1;
}

/** Where text without an end can be cut: not inside a reference, `]]>` or a line end. */
function safeCut(text: string, from: number): number {
  let end = text.length;
  const reference = text.lastIndexOf('&');
  if (reference >= from && !text.includes(';', reference)) end = reference;
  while (end > from && (text[end - 1] === ']' || text[end - 1] === '\r')) end -= 1;
  return end;
}

function trimEnd(qname: string): string {
  return qname.replace(/[ \t\r\n]+$/, '');
}
