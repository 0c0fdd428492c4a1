import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Address } from '../../../src/channel/address.js';
import {
  ADDRESS_FORMS,
  DEFAULT_ADDRESS,
  isChannelAddress,
  parseAddress,
} from '../../../src/channel/address.js';
import { splitWords } from '../../../src/channel/words.js';
import { UsageError } from '../../../src/errors.js';
import { checkProperty } from '../../support/property.js';

type WithoutText<T> = T extends unknown ? Omit<T, 'text'> : never;

const good: [string, WithoutText<Address>][] = [
  [DEFAULT_ADDRESS, { kind: 'virtio', port: { name: 'org.spice-space.webdav.0' } }],
  ['virtio:my.port', { kind: 'virtio', port: { name: 'my.port' } }],
  ['virtio:/dev/vport1p2', { kind: 'virtio', port: '/dev/vport1p2' }],
  ['/dev/virtio-ports/x', { kind: 'virtio', port: '/dev/virtio-ports/x' }],
  ['unix:/run/x.sock', { kind: 'unix', path: '/run/x.sock' }],
  ['unix:with:colons and blanks', { kind: 'unix', path: 'with:colons and blanks' }],
  ['unix-listen:./x', { kind: 'unix-listen', path: './x' }],
  ['tcp:localhost:5000', { kind: 'tcp', host: 'localhost', port: 5000 }],
  ['tcp:[::1]:5000', { kind: 'tcp', host: '::1', port: 5000 }],
  ['tcp-listen:127.0.0.1:0', { kind: 'tcp-listen', host: '127.0.0.1', port: 0 }],
  ['fd:3', { kind: 'fd', fd: 3 }],
  ['stdio:', { kind: 'stdio' }],
  ['stdio', { kind: 'stdio' }],
  ['exec:ssh host cat', { kind: 'exec', words: ['ssh', 'host', 'cat'] }],
  [`exec:sh -c 'a "b" | c' ""`, { kind: 'exec', words: ['sh', '-c', 'a "b" | c', ''] }],
  ['spice:host:5930', { kind: 'spice', transport: 'tcp', host: 'host', port: 5930 }],
  ['spice+tls:[fe80::1]:1', { kind: 'spice', transport: 'tls', host: 'fe80::1', port: 1 }],
  ['spice+unix:/run/s', { kind: 'spice', transport: 'unix', path: '/run/s' }],
];

for (const [text, expected] of good) {
  test(`${text} is an address`, () => {
    assert.deepEqual(parseAddress(text), { text, ...expected });
  });
}

test('http and https addresses are URLs, and no channels', () => {
  for (const text of ['http://host/a%20b', 'https://host:8443/']) {
    const address = parseAddress(text);
    assert.ok(address.kind === 'http' && address.url.href === text);
    assert.equal(isChannelAddress(address), false);
  }
  assert.equal(isChannelAddress(parseAddress('stdio:')), true);
  assert.equal(isChannelAddress(parseAddress('spice:h:1')), false);
});

const bad: [string, RegExp][] = [
  ['', /leave it out/],
  ['virtio:', /name of the port/],
  ['virtio', /a colon must follow/],
  ['/run/x.sock', /write unix:\/run\/x\.sock/],
  ['./x.sock', /write unix:/],
  ['localhost:5000', /write tcp:localhost:5000/],
  ['unix:', /path is missing/],
  [`unix:/${'x'.repeat(107)}`, /at most 107 bytes/],
  ['tcp:localhost', /expected HOST:PORT/],
  ['tcp::1:5000', /in brackets/],
  ['tcp:host:0', /1 to 65535/],
  ['tcp:host:65536', /1 to 65535/],
  ['tcp:host:http', /expected HOST:PORT/],
  ['fd:x', /number/],
  ['fd:-1', /number/],
  ['stdio:x', /nothing may follow/],
  ['exec:', /command is missing/],
  ['exec:  ', /command is missing/],
  ['exec:"" x', /command is missing/],
  [`exec:sh -c 'x`, /never closed/],
  ['http:host', /no valid URL/],
  ['http://', /no valid URL/],
  ['ftp://host/', /no known form/],
  ['constructor:x', /no known form/],
  ['unix:a\0b', /NUL/],
];

for (const [text, message] of bad) {
  test(`${JSON.stringify(text.slice(0, 30))} is no address, and the message says why in one line`, () => {
    assert.throws(
      () => parseAddress(text),
      (error) => {
        assert.ok(error instanceof UsageError);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /[\n\0]/);
        return true;
      },
    );
  });
}

test('the message lists all forms', () => {
  for (const text of ['nonsense', `exec:'`]) {
    assert.throws(
      () => parseAddress(text),
      (error: Error) => ADDRESS_FORMS.every((form) => error.message.includes(form)),
    );
  }
});

test('whatever is typed is an address or a usage error', (t) => {
  const scheme = fc.constantFrom(...ADDRESS_FORMS.map((form) => form.split(/[A-Z]/)[0]!), '');
  checkProperty(
    t,
    fc.property(scheme, fc.string({ unit: 'binary' }), (start, rest) => {
      try {
        assert.equal(parseAddress(start + rest).text, start + rest);
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
      }
    }),
    1000,
  );
});

const commands: [string, string[]][] = [
  ['', []],
  ['  a\tb\nc  ', ['a', 'b', 'c']],
  [`'a b' "c d" e\\ f`, ['a b', 'c d', 'e f']],
  [`a'b'"c"d`, ['abcd']],
  [`'' ""`, ['', '']],
  [`'\\n' "\\n" \\n`, ['\\n', '\\n', 'n']],
  [`"\\"\\\\\\$\\\`\\'"`, [`"\\$\`\\'`]],
  ['a\\\nb "c\\\nd"', ['ab', 'cd']],
  ['$HOME `id` * | ; > x', ['$HOME', '`id`', '*', '|', ';', '>', 'x']],
];

for (const [command, words] of commands) {
  test(`words of ${JSON.stringify(command)}`, () => assert.deepEqual(splitWords(command), words));
}

test('an open quote or a last backslash is a usage error', () => {
  for (const command of [`'`, `a "b`, 'a\\', `"\\"`]) {
    assert.throws(() => splitWords(command), UsageError);
  }
});

test('quoted words come back as they were', (t) => {
  const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
  checkProperty(
    t,
    fc.property(fc.array(fc.string({ unit: 'binary' })), (words) =>
      assert.deepEqual(splitWords(words.map(quote).join(' ')), words),
    ),
    1000,
  );
});
