/** Names that a local program swaps all the time, under a share that is used by all methods: nothing outside is read, listed or changed. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { STORE_NAME } from '../../src/share/fs-path.js';
import { SYMLINK_POLICIES } from '../../src/share/options.js';
import { SeededRandom } from '../support/seeded-random.js';
import { startSwapper } from '../support/swapper.js';
import { POSIX_BODY, setPosix, startShare, type TestShare } from '../unit/share/fixture.js';

/** At least so long, and so many requests; a busy machine gets its time. */
const ROUND_MS = 2500;
const ROUND_REQUESTS = 600;
const MAX_ROUND_MS = 30_000;
const CLIENTS = 6;

const DEAD =
  '<propertyupdate xmlns="DAV:"><set><prop><x xmlns="urn:x">mark</x></prop></set></propertyupdate>';
/** What is set by the first instruction is taken back when the second is refused. */
const REFUSED =
  '<propertyupdate xmlns="DAV:"><set><prop><posix xmlns="urn:davport:ns">mode=100600 mtime=1.0</posix>' +
  '<executable xmlns="http://apache.org/dav/props/">T</executable><getetag>x</getetag></prop></set></propertyupdate>';
/** Too large for an extended attribute: it goes to the store in /s, a hidden folder that is swapped as well. */
const LARGE = DEAD.replace('mark', 'mark'.repeat(20_000));
const LOCK =
  '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>';
const ALL = '<propfind xmlns="DAV:"><allprop/></propfind>';
const QUOTA =
  '<propfind xmlns="DAV:"><prop><quota-used-bytes/><quota-available-bytes/></prop></propfind>';
const FIND =
  '<searchrequest xmlns="DAV:"><basicsearch><select><allprop/></select><from><scope><href>/</href>' +
  '<depth>infinity</depth></scope></from><where><contains>SECRET</contains></where></basicsearch></searchrequest>';
const bindBody = (segment: string, href: string): string =>
  `<bind xmlns="DAV:"><segment>${segment}</segment><href>${href}</href></bind>`;

type Step = readonly [
  method: string,
  target: string,
  headers: Record<string, string>,
  body?: string,
];

/** One request through the names that are swapped: /d is a folder or a link, /e/f a file or a link, /t/m/d is deep in a tree. */
function step(random: SeededRandom, number: number): Step {
  const pick = <T>(list: readonly T[]): T => list[random.between(0, list.length)]!;
  const file = pick(['/d/f', '/d/sub/g', '/e/f', '/t/m/d/f', '/t/m/d/sub/g']);
  const folder = pick(['/d', '/d/', '/d/sub', '/t/m/d', '/t/m', '/t']);
  const fresh = `${pick(['/d', '/t/m/d', '/e', '/d/sub'])}/new${number}`;
  const destination = { Destination: pick([fresh, `/copy${number}`, file]) };
  const durable: Record<string, string> = random.next() < 0.3 ? { 'Davport-Sync': '1' } : {};
  return pick<Step>([
    ['GET', file, {}],
    ['GET', folder, {}],
    ['HEAD', file, {}],
    ['PROPFIND', folder, { Depth: '1' }, pick([ALL, POSIX_BODY, QUOTA])],
    ['PROPFIND', '/', { Depth: pick(['0', '1', 'infinity']) }, pick([ALL, QUOTA])],
    ['PROPFIND', file, { Depth: '0' }, pick([ALL, POSIX_BODY])],
    ['PUT', pick([file, fresh]), durable, 'from the client'],
    ['PUT', pick([file, fresh]), { 'Davport-Posix': 'mode=100600 mtime=2.5', ...durable }, 'x'],
    ['PUT', file, { 'Content-Range': 'bytes 0-2/*' }, 'abc'],
    [
      'PATCH',
      file,
      { 'Content-Type': 'application/x-sabredav-partialupdate', 'X-Update-Range': 'append' },
      'x',
    ],
    ['MKCOL', fresh, durable],
    ['COPY', pick([file, folder]), { ...destination, ...durable }],
    ['COPY', '/plain', { ...destination, ...durable }],
    ['MOVE', file, { ...destination, ...durable }],
    ['MOVE', '/plain', { ...destination, Overwrite: pick(['T', 'F']), ...durable }],
    ['DELETE', pick([file, fresh, '/t/m', '/d/sub', '/s']), durable],
    ['PROPPATCH', '/s', {}, LARGE],
    ['PROPPATCH', pick([file, folder]), durable, pick([DEAD, REFUSED])],
    ['PROPPATCH', file, durable, setPosix('mode=100640 mtime=1600000000.5')],
    ['PROPPATCH', file, {}, setPosix('mode=120777')],
    ['LOCK', pick([file, fresh, folder]), { Timeout: 'Second-1' }, LOCK],
    ['SEARCH', '/', {}, FIND],
    ['BIND', pick(['/d', '/t/m/d', '/e']), {}, bindBody(`new${number}`, pick([file, '/plain']))],
  ]);
}

