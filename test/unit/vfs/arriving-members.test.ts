/** A directory is read while the peer still tells of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FsError, type DirectoryEntry, type RequestContext } from '../../../src/vfs/filesystem.js';
import type { DavFileSystem } from '../../../src/vfs/dav-filesystem.js';
import { createTcpHttpClient } from '../../../src/http/tcp-client.js';
import { silentLogger } from '../../../src/log.js';
import { createShare, listenHttp } from '../../../src/share/share.js';
import { createWebDavClient } from '../../../src/webdav/client.js';
import type { Listing, ListOptions, Resource } from '../../../src/webdav/types.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { makeFileSystem } from './file-system.js';
import { fileResource, folderResource } from './resources.js';

const ROOT = 1;
const interrupt = new AbortController();
const ctx: RequestContext = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };

/** One listing of the root, told piece by piece. */
class Telling {
  readonly options: ListOptions;
  readonly #members = new Map<string, Resource>();
  resolve!: (listing: Listing) => void;
  reject!: (error: unknown) => void;
  readonly listing = new Promise<Listing>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor(options: ListOptions) {
    this.options = options;
    options.signal?.addEventListener('abort', () => this.reject(options.signal?.reason));
  }

  tell(from: number, to: number): void {
    this.tellNames(numbered(from, to));
  }

  tellNames(names: readonly string[]): void {
    for (const name of names) {
      const resource = fileResource(name, 1);
      this.#members.set(resource.name, resource);
      this.options.onMember?.(resource);
    }
  }

  breakOff(): void {
    this.#members.clear();
    this.options.onRestart?.();
  }

  end(): void {
    this.resolve({
      self: folderResource(''),
      members: this.#members,
      uploads: [],
      toldAt: undefined,
    });
  }
}

interface Rig {
  readonly mounted: DavFileSystem;
  readonly tellings: Telling[];
  /** Reads as getdents(2) does until no more comes at once; returns the names. */
  readonly read: (fh: number, signal?: AbortSignal) => Promise<string[]>;
}

async function withRig(body: (rig: Rig) => Promise<void>, attrTtlMs = 60_000): Promise<void> {
  const share = await createShare({ root: makeTempDir('davport-arriving-') });
  const listener = await listenHttp(share, { host: '127.0.0.1', port: 0 });
  const client = createWebDavClient(createTcpHttpClient(listener.address), { log: silentLogger });
  const tellings: Telling[] = [];
  Object.assign(client, {
    list(path: string, options: ListOptions) {
      assert.equal(path, '');
      tellings.push(new Telling(options));
      return tellings.at(-1)!.listing;
    },
  });
  const mounted = makeFileSystem({ client, attrTtlMs, negativeTtlMs: 60_000 });
  const offsets = new Map<number, number>();
  const read = async (fh: number, signal = ctx.signal): Promise<string[]> => {
    const names: string[] = [];
    const from = offsets.get(fh) ?? 0;
    await mounted.readdirplus(
      ROOT,
      fh,
      from,
      (entry, lookup) => {
        names.push(entry.name);
        offsets.set(fh, entry.offset);
        if (lookup.nodeId !== 0) mounted.forget(lookup.nodeId, 1);
        return true;
      },
      { ...ctx, signal },
    );
    return names.filter((name) => name !== '.' && name !== '..');
  };
  try {
    await body({ mounted, tellings, read });
  } finally {
    await mounted.destroy();
    await listener.close();
    await share.close();
  }
}

