import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTcpHttpClient } from '../../../src/http/tcp-client.js';
import { HttpError } from '../../../src/http/types.js';
import { makeTempDir } from '../../support/temp-dir.js';

test('certificates are verified, by own authorities where given', async () => {
  const dir = makeTempDir('davport-https-');
  const [keyFile, certFile] = [join(dir, 'key'), join(dir, 'cert')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const files = ['-keyout', keyFile, '-out', certFile, '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...key, ...subject, ...files], { stdio: 'ignore' });
  const cert = readFileSync(certFile);
  const server = createServer({ key: readFileSync(keyFile), cert }, (_request, response) =>
    response.end('ok'),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const get = async (options: Parameters<typeof createTcpHttpClient>[1]): Promise<number> => {
    const client = createTcpHttpClient(url, options);
    try {
      return (await client.request({ method: 'GET', target: '/' })).status;
    } finally {
      await client.close();
    }
  };
  try {
    assert.equal(await get({ ca: cert }), 200);
    assert.equal(await get({ insecure: true }), 200);
    await assert.rejects(get({}), (error) => {
      return error instanceof HttpError && error.code === 'HTTP_UNREACHABLE';
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
