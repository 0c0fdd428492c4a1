import { UsageError } from '../errors.js';

/**
 * Splits a command into words by a shell's rules for blanks, quotes and backslashes (POSIX 2.2). Nothing is expanded: no variables,
 * no patterns, no pipes.
 */
export function splitWords(command: string): string[] {
  const words: string[] = [];
  // Undefined between words; '' for a word that has begun with a quote.
  let word: string | undefined;
  for (let at = 0; at < command.length; at++) {
    const character = command[at]!;
    if (character === ' ' || character === '\t' || character === '\n') {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= '';
    if (character === "'" || character === '"') {
      const quoted = readQuoted(command, at);
      word += quoted.text;
      at = quoted.end;
    } else if (character === '\\') {
      at += 1;
      if (at === command.length) throw new UsageError('a backslash is the last character');
      // A backslash before a newline joins the lines.
      if (command[at] !== '\n') word += command[at]!;
    } else {
      word += character;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** `start` is the opening quote; `end` will be the closing one. */
function readQuoted(command: string, start: number): { text: string; end: number } {
  const quote = command[start]!;
  let text = '';
  for (let at = start + 1; at < command.length; at++) {
    const character = command[at]!;
    if (character === quote) return { text, end: at };
    const next = command[at + 1];
    // Within double quotes a backslash is special before these only.
    if (quote === '"' && character === '\\' && next !== undefined && '"\\$`\n'.includes(next)) {
      if (next !== '\n') text += next;
      at += 1;
    } else {
      text += character;
    }
  }
  throw new UsageError(`a ${quote} is never closed`);
}
