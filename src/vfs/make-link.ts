/** Symbolic links on our own share, where they are links (doc/EXTENSIONS.md). Elsewhere they are uploads with a property. */
import { HttpError } from '../http/types.js';
import { newPartName } from './upload/part-name.js';
import { DAVPORT_NS, DavError, type Resource, type WebDavClient } from '../webdav/types.js';
import { S_IFLNK, typeOf } from './attributes.js';
import { NEVER } from './awaitable.js';
import { FsError } from './filesystem.js';

/**
 * A file with the target as its content, under a name of its own; turned into a link; then moved into place. So at no time a file
 * with that content is seen at `path`, and nothing that is there is replaced.
 */
export async function makeLink(
  client: WebDavClient,
  path: string,
  target: Uint8Array,
  signal: AbortSignal,
): Promise<Resource> {
  const part = `${path.slice(0, path.lastIndexOf('/'))}/${newPartName()}`;
  const mode = (S_IFLNK | 0o777).toString(8);
  try {
    await client.put(part, target, { signal, precondition: { absent: true } });
    const change = { ns: DAVPORT_NS, name: 'posix', value: `mode=${mode}` };
    await client.proppatch(part, [change], { signal });
    await client.move(part, path, { signal, overwrite: false });
  } catch (error) {
    const made = await madeAllTheSame(client, path, error);
    if (made !== undefined) return made;
    // The caller isn't kept waiting; what stays behind is swept by the share when it starts again.
    void client.remove(part, { signal: NEVER }).catch(() => undefined);
    if (error instanceof DavError && error.status === 412) throw new FsError('EEXIST');
    throw error;
  }
  return client.stat(path, { signal });
}

/** The answer was lost, not the request: nobody else makes this link in this moment. */
async function madeAllTheSame(
  client: WebDavClient,
  path: string,
  error: unknown,
): Promise<Resource | undefined> {
  if (!(error instanceof HttpError) || error.unsent) return undefined;
  try {
    const resource = await client.stat(path);
    return typeOf(resource) === S_IFLNK ? resource : undefined;
  } catch {
    return undefined;
  }
}
