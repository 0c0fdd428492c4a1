/**
 * User name and password for an http(s) address. Never from the command line, where every user of the machine can read
 * them: from a file of its own (-o passwd_file=FILE) or from the environment.
 */
import { readFileSync, statSync } from 'node:fs';
import { UsageError } from '../errors.js';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export function refuseUserinfo(address: string): void {
  if (!/^https?:/i.test(address)) return;
  let url: URL;
  try {
    url = new URL(address);
  } catch (error) {
    // Not repeated: what can't be read may have a password in it.
    throw new UsageError('the address is no URL; write http://HOST[:PORT]/PATH', { cause: error });
  }
  if (url.username === '' && url.password === '') return;
  url.username = '';
  url.password = '';
  throw new UsageError(
    `no user name or password in the address (others can read it): write ${url.href} and set ` +
      'DAVPORT_USERNAME and DAVPORT_PASSWORD, or put them in a file and add -o passwd_file=FILE',
  );
}

export function findCredentials(
  address: string,
  passwdFile: string | undefined,
  env: NodeJS.ProcessEnv,
  wantedUser?: string,
): Credentials | undefined {
  if (passwdFile !== undefined) return readPasswdFile(passwdFile, address, wantedUser);
  const username = wantedUser ?? env['DAVPORT_USERNAME'];
  const password = env['DAVPORT_PASSWORD'];
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined || password === undefined) {
    throw new UsageError(
      'user name and password go together: set DAVPORT_USERNAME and DAVPORT_PASSWORD, or use ' +
        '-o passwd_file=FILE',
    );
  }
  return checked({ username, password }, 'DAVPORT_USERNAME');
}

/**
 * Lines are "URL USER PASSWORD" (the longest URL that the address begins with wins) or "USER:PASSWORD" (for every address).
 * Empty lines and lines that begin with # are skipped.
 */
function readPasswdFile(
  file: string,
  address: string,
  wantedUser: string | undefined,
): Credentials {
  const text = readPrivateFile(file);
  let best: Credentials | undefined;
  let bestLength = -1;
  for (const [at, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const { url, credentials } = parseLine(line, file, at + 1);
    if (url.length <= bestLength || !covers(url, address)) continue;
    if (wantedUser !== undefined && credentials.username !== wantedUser) continue;
    best = checked(credentials, file);
    bestLength = url.length;
  }
  if (best) return best;
  const user = wantedUser ?? 'USER';
  throw new UsageError(`${file} has no line for ${address}; add "${address} ${user} PASSWORD"`);
}

function readPrivateFile(file: string): string {
  try {
    const { mode } = statSync(file);
    if ((mode & 0o077) !== 0) {
      throw new UsageError(`${file} can be read by others; protect it: chmod 600 ${file}`);
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`cannot read the password file: ${reason}`, { cause: error });
  }
}

/** The line itself is never part of a message: it is a secret. */
function parseLine(
  line: string,
  file: string,
  number: number,
): { url: string; credentials: Credentials } {
  const triple = /^(https?:\/\/\S+)\s+(\S+)\s+(.+)$/i.exec(line);
  if (triple) {
    return { url: triple[1]!, credentials: { username: triple[2]!, password: triple[3]! } };
  }
  const pair = /^([^\s:]+):(.+)$/.exec(line);
  if (!pair || /^https?$/i.test(pair[1]!)) {
    throw new UsageError(`${file} line ${number}: expected "URL USER PASSWORD" or "USER:PASSWORD"`);
  }
  return { url: '', credentials: { username: pair[1]!, password: pair[2]! } };
}

/** Same origin, and the path a prefix by whole segments: http://host/a is not for http://host/abc nor http://host.evil/. */
function covers(url: string, address: string): boolean {
  if (url === '') return true;
  let line: URL;
  try {
    line = new URL(url);
  } catch {
    return false;
  }
  const wanted = new URL(address);
  if (line.origin !== wanted.origin) return false;
  const prefix = line.pathname.replace(/\/*$/, '/');
  return wanted.pathname.replace(/\/*$/, '/').startsWith(prefix);
}

/** RFC 7617 §2: no colon in the user id, no control characters in either. */
function checked(credentials: Credentials, source: string): Credentials {
  const { username, password } = credentials;
  if (username.includes(':') || /[\x00-\x1f\x7f]/.test(username + password)) {
    throw new UsageError(`${source}: a user name has no ":", and neither part control characters`);
  }
  return credentials;
}
