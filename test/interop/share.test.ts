/** The conformance suites that others wrote, before the share. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { loadNativeBinding } from '../../src/native/binding.js';
import { createShare, listenHttp } from '../../src/share/share.js';
import { onCleanup } from '../support/cleanup.js';
import { run } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';

interface Served {
  readonly url: string;
  readonly dir: string;
  /** For files of the client. */
  readonly scratch: string;
}

async function serve(): Promise<Served> {
  const dir = makeTempDir('davport-shared-');
  const binding = loadNativeBinding();
  const attributes = binding instanceof Error ? undefined : binding;
  const share = await createShare({ root: dir, attributes });
  const listener = await listenHttp(share, { host: '127.0.0.1', port: 0 });
  const close = async (): Promise<void> => {
    await listener.close();
    await share.close();
  };
  onCleanup({ run: close, runSync: () => undefined });
  return { url: listener.address, dir, scratch: makeTempDir('davport-client-') };
}

test('litmus: basic, copymove, props, http', async () => {
  const { url, dir, scratch } = await serve();
  const env = { TESTS: 'basic copymove props http' };
  const { stdout } = await run('litmus', [url], { cwd: scratch, env, timeoutMs: 120_000 });
  const summaries = [...stdout.matchAll(/summary for `(\w+)': of (\d+) tests run: (\d+) passed/g)];
  assert.deepEqual(
    summaries.map(([, suite, total, passed]) => [suite, total === passed]),
    [
      ['basic', true],
      ['copymove', true],
      ['props', true],
      ['http', true],
    ],
    stdout,
  );
  assert.deepEqual(
    fs.readdirSync(dir).filter((name) => name !== 'litmus'),
    [],
  );
});
