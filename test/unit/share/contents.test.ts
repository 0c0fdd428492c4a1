/** REPORT with P:contents: which files are told whole, and what is left to a GET; and how the client reads it. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { createTcpHttpClient } from '../../../src/http/tcp-client.js';
import { silentLogger } from '../../../src/log.js';
import { listenHttp } from '../../../src/share/share.js';
import { createWebDavClient } from '../../../src/webdav/client.js';
import type { SmallContent } from '../../../src/webdav/types.js';
import { startShare } from './fixture.js';

const report = (...names: string[]): string =>
  `<P:contents xmlns:P="urn:davport:ns">${names.map((name) => `<P:name>${name}</P:name>`).join('')}</P:contents>`;

test('contents: small files whole with their ETag, in the order of the names', async () => {
  const share = await startShare();
  fs.mkdirSync(share.at('folder'));
  fs.mkdirSync(share.at('folder', 'sub'));
  fs.writeFileSync(share.at('folder', 'a b'), 'one\ntwo');
  fs.writeFileSync(share.at('folder', 'empty'), '');
  fs.writeFileSync(share.at('folder', 'large'), Buffer.alloc(65_537));
  fs.writeFileSync(share.outside + '/secret', 'secret');
  fs.symlinkSync(share.outside + '/secret', share.at('folder', 'link'));
  const names = ['large', 'a%20b', 'absent', 'empty', 'sub', 'link'];
  const { status, text } = await share.request('REPORT', '/folder/', { body: report(...names) });
  assert.equal(status, 200);
  const etag = async (name: string): Promise<string> =>
    (await share.request('HEAD', `/folder/${name}`)).headers.etag!;
  const expected = [
    'none large',
    `content a%20b ${await etag('a%20b')} 7\none\ntwonone absent`,
    `content empty ${await etag('empty')} 0`,
    'none sub',
    'none link\n',
  ];
  assert.equal(text, expected.join('\n'));
  const bad = [
    ['/folder/', report('..'), 400],
    ['/folder/', report('sub%2Fx'), 400],
    ['/folder/', report('a/b'), 400],
    ['/absent/', report('x'), 404],
    ['/folder/large', report('x'), 409],
    ['/folder/', report(...Array.from({ length: 1025 }, (_, i) => String(i))), 403],
  ] as const;
  for (const [target, body, refused] of bad) {
    assert.equal((await share.request('REPORT', target, { body })).status, refused, body);
  }
  await share.close();
});

test('contents: the client has every byte, however the answer is cut into pieces', async () => {
  const share = await startShare();
  const listener = await listenHttp(share.share, { host: '127.0.0.1', port: 0 });
  const client = createWebDavClient(createTcpHttpClient(listener.address), { log: silentLogger });
  const names = Array.from({ length: 300 }, (_, i) => `file ${i} ä`);
  for (const [i, name] of names.entries()) {
    fs.writeFileSync(share.at(name), Buffer.alloc((i * i * 7) % 65_537, `${name}\n`));
  }
  const got: SmallContent[] = [];
  await client.contents('', [...names, 'absent'], (content) => got.push(content));
  assert.deepEqual(
    got.map(({ name }) => name),
    names,
  );
  for (const { name, bytes, etag } of got) {
    assert.deepEqual(bytes, fs.readFileSync(share.at(name)), name);
    assert.equal(etag, (await client.stat(`/${name}`)).etag);
  }
  await client.close();
  await listener.close();
  await share.close();
});
