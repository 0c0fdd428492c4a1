import type { Logger } from '../log.js';
import type { Clock } from './clock.js';
import { LinkSpeed, type SpeedBounds } from './link-speed.js';
import type { HttpError, HttpRequest } from './types.js';

/** When answers that may come coded are asked for so. auto: while the link is slow. */
export const COMPRESS_MODES = ['auto', 'always', 'never'] as const;
export type CompressMode = (typeof COMPRESS_MODES)[number];

const MB = 1e6;
/**
 * gzip makes a twelfth of a listing. A megabyte of one costs 3 ms to code and 2.5 ms to decode (one processor, level 3), so that it would
 * pay on far faster links than these; but few servers make listings faster than 25 MB/s.
 */
const CONTENT: SpeedBounds = { slowBelow: 25 * MB, fastFrom: 50 * MB };
/** A listing may be slow because it is made slowly: only well below what servers do is it the link, and a mistake costs 2 % then. */
const LISTINGS: SpeedBounds = { slowBelow: 4 * MB, fastFrom: 8 * MB };

/** Decides for one client which requests ask for a coding. Forgets all when the peer goes: another one may come, by another link. */
export class Compression {
  readonly #mode: CompressMode;
  readonly #clock: Clock;
  readonly #log: Logger;
  #content!: LinkSpeed;
  #listings!: LinkSpeed;
  /** What the peer sent when it was asked could not be decoded. */
  #unusable = false;

  constructor(mode: CompressMode, clock: Clock, log: Logger) {
    this.#mode = mode;
    this.#clock = clock;
    this.#log = log;
    this.forget();
  }

  wants({ compressible }: HttpRequest): boolean {
    if (compressible !== true || this.#unusable || this.#mode === 'never') return false;
    // Content says more: nobody has to make it first.
    return this.#mode === 'always' || (this.#content.slow ?? this.#listings.slow ?? false);
  }

  /** What the body that answers `request` tells of, unless it comes coded: then it tells how fast it is coded. */
  speedOf(request: HttpRequest): LinkSpeed | undefined {
    if (this.#mode !== 'auto' || request.standing === true) return undefined;
    if (request.method === 'GET') return this.#content;
    return request.compressible === true ? this.#listings : undefined;
  }

  /** Nothing is asked for coded any more: whoever sends it once like that may do it each time. */
  giveUp(request: HttpRequest, error: HttpError): void {
    this.#unusable = true;
    this.#log.warn('compressed answers of the peer can not be used: none are asked for any more', {
      request: `${request.method} ${request.target}`,
      reason: error.message,
    });
  }

  forget(): void {
    this.#content = new LinkSpeed(this.#clock, CONTENT);
    this.#listings = new LinkSpeed(this.#clock, LISTINGS);
    this.#unusable = false;
  }
}
