/** The real thing without a virtual machine: spice-gtk with its phodav, behind a real SPICE server. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBackground, type Background } from '../background.js';
import { bash } from '../run.js';
import { makeTempDir } from '../temp-dir.js';
import { waitUntil } from '../wait-until.js';
import type { Peer } from './types.js';

const sources = fileURLToPath(new URL('../../interop/spice/', import.meta.url));

let compiled: Promise<string> | undefined;

/** The program that puts libspice-server's webdav port on a unix socket. */
export function compilePortServer(): Promise<string> {
  compiled ??= (async () => {
    const program = join(makeTempDir('davport-portserver-'), 'port-server');
    const build = 'gcc -O1 -Wall -o "$2" "$1" $(pkg-config --cflags --libs spice-server glib-2.0)';
    await bash(build, [`${sources}port-server.c`, program]);
    return program;
  })();
  return compiled;
}

export interface SpicePeer extends Peer {
  /** The socket where a SPICE client connects. */
  readonly spiceSocket: string;
}

export async function startSpice(dir: string, readOnly = false): Promise<SpicePeer> {
  const state = makeTempDir('davport-spice-');
  const spiceSocket = join(state, 'spice.sock');
  const portSocket = join(state, 'port.sock');
  const server = startBackground(await compilePortServer(), [spiceSocket, portSocket]);
  await waitUntil('SPICE server', () => {
    if (!server.running) throw new Error(server.log());
    return existsSync(spiceSocket);
  });
  let viewer: Background;
  const logs: string[] = [];
  const startViewer = async (): Promise<void> => {
    const mode = readOnly ? ['ro'] : [];
    viewer = startBackground('/usr/bin/python3', [
      `${sources}viewer.py`,
      spiceSocket,
      dir,
      ...mode,
    ]);
    await waitUntil('port of the SPICE server', () => {
      if (!viewer.running) throw new Error(viewer.log());
      return existsSync(portSocket);
    });
  };
  const endViewer = async (kill: boolean): Promise<void> => {
    if (kill) viewer.kill('SIGKILL');
    await viewer.stop();
    logs.push(viewer.log());
    await waitUntil('end of the SPICE session', () => {
      if (!server.running) throw new Error(`the SPICE server died: ${server.log()}`);
      return !existsSync(portSocket);
    });
  };
  await startViewer();
  return {
    kind: 'spice',
    channel: `unix:${portSocket}`,
    spiceSocket,
    dir,
    restart: startViewer,
    async stop() {
      await endViewer(false);
    },
    kill: () => endViewer(true),
    log: () => [server.log(), ...logs, viewer.log()].join(''),
    adopt: async () => undefined,
    requests: async () => undefined,
  };
}
