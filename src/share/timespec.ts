import type { Timespec } from '../webdav/types.js';

const NS_PER_SEC = 1_000_000_000n;

/** As timespec(3type) has it: nsec is never negative. */
export function toTimespec(timeNs: bigint): Timespec {
  let nsec = timeNs % NS_PER_SEC;
  if (nsec < 0n) nsec += NS_PER_SEC;
  return { sec: Number((timeNs - nsec) / NS_PER_SEC), nsec: Number(nsec) };
}

/** The same without the fraction. */
export function toSeconds(timeNs: bigint): number {
  const seconds = Number(timeNs / NS_PER_SEC);
  return timeNs < 0n && timeNs % NS_PER_SEC !== 0n ? seconds - 1 : seconds;
}
