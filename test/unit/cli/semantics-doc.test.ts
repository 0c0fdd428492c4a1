/** doc/SEMANTICS.md names a test for each of its lines; each of them exists. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

/** Tests run in the folder of the project. */
const read = (file: string): string => readFileSync(file, 'utf8');

const doc = read('doc/SEMANTICS.md');
const rows = [...doc.matchAll(/^\| ([\d–, ]+?) +\| `([^`]+)` +\| (.+?) +\|$/gm)].map(
  ([, lines, file, name]) => ({ lines: lines!, file: file!, name: name! }),
);

/** "19–21" and "22, 23" → numbers. */
function numbersOf(lines: string): number[] {
  return lines.split(',').flatMap((part) => {
    const [first, last = first] = part.trim().split('–').map(Number);
    return Array.from({ length: last! - first! + 1 }, (_, at) => first! + at);
  });
}

test('every promise has a test', () => {
  const promised = [...doc.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number));
  const shown = new Set(rows.flatMap(({ lines }) => numbersOf(lines)));
  assert.ok(promised.length > 20);
  assert.deepEqual(
    promised.filter((number) => !shown.has(number)),
    [],
  );
});

test('every test that is named exists', () => {
  for (const { file, name } of rows) {
    assert.ok(read(file).includes(name.replaceAll('\\', '')), `${file}: ${name}`);
  }
});
