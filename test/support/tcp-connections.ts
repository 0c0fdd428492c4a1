import { readFileSync } from 'node:fs';

/** ESTABLISHED, and CLOSE_WAIT: the other end has closed it, and the program that has it does not know yet. */
const IN_USE = ['01', '08'];

/** The local ends of the connections to a port of this machine that their programs take for open. */
export function connectionsTo(port: number): ReadonlySet<string> {
  const lines = readFileSync('/proc/net/tcp', 'utf8').trimEnd().split('\n').slice(1);
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const ends = lines.map((line) => line.trim().split(/\s+/));
  return new Set(
    ends
      .filter(([, , remote, state]) => remote!.endsWith(`:${hex}`) && IN_USE.includes(state!))
      .map(([, local]) => local!),
  );
}
