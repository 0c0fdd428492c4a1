/** `davport share` on a unix socket. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Background } from '../background.js';
import { startDavport } from '../davport.js';
import { makeTempDir } from '../temp-dir.js';
import { waitUntil } from '../wait-until.js';
import type { Peer } from './types.js';

export async function startShare(dir: string): Promise<Peer> {
  const socket = join(makeTempDir('davport-share-'), 'channel.sock');
  let server: Background;
  const logs: string[] = [];
  const restart = async (): Promise<void> => {
    server = startDavport(['share', dir, `unix-listen:${socket}`, '--log']);
    await waitUntil('socket of the share', () => {
      if (!server.running) throw new Error(`share ended at once:\n${server.log()}`);
      return existsSync(socket);
    });
  };
  const end = async (kill: boolean): Promise<void> => {
    if (kill) server.kill('SIGKILL');
    await server.stop();
    logs.push(server.log());
  };
  await restart();
  const log = (): string => [...logs, server.running ? server.log() : ''].join('');
  return {
    kind: 'share',
    channel: `unix:${socket}`,
    dir,
    restart,
    stop: () => end(false),
    kill: () => end(true),
    log,
    adopt: async () => undefined,
    async requests() {
      return [...log().matchAll(/\] "([A-Z]+ \S+) HTTP/g)].map((match) => match[1]!);
    },
  };
}
