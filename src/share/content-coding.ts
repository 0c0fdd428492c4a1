/** Content codings of responses (RFC 9110 section 8.4), for clients that ask for one: davport's own mount does for listings over a slow link. */
import type { Transform } from 'node:stream';
import zlib from 'node:zlib';

/** A body below this is a packet or two however it is coded. */
export const MIN_CODED_BYTES = 1024;

interface CodedStream extends Transform {
  flush(kind: number, done: () => void): void;
}

type Maker = (options: object) => CodedStream;

export interface Coding {
  readonly name: string;
  readonly create: () => CodedStream;
  /** What makes the library give out all it has been given, with the least loss. */
  readonly flush: number;
}

/** Not in every release of Node 20 and 22, nor in the types of the oldest. */
const { createZstdCompress } = zlib as { readonly createZstdCompress?: Maker };
const { ZSTD_e_flush: ZSTD_FLUSH = 0 } = zlib.constants as { readonly ZSTD_e_flush?: number };
const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN } = zlib.constants;
const { BROTLI_OPERATION_FLUSH, Z_SYNC_FLUSH } = zlib.constants;

/** What this runtime can do, the best for its price first. Levels are cheap ones: the channel is faster than the dear ones. */
export const CODINGS: readonly Coding[] = [
  ...(createZstdCompress
    ? [{ name: 'zstd', create: () => createZstdCompress({}), flush: ZSTD_FLUSH }]
    : []),
  {
    name: 'br',
    flush: BROTLI_OPERATION_FLUSH,
    create: () =>
      zlib.createBrotliCompress({
        params: { [BROTLI_PARAM_QUALITY]: 3, [BROTLI_PARAM_LGWIN]: 18 },
      }),
  },
  { name: 'gzip', create: () => zlib.createGzip({ level: 3 }), flush: Z_SYNC_FLUSH },
];

/**
 * The coding that Accept-Encoding likes best (section 12.5.3), of equally liked ones the first of the table; undefined: as it is. Without
 * the field everything would be acceptable; but who wants a coding says so.
 */
export function chooseCoding(
  header: string | undefined,
  codings: readonly Coding[] = CODINGS,
): Coding | undefined {
  if (header === undefined || header === 'identity') return undefined;
  const weights = parseWeights(header);
  let best: Coding | undefined;
  // Identity is acceptable unless it is refused, and least liked unless it is weighed.
  let most = weights.get('identity') ?? 0;
  for (const coding of codings) {
    const weight = weights.get(coding.name) ?? weights.get('*') ?? 0;
    if (weight > most || (weight === most && weight > 0 && !best)) {
      best = coding;
      most = weight;
    }
  }
  return best;
}

function parseWeights(header: string): Map<string, number> {
  const weights = new Map<string, number>();
  for (const element of header.split(',')) {
    const match = /^\s*([!#$%&'*+\-.^_`|~\w]+)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?$/i.exec(
      element,
    );
    if (!match) continue;
    const name = match[1]!.toLowerCase();
    weights.set(name === 'x-gzip' ? 'gzip' : name, Math.min(Number(match[2] ?? 1), 1));
  }
  return weights;
}

/** Codes piece by piece, each only when the one before has been taken: memory stays bounded. */
export class Encoder {
  readonly #stream: CodedStream;
  readonly #flush: number;
  #coded: Buffer[] = [];
  #failed: ((error: Error) => void) | undefined;

  constructor({ create, flush }: Coding) {
    this.#stream = create();
    this.#flush = flush;
    this.#stream.on('data', (piece: Buffer) => this.#coded.push(piece));
    this.#stream.on('error', (error: Error) => this.#failed?.(error));
  }

  /** All of it: who waits for a listing, or for a sign of life, gets what there is. */
  encode(piece: Buffer): Promise<Buffer> {
    return this.#run((done) => {
      this.#stream.write(piece);
      this.#stream.flush(this.#flush, done);
    });
  }

  finish(): Promise<Buffer> {
    return this.#run((done) => {
      // 'close' alone: it was closed meanwhile.
      this.#stream.once('end', done).once('close', done);
      this.#stream.end();
    });
  }

  /** Idempotent. Gives back what the library holds. */
  close(): void {
    this.#stream.destroy();
  }

  async #run(step: (done: () => void) => void): Promise<Buffer> {
    // Closed: the client is gone.
    if (this.#stream.destroyed) return Buffer.alloc(0);
    await new Promise<void>((resolve, reject) => {
      this.#failed = reject;
      step(resolve);
    });
    const coded = Buffer.concat(this.#coded);
    this.#coded = [];
    return coded;
  }
}
