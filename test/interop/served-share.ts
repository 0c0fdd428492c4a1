/** `davport share --http` as a user starts it, for clients that others wrote. */
import { startDavport } from '../support/davport.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

export interface ServedShare {
  /** http://127.0.0.1:PORT/ */
  readonly url: string;
  /** The shared folder. */
  readonly dir: string;
  /** For files of the client. */
  readonly scratch: string;
  /** One line per request. */
  readonly log: () => string;
}

export async function serveShare(): Promise<ServedShare> {
  const dir = makeTempDir('davport-shared-');
  const server = startDavport(['share', dir, 'tcp-listen:127.0.0.1:0', '--http', '--log']);
  const log = (): string => server.log();
  const url = await waitUntil('davport share', () => {
    if (!server.running) throw new Error(`share ended at once:\n${log()}`);
    return / on (http:\/\/127\.0\.0\.1:\d+\/);/.exec(log())?.[1] ?? '';
  });
  return { url, dir, scratch: makeTempDir('davport-client-'), log };
}
