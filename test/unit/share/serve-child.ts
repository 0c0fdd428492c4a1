/** A share in a process of its own, for tests that kill it or may hang it: `serve-child.ts FOLDER SOCKET [OPTIONS as JSON]`. */
import { loadNativeBinding } from '../../../src/native/binding.js';
import { createShare, listenHttp, type ShareOptions } from '../../../src/share/share.js';

const [root = '', socketPath = '', options = '{}'] = process.argv.slice(2);
const binding = loadNativeBinding();
const attributes = binding instanceof Error ? undefined : binding;
const share = await createShare({
  root,
  attributes,
  ...(JSON.parse(options) as Omit<ShareOptions, 'root'>),
});
await listenHttp(share, { path: socketPath });
console.log(`swept ${await share.swept}`);
