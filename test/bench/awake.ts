/**
 * Keeps the processors from halting, with loops that give way to everything else: on a virtual machine waking a halted one costs 100 µs
 * and more, and swamps every small operation.
 */
import { cpus } from 'node:os';
import { startBackground } from '../support/background.js';

export function stayAwake(): () => Promise<void> {
  const loops = cpus().map((_, cpu) =>
    startBackground('chrt', [
      ...['--idle', '0', 'taskset', '-c', String(cpu)],
      ...['/bin/sh', '-c', 'while :; do :; done'],
    ]),
  );
  return async () => {
    for (const loop of loops) await loop.stop();
  };
}
