/** `-o writeback`: what a close, an fsync and the end of a mount promise when the peer is slow, away, unwilling or another one. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { onCleanup } from '../support/cleanup.js';
import { davport, startDavport } from '../support/davport.js';
import { mountDavport, type Mount } from '../support/mount.js';
import { startPeer, type Peer } from '../support/peers/index.js';
import { startRelay, type Relay } from '../support/relay.js';
import { bash } from '../support/run.js';
import { scenario } from '../support/scenario.js';
import { makeTempDir } from '../support/temp-dir.js';
import { waitUntil } from '../support/wait-until.js';

const withJournal = (...more: string[]): string[] => [
  'writeback',
  `staging_dir=${makeTempDir('davport-staging-')}`,
  ...more,
];

/** Does one thing per line of its input, and answers it with a line: "ok" or the error. */
const OBEDIENT = `
import os, sys
files = {}
for line in sys.stdin:
    do, name, *rest = line.split()
    try:
        if do == 'open':
            files[name] = os.open(rest[0], os.O_RDWR | os.O_CREAT, 0o644)
        elif do == 'write':
            os.write(files[name], rest[0].encode() * int(rest[1]))
        elif do == 'dup':
            files[rest[0]] = os.dup(files[name])
        elif do == 'fsync':
            os.fsync(files[name])
        elif do == 'close':
            os.close(files.pop(name))
        print('ok', flush=True)
    except OSError as error:
        print(error.strerror, flush=True)
`;

class Obedient {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  constructor() {
    this.#child = spawn('/usr/bin/python3', ['-c', OBEDIENT], {
      stdio: ['pipe', 'pipe', 'inherit'],
      cwd: '/',
    });
    const kill = (): void => void this.#child.kill('SIGKILL');
    this.#child.once('exit', onCleanup({ run: async () => kill(), runSync: kill }));
    this.#answers = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async ask(line: string): Promise<string> {
    this.#child.stdin!.write(`${line}\n`);
    const { value } = await this.#answers.next();
    return value;
  }

  async do(...lines: string[]): Promise<void> {
    for (const line of lines) assert.equal(await this.ask(line), 'ok', line);
  }

  async end(): Promise<void> {
    this.#child.stdin!.end();
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}

/** A mount of a share over a wire that can be frozen. */
async function withRelay(
  t: TestContext,
  more: readonly string[],
  body: (scene: { peer: Peer; relay: Relay; mount: Mount }) => Promise<void>,
): Promise<void> {
  const peer = await startPeer('share');
  const relay = await startRelay(peer.channel);
  const mount = await mountDavport({ channel: relay.channel, options: withJournal(...more) });
  try {
    await body({ peer, relay, mount });
  } catch (error) {
    t.diagnostic(`log of the mount:\n${mount.log().slice(-6000)}`);
    throw error;
  } finally {
    relay.thaw();
    await mount.discard();
    await relay.close();
    await peer.stop();
  }
}

