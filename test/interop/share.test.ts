/** The conformance suites that others wrote, before the share. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { loadNativeBinding } from '../../src/native/binding.js';
import { createShare, listenHttp } from '../../src/share/share.js';
import { onCleanup } from '../support/cleanup.js';
import { startForwarder } from '../support/forwarder.js';
import { startShare } from '../support/peers/share.js';
import { makeTempDir } from '../support/temp-dir.js';
import { requireLitmus } from './litmus.js';

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

test('litmus over plain HTTP: all suites', async () => {
  const { url, dir, scratch } = await serve();
  await requireLitmus(url, scratch);
  assert.deepEqual(
    fs.readdirSync(dir).filter((name) => name !== 'litmus'),
    [],
  );
});

test('litmus through the channel: all suites', async () => {
  const dir = makeTempDir('davport-shared-');
  const { channel } = await startShare(dir);
  await requireLitmus(await startForwarder(channel), makeTempDir('davport-client-'));
  assert.deepEqual(
    fs.readdirSync(dir).filter((name) => name !== 'litmus'),
    [],
  );
});
