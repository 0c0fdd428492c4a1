import type { MuxStats } from './types.js';

/** The running totals of one mux over all its sessions. */
export class MuxCounters implements MuxStats {
  sessions = 0;
  framesIn = 0;
  framesOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  junkBytes = 0;
  resyncs = 0;
  openStreams = 0;
}
