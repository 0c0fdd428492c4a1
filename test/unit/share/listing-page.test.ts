import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { formatSize } from '../../../src/share/listing-page/html.js';
import { comparator, COLUMNS, sortRows, type Row } from '../../../src/share/listing-page/order.js';
import { Slices } from '../../../src/slices.js';
import { SeededRandom } from '../../support/seeded-random.js';
import { startShare, type TestShare } from './fixture.js';

async function page(t: TestShare, target: string): Promise<string> {
  const answer = await t.request('GET', target);
  assert.equal(answer.status, 200, answer.text);
  return answer.text;
}

/** Names as they are shown, in their order. */
async function names(t: TestShare, target: string): Promise<string[]> {
  const text = await page(t, target);
  const rows = text.slice(text.indexOf('<tbody>')).matchAll(/<tr.*?<bdi>(.*?)<\/bdi>(\/?)/g);
  return [...rows].map(([, name, slash]) => `${name}${slash}`);
}

function fill(t: TestShare): void {
  for (const [name, size, sec] of [
    ['file 10', 5, 300],
    ['File 9', 2000, 100],
    ['Zebra', 5, 400],
    ['äpfel', 70, 200],
  ] as const) {
    fs.writeFileSync(t.at(name), 'x'.repeat(size));
    fs.utimesSync(t.at(name), sec, sec);
  }
  for (const name of ['folder', 'Alpha']) fs.mkdirSync(t.at(name));
  fs.utimesSync(t.at('folder'), 1000, 1000);
  fs.utimesSync(t.at('Alpha'), 2000, 2000);
}

test('sorted by name, size and date in both directions, folders first', async () => {
  const t = await startShare();
  fill(t);
  const folders = ['Alpha/', 'folder/'];
  const expected: Readonly<Record<string, readonly string[]>> = {
    '/': [...folders, 'File 9', 'file 10', 'Zebra', 'äpfel'],
    '/?order=desc': ['folder/', 'Alpha/', 'äpfel', 'Zebra', 'file 10', 'File 9'],
    '/?sort=size&order=asc': [...folders, 'file 10', 'Zebra', 'äpfel', 'File 9'],
    '/?sort=size&order=desc': [...folders, 'File 9', 'äpfel', 'file 10', 'Zebra'],
    '/?sort=date&order=asc': ['folder/', 'Alpha/', 'File 9', 'äpfel', 'file 10', 'Zebra'],
    '/?order=desc&sort=date': [...folders, 'Zebra', 'file 10', 'äpfel', 'File 9'],
    '/?sort=none&order=%00': [...folders, 'File 9', 'file 10', 'Zebra', 'äpfel'],
    '/?%': [...folders, 'File 9', 'file 10', 'Zebra', 'äpfel'],
  };
  for (const [target, order] of Object.entries(expected)) {
    assert.deepEqual(await names(t, target), order, target);
  }
});

test('links lead to the other direction, to members, to every folder above, and keep the order', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('a b', 'c?'), { recursive: true });
  fs.writeFileSync(t.at('a b', 'c?', 'f#'), '');
  fs.mkdirSync(t.at('a b', 'c?', 'd'));
  const text = await page(t, '/a%20b/c%3F?sort=date&order=desc');
  const query = '?sort=date&amp;order=desc';
  for (const href of [
    `/${query}`,
    `/a%20b/${query}`,
    `/a%20b/c%3F/${query}`,
    `/a%20b/c%3F/d/${query}`,
    '/a%20b/c%3F/f%23',
    '?sort=date&amp;order=asc',
    '?sort=size&amp;order=desc',
    '?',
  ]) {
    assert.ok(text.includes(`href="${href}"`), href);
  }
  assert.match(text, /class="date" aria-sort="descending"/);
  for (const [, href] of text.matchAll(/<td class="name"><a href="([^"?]*)/g)) {
    assert.equal((await t.request('GET', href!)).status, 200, href);
  }
});

