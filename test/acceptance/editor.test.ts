import { mkdirSync } from 'node:fs';
import { bash } from '../support/run.js';
import { program } from '../support/programs.js';
import { scenario } from '../support/scenario.js';

scenario(
  'saving as editors do: write beside and rename over, with readers looking on',
  {
    timeoutMs: 60_000,
    prepare: (served) => {
      mkdirSync(`${served}/docs`);
    },
  },
  async ({ peer, dir }) => {
    await program('save.py', [`${dir}/docs`, '25'], { timeoutMs: 50_000 });
    await bash('cmp "$1/docs/document.txt" "$2/docs/document.txt"', [dir, peer.dir]);
  },
);
