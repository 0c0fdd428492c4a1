/** Tells when what arrives on a channel is not a channel's. */
import type { Logger } from '../log.js';
import type { Mux } from '../mux/types.js';

/** A real peer with megabytes of stale bytes queued shows a frame within this. */
const PATIENCE_MS = 5000;

export function isJunk({ stats }: Mux): boolean {
  return stats.junkBytes > 0 && stats.framesIn === 0;
}

export function junkMessage(source: string, { stats }: Mux): string {
  return (
    `what the peer at ${source} sends is no SPICE WebDAV channel ` +
    `(${stats.junkBytes} bytes without a frame); check the address ` +
    '(an HTTP server is mounted by its URL: http://…)'
  );
}

/** Looks once after each time the peer appears, until it has sent a frame or was found out. Returns the function that ends this. */
export function watchForJunk(mux: Mux, source: string, log: Logger): () => void {
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    timer = undefined;
    if (!isJunk(mux)) return;
    log.error(junkMessage(source, mux));
    unsubscribe();
  };
  const unsubscribe = mux.onConnectedChange((connected) => {
    if (connected && mux.stats.framesIn === 0) timer ??= setTimeout(look, PATIENCE_MS).unref();
  });
  return () => {
    clearTimeout(timer);
    unsubscribe();
  };
}
