/** The share before other programs that make a file system of it: davfs2 and gvfs. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { bash, run } from '../support/run.js';
import { SeededRandom } from '../support/seeded-random.js';
import { makeTree } from '../support/tree.js';
import { serveShare } from './served-share.js';

/** The runner never touches what is mounted: see run.ts. */
async function davfs(url: string, scratch: string, script: string, args: string[]): Promise<void> {
  const around = `
    mnt="$2/mnt"; mkdir -p "$mnt" "$2/cache"
    chown root:davfs2 "$2/cache"; chmod 1775 "$2/cache"
    # A listing fails on new kernels with the default buffer of 16 KiB.
    printf '%s\\n' 'ask_auth 0' 'use_locks 1' 'delay_upload 0' 'buf_size 64' "cache_dir $2/cache" > "$2/conf"
    mount.davfs "$1" "$mnt" -o "conf=$2/conf,uid=0,gid=0"
    status=0
    (set -e; ${script}) || status=$?
    umount "$mnt"
    exit $status`;
  // Its own user must reach the cache.
  chmodSync(scratch, 0o755);
  await bash(around, [url, scratch, ...args], { timeoutMs: 120_000 });
}

test('davfs2: copy a tree, read it, edit, rename, delete', { timeout: 240_000 }, async (t) => {
  const random = new SeededRandom();
  t.diagnostic(`TEST_SEED=${random.seed}`);
  const tree = makeTree(random, 60, 8);
  const { url, dir, scratch, log } = await serveShare();
  try {
    // Within one mount davfs2 takes files for empty whose times were set: copied by one, read by the next.
    await davfs(url, scratch, 'cp -a "$3" "$mnt/copied"', [tree]);
    await run('diff', ['-r', tree, path.join(dir, 'copied')]);
    const edit = `
      diff -r "$3" "$mnt/copied"
      df "$mnt" > /dev/null
      printf 'a\\nb\\n' > "$mnt/text"
      sed -i s/b/c/ "$mnt/text"
      mkdir "$mnt/with space"
      mv "$mnt/text" "$mnt/with space/text ä#%"
      mv "$mnt/copied/folder-1" "$mnt/renamed"
      rm -r "$mnt/copied"`;
    await davfs(url, scratch, edit, [tree]);
  } catch (error) {
    t.diagnostic(log());
    throw error;
  }
  assert.deepEqual(readdirSync(dir).sort(), ['renamed', 'with space']);
  assert.equal(readFileSync(path.join(dir, 'with space/text ä#%'), 'utf8'), 'a\nc\n');
  await run('diff', ['-r', path.join(tree, 'folder-1'), path.join(dir, 'renamed')]);
});

test('gvfs: gio commands, and its own mount', { timeout: 120_000 }, async (t) => {
  const { url, dir, scratch, log } = await serveShare();
  writeFileSync(path.join(scratch, 'file'), 'hello\n');
  const runtime = path.join(scratch, 'runtime');
  mkdirSync(runtime, { mode: 0o700 });
  const script = `
    dav="dav\${1#http}"
    gio mount "$dav" < /dev/null
    gio mkdir "\${dav}d"
    gio copy "$2/file" "\${dav}d/a b"
    gio cat "\${dav}d/a%20b" | cmp - "$2/file"
    gio rename "\${dav}d/a%20b" 'ä#?' > /dev/null
    gio list "\${dav}d" > "$2/listing"
    gio move "\${dav}d/%C3%A4%23%3F" "\${dav}top"
    gio info "\${dav}top" > "$2/info"
    # The mount is there a moment before its folder.
    for i in $(seq 100); do
      mnt=$(echo "$2"/runtime/gvfs/dav*)
      if test -d "$mnt"; then break; fi
      sleep 0.1
    done
    cmp "$mnt/top" "$2/file"
    cp "$mnt/top" "$mnt/copied"
    echo written > "$mnt/new"
    mv "$mnt/new" "$mnt/d/newer"
    rm "$mnt/top"
    gio mount -u "$dav"`;
  const session = ['--', '/bin/bash', '-euo', 'pipefail', '-c', script, 'bash', url, scratch];
  const env = { XDG_RUNTIME_DIR: runtime, HOME: scratch, GIO_USE_VOLUME_MONITOR: 'unix' };
  try {
    await run('dbus-run-session', session, { env });
  } catch (error) {
    t.diagnostic(log());
    throw error;
  }
  assert.equal(readFileSync(path.join(scratch, 'listing'), 'utf8'), 'ä#?\n');
  assert.match(readFileSync(path.join(scratch, 'info'), 'utf8'), /size: +6\n/);
  assert.deepEqual(readdirSync(dir).sort(), ['copied', 'd']);
  assert.equal(readFileSync(path.join(dir, 'copied'), 'utf8'), 'hello\n');
  assert.equal(readFileSync(path.join(dir, 'd/newer'), 'utf8'), 'written\n');
});