/** Names below a folder, links not followed (readdir's own recursion follows them). */
function namesBelow(folder: string, prefix = ''): string[] {
  return fs.readdirSync(path.join(folder, prefix), { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(prefix, entry.name);
    return entry.isDirectory() ? [name, ...namesBelow(folder, name)] : [name];
  });
}

/** Everything that shows a change: ctime moves with each. */
function snapshot(folder: string): string[] {
  return ['', ...namesBelow(folder)].map((name) => {
    const { mode, nlink, size, mtimeNs, ctimeNs } = fs.lstatSync(path.join(folder, name), {
      bigint: true,
    });
    return [name, mode, nlink, size, mtimeNs, ctimeNs].join(' ');
  });
}

async function client(
  t: TestShare,
  random: SeededRandom,
  statuses: Map<string, number>,
): Promise<void> {
  const allowed = new Set((await t.request('OPTIONS', '/')).headers.allow?.split(/\s*,\s*/));
  const began = performance.now();
  const goesOn = (): boolean => {
    const passed = performance.now() - began;
    let count = 0;
    for (const times of statuses.values()) count += times;
    return passed < ROUND_MS || (count < ROUND_REQUESTS && passed < MAX_ROUND_MS);
  };
  for (let number = random.between(0, 1e9); goesOn(); number++) {
    const [method, target, headers, body] = step(random, number);
    if (!allowed.has(method)) continue;
    if (!fs.existsSync(t.at('plain'))) fs.writeFileSync(t.at('plain'), 'inside');
    const answer = await t.request(
      method,
      target,
      body === undefined ? { headers } : { headers, body },
    );
    const said = `${method} ${target} ${JSON.stringify(headers)}: ${answer.status} ${answer.text}`;
    assert.doesNotMatch(answer.text, /SECRET|only-outside/, said);
    // It looks for what only files outside have in them.
    if (method === 'SEARCH') assert.doesNotMatch(answer.text, /<D:response>/, said);
    // 508 is for loops; a copy or a move of a link into what it leads to may make one.
    assert.ok(answer.status < 500 || answer.status === 508, said);
    const kind = `${method} ${answer.status < 300 ? 'done' : 'refused'}`;
    statuses.set(kind, (statuses.get(kind) ?? 0) + 1);
  }
}

for (const symlinks of SYMLINK_POLICIES) {
  test(
    `names swapped with links to the outside, symlinks=${symlinks}`,
    { timeout: 120_000 },
    async (test) => {
      const random = new SeededRandom();
      test.diagnostic(`TEST_SEED=${random.seed}`);
      const t = await startShare({ symlinks });
      fs.mkdirSync(`${t.outside}/sub`);
      for (const name of ['f', 'sub/g', 'only-outside'])
        fs.writeFileSync(`${t.outside}/${name}`, 'SECRET');
      const before = snapshot(t.outside);
      const secret = fs.readFileSync(`${t.outside}/f`);
      const swapper = await startSwapper([
        [
          [t.at('d'), 'folder'],
          [t.at('l'), 'link:../outside'],
        ],
        [
          [t.at('e', 'f'), 'file:inside'],
          [t.at('e', 'l'), `link:${t.outside}/f`],
        ],
        [
          [t.at('t', 'm', 'd'), 'folder'],
          [t.at('t', 'm', 'l'), 'link:../../../outside'],
        ],
        [
          [t.at('s', STORE_NAME), 'folder'],
          [t.at('s', 'l'), 'link:../outside'],
        ],
      ]);
      const statuses = new Map<string, number>();
      await Promise.all(Array.from({ length: CLIENTS }, () => client(t, random, statuses)));
      await swapper.stop();
      test.diagnostic(JSON.stringify(Object.fromEntries(statuses)));
      assert.deepEqual(snapshot(t.outside), before);
      assert.ok(fs.readFileSync(`${t.outside}/f`).equals(secret));
      for (const method of ['GET', 'PUT', 'PROPFIND', 'COPY', 'DELETE', 'PROPPATCH']) {
        assert.ok(statuses.has(`${method} done`), `no ${method} went through`);
        assert.ok(statuses.has(`${method} refused`), `no ${method} met a swapped name`);
      }
      assert.equal((await t.request('PROPFIND', '/', { headers: { Depth: '0' } })).status, 207);
      // Nobody made a copy of what is outside.
      for (const name of namesBelow(t.dir)) {
        const stat = fs.lstatSync(t.at(name));
        if (stat.isFile()) assert.doesNotMatch(fs.readFileSync(t.at(name), 'utf8'), /SECRET/, name);
      }
      await t.close();
    },
  );
}