function isAt(file: string, content: string): boolean {
  try {
    return readFileSync(file, 'utf8') === content;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

scenario(
  'close returns while the peer is away; its content is there at once, and at the peer later',
  { timeoutMs: 60_000, options: withJournal('timeout=20') },
  async ({ peer, dir, mount }) => {
    await bash('echo old > "$1/there"; sync "$1"', [dir]);
    const program = new Obedient();
    await program.do(`open new ${dir}/new`, `open there ${dir}/there`);
    await program.do('write new n 100000', 'write there t 300000');
    await peer.kill();
    await program.do('close new', 'close there');
    const status = await davport(['status', dir, '--json']);
    const { files, pending } = JSON.parse(status.stdout) as {
      files: number;
      pending: { path: string; size: number; journaled: boolean }[];
    };
    assert.equal(files, 2, status.stderr);
    assert.deepEqual(pending.map(({ path, size, journaled }) => [path, size, journaled]).sort(), [
      ['/new', 100_000, true],
      ['/there', 300_000, true],
    ]);
    const { stdout } = await bash('cat "$1/new" "$1/there" | tr -d "\\n" | wc -c', [dir]);
    assert.equal(stdout.trim(), '400000');
    await bash('chmod 755 "$1/new"; touch -d 2001-02-03 "$1/new"', [dir]);
    await peer.restart();
    await waitUntil(
      'both at the peer',
      () =>
        isAt(`${peer.dir}/new`, 'n'.repeat(100_000)) &&
        isAt(`${peer.dir}/there`, 't'.repeat(300_000)),
      30_000,
    );
    await program.end();
    await mount.remount();
    const after = await bash('stat -c "%a %y" "$1/new" | cut -c1-14', [dir]);
    assert.equal(after.stdout.trim(), '755 2001-02-03');
  },
);

test('fsync of a file, and of a folder for all below it, waits for the peer', async (t) => {
  await withRelay(t, [], async ({ peer, relay, mount }) => {
    mkdirSync(`${peer.dir}/folder`);
    const program = new Obedient();
    await program.do(`open one ${mount.dir}/folder/one`, `open two ${mount.dir}/two`);
    relay.freeze();
    await program.do('write one 1 1000', 'close one', 'write two 2 1000');
    let isDone = false;
    const synced = Promise.all([program.ask('fsync two'), bash('sync "$1"', [mount.dir])]).finally(
      () => (isDone = true),
    );
    // That neither ends is what can't be waited for; a wrong one ends at once.
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(isDone, false);
    assert.equal(existsSync(`${peer.dir}/folder/one`), false);
    relay.thaw();
    assert.equal((await synced)[0], 'ok');
    assert.ok(isAt(`${peer.dir}/folder/one`, '1'.repeat(1000)));
    assert.ok(isAt(`${peer.dir}/two`, '2'.repeat(1000)));
    await program.end();
    await mount.unmount();
  });
});

test('writers wait when as much as may be is pending, and go on when there is room', async (t) => {
  await withRelay(t, ['staging_size=1M'], async ({ peer, relay, mount }) => {
    const names = Array.from({ length: 8 }, (_, i) => `file-${i}`);
    const program = new Obedient();
    for (const name of names) await program.do(`open ${name} ${mount.dir}/${name}`);
    for (const name of names) await program.do(`write ${name} x 300000`);
    relay.freeze();
    let closed = 0;
    const closing = (async () => {
      for (const name of names) {
        await program.do(`close ${name}`);
        closed += 1;
      }
    })();
    await waitUntil('the first closes', () => closed === 3, 10_000);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(closed, 3);
    relay.thaw();
    await closing;
    await program.end();
    await mount.unmount();
    for (const name of names) assert.ok(isAt(`${peer.dir}/${name}`, 'x'.repeat(300_000)), name);
  });
});

test('what the peer refuses after the close stays, and is told', async (t) => {
  await withRelay(t, [], async ({ peer, mount }) => {
    mkdirSync(`${peer.dir}/folder`);
    const program = new Obedient();
    await program.do(`open file ${mount.dir}/folder/file`, 'write file x 1000', 'dup file again');
    rmSync(`${peer.dir}/folder`, { recursive: true });
    await program.do('close again');
    await waitUntil('the refusal', () => mount.log().includes('does not take a closed file'));
    assert.match(mount.log(), /path=\/folder\/file.*remedy="make its folder again/);
    assert.equal(await program.ask('fsync file'), 'No such file or directory');
    assert.equal(await program.ask('close file'), 'No such file or directory');
    await program.end();
    const refused = await davport(['umount', mount.dir], { accept: 'any' });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /folder\/file could not be uploaded; it stays in the journal/);
    await mount.exited;
    // The remedy.
    mkdirSync(`${peer.dir}/folder`);
    await mount.remount();
    await mount.unmount();
    assert.ok(isAt(`${peer.dir}/folder/file`, 'x'.repeat(1000)));
  });
});

test('a journal is not brought to another share', async () => {
  const socket = join(makeTempDir(), 's');
  const [first, second] = [makeTempDir('davport-first-'), makeTempDir('davport-second-')];
  const options = withJournal('timeout=5');
  const channel = `unix:${socket}`;
  const share = async (folder: string) => {
    const started = startDavport(['share', folder, `unix-listen:${socket}`]);
    await waitUntil('the share', () => existsSync(socket));
    return started;
  };
  let served = await share(first);
  const mount = await mountDavport({ channel, options });
  const program = new Obedient();
  await program.do(`open file ${mount.dir}/file`, 'write file x 1000');
  // So that the journal is known to be of the first.
  await bash('echo x > "$1/other"; sync "$1"', [mount.dir]);
  served.kill('SIGKILL');
  await served.exited;
  rmSync(socket);
  await program.do('close file');
  await mount.kill9();
  await program.end();

  served = await share(second);
  await mount.remount();
  await waitUntil('the message', () => mount.log().includes('the journal is of another share'));
  const seen = await bash('cat "$1/file"; echo direct > "$1/direct"', [mount.dir]);
  assert.equal(seen.stdout, 'x'.repeat(1000));
  assert.deepEqual(readdirSync(second), ['direct']);
  const refused = await davport(['umount', mount.dir], { accept: 'any' });
  assert.equal(refused.code, 1);
  await mount.exited;
  assert.deepEqual(readdirSync(second), ['direct']);
  await served.stop();
  rmSync(socket, { force: true });

  served = await share(first);
  // Without the option, too.
  const plain = await mountDavport({
    channel,
    options: options.filter((option) => option !== 'writeback'),
  });
  await waitUntil('the file', () => isAt(`${first}/file`, 'x'.repeat(1000)));
  await plain.unmount();
  await served.stop();
  await mount.discard();
});

test('two mounts never use one journal', async () => {
  const peer = await startPeer('share');
  const options = withJournal();
  const mount = await mountDavport({ channel: peer.channel, options });
  const dir = makeTempDir();
  const second = await davport(['mount', peer.channel, dir, '-f', '-o', options.join(',')], {
    accept: 'any',
  });
  assert.equal(second.code, 2);
  assert.match(second.stderr, /is mounted with -o writeback already/);
  await mount.unmount();
  await peer.stop();
});

scenario(
  'extracting an archive waits for few requests',
  {
    timeoutMs: 60_000,
    peers: ['share', 'apache'],
    // So that the count doesn't depend on how long it takes.
    options: withJournal('attr_timeout=60'),
  },
  async ({ t, peer, dir }) => {
    const source = makeTempDir();
    for (let i = 0; i < 10; i += 1) {
      mkdirSync(`${source}/tree/d${i}`, { recursive: true });
      for (let j = 0; j < 30; j += 1) writeFileSync(`${source}/tree/d${i}/f${j}`, `${i} ${j}\n`);
    }
    await bash('tar -C "$1" -cf "$1/archive" tree', [source]);
    await bash('ls "$1"', [dir]);
    const before = (await peer.requests())!.length;
    await bash('tar -C "$2" -xf "$1/archive"; sync "$2"', [source, dir]);
    await bash('diff -r -x .DAV "$1/tree" "$2/tree"', [source, peer.dir]);
    const made = (await peer.requests())!.slice(before);
    const asked = made.filter((line) => line.startsWith('PROPFIND'));
    const count = (method: string): number =>
      made.filter((line) => line.startsWith(`${method} `)).length;
    t.diagnostic(
      ['PUT', 'MKCOL', 'PROPPATCH', 'PROPFIND'].map((name) => `${name} ${count(name)}`).join(', '),
    );
    assert.equal(count('MKCOL'), 11);
    // Apache doesn't say in the answer to a PUT what it has now: it is asked after each, and nobody waits for that.
    const most = 50 + (peer.kind === 'apache' ? count('PUT') : 0);
    assert.ok(asked.length <= most, `${asked.length} questions:\n${asked.join('\n')}`);
  },
);
