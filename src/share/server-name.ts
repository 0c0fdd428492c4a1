import { readFileSync } from 'node:fs';

const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string };

/** Value of the field Server: how a mount knows that it has our own share before it. */
export const SERVER = `davport/${version}`;
