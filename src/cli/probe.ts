/**
 * A first look at the peer before the mount: an absent one is no obstacle (it is waited for), one that speaks something else is.
 */
import { DavportError, UsageError } from '../errors.js';
import { HttpError } from '../http/types.js';
import type { Mux } from '../mux/types.js';
import { noLocksMessage } from '../vfs/locks/file-locks.js';
import { hasLocks } from '../webdav/server-profile.js';
import { DavError } from '../webdav/types.js';
import { isJunk, junkMessage } from './junk-watch.js';
import type { MountRequest } from './mount-request.js';
import type { Stack } from './wire.js';

/** A peer that is there connects within this. */
const CONNECT_WAIT_MS = 500;
/** One that is there and works answers within this; one that is busy is mounted all the same. */
const ANSWER_WAIT_MS = 3000;

/** What the user should know of the peer. Rejects when mounting makes no sense. */
export async function probePeer(stack: Stack, request: MountRequest): Promise<string[]> {
  const { mux } = stack;
  const { source } = request;
  if (mux) {
    if (!(await waitConnected(mux))) {
      return [`nobody is at the other end of ${source} yet; the mount works when somebody is`];
    }
  }
  try {
    const signal = AbortSignal.timeout(ANSWER_WAIT_MS);
    const profile = await stack.client.profile({ signal });
    if (profile.davClasses.size === 0) throw notDav(source, 'its answer has no DAV header');
    if (request.options.locks === 'server' && !hasLocks(profile)) {
      throw new UsageError(noLocksMessage(profile.server));
    }
    return [];
  } catch (error) {
    return [explainProbe(error, source, mux)];
  }
}

function waitConnected(mux: Mux): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      clearTimeout(timer);
      unsubscribe();
      if (mux.failure) reject(mux.failure);
      else resolve(mux.connected);
    };
    const unsubscribe = mux.onConnectedChange(finish);
    const timer = setTimeout(finish, mux.connected || mux.failure ? 0 : CONNECT_WAIT_MS);
  });
}

/** A note for what may pass; an error for what won't. */
function explainProbe(error: unknown, source: string, mux: Mux | undefined): string {
  if (mux?.failure) throw mux.failure;
  if (mux && isJunk(mux)) {
    throw new DavportError('NOT_A_CHANNEL', junkMessage(source, mux), { cause: error });
  }
  if (error instanceof DavError) return explainStatus(error, source);
  if (error instanceof HttpError) {
    if (error.code === 'HTTP_PROTOCOL') throw notDav(source, error.message, error);
    return `${source} cannot be reached yet (${error.message}); the mount works when it can`;
  }
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return `the peer at ${source} has not answered yet; the mount works when it does`;
  }
  throw error;
}

function explainStatus(error: DavError, source: string): string {
  if (error.status === 401 || error.status === 407) {
    throw new DavportError(
      'UNAUTHORIZED',
      `${source} wants a user name and password, or refuses those given: set DAVPORT_USERNAME and ` +
        'DAVPORT_PASSWORD, or use -o passwd_file=FILE',
      { cause: error },
    );
  }
  if (error.status === 404) {
    throw new DavportError('NOT_FOUND', `${source}: no such folder at the server; check the path`, {
      cause: error,
    });
  }
  if (error.status < 500 || error.status === 501 || error.status === 505) {
    throw notDav(source, `it answers ${error.status}`, error);
  }
  return `${source} answers ${error.status} at present`;
}

function notDav(source: string, why: string, cause?: unknown): DavportError {
  return new DavportError(
    'NOT_WEBDAV',
    `${source} does not speak WebDAV (${why}); check the address`,
    {
      cause,
    },
  );
}
