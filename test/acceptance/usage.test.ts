import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { davport } from '../support/davport.js';
import { mountsBelow } from '../support/mountinfo.js';
import { makeTempDir } from '../support/temp-dir.js';

const dir = makeTempDir();
writeFileSync(`${dir}/file`, 'x');

const wrong: readonly (readonly string[])[] = [
  [],
  ['no-such-command'],
  ['mount'],
  ['mount', 'unix:/x.sock', `${dir}/absent`],
  ['mount', 'unix:/x.sock', `${dir}/file`],
  ['mount', 'carrier-pigeon:coop', dir],
  ['mount', 'unix:', dir],
  ['mount', 'tcp:host-without-port', dir],
  ['mount', 'tcp:127.0.0.1:99999', dir],
  ['mount', 'http://', dir],
  ['mount', 'fd:many', dir],
  ['mount', 'unix:/x.sock', dir, '-o', 'no_such_option'],
  ['mount', 'unix:/x.sock', dir, '-o', 'timeout=soon'],
  ['mount', 'unix:/x.sock', dir, '-o', 'attr_timeout=-1'],
  ['mount', 'unix:/x.sock', dir, '-o', 'uid=nobody-at-all'],
  ['mount', 'unix:/x.sock', dir, '-o', 'bridge=london'],
  ['mount', 'unix:/x.sock', dir, 'one-more', '-f'],
  ['mount', '--no-such-flag', 'unix:/x.sock', dir],
  ['share'],
  ['share', `${dir}/absent`, 'unix-listen:/x.sock'],
  ['share', `${dir}/file`, 'unix-listen:/x.sock'],
  ['share', dir, 'http://127.0.0.1/'],
  ['share', dir, `unix-listen:${dir}/s`, '--symlinks', 'sometimes'],
  ['umount'],
];

for (const args of wrong) {
  const shown = ['davport', ...args.map((arg) => arg.replace(dir, 'DIR'))].join(' ');
  test(`${shown}: exit 2 and one line`, { timeout: 20_000 }, async () => {
    const result = await davport(args, { timeoutMs: 15_000 });
    assert.equal(result.code, 2, result.stderr);
    assert.match(result.stderr, /^davport: [^\n]{8,300}\n$/);
    assert.equal(result.stdout, '');
    assert.deepEqual(mountsBelow(dir), []);
  });
}

test('--help and --version go to standard output and succeed', { timeout: 20_000 }, async () => {
  for (const args of [['--help'], ['mount', '--help'], ['--version']]) {
    const result = await davport(args);
    assert.equal(result.code, 0);
    assert.equal(result.stderr, '');
    assert.ok(result.stdout.length > 3);
  }
});