const numbered = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `f${from + index}`);
const open = async ({ mounted }: Rig): Promise<number> => (await mounted.opendir(ROOT, ctx)).fh;
/** What goes on by itself has gone on. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function told({ tellings }: Rig): Promise<Telling> {
  while (tellings.length === 0) await turn();
  return tellings.at(-1)!;
}

test('members are read before the last has come, each once', async () => {
  await withRig(async (rig) => {
    const first = await open(rig);
    const early = rig.read(first);
    const telling = await told(rig);
    telling.tell(0, 300);
    assert.deepEqual(await early, numbered(0, 300));
    // Another reader has what is there already, by the same request.
    const second = await open(rig);
    assert.deepEqual(await rig.read(second), numbered(0, 300));
    const late = Promise.all([rig.read(first), rig.read(second)]);
    telling.tell(300, 305);
    await turn();
    telling.end();
    assert.deepEqual(await late, [numbered(300, 305), numbered(300, 305)]);
    assert.deepEqual(await rig.read(first), []);
    assert.equal(rig.tellings.length, 1);
    assert.deepEqual(await rig.read(await open(rig)), numbered(0, 305));
    assert.equal(rig.tellings.length, 1);
  });
});

test('a listing that breaks off and comes once more tells nothing twice', async () => {
  await withRig(async (rig) => {
    const fh = await open(rig);
    const early = rig.read(fh);
    const telling = await told(rig);
    telling.tell(0, 200);
    assert.equal((await early).length, 200);
    telling.breakOff();
    telling.tell(150, 260);
    telling.tell(0, 150);
    telling.end();
    await turn();
    assert.deepEqual(await rig.read(fh), numbered(200, 260));
    assert.deepEqual(await rig.read(fh), []);
  });
});

test('what is made and removed here meanwhile is told once, and as it is', async () => {
  await withRig(async (rig) => {
    const { mounted } = rig;
    const fh = await open(rig);
    const early = rig.read(fh);
    const telling = await told(rig);
    telling.tell(0, 150);
    assert.equal((await early).length, 150);
    const made = await mounted.create(ROOT, 'ours', 0o644, 1, ctx);
    await mounted.flush(made.entry.nodeId, made.fh, ctx);
    const open2 = await mounted.create(ROOT, 'open', 0o644, 1, ctx);
    await mounted.mkdir(ROOT, 'f170', 0o755, ctx);
    telling.tell(150, 260);
    telling.end();
    await turn();
    const kinds = new Map<string, number>();
    await mounted.readdirplus(
      ROOT,
      fh,
      152,
      (entry, lookup) => {
        assert.ok(!kinds.has(entry.name), entry.name);
        kinds.set(entry.name, lookup.attributes.mode & 0o170000);
        return true;
      },
      ctx,
    );
    assert.deepEqual([...kinds.keys()], [...numbered(150, 260), 'ours', 'open']);
    assert.equal(kinds.get('f169'), 0o100000);
    assert.equal(kinds.get('f170'), 0o040000);
    await mounted.release(open2.entry.nodeId, open2.fh);
  });
});

test('a listing that fails in the middle tells what has come, and then the error', async () => {
  await withRig(async (rig) => {
    const fh = await open(rig);
    const early = rig.read(fh);
    const telling = await told(rig);
    telling.tell(0, 150);
    assert.equal((await early).length, 150);
    telling.reject(new FsError('EACCES'));
    await turn();
    await assert.rejects(rig.read(fh), { errno: 'EACCES' });
    const again = await open(rig);
    const answer = rig.read(again);
    while (rig.tellings.length < 2) await turn();
    rig.tellings[1]!.tell(0, 3);
    rig.tellings[1]!.end();
    assert.deepEqual(await answer, numbered(0, 3));
  });
});

test('who is interrupted leaves, who closes ends the request that nobody else wants', async () => {
  await withRig(async (rig) => {
    const [first, second] = [await open(rig), await open(rig)];
    const waiting = rig.read(first, interrupt.signal);
    const other = rig.read(second);
    const telling = await told(rig);
    interrupt.abort();
    await assert.rejects(waiting);
    rig.mounted.releasedir(ROOT, first);
    await turn();
    assert.equal(telling.options.signal!.aborted, false);
    telling.tell(0, 120);
    assert.equal((await other).length, 120);
    rig.mounted.releasedir(ROOT, second);
    await turn();
    assert.equal(telling.options.signal!.aborted, true);
  });
});

test('a handle that begins anew shows what is there now, each name in its former place', async () => {
  await withRig(async (rig) => {
    const fh = await open(rig);
    const listed = async (names: readonly string[]): Promise<Map<string, number>> => {
      const places = new Map<string, number>();
      const add = ({ name, offset }: DirectoryEntry): boolean => {
        places.set(name, offset);
        return true;
      };
      const before = rig.tellings.length;
      const read = rig.mounted.readdir(ROOT, fh, 0, add, ctx);
      while (rig.tellings.length === before) await turn();
      rig.tellings.at(-1)!.tellNames(names);
      rig.tellings.at(-1)!.end();
      await read;
      for (const dot of ['.', '..']) places.delete(dot);
      return places;
    };
    const first = [...(await listed(numbered(0, 6)))];
    assert.deepEqual(
      first,
      numbered(0, 6).map((name, index) => [name, index + 3]),
    );
    const second = await listed(['f5', 'new', 'f4', 'f2', 'f1', 'f0']);
    first.splice(3, 1);
    assert.deepEqual([...second], [...first, ['new', 9]]);
    // Places of names that have gone don't pile up.
    assert.deepEqual([...(await listed(['f5']))], [['f5', 8]]);
    for (let round = 0; round < 100; round += 1) await listed([`x${round}`, 'last']);
    assert.ok((await listed(['last'])).get('last')! < 110);
  }, 0);
});
