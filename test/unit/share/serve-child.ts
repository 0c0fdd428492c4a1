/** A share in a process of its own, for tests that kill it: `serve-child.ts FOLDER SOCKET`. */
import { createShare, listenHttp } from '../../../src/share/share.js';

const [root = '', socketPath = ''] = process.argv.slice(2);
const share = await createShare({ root });
await listenHttp(share, { path: socketPath });
console.log(`swept ${await share.swept}`);
