import { errors } from 'undici';
import { MuxError } from '../mux/types.js';
import { UnknownCodingError } from './decoder.js';
import { HttpError } from './types.js';

/** What was seen of an attempt when it failed. */
export interface AttemptTrace {
  /** The request was written, in part at least. */
  readonly started: boolean;
  /** A status line and header fields arrived. */
  readonly headReceived: boolean;
}

/** Codes of failures before a connection is there; undici passes those of net and tls on as they are. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
  'EACCES',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A message for an answer that llhttp refused. */
function protocolMessage(error: unknown, trace: AttemptTrace): string {
  if (trace.headReceived) return `the response is broken: ${messageOf(error)}`;
  return 'the answer is no HTTP: something other than a WebDAV server is at the other end';
}

/** Every failure of one attempt as an HttpError. */
export function toHttpError(cause: unknown, trace: AttemptTrace): HttpError {
  if (cause instanceof HttpError) return cause;
  if (cause instanceof errors.HTTPParserError || cause instanceof errors.HeadersOverflowError) {
    return new HttpError('HTTP_PROTOCOL', protocolMessage(cause, trace), { cause });
  }
  if (cause instanceof errors.RequestContentLengthMismatchError) {
    return new HttpError('HTTP_PROTOCOL', 'the body to send has not the size that was told', {
      cause,
    });
  }
  const unsent = !trace.started;
  if (trace.headReceived && !(cause instanceof MuxError)) {
    const message = `the response broke off before its end: ${messageOf(cause)}`;
    return new HttpError('HTTP_PROTOCOL', message, { cause });
  }
  const code = codeOf(cause);
  if (unsent && (UNREACHABLE.has(code) || isTlsCode(code))) {
    return new HttpError('HTTP_UNREACHABLE', `no connection: ${describe(cause)}`, {
      cause,
      unsent,
    });
  }
  return new HttpError('HTTP_LOST', `the connection was lost: ${messageOf(cause)}`, {
    cause,
    unsent,
  });
}

function isTlsCode(code: string): boolean {
  return /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|EPROTO)/.test(code);
}

/** An AggregateError of happy eyeballs has an empty message; its first error says what happened. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    return messageOf(error.errors[0]);
  }
  return messageOf(error);
}

/** A response that broke off can be asked for again; one that is no HTTP can't. */
export function isCutOff(error: HttpError): boolean {
  return !(
    error instanceof UnknownCodingError ||
    error.cause instanceof errors.HTTPParserError ||
    error.cause instanceof errors.HeadersOverflowError ||
    error.cause instanceof errors.RequestContentLengthMismatchError
  );
}
