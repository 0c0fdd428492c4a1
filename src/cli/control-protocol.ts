/**
 * How the process of a mount is asked something by another command: only it holds the channel. A unix socket beside its state file;
 * one line of JSON with the question, lines of JSON as the answer, one question per connection. Every answer ends with `end` or
 * `error`; one that has neither broke off.
 */
export type ControlLine = Readonly<Record<string, unknown>>;

/** The process id in it: a mount that ends slowly doesn't take the socket of the next one at the same place away. */
export function controlSocketOf(stateFile: string, pid: number): string {
  return `${stateFile.replace(/\.json$/, '')}.${pid}.sock`;
}

export function parseLine(line: string): ControlLine | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as ControlLine) : undefined;
  } catch {
    return undefined;
  }
}

/** The value of `key` if that is an object. */
export function objectIn(line: ControlLine | undefined, key: string): ControlLine | undefined {
  const value = line?.[key];
  return typeof value === 'object' && value !== null ? (value as ControlLine) : undefined;
}
