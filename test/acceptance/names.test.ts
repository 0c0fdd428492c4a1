import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { program } from '../support/programs.js';
import { python } from '../support/run.js';
import { scenario } from '../support/scenario.js';

scenario(
  'odd names: made, found again by a new mount, renamed, removed',
  { timeoutMs: 60_000 },
  async ({ peer, mount, dir }) => {
    await program('names.py', ['make', dir]);
    await program('names.py', ['check', dir]);
    await program('names.py', ['check', peer.dir]);
    await mount.remount();
    await program('names.py', ['check', dir]);
    await program('names.py', ['rename', dir]);
    await program('names.py', ['remove', dir]);
  },
);

/** Names that a server mangles in its listing, or makes its XML ill-formed with. */
const MANGLED = [
  Buffer.from('100% sure'),
  Buffer.from('per%20cent'),
  Buffer.from('%zz'),
  Buffer.from('a&b'),
  Buffer.from('a#b?c'),
  Buffer.from('<i>"x"</i>'.replaceAll('/', '')),
  Buffer.from('bell\x07 and escape\x1b'),
  Buffer.from('line\nfeed'),
  Buffer.from('ends in \x7f'),
  Buffer.from('\ufffe not a character'),
];
const LIST =
  'import os, sys; [print(name.hex()) for name in sorted(os.listdir(sys.argv[1].encode()))]';

scenario(
  'names that the peer mangles are listed as they are, and opened',
  {
    timeoutMs: 30_000,
    prepare: (served) => {
      mkdirSync(`${served}/odd`);
      for (const name of MANGLED) {
        writeFileSync(Buffer.concat([Buffer.from(`${served}/odd/`), name]), name);
      }
    },
  },
  async ({ peer, dir }) => {
    const listed = (await python(LIST, [`${dir}/odd`])).stdout.trim().split('\n');
    assert.deepEqual(listed, (await python(LIST, [`${peer.dir}/odd`])).stdout.trim().split('\n'));
    assert.equal(listed.length, MANGLED.length);
    const read =
      'import os, sys\n' +
      'for name in os.listdir(sys.argv[1].encode()):\n' +
      '    with open(os.path.join(sys.argv[1].encode(), name), "rb") as file: assert file.read() == name, name';
    await python(read, [`${dir}/odd`]);
  },
);

scenario(
  "the peer's own folders and temporary files are not shown",
  {
    timeoutMs: 30_000,
    peers: ['spice', 'chezdav'],
    prepare: (served) => {
      writeFileSync(`${served}/visible`, 'x');
      writeFileSync(`${served}/.goutputstream-A1B2C3`, 'x');
    },
  },
  async ({ dir, peer }) => {
    const { stdout } = await python('import os, sys; print(os.listdir(sys.argv[1]))', [dir]);
    assert.equal(stdout.trim(), "['visible']");
    assert.equal(readdirSync(peer.dir).length, 2);
  },
);
