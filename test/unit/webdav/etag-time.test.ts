import assert from 'node:assert/strict';
import { test } from 'node:test';
import { etagTime } from '../../../src/webdav/etag-time.js';
import { identifyServer } from '../../../src/webdav/server-profile.js';

const apache = identifyServer({
  status: 200,
  headers: { server: 'Apache/2.4', dav: '1,2,<http://apache.org/dav/propset/fs/1>' },
});
const phodav = identifyServer({ status: 200, headers: { server: 'PhodavServer libsoup/3' } });

// 2026-01-02T03:04:05.000678 UTC
const seconds = 1_767_323_045;
const micros = (seconds * 1e6 + 678).toString(16);

test('Apache: microseconds, with and without an inode, weak or not', () => {
  const expected = { sec: seconds, nsec: 678_000 };
  for (const etag of [`"5-${micros}"`, `W/"5-${micros}"`, `"1f-5-${micros}"`])
    assert.deepEqual(etagTime(etag, { sec: seconds, nsec: 0 }, apache), expected, etag);
});

test('Apache: an ETag that is not of the second of getlastmodified is no time', () => {
  assert.equal(etagTime(`"5-${micros}"`, { sec: seconds + 1, nsec: 0 }, apache), undefined);
  assert.equal(etagTime(`"5-${micros}"`, undefined, apache), undefined);
  for (const etag of ['"x"', '""', `"${micros}"`, '"1-2-3-4"', `"5-${micros}-gzip"`])
    assert.equal(etagTime(etag, { sec: seconds, nsec: 0 }, apache), undefined, etag);
});

test('phodav: microseconds, nanoseconds where GLib has them', () => {
  assert.deepEqual(etagTime('"17:000678"', undefined, phodav), { sec: 17, nsec: 678_000 });
  assert.deepEqual(etagTime('"17:678:678901"', undefined, phodav), { sec: 17, nsec: 678_901 });
  assert.equal(etagTime('"17"', undefined, phodav), undefined);
});
