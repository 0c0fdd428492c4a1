/** A name that somebody else has removed, while the kernel still believes in it. */
import { rmSync, writeFileSync } from 'node:fs';
import { python } from '../support/run.js';
import { scenario } from '../support/scenario.js';

const NAMES = ['made', 'truncated', 'read', 'cut'];

const USE_WHAT_IS_GONE = `
import os, sys
dir = sys.argv[1]
with open(dir + '/made', 'a') as file: file.write('again')
with open(dir + '/truncated', 'w') as file: file.write('again')
for name in ('made', 'truncated'):
    with open(dir + '/' + name) as file: assert file.read() == 'again', name
for use in (lambda: open(dir + '/read'), lambda: os.truncate(dir + '/cut', 1)):
    try: use()
    except FileNotFoundError: continue
    sys.exit('it was there')
`;

scenario(
  'what is gone at the peer is made where a program wants it made, and ENOENT where not',
  {
    timeoutMs: 30_000,
    prepare: (served) => {
      for (const name of NAMES) writeFileSync(`${served}/${name}`, 'content');
    },
    options: ['attr_timeout=60', 'entry_timeout=60'],
  },
  async ({ dir, peer }) => {
    await python('import os, sys\nfor e in os.scandir(sys.argv[1]): e.stat()', [dir]);
    for (const name of NAMES) rmSync(`${peer.dir}/${name}`);
    await peer.adopt();
    await python(USE_WHAT_IS_GONE, [dir]);
  },
);
