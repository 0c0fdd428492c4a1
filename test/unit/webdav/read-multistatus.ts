import { readFileSync } from 'node:fs';
import { MultistatusReader, type MultistatusEntry } from '../../../src/webdav/multistatus.js';
import type { XmlOptions } from '../../../src/webdav/xml-scanner.js';

export function fixture(name: string): Buffer {
  return readFileSync(new URL(`../../fixtures/webdav/${name}`, import.meta.url));
}

/** The entries of a document that arrives in the given chunks. */
export function readChunks(chunks: Iterable<Buffer>, options: XmlOptions = {}): MultistatusEntry[] {
  const entries: MultistatusEntry[] = [];
  const reader = new MultistatusReader((entry) => entries.push(entry), options);
  for (const chunk of chunks) reader.write(chunk);
  reader.end();
  return entries;
}

export function readText(text: string, options: XmlOptions = {}): MultistatusEntry[] {
  return readChunks([Buffer.from(text)], options);
}

/** A multistatus around `content`. */
export function multistatus(content: string): string {
  return `<?xml version="1.0" encoding="utf-8"?>\n<D:multistatus xmlns:D="DAV:">${content}</D:multistatus>`;
}

export function response(href: string, properties = ''): string {
  return (
    `<D:response><D:href>${href}</D:href><D:propstat><D:prop>${properties}</D:prop>` +
    `<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`
  );
}
