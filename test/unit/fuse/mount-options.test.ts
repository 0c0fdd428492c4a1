import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { UsageError } from '../../../src/errors.js';
import { COMPRESS_MODES } from '../../../src/http/compression.js';
import { OPTION_TABLE, parseMountOptions } from '../../../src/fuse/mount-options.js';

describe('mount options', () => {
  test('nothing given: the defaults', () => {
    const options = parseMountOptions([]);
    assert.equal(options.timeoutMs, 30_000);
    assert.equal(options.ro, false);
    assert.equal(options.suid, false);
    assert.equal(options.bridge, undefined);
    assert.deepEqual(parseMountOptions(['', ',,']), options);
  });

  test('every kind of value', () => {
    const options = parseMountOptions([
      'ro,uid=1000,umask=022,attr_timeout=0.5,read_ahead=64M',
      'bridge=fuse-native,fsname=unix:/a\\,b\\\\c=d,log_level=debug,allow_other',
    ]);
    assert.equal(options.ro, true);
    assert.equal(options.uid, 1000);
    assert.equal(options.umask, 0o22);
    assert.equal(options.attrTimeoutMs, 500);
    assert.equal(options.readAheadBytes, 64 * 2 ** 20);
    assert.equal(options.bridge, 'fuse-native');
    assert.equal(options.fsname, 'unix:/a,b\\c=d');
    assert.equal(options.logLevel, 'debug');
    assert.equal(options.allowOther, true);
  });

  test('busy_poll is a number of microseconds; 0 is off', () => {
    assert.equal(parseMountOptions([]).busyPollUs, 0);
    assert.equal(parseMountOptions(['busy_poll=50']).busyPollUs, 50);
    assert.equal(parseMountOptions(['busy_poll=1000']).busyPollUs, 1000);
    for (const bad of ['1001', '-1', '0.5', 'x', '']) {
      assert.throws(() => parseMountOptions([`busy_poll=${bad}`]), UsageError);
    }
  });

  test('compress is auto unless it is said', () => {
    assert.equal(parseMountOptions([]).compress, 'auto');
    assert.equal(parseMountOptions(['compress=never']).compress, 'never');
    assert.equal(parseMountOptions(['compress=always']).compress, 'always');
    const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
    const row = /^\| `compress=WHEN`.*$/m.exec(readme)?.[0] ?? '';
    for (const mode of COMPRESS_MODES) assert.ok(row.includes(`\`${mode}\``), `README.md: ${mode}`);
  });

  test('a later option wins', () => {
    assert.equal(parseMountOptions(['ro,rw']).ro, false);
    assert.equal(parseMountOptions(['rw', 'ro']).ro, true);
    assert.equal(parseMountOptions(['suid,nosuid']).suid, false);
    assert.equal(parseMountOptions(['uid=1,uid=2']).uid, 2);
  });

  test('words of fstab are accepted', () => {
    const words = 'defaults,_netdev,nofail,noauto,user,x-systemd.automount,x-gvfs-hide,comment=a';
    assert.deepEqual(parseMountOptions([words]), parseMountOptions([]));
  });

  for (const [given, message] of [
    ['allow_othe', /unknown mount option 'allow_othe'; did you mean 'allow_other'\?/],
    ['atr_timeout=1', /did you mean 'attr_timeout'\?/],
    ['nonsense', /unknown mount option 'nonsense'; davport mount --help/],
    ['toString', /unknown mount option 'toString'/],
    ['ro=1', /ro takes no value/],
    ['uid', /uid needs a value/],
    ['uid=', /uid needs a value/],
    ['uid=-1', /uid=-1: must be a number/],
    ['uid=4294967296', /must be a number from 0/],
    ['umask=9', /must be an octal number/],
    ['timeout=abc', /must be seconds/],
    ['timeout=1e999', /must be seconds/],
    ['read_ahead=64X', /must be a size/],
    ['bridge=libfuse', /must be one of kernel, fuse-native/],
    ['compress=gzip', /must be one of auto, always, never/],
    ['writeback=1', /writeback takes no value/],
    ['staging_size=1T', /must be a size/],
    ['allow_other,allow_root', /exclude each other/],
  ] as const) {
    test(`${given} is refused`, () => {
      assert.throws(
        () => parseMountOptions([given]),
        (error: unknown) => {
          assert.ok(error instanceof UsageError);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }

  test('every row has a help text, and a field unless it is ignored', () => {
    for (const [name, row] of Object.entries(OPTION_TABLE)) {
      assert.ok(row.help.length > 0, name);
      assert.equal(row.field === undefined, row.kind === 'ignored', name);
    }
  });
});
