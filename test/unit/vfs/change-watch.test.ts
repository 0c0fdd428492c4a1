/**
 * A file system over our own share, real but for time: answers and lines of the feed are held back, so that they overtake each other
 * in every order.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createTcpHttpClient } from '../../../src/http/tcp-client.js';
import { silentLogger } from '../../../src/log.js';
import { loadNativeBinding } from '../../../src/native/binding.js';
import { createShare, listenHttp } from '../../../src/share/share.js';
import type { createDavFileSystem } from '../../../src/vfs/dav-filesystem.js';
import type { Entry, RequestContext } from '../../../src/vfs/filesystem.js';
import type { Change, ChangesListener } from '../../../src/webdav/change.js';
import { createWebDavClient } from '../../../src/webdav/client.js';
import type { WebDavClient } from '../../../src/webdav/types.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { makeFileSystem } from './file-system.js';
import { waitUntil } from '../../support/wait-until.js';

const ROOT = 1;
const ctx: RequestContext = {
  uid: 0,
  gid: 0,
  pid: 1,
  get signal() {
    return new AbortController().signal;
  },
};

interface Delays {
  /** Before a question goes out, and before its answer is given. */
  asking(): number;
  answering(): number;
  /** Before a line is given. */
  telling(): number;
}

/** The client, with delays. Lines stay in order, as on the one stream that they come by. */
function delayed(client: WebDavClient, delays: Delays, seen: Change[]): WebDavClient {
  const late = async <T>(ask: () => Promise<T>): Promise<T> => {
    await delay(delays.asking());
    try {
      return await ask();
    } finally {
      await delay(delays.answering());
    }
  };
  return {
    ...client,
    // A getter is not copied by the spread.
    get knownProfile() {
      return client.knownProfile;
    },
    stat: (target, options) => late(() => client.stat(target, options)),
    list: (target, options) => late(() => client.list(target, options)),
    changes(listener: ChangesListener, options) {
      let last = Promise.resolve();
      const onChange = (change: Change): void => {
        last = last.then(async () => {
          await delay(delays.telling());
          seen.push(change);
          listener.onChange(change);
        });
      };
      return client.changes(
        {
          ...listener,
          onOpen: (id, questions) => listener.onOpen(id, questions),
          onSign: () => listener.onSign(),
          onTold: (question) => void last.then(() => listener.onTold(question)),
          onChange,
        },
        options,
      );
    },
  };
}

async function withFileSystem(
  delays: Delays,
  attrTtlMs: number,
  body: (rig: {
    dir: string;
    mounted: ReturnType<typeof createDavFileSystem>;
    client: WebDavClient;
    seen: readonly Change[];
    requests: () => number;
    invalidated: readonly string[];
  }) => Promise<void>,
): Promise<void> {
  const binding = loadNativeBinding();
  assert.ok(!(binding instanceof Error));
  const dir = makeTempDir('davport-watch-');
  const share = await createShare({ root: dir, attributes: binding, watches: binding });
  const listener = await listenHttp(share, { host: '127.0.0.1', port: 0 });
  const http = createTcpHttpClient(listener.address);
  const seen: Change[] = [];
  const client = delayed(createWebDavClient(http, { log: silentLogger }), delays, seen);
  const invalidated: string[] = [];
  const mounted = makeFileSystem({
    client,
    attrTtlMs,
    negativeTtlMs: attrTtlMs,
    heartbeatMs: 2000,
  });
  mounted.setInvalidator({
    inode: async (nodeId) => void invalidated.push(`inode ${nodeId}`),
    entry: async (parent, name) => void invalidated.push(`entry ${parent} ${name}`),
  });
  const requests = (): number => http.counters.get('PROPFIND') ?? 0;
  try {
    // The first question takes the feed up; then everything is expired, as nothing was covered.
    await mounted.getattr(ROOT, undefined, ctx);
    await waitUntil('the feed', () => share.stats.active === 1);
    await body({ dir, mounted, client, seen, requests, invalidated });
  } finally {
    await mounted.destroy();
    await listener.close();
    await share.close();
  }
}

