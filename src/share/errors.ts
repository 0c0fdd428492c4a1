import { DavportError } from '../errors.js';
import type { PropertyName } from '../webdav/types.js';

/** Precondition or postcondition element (RFC 4918 section 16), with the resources that it is about. */
export interface ErrorCondition extends PropertyName {
  /** Encoded. */
  readonly hrefs?: readonly string[];
}

/** A request that is answered with `status`. Raised anywhere below the dispatcher, which turns it into the response. */
export class ShareError extends DavportError {
  readonly status: number;
  /** Of the body. */
  readonly condition: ErrorCondition | undefined;
  /** The whole body as XML, where that is more than a condition. */
  readonly document: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    message: string,
    options?: ErrorOptions & {
      condition?: ErrorCondition;
      document?: string;
      headers?: Readonly<Record<string, string>>;
    },
  ) {
    super(`SHARE_${status}`, message, options);
    this.status = status;
    this.condition = options?.condition;
    this.document = options?.document;
    this.headers = options?.headers ?? {};
  }
}

/** The client went away: there is nobody to answer. */
export class ClientGoneError extends DavportError {
  constructor(message: string, options?: ErrorOptions) {
    super('CLIENT_GONE', message, options);
  }
}

/** THE table from what the file system says to what the client is told. */
const STATUS_OF_ERRNO: Readonly<Record<string, number>> = {
  ENOENT: 404,
  // A component of the path is no folder (any more).
  ENOTDIR: 404,
  // The folder behind an open descriptor was removed.
  ESTALE: 404,
  EACCES: 403,
  EPERM: 403,
  EROFS: 403,
  // A name that turned into a symbolic link between check and use.
  ELOOP: 403,
  ENXIO: 403,
  EEXIST: 409,
  ENOTEMPTY: 409,
  EISDIR: 409,
  EBUSY: 409,
  ETXTBSY: 409,
  EINVAL: 400,
  ENAMETOOLONG: 414,
  EILSEQ: 400,
  EFBIG: 413,
  ENOSPC: 507,
  EDQUOT: 507,
  E2BIG: 507,
  ERANGE: 507,
  EMLINK: 507,
  ENOTSUP: 501,
  EOPNOTSUPP: 501,
  EXDEV: 502,
  EMFILE: 503,
  ENFILE: 503,
  ENOMEM: 503,
  // The server of a network or FUSE file system that the folder lies on.
  ENOTCONN: 503,
  EHOSTDOWN: 503,
  EHOSTUNREACH: 503,
  ETIMEDOUT: 503,
};

export function errnoCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Status of any error; 500 where the table has no row. */
export function statusOf(error: unknown): number {
  if (error instanceof ShareError) return error.status;
  return STATUS_OF_ERRNO[errnoCode(error) ?? ''] ?? 500;
}
