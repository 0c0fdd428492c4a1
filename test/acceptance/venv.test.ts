import assert from 'node:assert/strict';
import { bash } from '../support/run.js';
import { scenario } from '../support/scenario.js';

/** Without symbolic links at the peer, venv wants the interpreter copied, and finds the folder that it would link. */
const symlinks = (kind: string): boolean => kind === 'share' || kind === 'folder';

scenario('python3 -m venv', { timeoutMs: 400_000 }, async ({ peer, mount, dir }) => {
  const create = symlinks(peer.kind)
    ? '/usr/bin/python3 -m venv "$1/venv"'
    : 'mkdir -p "$1/venv/lib64" && /usr/bin/python3 -m venv --copies "$1/venv"';
  await bash(create, [dir], { timeoutMs: 350_000 });
  await mount.remount();
  const { stdout } = await bash('cd /tmp && "$1/venv/bin/python" -m pip --version', [dir]);
  assert.match(stdout, /^pip .*\/venv\//);
});