const AT_ONCE: Delays = { asking: () => 0, answering: () => 0, telling: () => 0 };

async function look(mounted: ReturnType<typeof createDavFileSystem>, parent: number, name: string) {
  return Promise.resolve(mounted.lookup(parent, name, ctx));
}

function describe({ nodeId, attributes }: Entry): string {
  if (nodeId === 0) return 'none';
  const { mode, size, mtime } = attributes;
  const time = `${mtime.sec}.${String(mtime.nsec).padStart(9, '0')}`;
  return `${mode.toString(8)} ${(mode & 0o170000) === 0o040000 ? '-' : size} ${time}`;
}

function truth(file: string): string {
  const stat = fs.lstatSync(file, { bigint: true, throwIfNoEntry: false });
  if (!stat) return 'none';
  const time = `${stat.mtimeNs / 1_000_000_000n}.${String(stat.mtimeNs % 1_000_000_000n).padStart(9, '0')}`;
  return `${stat.mode.toString(8)} ${stat.isDirectory() ? '-' : stat.size} ${time}`;
}

test('whatever overtakes what: when all is told, what is known is what is there', async (t) => {
  const random = new SeededRandom();
  t.diagnostic(`TEST_SEED=${random.seed}`);
  const upTo = (ms: number) => (): number => (random.next() < 0.3 ? 0 : random.between(0, ms));
  const delays = { asking: upTo(10), answering: upTo(60), telling: upTo(15) };
  const FOLDERS = ['', 'a', 'b'];
  const NAMES = ['one', 'two', 'three', 'sub'];
  await withFileSystem(delays, 1, async ({ dir, mounted, seen, requests }) => {
    const change = (folder: string, name: string): void => {
      const file = path.join(dir, folder, name);
      const isFolder = fs.lstatSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
      const roll = random.next();
      if (name === 'sub' || folder === name) {
        if (isFolder) fs.rmdirSync(file);
        else fs.mkdirSync(file);
      } else if (roll < 0.5) fs.writeFileSync(file, 'x'.repeat(random.between(0, 1000)));
      else if (roll < 0.7) fs.rmSync(file, { force: true });
      else if (roll < 0.85 && fs.existsSync(file)) fs.chmodSync(file, random.between(0, 0o1000));
      else if (fs.existsSync(file)) fs.renameSync(file, path.join(dir, folder, 'three'));
    };
    const ask = async (folder: string, name: string): Promise<void> => {
      const parent = folder === '' ? ROOT : (await look(mounted, ROOT, folder)).nodeId;
      if (parent === 0) return;
      if (random.next() < 0.8) {
        await look(mounted, parent, name);
        return;
      }
      const { fh } = await mounted.opendir(parent, ctx);
      await mounted.readdirplus(parent, fh, 0, () => true, ctx);
      mounted.releasedir(parent, fh);
    };
    for (const folder of FOLDERS.slice(1)) fs.mkdirSync(path.join(dir, folder));
    const running = new Set<Promise<void>>();
    for (let step = 0; step < 400; step++) {
      const folder = FOLDERS[random.between(0, 3)]!;
      const name = NAMES[random.between(0, 4)]!;
      if (random.next() < 0.4) change(folder, name);
      // A folder that goes while it is asked about is an error, as on every file system.
      const asked = ask(folder, name)
        .catch(() => undefined)
        .finally(() => running.delete(asked));
      running.add(asked);
      if (random.next() < 0.3) await delay(random.between(0, 20));
    }
    await Promise.all(running);
    // Lines come in order: after that of this name no former change is untold.
    await look(mounted, ROOT, 'last');
    fs.writeFileSync(path.join(dir, 'last'), '');
    await waitUntil('the last line', () =>
      seen.some((line) => 'path' in line && line.path === '/last'),
    );
    // An answer may be of a folder whose coverage begins with it: what is below is asked once more. Then nothing is.
    const rounds = 6;
    for (let round = 0; round < rounds; round++) {
      await delay(5);
      const before = requests();
      for (const folder of FOLDERS) {
        const parent = folder === '' ? ROOT : (await look(mounted, ROOT, folder)).nodeId;
        for (const name of NAMES) {
          const known = describe(await look(mounted, parent, name));
          assert.equal(
            known,
            truth(path.join(dir, folder, name)),
            `/${folder}/${name}, round ${round}`,
          );
        }
      }
      t.diagnostic(`round ${round}: ${requests() - before} requests`);
      if (round === rounds - 1) assert.equal(requests() - before, 0);
    }
  });
});

