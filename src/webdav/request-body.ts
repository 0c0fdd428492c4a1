/** XML bodies of requests. */
import { escapeText } from './xml-references.js';
import { DAVPORT_NS, type PropertyChange, type PropertyName } from './types.js';

const HEAD = '<?xml version="1.0" encoding="utf-8"?>\n';

export const XML_CONTENT_TYPE = 'application/xml; charset=utf-8';

/** Elements with namespaces declared where they stand: short, and no prefix can clash. */
export function element({ ns, name }: PropertyName, content?: string): string {
  const open =
    ns === 'DAV:'
      ? `D:${name}`
      : ns === ''
        ? `${name} xmlns=""`
        : `P:${name} xmlns:P="${attribute(ns)}"`;
  const tag = ns === 'DAV:' ? `D:${name}` : ns === '' ? name : `P:${name}`;
  return content === undefined ? `<${open}/>` : `<${open}>${content}</${tag}>`;
}

function attribute(text: string): string {
  return escapeText(text)
    .replace(/"/g, '&quot;')
    .replace(/[\t\n]/g, ' ');
}

export function toBytes(xml: string): Buffer {
  return Buffer.from(HEAD + xml, 'utf8');
}

export function propfindBody(names: readonly PropertyName[]): Buffer {
  const props = names.map((name) => element(name)).join('');
  return toBytes(`<D:propfind xmlns:D="DAV:"><D:prop>${props}</D:prop></D:propfind>`);
}

export function propnameBody(): Buffer {
  return toBytes('<D:propfind xmlns:D="DAV:"><D:propname/></D:propfind>');
}

export function allpropBody(): Buffer {
  return toBytes('<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>');
}

/** RFC 4918 9.2: processed in document order, so that each change is an element of its own. */
export function proppatchBody(changes: readonly PropertyChange[]): Buffer {
  const instructions = changes.map((change) =>
    change.value === undefined
      ? `<D:remove><D:prop>${element(change)}</D:prop></D:remove>`
      : `<D:set><D:prop>${element(change, escapeText(change.value))}</D:prop></D:set>`,
  );
  return toBytes(`<D:propertyupdate xmlns:D="DAV:">${instructions.join('')}</D:propertyupdate>`);
}

/** RFC 5842 section 4. */
export function bindBody(segment: string, href: string): Buffer {
  const content = `<D:segment>${escapeText(segment)}</D:segment><D:href>${escapeText(href)}</D:href>`;
  return toBytes(`<D:bind xmlns:D="DAV:">${content}</D:bind>`);
}

export function changesBody(heartbeatSec: number): Buffer {
  const heartbeat = `<P:heartbeat>${heartbeatSec.toFixed(3)}</P:heartbeat>`;
  return toBytes(`<P:changes xmlns:P="${DAVPORT_NS}">${heartbeat}</P:changes>`);
}

/** `segments`: names, encoded. */
export function contentsBody(segments: readonly string[]): Buffer {
  const names = segments.map((segment) => `<P:name>${segment}</P:name>`).join('');
  return toBytes(`<P:contents xmlns:P="${DAVPORT_NS}">${names}</P:contents>`);
}

export function lockBody(scope: 'exclusive' | 'shared'): Buffer {
  return toBytes(
    `<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:${scope}/></D:lockscope>` +
      '<D:locktype><D:write/></D:locktype><D:owner>davport</D:owner></D:lockinfo>',
  );
}
