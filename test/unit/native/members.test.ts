import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { MEMBER_FIELDS, MemberState } from '../../../src/share/member-state.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { run } from '../../support/run.js';
import { binding, throwsCode } from './helpers.js';

interface Read {
  readonly name: string;
  readonly state: MemberState;
}

interface ReadOptions {
  readonly rows?: number;
  readonly bytes?: number;
  readonly withAttributes?: boolean;
  readonly limitMs?: number;
}

function readAll(dir: string, options: ReadOptions = {}): { members: Read[]; calls: number } {
  const { rows = 2048, bytes = 65_536, withAttributes = true, limitMs = 1000 } = options;
  const fd = fs.openSync(dir, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  const members: Read[] = [];
  let calls = 0;
  try {
    for (;;) {
      const [names, table] = [Buffer.alloc(bytes), new BigInt64Array(rows * MEMBER_FIELDS)];
      const result = binding.readMembers(fd, names, table, withAttributes, limitMs);
      const count = result < 0 ? ~result : result;
      calls++;
      let start = 0;
      for (let row = 0; row < count; row++) {
        const end = MemberState.nameEnd(table, row);
        members.push({
          name: names.toString('latin1', start, end),
          state: new MemberState(table, row),
        });
        start = end + 1;
      }
      if (result < 0) return { members, calls };
    }
  } finally {
    fs.closeSync(fd);
  }
}

const KINDS = [
  'isFile',
  'isDirectory',
  'isSymbolicLink',
  'isFIFO',
  'isSocket',
  'isBlockDevice',
] as const;

test('readMembers: what lstat says, of everything a folder can hold', async () => {
  const dir = makeTempDir();
  const at = (name: string): string => path.join(dir, name);
  fs.writeFileSync(at('file'), 'abc', { mode: 0o640 });
  fs.linkSync(at('file'), at('second name'));
  fs.mkdirSync(at('folder'));
  fs.symlinkSync('nowhere', at('link'));
  fs.writeFileSync(at('old'), '');
  binding.settimes(at('old'), -2, 500_000_000, -1, 1);
  fs.writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff, 0x41])]), '');
  await run('mkfifo', [at('fifo')]);
  const server = net.createServer().listen(at('socket'));
  await new Promise((resolve) => server.once('listening', resolve));
  const { members } = readAll(dir);
  assert.equal(members.length, fs.readdirSync(dir).length);
  for (const { name, state } of members) {
    const stat = fs.lstatSync(Buffer.from(`${dir}/${name}`, 'latin1'), { bigint: true });
    const fields = ['dev', 'ino', 'mode', 'nlink', 'size'] as const;
    const times = ['atimeNs', 'mtimeNs', 'ctimeNs', 'birthtimeNs'] as const;
    for (const field of [...fields, ...times]) assert.equal(state[field], stat[field], field);
    for (const kind of KINDS) assert.equal(state[kind](), stat[kind](), `${name} ${kind}`);
  }
  server.close();
});

test('readMembers: says which members have extended attributes, when it is asked to', () => {
  const dir = makeTempDir();
  for (const name of ['with', 'without']) fs.writeFileSync(path.join(dir, name), '');
  binding.setxattr(path.join(dir, 'with'), 'user.davport', Buffer.from('x'));
  const told = (withAttributes: boolean): Map<string, boolean> =>
    new Map(
      readAll(dir, { withAttributes }).members.map(({ name, state }) => [
        name,
        state.mayHaveAttributes,
      ]),
    );
  assert.equal(told(true).get('with'), true);
  assert.equal(told(false).get('without'), true);
  // Where the system labels every file (SELinux), none is without.
  const labelled = binding.listxattr(path.join(dir, 'without')).length > 0;
  assert.equal(told(true).get('without'), labelled);
});

test('readMembers: goes on where it stopped, whatever made it stop', () => {
  const dir = makeTempDir();
  const names = Array.from({ length: 3000 }, (_, at) => `member-${at}`);
  for (const name of names) fs.writeFileSync(path.join(dir, name), '');
  const wanted = new Set(names);
  for (const options of [{}, { rows: 1 }, { rows: 100 }, { bytes: 600 }, { limitMs: 0 }]) {
    const { members, calls } = readAll(dir, options);
    assert.equal(members.length, names.length, JSON.stringify(options));
    assert.deepEqual(new Set(members.map(({ name }) => name)), wanted);
    assert.ok(calls > 1, String(calls));
  }
});

test('readMembers: times that 64 bits of nanoseconds can not hold are left to others', () => {
  const dir = makeTempDir();
  fs.writeFileSync(path.join(dir, 'far'), '');
  binding.settimes(path.join(dir, 'far'), 0, -1, 9_500_000_000, 0);
  const { mtimeNs } = fs.lstatSync(path.join(dir, 'far'), { bigint: true });
  const [far] = readAll(dir).members;
  assert.equal(far!.state.isUnknown, mtimeNs > 9_000_000_000_000_000_000n);
});

test('readMembersAhead: the same from a thread, many at once; errors reject', async () => {
  const dir = makeTempDir();
  for (let at = 0; at < 1000; at++) fs.writeFileSync(path.join(dir, `member-${at}`), '');
  const read = async (): Promise<string[]> => {
    const fd = fs.openSync(dir, 'r');
    const found: string[] = [];
    for (let result = 0; result >= 0;) {
      const [names, table] = [Buffer.alloc(65_536), new BigInt64Array(2048 * MEMBER_FIELDS)];
      result = await binding.readMembersAhead(fd, names, table, true, 0);
      const count = result < 0 ? ~result : result;
      const end = count === 0 ? 0 : MemberState.nameEnd(table, count - 1);
      if (count > 0) found.push(...names.toString('latin1', 0, end).split('\0'));
    }
    fs.closeSync(fd);
    return found.sort();
  };
  const all = await Promise.all(Array.from({ length: 20 }, read));
  const expected = fs.readdirSync(dir).sort();
  for (const found of all) assert.deepEqual(found, expected);
  const [names, table] = [Buffer.alloc(1), new BigInt64Array(MEMBER_FIELDS)];
  await assert.rejects(binding.readMembersAhead(-1, names, table, false, 1), { code: 'EBADF' });
  const fd = fs.openSync(dir, 'r');
  await assert.rejects(binding.readMembersAhead(fd, names, table, false, 1), { code: 'ERANGE' });
  fs.closeSync(fd);
  assert.throws(() => binding.readMembersAhead(0, names, table, 1 as never, 1), TypeError);
});

test('readMembers: refuses what it can not work with', () => {
  const dir = makeTempDir();
  fs.writeFileSync(path.join(dir, 'x'.repeat(200)), '');
  throwsCode(() => readAll(dir, { bytes: 100 }), 'ERANGE');
  throwsCode(() => readAll(dir, { rows: 0 }), 'ERANGE');
  const [names, table] = [Buffer.alloc(1), new BigInt64Array(MEMBER_FIELDS)];
  throwsCode(() => binding.readMembers(-1, names, table, false, 1), 'EBADF');
  assert.throws(
    () => binding.readMembers(0, names, new Uint8Array(1) as never, false, 1),
    TypeError,
  );
  const file = fs.openSync(path.join(dir, 'x'.repeat(200)), 'r');
  throwsCode(() => binding.readMembers(file, names, table, false, 1), 'ENOTDIR');
  fs.closeSync(file);
});
