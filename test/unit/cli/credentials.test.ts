import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { findCredentials, refuseUserinfo } from '../../../src/cli/credentials.js';
import { UsageError } from '../../../src/errors.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'davport-credentials-'));
after(() => rmSync(folder, { recursive: true }));

function passwdFile(text: string, mode = 0o600): string {
  const file = path.join(folder, 'passwd');
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

const find = (text: string, address = 'http://host/dav/') =>
  findCredentials(address, passwdFile(text), {});

test('the longest URL that covers the address wins, by whole path segments', () => {
  const file = [
    '# comment',
    '',
    'anyone:everywhere',
    'http://host/ root r',
    'http://host/dav alice a long password',
    'http://host/da mallory m',
    'https://host/dav tls t',
    'http://host:8080/dav port p',
  ].join('\n');
  assert.deepEqual(find(file), { username: 'alice', password: 'a long password' });
  assert.deepEqual(find(file, 'http://host/davos'), { username: 'root', password: 'r' });
  assert.deepEqual(find(file, 'http://host.evil/dav'), {
    username: 'anyone',
    password: 'everywhere',
  });
});

test('a password may hold colons', () => {
  assert.deepEqual(find('bob:a:b:c'), { username: 'bob', password: 'a:b:c' });
});

test('a file for others to read, without a match or with a strange line is refused', () => {
  const message = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      assert.ok(error instanceof UsageError);
      return error.message;
    }
    return '';
  };
  const readable = passwdFile('a:b', 0o644);
  assert.match(
    message(() => findCredentials('http://h/', readable, {})),
    /chmod 600/,
  );
  assert.match(
    message(() => find('http://other/ u p')),
    /has no line for http:\/\/host\/dav\//,
  );
  const strange = message(() => find('a:b\nsecretword'));
  assert.match(strange, /line 2/);
  assert.ok(!strange.includes('secretword'));
  assert.match(
    message(() => find('a:b\u0007')),
    /control characters/,
  );
  assert.match(
    message(() => findCredentials('http://h/', '/nonexistent/x', {})),
    /cannot read/,
  );
});

test('from the environment, both or none', () => {
  const env = { DAVPORT_USERNAME: 'u', DAVPORT_PASSWORD: '' };
  assert.deepEqual(findCredentials('http://h/', undefined, env), { username: 'u', password: '' });
  assert.equal(findCredentials('http://h/', undefined, {}), undefined);
  assert.throws(
    () => findCredentials('http://h/', undefined, { DAVPORT_USERNAME: 'u' }),
    UsageError,
  );
});

test('user name or password in the address are refused without repeating them', () => {
  refuseUserinfo('http://host/path');
  refuseUserinfo('unix:/a@b');
  assert.throws(
    () => refuseUserinfo('https://alice:sesame@host/path'),
    (error: unknown) =>
      error instanceof UsageError &&
      error.message.includes('https://host/path') &&
      !error.message.includes('sesame'),
  );
  assert.throws(() => refuseUserinfo('http://'), UsageError);
});