test('whatever a name is, it is text', async () => {
  const t = await startShare();
  const evil = [
    '<script>alert(1)<',
    '"onclick="x',
    "'",
    '&amp;',
    'javascript:alert(1)',
    '\u202etxt',
    '\x01',
  ];
  for (const name of evil) fs.writeFileSync(t.at(name.replace('/', '')), '');
  fs.writeFileSync(Buffer.concat([Buffer.from(`${t.dir}/bad`), Buffer.from([0xff])]), 'bytes');
  const text = await page(t, '/');
  assert.doesNotMatch(text, /<script|\sonclick=|href="javascript:|\x01/);
  assert.match(text, /<bdi>bad\ufffd<\/bdi>/);
  assert.equal(await page(t, '/bad%FF'), 'bytes');
  assert.equal((await names(t, '/')).length, evil.length + 1);
});

test('the page forbids scripts, frames and everything from elsewhere', async () => {
  const t = await startShare();
  fs.mkdirSync(t.at('d'));
  const { headers, text } = await t.request('GET', '/d');
  const policy = String(headers['content-security-policy']);
  assert.match(policy, /^default-src 'none'; style-src 'sha256-[^']+'; img-src data:;/);
  assert.match(policy, /base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/);
  assert.equal(headers['content-type'], 'text/html; charset=utf-8');
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.equal(headers['content-location'], '/d/');
  assert.doesNotMatch(text, /<script|src=|https?:|url\(|@import/i);
});

test('links by policy, special files without a size, nothing of what is not there yet', async () => {
  for (const symlinks of ['inside', 'hide', 'show'] as const) {
    const t = await startShare({ symlinks });
    fs.mkdirSync(t.at('d'));
    fs.symlinkSync('d', t.at('to-d'));
    fs.symlinkSync('/etc', t.at('out'));
    const expected = {
      inside: ['d/', 'to-d/', 'out'],
      hide: ['d/'],
      show: ['d/', 'out', 'to-d'],
    };
    assert.deepEqual(await names(t, '/'), expected[symlinks]);
  }
});

test('10,000 entries: whole, in pieces, in order; HEAD has no body', async () => {
  const t = await startShare();
  for (let at = 0; at < 10_000; at++) fs.writeFileSync(t.at(`f${at}`), '');
  const answer = await t.request('GET', '/');
  assert.equal(answer.headers['transfer-encoding'], 'chunked');
  const shown = [...answer.text.matchAll(/<bdi>f(\d+)</g)].map((match) => Number(match[1]));
  assert.deepEqual(
    shown,
    Array.from({ length: 10_000 }, (_, at) => at),
  );
  assert.match(
    answer.text,
    /<footer>0 folders, 10,000 files, 0 B\.<\/footer>\n<\/body>\n<\/html>\n$/,
  );
  const head = await t.request('HEAD', '/');
  assert.deepEqual([head.status, head.text], [200, '']);
  assert.equal(head.headers['content-type'], answer.headers['content-type']);
});

test('sorting in slices gives what sorting at once gives', async (context) => {
  const random = new SeededRandom();
  context.diagnostic(`seed ${random.seed}`);
  for (const column of COLUMNS) {
    const rows: Row[] = Array.from({ length: 9000 }, (_, at) => ({
      href: '',
      name: `${at}`,
      key: `${Math.floor(random.next() * 100)}`,
      isFolder: random.next() < 0.1,
      size: random.next() < 0.1 ? undefined : Math.floor(random.next() * 50),
      modifiedSec: Math.floor(random.next() * 50),
    }));
    const order = { column, descending: random.next() < 0.5 };
    const sorted = await sortRows(rows, order, new Slices());
    assert.deepEqual(sorted, [...rows].sort(comparator(order)));
  }
});

test('sizes for people', () => {
  const sizes: readonly (readonly [number, string])[] = [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [10_236, '10.0 KiB'],
    [1024 * 999, '999 KiB'],
    [1024 * 1000, '0.98 MiB'],
    [1024 ** 3 * 1.5, '1.50 GiB'],
    [Number.MAX_SAFE_INTEGER, '8.00 PiB'],
  ];
  for (const [bytes, text] of sizes) assert.equal(formatSize(bytes), text);
});
