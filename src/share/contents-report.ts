/** REPORT with P:contents: small files of a collection, whole, many by one request (doc/EXTENSIONS.md). */
import { DAVPORT_NS } from '../webdav/types.js';
import type { Context } from './context.js';
import { errnoCode, ShareError } from './errors.js';
import { etagOf } from './etag.js';
import type { Exchange } from './exchange.js';
import { Slices } from '../slices.js';
import { SMALL_BYTES } from './small-file.js';
import { parseTargetPath } from './target-path.js';
import { elementsOf, isElement, textOf, type XmlElement } from './xml-reader.js';

/** Ours. */
const MAX_NAMES = 1024;
/** Bytes sent at once. */
const BATCH_BYTES = 128 * 1024;

/** Undefined: it is another report. The names as they are sent, and decoded. */
export function parseContentsReport(root: XmlElement): ReadonlyMap<string, string> | undefined {
  if (!isElement(root, DAVPORT_NS, 'contents')) return undefined;
  const elements = elementsOf(root).filter((child) => isElement(child, DAVPORT_NS, 'name'));
  if (elements.length > MAX_NAMES) throw new ShareError(403, 'more names than are told at once');
  const names = new Map<string, string>();
  for (const element of elements) {
    const sent = textOf(element).trim();
    const { segments, trailingSlash } = parseTargetPath(`/${sent}`);
    if (segments.length !== 1 || trailingSlash) throw new ShareError(400, 'a malformed name');
    names.set(sent, segments[0]!);
  }
  return names;
}

export async function answerContents(
  exchange: Exchange,
  names: ReadonlyMap<string, string>,
): Promise<void> {
  const { context, target, res } = exchange;
  const folder = context.root.locate(target.segments, false);
  const { kind } = folder;
  folder.close();
  if (kind === 'missing') throw new ShareError(404, 'no such collection');
  if (kind !== 'collection') throw new ShareError(409, 'no collection');
  exchange.writeHead(200, {
    'Content-Type': 'application/octet-stream',
    'Cache-Control': 'no-store',
  });
  const slices = new Slices();
  let batch: Buffer[] = [];
  let bytes = 0;
  for (const [sent, name] of names) {
    const content = contentOf(context, [...target.segments, name]);
    const line = content
      ? `content ${sent} ${content.etag} ${content.bytes.length}`
      : `none ${sent}`;
    batch.push(Buffer.from(`${line}\n`));
    if (content) batch.push(content.bytes);
    bytes += content?.bytes.length ?? 0;
    const pause = slices.pause();
    if (pause) await pause;
    if (bytes < BATCH_BYTES) continue;
    await exchange.write(Buffer.concat(batch));
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) await exchange.write(Buffer.concat(batch));
  res.end();
}

/** Bytes of one version. Undefined: no small file, or one that is being changed, or out of reach: a GET says more. */
function contentOf(
  { root, contentLocks, tempNames }: Context,
  segments: readonly string[],
): { readonly bytes: Buffer; readonly etag: string } | undefined {
  try {
    const place = root.locate(segments, false);
    try {
      if (place.kind !== 'file' || place.existing().size > SMALL_BYTES) return undefined;
      if (tempNames.isActive(place.name)) return undefined;
      const file = place.readWhole();
      if (!file || contentLocks.beingChanged(file.stat)) return undefined;
      const etag = etagOf(file.stat);
      const after = place.refresh();
      return after && etagOf(after) === etag ? { bytes: file.bytes, etag } : undefined;
    } finally {
      place.close();
    }
  } catch (error) {
    if (error instanceof ShareError || errnoCode(error) !== undefined) return undefined;
    throw error;
  }
}
