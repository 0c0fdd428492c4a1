/** The share before command-line clients that others wrote: curl, cadaver, rclone. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { encodeName } from '../../src/names.js';
import { bash, run } from '../support/run.js';
import { SeededRandom } from '../support/seeded-random.js';
import { ODD_NAMES } from './odd-names.js';
import { serveShare } from './served-share.js';

test('curl: upload, also of unknown length; ranges, resume, listing', async (t) => {
  const { url, dir, scratch } = await serveShare();
  const random = new SeededRandom();
  t.diagnostic(`TEST_SEED=${random.seed}`);
  const content = random.bytes(3_000_000);
  fs.writeFileSync(path.join(scratch, 'up'), content);
  const script = `
    cd "$2"
    curl -sSf -T up "$1name%20of%20it"
    curl -sSf -r 100-199 "$1name%20of%20it" -o part
    curl -sSf -r -50 "$1name%20of%20it" -o tail
    head -c 1000000 up > down
    curl -sSf -C - "$1name%20of%20it" -o down
    cat up | curl -sSf -T - "$1chunked"
    curl -sSf "$1"`;
  const { stdout } = await bash(script, [url, scratch]);
  assert.match(stdout, /name%20of%20it/);
  const client = (name: string): Buffer => fs.readFileSync(path.join(scratch, name));
  assert.ok(fs.readFileSync(path.join(dir, 'name of it')).equals(content));
  assert.ok(fs.readFileSync(path.join(dir, 'chunked')).equals(content));
  assert.ok(client('part').equals(content.subarray(100, 200)));
  assert.ok(client('tail').equals(content.subarray(-50)));
  assert.ok(client('down').equals(content));
});

test('curl: several ranges, conditions, coding', async () => {
  const { url, dir, scratch } = await serveShare();
  const text = 'a line of text\n'.repeat(2000);
  fs.writeFileSync(path.join(dir, 'f.txt'), text);
  const script = `
    cd "$2"
    code() { curl -sS -o /dev/null -w '%{http_code}\\n' "$@"; }
    curl -sSf -r 0-5,20000-20004 "$1f.txt"
    etag=$(curl -sSfI "$1f.txt" | tr -d '\\r' | sed -n 's/^[Ee][Tt]ag: //p')
    code -H "If-None-Match: $etag" "$1f.txt"
    code -H "If-Match: $etag" -X DELETE -H 'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT' "$1missing"
    code -H 'If-Match: "other"' -T up "$1f.txt"
    code -H 'If-None-Match: *' -T up "$1f.txt"
    code -H "If-Match: $etag" -T up "$1f.txt"
    code -H 'Range: bytes=0-0' -H "If-Range: $etag" "$1f.txt"
    curl -sSf -R -o copy "$1f.txt"; code -z copy "$1f.txt"
    seq 5000 > text; curl -sSf -T text "$1coded.txt"
    curl -sSf --compressed "$1coded.txt" | cmp - text`;
  fs.writeFileSync(path.join(scratch, 'up'), 'new content');
  const { stdout } = await bash(script, [url, scratch]);
  assert.match(
    stdout,
    /Content-Range: bytes 0-5\/30000[^]*a line[^]*bytes 20000-20004\/30000[^]*e of /i,
  );
  assert.deepEqual(stdout.trimEnd().split('\n').slice(-7), [
    '304',
    '404',
    '412',
    '412',
    '204',
    '200',
    '304',
  ]);
  assert.equal(fs.readFileSync(path.join(dir, 'f.txt'), 'utf8'), 'new content');
});

test('curl: 100-continue, granted and refused', async () => {
  const { url, dir, scratch } = await serveShare();
  fs.mkdirSync(path.join(dir, 'folder'));
  fs.writeFileSync(path.join(scratch, 'up'), Buffer.alloc(4 << 20, 'u'));
  const put = 'curl -sSv -H "Expect: 100-continue" --expect100-timeout 20 -T "$2/up"';
  const granted = await bash(`${put} "$1file" 2>&1`, [url, scratch]);
  assert.match(granted.stdout, /< HTTP\/1\.1 100 Continue[^]*< HTTP\/1\.1 201 Created/);
  assert.equal(fs.statSync(path.join(dir, 'file')).size, 4 << 20);
  // Refused before a byte of the body has been sent.
  const refused = await bash(`${put} -w '%{size_upload}' "$1missing/file" 2>&1`, [url, scratch]);
  assert.match(refused.stdout, /< HTTP\/1\.1 409 /);
  assert.doesNotMatch(refused.stdout, /100 Continue/);
  assert.match(refused.stdout, /\n0$/);
});

test('cadaver: put, get, mkcol, copy, move, delete, properties', async () => {
  const { url, dir, scratch } = await serveShare();
  fs.writeFileSync(path.join(scratch, 'f.txt'), 'cadaver');
  const session = async (...commands: string[]): Promise<string> => {
    const input = `${[...commands, 'quit'].join('\n')}\n`;
    const { stdout } = await run('cadaver', [url], { cwd: scratch, input, env: { HOME: scratch } });
    return stdout;
  };
  const said = await session(
    'put f.txt',
    'mkcol d',
    'move f.txt d/g.txt',
    'copy d/g.txt h.txt',
    'get h.txt down.txt',
    'propset h.txt colour blue',
    'propget h.txt colour',
    'copy d e',
    'delete d/g.txt',
    'rmcol e',
    'ls',
  );
  assert.match(said, /blue/);
  assert.match(said, /Coll: +d\b/);
  assert.match(said, /h\.txt +7 /);
  assert.equal(fs.readFileSync(path.join(dir, 'h.txt'), 'utf8'), 'cadaver');
  assert.equal(fs.readFileSync(path.join(scratch, 'down.txt'), 'utf8'), 'cadaver');
  assert.deepEqual(fs.readdirSync(dir).sort(), ['d', 'h.txt']);
  assert.deepEqual(fs.readdirSync(path.join(dir, 'd')), []);
});

test('cadaver: a lock keeps others out', async () => {
  const { url, dir, scratch } = await serveShare();
  fs.writeFileSync(path.join(dir, 'h.txt'), 'content');
  fs.writeFileSync(path.join(scratch, 'own'), 'by the owner');
  const script = `
    cd "$2"; export HOME="$2"
    commands() {
      echo 'lock h.txt'
      until [ -e tried ]; do sleep 0.05; done
      printf '%s\n' 'put own h.txt' 'discover h.txt' 'unlock h.txt' quit
    }
    commands | cadaver "$1" > said &
    find='<propfind xmlns="DAV:"><prop><lockdiscovery/></prop></propfind>'
    until curl -sSf -X PROPFIND -H 'Depth: 0' -d "$find" "$1h.txt" | grep -q activelock; do sleep 0.05; done
    curl -sS -o /dev/null -w '%{http_code}\n' -d other -X PUT "$1h.txt"
    touch tried; wait
    curl -sS -o /dev/null -w '%{http_code}\n' "$1h.txt" -X PUT -d after
    cat said`;
  const { stdout } = await bash(script, [url, scratch]);
  assert.match(stdout, /^423\n204\n/);
  assert.match(stdout, /Locking `h\.txt': +succeeded/);
  assert.match(stdout, /Uploading own to .*succeeded/);
  assert.match(stdout, /Unlocking `h\.txt': +succeeded/);
  assert.equal(fs.readFileSync(path.join(dir, 'h.txt'), 'utf8'), 'after');
});

test('rclone: copy, sync and check, both directions, a tree of odd names', async () => {
  const { url, dir, scratch } = await serveShare();
  const source = path.join(scratch, 'source');
  for (const folder of ['', 'sub', 'sub/ä#?&%20', 'sub/ä#?&%20/deep']) {
    fs.mkdirSync(path.join(source, folder), { recursive: true });
    for (const name of ODD_NAMES) {
      const file = Buffer.concat([Buffer.from(path.join(source, folder, '/')), encodeName(name)]);
      fs.writeFileSync(file, name.repeat(20));
    }
  }
  fs.writeFileSync(path.join(source, 'sub/empty'), '');
  const script = `
    export RCLONE_CONFIG="$2/rclone.conf"
    rclone config create it webdav url "$1" vendor other > /dev/null
    rclone copy "$2/source" it:tree
    rclone check --download "$2/source" it:tree
    rclone copy it:tree "$2/back"
    diff -r "$2/source" "$2/back"
    rm -r "$2/source/sub/ä#?&%20/deep" && echo more >> "$2/source/sub/empty"
    rclone sync "$2/source" it:tree
    rclone check --download "$2/source" it:tree
    echo changed > "$3/tree/plain.txt"; rm "$3/tree/sub/plain.txt"
    rclone sync it:tree "$2/back"
    rclone check --download it:tree "$2/back"
    rclone move it:tree/sub it:moved
    rclone lsf it: | LC_ALL=C sort
    rclone purge it:tree`;
  const { stdout } = await bash(script, [url, scratch, dir], { timeoutMs: 120_000 });
  assert.deepEqual(stdout.trimEnd().split('\n'), ['moved/', 'tree/']);
  assert.deepEqual(fs.readdirSync(dir), ['moved']);
  assert.equal(fs.readFileSync(path.join(scratch, 'back/plain.txt'), 'utf8'), 'changed\n');
  assert.ok(!fs.existsSync(path.join(scratch, 'back/sub/plain.txt')));
  const moved = fs.readdirSync(path.join(dir, 'moved/ä#?&%20'), { encoding: 'buffer' });
  assert.equal(moved.length, ODD_NAMES.length);
});
