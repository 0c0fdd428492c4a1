/**
 * THE table: every error that can reach an operation → errno. Doubtful rows say why. What is not here is EIO, and logged.
 */
import { HttpError, type HttpErrorCode } from '../http/types.js';
import { DavError, XmlError } from '../webdav/types.js';
import { ERRNO, type ErrnoName } from './errno-names.js';
import { FsError } from './filesystem.js';

const HTTP_ERRNO: Readonly<Record<HttpErrorCode, ErrnoName>> = {
  HTTP_TIMEOUT: 'ETIMEDOUT',
  HTTP_LOST: 'EIO',
  HTTP_UNREACHABLE: 'EIO',
  HTTP_PROTOCOL: 'EIO',
  HTTP_BODY_TOO_LARGE: 'EIO',
  HTTP_CLOSED: 'EIO',
};

const STATUS_ERRNO: Readonly<Record<number, ErrnoName>> = {
  401: 'EACCES',
  403: 'EACCES',
  404: 'ENOENT',
  405: 'EPERM',
  408: 'ETIMEDOUT',
  // RFC 4918 §9: an ancestor does not exist.
  409: 'ENOENT',
  410: 'ENOENT',
  // A precondition about the version failed: somebody else changed the file.
  412: 'ESTALE',
  413: 'EFBIG',
  414: 'ENAMETOOLONG',
  415: 'EOPNOTSUPP',
  // The file became shorter than the version that is being read.
  416: 'ESTALE',
  // Locked by another client; EBUSY rather than EAGAIN: trying again at once is no remedy.
  423: 'EBUSY',
  429: 'EBUSY',
  431: 'ENAMETOOLONG',
  501: 'EOPNOTSUPP',
  503: 'EBUSY',
  504: 'ETIMEDOUT',
  507: 'ENOSPC',
};

function statusErrno(error: DavError): ErrnoName {
  // RFC 4918 §9.3.1: MKCOL on a mapped URL is 405.
  if (error.status === 405 && error.method === 'MKCOL') return 'EEXIST';
  // RFC 4331 §6.
  if (error.status === 507 && error.condition === 'quota-not-exceeded') return 'EDQUOT';
  return STATUS_ERRNO[error.status] ?? 'EIO';
}

function isErrnoName(code: unknown): code is ErrnoName {
  return typeof code === 'string' && Object.hasOwn(ERRNO, code);
}

/** Any error → the FsError to answer with. */
export function toFsError(error: unknown): FsError {
  if (error instanceof FsError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const as = (errno: ErrnoName): FsError => new FsError(errno, message, { cause: error });
  if (error instanceof DavError) return as(statusErrno(error));
  if (error instanceof HttpError) return as(HTTP_ERRNO[error.code]);
  if (error instanceof XmlError) return as('EIO');
  if (error instanceof Error) {
    if (error.name === 'AbortError') return as('EINTR');
    // System errors of the staging folder: ENOSPC, EMFILE, … mean the same here.
    if ('syscall' in error && 'code' in error && isErrnoName(error.code)) return as(error.code);
  }
  return as('EIO');
}

/** The peer was not there or not able; the same request may go through later. What it refused for good is not this. */
export function isUnavailable(error: unknown): boolean {
  if (error instanceof FsError) return error.errno === 'EINTR' || isUnavailable(error.cause);
  if (error instanceof HttpError) return error.code !== 'HTTP_BODY_TOO_LARGE';
  if (error instanceof DavError) {
    const { status } = error;
    return (
      status === 408 ||
      status === 423 ||
      status === 429 ||
      (status >= 500 && status !== 501 && status !== 507)
    );
  }
  if (error instanceof XmlError) return true;
  return error instanceof Error && error.name === 'AbortError';
}

export function isNotFound(error: unknown): boolean {
  return error instanceof DavError && (error.status === 404 || error.status === 410);
}