test('an answer that a line has overtaken is not kept', async () => {
  let release = (): void => undefined;
  let isHeld = false;
  let hold = false;
  const delays = { ...AT_ONCE };
  await withFileSystem(delays, 1, async ({ dir, mounted, client, seen }) => {
    const file = path.join(dir, 'file');
    fs.writeFileSync(file, 'old');
    await look(mounted, ROOT, 'file');
    // The next answer is held until a line about the same file has come.
    const stat = client.stat.bind(client);
    Object.assign(client, {
      async stat(...given: Parameters<typeof stat>) {
        const answer = await stat(...given);
        if (hold) {
          await new Promise<void>((resolve) => {
            release = resolve;
            isHeld = true;
          });
        }
        return answer;
      },
    });
    await delay(5);
    fs.writeFileSync(file, 'newer');
    await waitUntil('the line', () => seen.length > 0);
    hold = true;
    const late = look(mounted, ROOT, 'file');
    await waitUntil('the answer', () => isHeld);
    const before = seen.length;
    fs.writeFileSync(file, 'newest of all');
    await waitUntil('the second line', () => seen.length > before);
    hold = false;
    release();
    assert.equal((await late).attributes.size, 5);
    // A further question: lines that no answer on its way can be older than are forgotten then.
    fs.chmodSync(dir, 0o711);
    await waitUntil('the folder', () => seen.some((line) => 'path' in line && line.path === ''));
    const { attributes } = await mounted.getattr(ROOT, undefined, ctx);
    assert.equal(attributes.mode & 0o777, 0o711);
    assert.equal((await look(mounted, ROOT, 'file')).attributes.size, 13);
  });
});

test('the kernel is told of what it may remember, and of no more', async () => {
  await withFileSystem(AT_ONCE, 60_000, async ({ dir, mounted, seen, invalidated }) => {
    for (const name of ['file', 'other']) fs.writeFileSync(path.join(dir, name), '');
    fs.mkdirSync(path.join(dir, 'folder'));
    const { nodeId } = await look(mounted, ROOT, 'file');
    const other = await look(mounted, ROOT, 'other');
    const folder = await look(mounted, ROOT, 'folder');
    await look(mounted, ROOT, 'absent');
    const told = async (name: string, work: () => void): Promise<string[]> => {
      const [before, lines] = [invalidated.length, seen.length];
      work();
      await waitUntil('the line', () =>
        seen.slice(lines).some((line) => 'path' in line && line.path === `/${name}`),
      );
      return invalidated.slice(before).filter((line) => line !== `inode ${ROOT}`);
    };
    const at = (name: string): string => path.join(dir, name);
    assert.deepEqual(await told('file', () => fs.writeFileSync(at('file'), 'x')), [
      `inode ${nodeId}`,
    ]);
    assert.deepEqual(await told('absent', () => fs.writeFileSync(at('absent'), '')), [
      'entry 1 absent',
    ]);
    assert.deepEqual(await told('other', () => fs.rmSync(at('other'))), [
      'entry 1 other',
      `inode ${other.nodeId}`,
    ]);
    // Something may be mounted below it.
    assert.deepEqual(await told('folder', () => fs.chmodSync(at('folder'), 0o700)), [
      `inode ${folder.nodeId}`,
    ]);
  });
});
