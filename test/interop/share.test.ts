/** The share before clients that others wrote. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { loadNativeBinding } from '../../src/native/binding.js';
import { createShare, listenHttp } from '../../src/share/share.js';
import { onCleanup } from '../support/cleanup.js';
import { bash, run } from '../support/run.js';
import { makeTempDir } from '../support/temp-dir.js';

interface Served {
  readonly url: string;
  readonly dir: string;
  /** For files of the client. */
  readonly scratch: string;
}

async function serve(): Promise<Served> {
  const dir = makeTempDir('davport-shared-');
  const binding = loadNativeBinding();
  const attributes = binding instanceof Error ? undefined : binding;
  const share = await createShare({ root: dir, attributes });
  const listener = await listenHttp(share, { host: '127.0.0.1', port: 0 });
  const close = async (): Promise<void> => {
    await listener.close();
    await share.close();
  };
  onCleanup({ run: close, runSync: () => undefined });
  return { url: listener.address, dir, scratch: makeTempDir('davport-client-') };
}

test('litmus: basic, copymove, props, http', async () => {
  const { url, dir, scratch } = await serve();
  const env = { TESTS: 'basic copymove props http' };
  const { stdout } = await run('litmus', [url], { cwd: scratch, env, timeoutMs: 120_000 });
  const summaries = [...stdout.matchAll(/summary for `(\w+)': of (\d+) tests run: (\d+) passed/g)];
  assert.deepEqual(
    summaries.map(([, suite, total, passed]) => [suite, total === passed]),
    [
      ['basic', true],
      ['copymove', true],
      ['props', true],
      ['http', true],
    ],
    stdout,
  );
  assert.deepEqual(
    fs.readdirSync(dir).filter((name) => name !== 'litmus'),
    [],
  );
});

test('curl: upload, resume, ranges, listing', async () => {
  const { url, dir, scratch } = await serve();
  const content = Buffer.from(Array.from({ length: 3_000_000 }, (_, at) => at % 241));
  fs.writeFileSync(path.join(scratch, 'up'), content);
  const script = `
    cd "$2"
    curl -sSf -T up "$1name%20of%20it"
    curl -sSf -r 100-199 "$1name%20of%20it" -o part
    head -c 1000000 up > down
    curl -sSf -C - "$1name%20of%20it" -o down
    curl -sSf -T - "$1chunked" < up
    curl -sSf "$1"`;
  const { stdout } = await bash(script, [url, scratch]);
  assert.match(stdout, /name%20of%20it/);
  assert.ok(fs.readFileSync(path.join(dir, 'name of it')).equals(content));
  assert.ok(fs.readFileSync(path.join(dir, 'chunked')).equals(content));
  assert.ok(fs.readFileSync(path.join(scratch, 'part')).equals(content.subarray(100, 200)));
  assert.ok(fs.readFileSync(path.join(scratch, 'down')).equals(content));
});

test('rclone: a tree goes there and back', async () => {
  const { url, dir, scratch } = await serve();
  const source = path.join(scratch, 'source');
  const names = ['plain.txt', 'sub/a b.txt', 'sub/ä#?&%20.txt', 'sub/deep/empty', '<x>.bin'];
  for (const name of names) {
    fs.mkdirSync(path.dirname(path.join(source, name)), { recursive: true });
    fs.writeFileSync(path.join(source, name), name.endsWith('empty') ? '' : name.repeat(1000));
  }
  const script = `
    export RCLONE_CONFIG="$2/rclone.conf"
    rclone config create it webdav url "$1" vendor other > /dev/null
    rclone copy "$2/source" it:tree
    rclone check "$2/source" it:tree --size-only
    rclone copy it:tree "$2/back"
    rclone move it:tree/sub it:moved
    rclone lsf -R it:
    rclone purge it:tree`;
  const { stdout } = await bash(script, [url, scratch]);
  for (const name of names) {
    const there = name.startsWith('sub/') ? name.replace('sub/', 'moved/') : `tree/${name}`;
    assert.ok(stdout.split('\n').includes(there), there);
    const back = fs.readFileSync(path.join(scratch, 'back', name));
    assert.ok(back.equals(fs.readFileSync(path.join(source, name))), name);
  }
  assert.deepEqual(fs.readdirSync(dir), ['moved']);
});

test('cadaver: put, mkcol, move, propset', async () => {
  const { url, dir, scratch } = await serve();
  fs.writeFileSync(path.join(scratch, 'f.txt'), 'cadaver');
  const commands = [
    `lcd ${scratch}`,
    'put f.txt',
    'mkcol d',
    'move f.txt d/g.txt',
    'copy d/g.txt h.txt',
    'propset h.txt colour blue',
    'propget h.txt colour',
    'delete d/g.txt',
    'ls',
    'quit',
  ];
  const input = `${commands.join('\n')}\n`;
  const { stdout } = await run('cadaver', [url], { cwd: scratch, input, env: { HOME: scratch } });
  assert.match(stdout, /blue/);
  assert.equal(fs.readFileSync(path.join(dir, 'h.txt'), 'utf8'), 'cadaver');
  assert.deepEqual(fs.readdirSync(path.join(dir, 'd')), []);
});
