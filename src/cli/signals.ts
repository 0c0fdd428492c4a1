/** The signals that ask a command to end. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Calls `onStop` with 1 for the first such signal, 2 for the second, and so on. Returns the function that ends this.
 * While it is in force no signal ends the process by itself.
 */
export function onStopSignals(onStop: (count: number, signal: NodeJS.Signals) => void): () => void {
  let count = 0;
  const handler = (signal: NodeJS.Signals): void => {
    count += 1;
    onStop(count, signal);
  };
  for (const signal of STOP_SIGNALS) process.on(signal, handler);
  return () => {
    for (const signal of STOP_SIGNALS) process.off(signal, handler);
  };
}
