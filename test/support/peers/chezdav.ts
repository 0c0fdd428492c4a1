/** GNOME's phodav over plain TCP: the server that is in every spice-gtk, without SPICE around it. */
import type { Background } from '../background.js';
import { startBackground } from '../background.js';
import { freePort } from '../ports.js';
import { run } from '../run.js';
import { waitUntil } from '../wait-until.js';
import type { Peer } from './types.js';

export async function answersHttp(url: string): Promise<boolean> {
  const result = await run('curl', ['-s', '-o', '/dev/null', '-m', '2', '-X', 'OPTIONS', url], {
    accept: 'any',
  });
  return result.code === 0;
}

export async function startChezdav(dir: string): Promise<Peer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  let server: Background;
  const restart = async (): Promise<void> => {
    // Without --no-mdns it ends at once where no avahi runs.
    server = startBackground('chezdav', ['--local', '--no-mdns', '-p', String(port), '-P', dir]);
    await waitUntil('chezdav', () => {
      if (!server.running) throw new Error(`chezdav ended at once:\n${server.log()}`);
      return answersHttp(url);
    });
  };
  await restart();
  return {
    kind: 'chezdav',
    channel: url,
    dir,
    restart,
    async stop() {
      await server.stop();
    },
    async kill() {
      server.kill('SIGKILL');
      await server.exited;
    },
    log: () => server.log(),
    adopt: async () => undefined,
    requests: async () => undefined,
  };
}
