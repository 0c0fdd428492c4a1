/** Digests of content (RFC 9530): told on request, and checked where a client sends one with a body. */
import { createHash, type Hash } from 'node:crypto';
import { ShareError } from './errors.js';
import type { Exchange } from './exchange.js';
import { readPieces } from './file-pieces.js';
import type { TakeChunk } from './request-body.js';

/** The active algorithms of the registry, by the name node:crypto has for them. The stronger first. */
const ALGORITHMS: Readonly<Record<string, string>> = { 'sha-512': 'sha512', 'sha-256': 'sha256' };

/** Of Want-Repr-Digest: the one that is liked best; undefined: none that we have, or no such wish. */
export function wantedAlgorithm(header: string | undefined): string | undefined {
  let best: string | undefined;
  let most = 0;
  for (const [name, value] of parseDictionary(header ?? '')) {
    const weight = /^\d{1,2}$/.test(value) ? Number(value) : 0;
    if (!Object.hasOwn(ALGORITHMS, name) || weight <= most || weight > 10) continue;
    best = name;
    most = weight;
  }
  return best;
}

/** Value of Repr-Digest for a whole open file. `goOn` is asked after each piece, and throws where the work is of no more use. */
export async function digestOfFile(
  fd: number,
  size: number,
  algorithm: string,
  goOn: () => void,
): Promise<string> {
  const hash = createHash(ALGORITHMS[algorithm]!);
  const take = (piece: Buffer): void => {
    goOn();
    hash.update(piece);
  };
  await readPieces(fd, { start: 0, end: size }, take, { reuse: true });
  return `${algorithm}=:${hash.digest('base64')}:`;
}

interface Expected {
  readonly hash: Hash;
  readonly digest: Buffer;
}

/**
 * The request's body, as `Exchange.receive` gives it; when it is there, it is compared with what the request says of it: ShareError 400
 * where it differs. `partial`: the body isn't the whole representation.
 */
export async function receiveVerified(
  exchange: Exchange,
  partial: boolean,
  take: TakeChunk,
): Promise<void> {
  const ofWhole = exchange.header('repr-digest');
  if (partial && ofWhole !== undefined) {
    // It could be told only when the change is done.
    throw new ShareError(400, 'Repr-Digest of a partial change; Content-Digest can be verified');
  }
  const expected = [ofWhole, exchange.header('content-digest')].flatMap(parseExpected);
  if (expected.length === 0) return exchange.receive(take);
  await exchange.receive((chunk) => {
    for (const { hash } of expected) hash.update(chunk);
    return take(chunk);
  });
  if (expected.every(({ hash, digest }) => hash.digest().equals(digest))) return;
  throw new ShareError(400, 'the body does not have the digest that was sent with it');
}

/** Algorithms that we don't have are passed over. */
function parseExpected(header: string | undefined): Expected[] {
  if (header === undefined) return [];
  const members = parseDictionary(header);
  if (members.length === 0) throw malformed();
  return members.flatMap(([name, value]) => {
    const encoded = /^:([A-Za-z0-9+/]*={0,2}):$/.exec(value)?.[1];
    if (encoded === undefined) throw malformed();
    if (!Object.hasOwn(ALGORITHMS, name)) return [];
    return [{ hash: createHash(ALGORITHMS[name]!), digest: Buffer.from(encoded, 'base64') }];
  });
}

function malformed(): ShareError {
  return new ShareError(400, 'a malformed digest');
}

/** As much of an RFC 8941 dictionary as these fields use; empty for one that is none. */
function parseDictionary(header: string): [name: string, value: string][] {
  const members: [string, string][] = [];
  for (const member of header.split(',')) {
    const match = /^\s*([a-z*][a-z0-9_.*-]*)=([^;\s]+)\s*(?:;.*)?$/.exec(member);
    if (!match) return [];
    members.push([match[1]!, match[2]!]);
  }
  return members;
}
