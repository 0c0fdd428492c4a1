/**
 * Does this very server take a PUT with Content-Range for a part, and heed a condition with it? One that doesn't would take it for the
 * whole file. It is tried on a hidden file of its own, the first time that a part would be worth it.
 */
import { DavError, type ServerProfile, type WebDavClient } from '../../webdav/types.js';
import type { Leftovers } from './leftovers.js';
import { newPartName } from './part-name.js';

const BEFORE = Buffer.from('0123456789');
const PART = Buffer.from('abcd');
const PART_AT = 8;
const AFTER = Buffer.from('01234567abcd');

export class RangeProbe {
  readonly #client: WebDavClient;
  readonly #leftovers: Leftovers;
  #asked: { readonly server: string; readonly answer: Promise<boolean> } | undefined;

  constructor(client: WebDavClient, leftovers: Leftovers) {
    this.#client = client;
    this.#leftovers = leftovers;
  }

  /** `folder`: where it is tried. Another server that has come to the other end is asked anew, as is one that gave no answer. */
  takesRanges({ server }: ServerProfile, folder: string): Promise<boolean> {
    if (this.#asked?.server === server) return this.#asked.answer;
    const answer = this.#try(`${folder}/${newPartName()}`).catch((error: unknown) => {
      if (!(error instanceof DavError)) this.#asked = undefined;
      return false;
    });
    this.#asked = { server, answer };
    return answer;
  }

  async #try(path: string): Promise<boolean> {
    try {
      await this.#client.put(path, BEFORE, { precondition: { absent: true } });
      if (!(await this.#isRefused(path))) return false;
      const { etag } = await this.#client.stat(path);
      if (etag === undefined) return false;
      await this.#client.putRange(path, PART_AT, PART, { precondition: { etag } });
      return (await this.#read(path)).equals(AFTER);
    } finally {
      void this.#leftovers.remove(path);
    }
  }

  /** For another version than is there. */
  async #isRefused(path: string): Promise<boolean> {
    try {
      await this.#client.putRange(path, 0, PART, { precondition: { etag: '"davport"' } });
      return false;
    } catch (error) {
      if (error instanceof DavError && error.status === 412) return true;
      throw error;
    }
  }

  async #read(path: string): Promise<Buffer> {
    const pieces: Buffer[] = [];
    await this.#client.get(path, { onData: (chunk) => void pieces.push(chunk) });
    return Buffer.concat(pieces);
  }
}
