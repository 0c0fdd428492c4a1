/** Help texts, made from the tables of the commands. */
import type { CommandSpec, OptionSpec } from './command.js';
import { optionsOf } from './parse.js';

const INDENT = '  ';
const WIDTH = 88;

export function generalHelp(commands: readonly CommandSpec[]): string {
  const lines = [
    'davport: work in a folder that is shared over the SPICE WebDAV channel.',
    '',
    'Usage:',
    ...commands.map(({ name, usage }) => `${INDENT}davport ${name} ${usage}`),
    '',
    'Commands:',
    ...columns(commands.map(({ name, summary }) => [name, summary])),
    '',
    ...columns([
      ['davport COMMAND --help', 'options and examples of a command'],
      ['davport --version', 'version of davport'],
    ]),
    '',
    'A first look, with nothing else needed: davport demo',
  ];
  return lines.join('\n');
}

export function commandHelp(command: CommandSpec): string {
  const lines = [
    `Usage: davport ${command.name} ${command.usage}`,
    '',
    ...command.description,
    '',
    'Options:',
    ...columns(optionsOf(command).map((option) => [optionLabel(option), optionText(option)])),
  ];
  const more = command.more?.() ?? [];
  if (more.length > 0) lines.push('', ...more);
  lines.push('', 'Examples:');
  for (const { line, says } of command.examples) {
    lines.push(`${INDENT}${line}`, `${INDENT}${INDENT}${says}`);
  }
  return lines.join('\n');
}

function optionLabel({ name, short, value }: OptionSpec): string {
  // One-letter options have no long form.
  const long = name.length === 1 ? `-${name}` : `--${name}`;
  const both = short === undefined || short === name ? long : `-${short}, ${long}`;
  return value === undefined ? both : `${both} ${value}`;
}

function optionText({ help, choices }: OptionSpec): string {
  return choices ? `${help} (${choices.join(', ')})` : help;
}

/** Two columns; the right one is wrapped. */
export function columns(rows: readonly (readonly [string, string])[]): string[] {
  const left = Math.min(28, Math.max(...rows.map(([label]) => label.length)));
  return rows.flatMap(([label, text]) => {
    const [first = '', ...rest] = wrap(text, WIDTH - left - 4);
    const gap = INDENT + ' '.repeat(left) + INDENT;
    const head =
      label.length <= left
        ? [`${INDENT}${label.padEnd(left)}${INDENT}${first}`]
        : [`${INDENT}${label}`, gap + first];
    return [...head, ...rest.map((line) => gap + line)];
  });
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
