/**
 * What must be undone whatever happens to a test: mounts, processes, folders. Undone in reverse order after the last test of a file;
 * should the runner die earlier, the synchronous form of each runs at exit.
 */
import { after } from 'node:test';

export interface Undo {
  /** In good order, after the last test. */
  run(): Promise<void>;
  /** At exit of the process: may not wait, may be rough. */
  runSync(): void;
}

const pending = new Set<Undo>();

/** Registers `undo`; the function returned takes it off the list (it was done by hand). */
export function onCleanup(undo: Undo): () => void {
  pending.add(undo);
  return () => {
    pending.delete(undo);
  };
}

export async function cleanUp(): Promise<void> {
  for (const undo of [...pending].reverse()) {
    pending.delete(undo);
    try {
      await undo.run();
    } catch (error) {
      console.error('cleanup:', error);
      undo.runSync();
    }
  }
}

function cleanUpNow(): void {
  for (const undo of [...pending].reverse()) {
    pending.delete(undo);
    try {
      undo.runSync();
    } catch (error) {
      console.error('cleanup:', error);
    }
  }
}

process.once('exit', cleanUpNow);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // Not `once`: the runner passes on what its process group got as well, and the second must not end the clean-up.
  process.on(signal, () => {
    process.exit(128 + 15);
  });
}
// Outside of a test run (the benchmark) there is no `after`; its caller calls cleanUp itself.
if (process.env['NODE_TEST_CONTEXT'] !== undefined) after(cleanUp);
