import { Pool } from 'undici';
import { UsageError } from '../errors.js';
import { Authenticator, type Credentials } from './auth.js';
import type { Logger } from '../log.js';
import type { Clock } from './clock.js';
import type { CompressMode } from './compression.js';
import { toDispatchOptions } from './dispatch-options.js';
import type { Exchange } from './exchange.js';
import { Requester, type Transport } from './requester.js';
import type { HttpClient, HttpRequest, HttpResponse } from './types.js';

export interface TcpHttpOptions {
  /** Deadline for a request that makes no progress. Default 30,000. */
  readonly timeoutMs?: number;
  /** Connections to the server; default 8. */
  readonly connections?: number;
  readonly credentials?: Credentials;
  /** Certificate authorities (PEM) instead of the system's. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[];
  /** Takes any certificate: for a server on a network that is trusted. */
  readonly insecure?: boolean;
  readonly clock?: Clock;
  /** Default auto. */
  readonly compress?: CompressMode;
  readonly log?: Logger;
}

/** A server that is being restarted refuses connections for a moment. */
const UNREACHABLE_RETRY_MS = 2000;
/**
 * libsoup (phodav) closes the connection, without a word, after a 204 that has no Content-Length. A request sent on it then would
 * be lost, so requests that may be answered with 204 give up their connection.
 */
const ANSWERED_WITH_204 = new Set(['DELETE', 'MOVE', 'COPY', 'UNLOCK']);
const REDIRECTS = new Set([301, 302, 307, 308]);
const FOLLOWED_METHODS = new Set(['GET', 'PROPFIND', 'OPTIONS']);

class TcpTransport implements Transport {
  readonly connected = true;
  readonly failure = undefined;
  readonly resendOnSilence = false;
  readonly unreachableRetryMs = UNREACHABLE_RETRY_MS;
  readonly #pool: Pool;
  /** For standing requests, which would take connections away from the others. */
  readonly #standing: Pool;

  constructor(origin: string, options: TcpHttpOptions) {
    this.#pool = new Pool(origin, toPoolOptions(options, options.connections ?? 8));
    this.#standing = new Pool(origin, toPoolOptions(options, null));
  }

  onConnectedChange(): () => void {
    return () => undefined;
  }

  bytesIn(): undefined {
    return undefined;
  }

  onSilence(): void {
    // A connection that is silent has nothing to do with the others; the request's own was destroyed.
  }

  explainSilence(): undefined {
    return undefined;
  }

  send(request: HttpRequest, exchange: Exchange): void {
    const standing = request.standing === true;
    const reset = standing || ANSWERED_WITH_204.has(request.method);
    const pool = standing ? this.#standing : this.#pool;
    try {
      pool.dispatch(toDispatchOptions(request, exchange, { reset }), exchange);
    } catch (error) {
      exchange.fail(error);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.destroy(), this.#standing.destroy()]);
  }
}

/** `connections`: null for no limit. */
function toPoolOptions(options: TcpHttpOptions, connections: number | null): Pool.Options {
  return {
    connections,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: {
      timeout: Math.min(options.timeoutMs ?? 30_000, 10_000),
      ...(options.ca !== undefined && { ca: options.ca as string }),
      ...(options.insecure === true && { rejectUnauthorized: false }),
    },
  };
}

/** Adds what belongs to a server on the network: credentials and the redirect of a base address without its slash. */
class TcpHttpClient implements HttpClient {
  readonly counters: ReadonlyMap<string, number>;
  readonly connected = true;
  basePath: string;
  readonly #origin: string;
  readonly #requester: Requester;
  readonly #auth: Authenticator | undefined;

  constructor(url: URL, options: TcpHttpOptions) {
    const total = options.connections ?? 8;
    this.#origin = url.origin;
    this.basePath = toBasePath(url.pathname);
    this.#requester = new Requester(new TcpTransport(url.origin, options), {
      timeoutMs: options.timeoutMs ?? 30_000,
      // One connection is kept for metadata while file content is on the others.
      limits: { total, metadata: total, bulk: Math.max(1, total - 1) },
      ...(options.clock && { clock: options.clock }),
      ...(options.compress && { compress: options.compress }),
      ...(options.log && { log: options.log }),
    });
    this.counters = this.#requester.counters;
    this.#auth = options.credentials && new Authenticator(options.credentials);
  }

  absoluteUrl(target: string): string {
    return this.#origin + target;
  }

  async request(request: HttpRequest): Promise<HttpResponse> {
    const response = await this.#authorized(request);
    const target = this.#redirectedRoot(request, response);
    return target === undefined ? response : this.#authorized({ ...request, target });
  }

  onConnectedChange(): () => void {
    return () => undefined;
  }

  close(): Promise<void> {
    return this.#requester.close();
  }

  async #authorized(request: HttpRequest): Promise<HttpResponse> {
    const auth = this.#auth;
    if (auth === undefined) return this.#requester.request(request);
    let used = auth.authorize(request.method, request.target);
    let response = await this.#requester.request(withAuthorization(request, used));
    if (response.status !== 401) return response;
    if (!auth.challenge(response.headers['www-authenticate'] ?? '', used)) return response;
    used = auth.authorize(request.method, request.target);
    response = await this.#requester.request(withAuthorization(request, used));
    return response;
  }

  /** The new target when the server says that the base address is elsewhere on the same server. */
  #redirectedRoot(request: HttpRequest, response: HttpResponse): string | undefined {
    const location = response.headers.location;
    if (!REDIRECTS.has(response.status) || location === undefined) return undefined;
    if (!FOLLOWED_METHODS.has(request.method) || request.target !== `${this.basePath}/`) {
      return undefined;
    }
    const base = this.absoluteUrl(request.target);
    if (!URL.canParse(location, base)) return undefined;
    const moved = new URL(location, base);
    if (moved.origin !== this.#origin) return undefined;
    this.basePath = toBasePath(moved.pathname);
    return `${this.basePath}/`;
  }
}

function withAuthorization(request: HttpRequest, value: string | undefined): HttpRequest {
  if (value === undefined) return request;
  return { ...request, headers: { ...request.headers, authorization: value } };
}

function toBasePath(pathname: string): string {
  return pathname.replace(/\/{2,}/g, '/').replace(/\/$/, '');
}

/** HTTP to a WebDAV server on the network, over kept-alive connections. */
export function createTcpHttpClient(baseUrl: string, options: TcpHttpOptions = {}): HttpClient {
  return new TcpHttpClient(parseBaseUrl(baseUrl), options);
}

function parseBaseUrl(text: string): URL {
  if (!URL.canParse(text)) throw new UsageError(`${text} is no address of a WebDAV server`);
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new UsageError(`${text} does not begin with http: or https:`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError('leave the user name and the password out of the address');
  }
  if (url.search !== '' || url.hash !== '') {
    throw new UsageError(`${text} has a query or a fragment, which no folder has`);
  }
  return url;
}
