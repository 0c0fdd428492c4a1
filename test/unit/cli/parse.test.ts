import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommandSpec } from '../../../src/cli/command.js';
import { commandHelp, generalHelp } from '../../../src/cli/help.js';
import { nearest } from '../../../src/fuse/nearest.js';
import { parseCommandLine } from '../../../src/cli/parse.js';
import { UsageError } from '../../../src/errors.js';

const command: CommandSpec = {
  name: 'fetch',
  summary: 'fetch a thing',
  usage: 'THING [--depth N]',
  description: ['Fetches THING.'],
  positionals: { min: 1, max: 2 },
  options: [
    { name: 'depth', value: 'N', help: 'how deep' },
    { name: 'order', value: 'ORDER', choices: ['up', 'down'], help: 'in which order' },
    { name: 'o', short: 'o', value: 'OPT', multiple: true, help: 'further options' },
    { name: 'quick', short: 'q', help: 'be quick' },
  ],
  examples: [{ line: 'davport fetch x', says: 'Fetches x.' }],
  run: () => Promise.resolve(0),
};

const usage = (pattern: RegExp) => (error: unknown) =>
  error instanceof UsageError && pattern.test(error.message) && !error.message.includes('\n');

test('options, switches and positionals in any order', () => {
  const args = parseCommandLine(command, ['-q', 'a', '--depth', '3', '-oro', '-o', 'b,c', 'z']);
  assert.deepEqual(args.positionals, ['a', 'z']);
  assert.equal(args.has('quick'), true);
  assert.equal(args.has('order'), false);
  assert.equal(args.value('depth'), '3');
  assert.equal(args.value('order'), undefined);
  assert.deepEqual(args.values('o'), ['ro', 'b,c']);
});

test('after -- everything is positional', () => {
  assert.deepEqual(parseCommandLine(command, ['--', '-x', '--depth']).positionals, [
    '-x',
    '--depth',
  ]);
});

test('bad input is told in one line with the remedy', () => {
  const parse =
    (...argv: string[]) =>
    () =>
      parseCommandLine(command, argv);
  assert.throws(parse('a', '--dephts', '3'), usage(/no option --dephts; did you mean --depth\?/));
  assert.throws(parse('a', '--zzzzzzz'), usage(/see davport fetch --help/));
  assert.throws(parse('a', '-z'), usage(/no option -z/));
  assert.throws(parse('a', '--depth'), usage(/--depth needs a value: --depth N/));
  assert.throws(parse('a', '--depth', '--quick'), usage(/--depth needs a value/));
  assert.throws(parse('a', '--quick=1'), usage(/--quick takes no value/));
  assert.throws(parse('a', '--order', 'donw'), usage(/one of up, down.*did you mean down\?/));
  assert.throws(parse(), usage(/too few arguments; usage: davport fetch THING/));
  assert.throws(parse('a', 'b', 'c'), usage(/one argument too many: c/));
});

test('a call for help needs no arguments', () => {
  assert.equal(parseCommandLine(command, ['--help']).has('help'), true);
  assert.equal(parseCommandLine(command, ['-h']).has('help'), true);
});

test('help names every option, choice and example, within 100 columns', () => {
  const text = commandHelp(command);
  for (const part of [
    '-o OPT',
    '-q, --quick',
    '--depth N',
    '(up, down)',
    '-h, --help',
    'davport fetch x',
  ]) {
    assert.ok(text.includes(part), part);
  }
  assert.ok(generalHelp([command]).includes('davport fetch THING [--depth N]'));
  for (const line of text.split('\n')) assert.ok(line.length <= 100, line);
});

test('the nearest word is found, a different one is not', () => {
  const words = ['mount', 'umount', 'share', 'demo'];
  assert.equal(nearest('moutn', words), 'mount');
  assert.equal(nearest('unmount', words), 'umount');
  assert.equal(nearest('SHARE', words), 'share');
  assert.equal(nearest('dmeo', words), 'demo');
  assert.equal(nearest('xyz', words), undefined);
  assert.equal(nearest('', words), undefined);
});
