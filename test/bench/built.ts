/** What `npm run build` made: what users run is measured, and not the sources through a loader that adds to every function. */
import { existsSync } from 'node:fs';
import type * as Davport from '../../src/index.js';

const url = new URL('../../dist/index.js', import.meta.url);
if (!existsSync(url)) throw new Error('not built: npm run build first');

export const built = (await import(url.href)) as typeof Davport;
