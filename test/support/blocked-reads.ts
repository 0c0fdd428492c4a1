import { FsError } from '../../src/vfs/filesystem.js';

/** Reads that end by an interrupt only. */
export class BlockedReads {
  waiting = 0;
  interrupted = 0;

  wait(signal: AbortSignal): Promise<never> {
    this.waiting += 1;
    return new Promise((_, reject) => {
      const interrupt = (): void => {
        this.waiting -= 1;
        this.interrupted += 1;
        reject(new FsError('EINTR'));
      };
      if (signal.aborted) interrupt();
      else signal.addEventListener('abort', interrupt, { once: true });
    });
  }
}
