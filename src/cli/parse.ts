/** Arguments of one command → `ParsedArgs`, or a `UsageError` that says what to write instead. */
import { parseArgs } from 'node:util';
import { UsageError } from '../errors.js';
import type { CommandSpec, OptionSpec, ParsedArgs } from './command.js';
import { nearest } from '../fuse/nearest.js';

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number];

const HELP: OptionSpec = { name: 'help', short: 'h', help: 'show this help' };

export function optionsOf(command: CommandSpec): readonly OptionSpec[] {
  return [...command.options, HELP];
}

export function parseCommandLine(command: CommandSpec, argv: readonly string[]): ParsedArgs {
  const options = optionsOf(command);
  const { tokens } = parseArgs({
    args: [...argv],
    // Not strict: the messages of strict mode know nothing of our commands. Every token is checked below.
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      options.map((option) => [
        option.name,
        {
          type: option.value === undefined ? ('boolean' as const) : ('string' as const),
          ...(option.short === undefined ? {} : { short: option.short }),
        },
      ]),
    ),
  });
  const positionals: string[] = [];
  const given = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const { name, value } = checkOption(command, options, token);
    given.set(name, [...(given.get(name) ?? []), value]);
  }
  if (!given.has('help')) checkCount(command, positionals);
  return {
    positionals,
    has: (name) => given.has(name),
    value: (name) => given.get(name)?.at(-1),
    values: (name) => given.get(name) ?? [],
  };
}

function checkOption(
  command: CommandSpec,
  options: readonly OptionSpec[],
  token: Extract<Token, { kind: 'option' }>,
): { name: string; value: string } {
  const option = options.find(({ name }) => name === token.name);
  if (!option) throw unknownOption(command, options, token.rawName);
  if (option.value === undefined) {
    if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
    return { name: option.name, value: '' };
  }
  // "--log --http": the next option is no value.
  if (token.value === undefined || (!token.inlineValue && /^-./.test(token.value))) {
    throw new UsageError(`${token.rawName} needs a value: ${token.rawName} ${option.value}`);
  }
  if (option.choices && !option.choices.includes(token.value)) {
    const guess = nearest(token.value, option.choices);
    throw new UsageError(
      `${token.rawName} is one of ${option.choices.join(', ')}, not "${token.value}"` +
        (guess === undefined ? '' : `; did you mean ${guess}?`),
    );
  }
  return { name: option.name, value: token.value };
}

function unknownOption(
  command: CommandSpec,
  options: readonly OptionSpec[],
  rawName: string,
): UsageError {
  const guess = nearest(
    rawName,
    options.map(({ name }) => `--${name}`),
  );
  const hint =
    guess === undefined ? `see davport ${command.name} --help` : `did you mean ${guess}?`;
  return new UsageError(`${command.name} has no option ${rawName}; ${hint}`);
}

function checkCount(command: CommandSpec, positionals: readonly string[]): void {
  const { min, max } = command.positionals;
  if (positionals.length >= min && positionals.length <= max) return;
  const problem =
    positionals.length < min ? 'too few arguments' : `one argument too many: ${positionals[max]!}`;
  throw new UsageError(`${problem}; usage: davport ${command.name} ${command.usage}`);
}
