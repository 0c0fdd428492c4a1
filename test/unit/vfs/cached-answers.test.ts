/**
 * What is known is answered in the same turn, and without the signal of the request: to make one costs more than the answer.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { createTcpHttpClient } from '../../../src/http/tcp-client.js';
import { silentLogger } from '../../../src/log.js';
import { createShare, listenHttp } from '../../../src/share/share.js';
import { loadNativeBinding } from '../../../src/native/binding.js';
import type { DavFileSystem } from '../../../src/vfs/dav-filesystem.js';
import type { Awaitable, Entry, RequestContext } from '../../../src/vfs/filesystem.js';
import { createWebDavClient } from '../../../src/webdav/client.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { makeFileSystem } from './file-system.js';

const ROOT = 1;
const TTL_MS = 3_600_000;
const who = { uid: 0, gid: 0, pid: 1 };
const patient: RequestContext = { ...who, signal: new AbortController().signal };
/** Fails where anything is waited for. */
const hasty: RequestContext = {
  ...who,
  get signal(): AbortSignal {
    throw new Error('the signal was asked for');
  },
};

let fs: DavFileSystem;
let file: Entry;
let folder: Entry;
let end: () => Promise<void>;

before(async () => {
  const root = makeTempDir('davport-cached-');
  writeFileSync(`${root}/file`, 'content');
  mkdirSync(`${root}/folder`);
  writeFileSync(`${root}/folder/member`, '');
  const binding = loadNativeBinding();
  if (binding instanceof Error) throw binding;
  const share = await createShare({ root, attributes: binding, watches: binding });
  const listener = await listenHttp(share, { host: '127.0.0.1', port: 0 });
  const http = createTcpHttpClient(listener.address);
  fs = makeFileSystem({
    client: createWebDavClient(http, { log: silentLogger }),
    attrTtlMs: TTL_MS,
    negativeTtlMs: TTL_MS,
  });
  end = async () => {
    await fs.destroy();
    await http.close();
    await listener.close();
    await share.close();
  };
  file = await fs.lookup(ROOT, 'file', patient);
  folder = await fs.lookup(ROOT, 'folder', patient);
  await fs.lookup(ROOT, 'absent', patient);
});
after(() => end());

function atOnce<T>(answer: Awaitable<T>): T {
  assert.ok(!(answer instanceof Promise), 'a promise');
  return answer;
}

test('getattr', () => {
  assert.equal(atOnce(fs.getattr(file.nodeId, undefined, hasty)).attributes.size, 7);
});

test('lookup, of absent names too', () => {
  assert.equal(atOnce(fs.lookup(ROOT, 'file', hasty)).nodeId, file.nodeId);
  assert.equal(atOnce(fs.lookup(ROOT, 'absent', hasty)).nodeId, 0);
});

test('access', () => {
  atOnce(fs.access(file.nodeId, 4, hasty));
});

test('a read of what was read before', async () => {
  const { fh } = await fs.open(file.nodeId, 0, patient);
  await fs.read(file.nodeId, fh, 0, 100, patient);
  const pieces = atOnce(fs.read(file.nodeId, fh, 0, 100, hasty));
  assert.equal(Buffer.concat(pieces).toString(), 'content');
  await fs.release(file.nodeId, fh);
});

for (const kind of ['readdir', 'readdirplus'] as const) {
  test(`${kind} of a listing that is known`, async () => {
    const { fh } = await fs.opendir(folder.nodeId, patient);
    const list = (ctx: RequestContext): { names: string[]; answer: Awaitable<void> } => {
      const names: string[] = [];
      const add = (entry: { name: string }): boolean => names.push(entry.name) > 0;
      return { names, answer: fs[kind](folder.nodeId, fh, 0, add, ctx) };
    };
    await list(patient).answer;
    const { names, answer } = list(hasty);
    atOnce(answer);
    assert.deepEqual(names, ['.', '..', 'member']);
    fs.releasedir(folder.nodeId, fh);
  });
}
