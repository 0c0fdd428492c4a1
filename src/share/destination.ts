/** What COPY and MOVE have in common: where to, and what may be replaced. */
import { ShareError, statusOf } from './errors.js';
import type { Exchange } from './exchange.js';
import { formatHref, isWithin, parseTargetPath, type TargetPath } from './target-path.js';
import { formatStatusResponse, MultistatusWriter } from './multistatus-writer.js';
import type { Place } from './place.js';
import { preconditionFailed } from './conditional.js';
import type { Failure } from './tree.js';

export function parseDestination(exchange: Exchange): TargetPath {
  const header = exchange.header('destination');
  if (header === undefined) throw new ShareError(400, 'no Destination');
  if (isOtherServer(header, exchange.header('host'))) {
    // RFC 4918 section 9.8.5.
    throw new ShareError(502, `the destination is on another server: ${header}`);
  }
  const destination = parseTargetPath(header);
  checkApart(exchange.target, destination);
  return destination;
}

/** What is copied or moved can neither go into itself nor take the place of what holds it. */
export function checkApart({ segments: source }: TargetPath, { segments }: TargetPath): void {
  if (isWithin(source, segments)) {
    throw new ShareError(403, 'the destination is the source, or below it');
  }
  if (isWithin(segments, source)) throw new ShareError(403, 'the destination holds the source');
}

/** Another server's resources are not ours. */
export function isOtherServer(reference: string, host: string | undefined): boolean {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(reference)?.[1];
  if (authority === undefined || host === undefined) return false;
  const plain = (text: string): string =>
    text
      .replace(/^.*@/, '')
      .replace(/:(80|443)?$/, '')
      .toLowerCase();
  return plain(authority) !== plain(host);
}

export function parseOverwrite(exchange: Exchange): boolean {
  const value = (exchange.header('overwrite') ?? 'T').trim().toUpperCase();
  if (value !== 'T' && value !== 'F') throw new ShareError(400, 'Overwrite is T or F');
  return value === 'T';
}

/** The destination's own name isn't followed: a link there is replaced, not written through. */
export function locateDestination(exchange: Exchange, destination: TargetPath): Place {
  try {
    return exchange.context.root.locate(destination.segments, false);
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    throw new ShareError(409, 'no such parent collection of the destination', { cause: error });
  }
}

export function checkOverwrite(to: Place, overwrite: boolean): void {
  if (to.kind !== 'missing' && !overwrite) throw preconditionFailed();
}

/** 207 with the members that could not be done (RFC 4918 section 13); they belong to the collection `base`. */
export async function respondFailures(
  exchange: Exchange,
  base: readonly string[],
  failures: readonly Failure[],
): Promise<void> {
  const writer = new MultistatusWriter(exchange);
  for (const { names, status } of failures) {
    await writer.add(formatStatusResponse(formatHref([...base, ...names], false), status));
  }
  await writer.end();
}
