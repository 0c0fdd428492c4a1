import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Authenticator } from '../../../src/http/auth.js';
import { parseChallenges } from '../../../src/http/challenge.js';

const credentials = { username: 'Mufasa', password: 'Circle of Life' };

test('answers the example of RFC 7616 3.9.1', () => {
  const field = (algorithm: string): string =>
    `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, ` +
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"';
  const cnonce = 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ';
  const expected: Record<string, string> = {
    MD5: '8ca523f5e9506fed4657c9700eebdbec',
    'SHA-256': '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
  };
  for (const [algorithm, response] of Object.entries(expected)) {
    const auth = new Authenticator(credentials, () => cnonce);
    assert.equal(auth.authorize('GET', '/dir/index.html'), undefined);
    assert.ok(auth.challenge(field(algorithm), undefined));
    const value = auth.authorize('GET', '/dir/index.html') ?? '';
    assert.ok(value.includes(`response="${response}"`), value);
    assert.ok(value.includes('nc=00000001'), value);
    assert.ok((auth.authorize('GET', '/') ?? '').includes('nc=00000002'));
  }
});

test('takes the strongest scheme that it can answer', () => {
  const chosen = (field: string): string | undefined => {
    const auth = new Authenticator(credentials);
    return auth.challenge(field, undefined) ? auth.authorize('GET', '/')?.split(',')[0] : undefined;
  };
  assert.match(chosen('Basic realm="x"') ?? '', /^Basic TXVmYXNhOkNpcmNsZSBvZiBMaWZl$/);
  assert.match(chosen('Basic realm="x", Digest realm="y", nonce="n", qop="auth"') ?? '', /^Digest/);
  const both = 'Digest realm="a", nonce="1", Digest realm="b", algorithm=SHA-256, nonce="2"';
  const auth = new Authenticator(credentials);
  assert.ok(auth.challenge(both, undefined));
  assert.match(auth.authorize('GET', '/') ?? '', /algorithm=SHA-256/);
  assert.equal(chosen('Negotiate'), undefined);
  assert.equal(chosen('Digest realm="x", nonce="n", qop="auth-int"'), undefined);
  assert.equal(chosen(''), undefined);
});

test('refused credentials are not sent again, a stale nonce is renewed', () => {
  const auth = new Authenticator(credentials);
  const field = 'Digest realm="x", nonce="n1", qop="auth"';
  assert.ok(auth.challenge(field, undefined));
  const used = auth.authorize('GET', '/');
  assert.ok(!auth.challenge('Digest realm="x", nonce="n2", qop="auth"', used));
  assert.ok(auth.challenge('Digest realm="x", nonce="n3", qop="auth", stale=true', used));
  assert.match(auth.authorize('GET', '/') ?? '', /nonce="n3".*nc=00000001/);
  const basic = new Authenticator(credentials);
  assert.ok(basic.challenge('Basic realm="x"', undefined));
  assert.ok(!basic.challenge('Basic realm="x"', basic.authorize('GET', '/')));
});

test('names and passwords outside ASCII and with quotes', () => {
  const auth = new Authenticator({ username: 'a"b\\ü', password: 'pä' });
  assert.ok(auth.challenge('Digest realm="r\\"x", nonce="n", qop="auth"', undefined));
  const value = auth.authorize('GET', '/') ?? '';
  assert.ok(value.includes('username="a\\"b\\\\\xc3\xbc"'), value);
  assert.ok(value.includes('realm="r\\"x"'), value);
});

test('challenges are parsed as RFC 9110 has them', () => {
  const parsed = parseChallenges('Negotiate, Basic realm="a, b" , charset="UTF-8",Digest nonce=x');
  assert.deepEqual(
    parsed.map(({ scheme, params }) => [scheme, ...params]),
    [['negotiate'], ['basic', ['realm', 'a, b'], ['charset', 'UTF-8']], ['digest', ['nonce', 'x']]],
  );
  assert.deepEqual(parseChallenges('"'), []);
});
