import { waitUntil } from './wait-until.js';

/** The requests so far, when no more come: some servers log them after the answer. Without a log that grows, zero would mean nothing. */
export async function settledRequests(
  requests: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  let last: readonly string[] = [];
  const isOver = async (): Promise<boolean> => {
    const before = last.length;
    last = [...(await requests())];
    return last.length === before && before > 0;
  };
  await waitUntil('the end of the requests', isOver, 10_000, 100);
  return last;
}
