/**
 * Basic (RFC 7617) and Digest (RFC 7616) credentials for one origin. The password is used here only and never logged.
 */
import { createHash, randomBytes } from 'node:crypto';
import { parseChallenges, type Challenge } from './challenge.js';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** Digest algorithms, the better ones first; node's name of the hash. */
const DIGEST_HASHES: ReadonlyMap<string, string> = new Map([
  ['SHA-256', 'sha256'],
  ['SHA-256-SESS', 'sha256'],
  ['MD5', 'md5'],
  ['MD5-SESS', 'md5'],
]);

interface DigestState {
  readonly algorithm: string;
  readonly hash: string;
  readonly params: ReadonlyMap<string, string>;
  readonly qop: boolean;
  nonceCount: number;
}

type Scheme = { readonly kind: 'basic' } | { readonly kind: 'digest'; readonly state: DigestState };

export class Authenticator {
  readonly #credentials: Credentials;
  readonly #makeCnonce: () => string;
  #scheme: Scheme | undefined;

  constructor(credentials: Credentials, makeCnonce = () => randomBytes(16).toString('hex')) {
    this.#credentials = credentials;
    this.#makeCnonce = makeCnonce;
  }

  /** Value for Authorization, or undefined before the first challenge. Each call uses up one nonce count. */
  authorize(method: string, target: string): string | undefined {
    if (this.#scheme === undefined) return undefined;
    if (this.#scheme.kind === 'basic') return this.#basic();
    return this.#digest(this.#scheme.state, method, target);
  }

  /**
   * Takes in the challenge of a 401. False: sending again is no use, as the credentials were refused or no scheme is known.
   * `answered`: the refused request carried an Authorization made before (`used`).
   */
  challenge(field: string, used: string | undefined): boolean {
    const challenges = parseChallenges(field);
    const scheme = chooseScheme(challenges);
    if (scheme === undefined) return false;
    const former = this.#scheme;
    this.#scheme = scheme;
    if (used === undefined) return true;
    if (scheme.kind === 'basic') return false;
    // A new nonce without `stale` says that the password is wrong, except where the server just doesn't say stale:
    // the refused request used a nonce that the server has given up since.
    const stale = scheme.state.params.get('stale')?.toLowerCase() === 'true';
    const grownOld = former?.kind === 'digest' && former.state.nonceCount > 1;
    return stale || grownOld;
  }

  #basic(): string {
    const { username, password } = this.#credentials;
    return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
  }

  #digest(state: DigestState, method: string, target: string): string {
    state.nonceCount += 1;
    const nonceCount = state.nonceCount.toString(16).padStart(8, '0');
    const cnonce = this.#makeCnonce();
    const realm = state.params.get('realm') ?? '';
    const nonce = state.params.get('nonce') ?? '';
    const hash = (text: string): string => createHash(state.hash).update(text).digest('hex');

    let secret = hash(`${this.#credentials.username}:${realm}:${this.#credentials.password}`);
    if (state.algorithm.endsWith('-SESS')) secret = hash(`${secret}:${nonce}:${cnonce}`);
    const request = hash(`${method}:${target}`);
    const response = state.qop
      ? hash(`${secret}:${nonce}:${nonceCount}:${cnonce}:auth:${request}`)
      : hash(`${secret}:${nonce}:${request}`);

    const fields = [
      `username=${quote(this.#credentials.username)}`,
      `realm=${quote(realm)}`,
      `nonce=${quote(nonce)}`,
      `uri=${quote(target)}`,
      `response="${response}"`,
    ];
    const told = state.params.get('algorithm');
    if (told !== undefined) fields.push(`algorithm=${told}`);
    if (state.qop) fields.push('qop=auth', `nc=${nonceCount}`, `cnonce="${cnonce}"`);
    const opaque = state.params.get('opaque');
    if (opaque !== undefined) fields.push(`opaque=${quote(opaque)}`);
    return `Digest ${fields.join(', ')}`;
  }
}

/** The strongest challenge that can be answered. */
function chooseScheme(challenges: readonly Challenge[]): Scheme | undefined {
  for (const [algorithm, hash] of DIGEST_HASHES) {
    for (const { scheme, params } of challenges) {
      if (scheme !== 'digest' || !params.has('nonce')) continue;
      if ((params.get('algorithm') ?? 'MD5').toUpperCase() !== algorithm) continue;
      const offered = params
        .get('qop')
        ?.split(',')
        .map((qop) => qop.trim().toLowerCase());
      if (offered !== undefined && !offered.includes('auth')) continue;
      const qop = offered !== undefined;
      return { kind: 'digest', state: { algorithm, hash, params, qop, nonceCount: 0 } };
    }
  }
  return challenges.some(({ scheme }) => scheme === 'basic') ? { kind: 'basic' } : undefined;
}

/** quoted-string; header fields leave as Latin-1, so that UTF-8 has to be spelled in its bytes. */
function quote(text: string): string {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return `"${bytes.replace(/["\\]/g, '\\$&')}"`;
}
