/** The share in a process of its own: it can be killed, hang, or run out of something without the test. */
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ShareOptions } from '../../src/share/share.js';
import { send, type Answer, type RequestOptions } from '../unit/share/fixture.js';
import { startBackground, type Background } from './background.js';
import { makeTempDir } from './temp-dir.js';
import { waitUntil } from './wait-until.js';

const CHILD = fileURLToPath(new URL('../unit/share/serve-child.js', import.meta.url));

export interface ShareProcess {
  readonly process: Background;
  readonly socketPath: string;
  readonly request: (method: string, target: string, options?: RequestOptions) => Promise<Answer>;
}

/** Serves `dir`; resolves when leftovers have been swept. `prefix`: a command that runs the process (strace and the like). */
export async function startShareProcess(
  dir: string,
  options: Omit<Partial<ShareOptions>, 'root'> = {},
  prefix: readonly string[] = [],
): Promise<ShareProcess> {
  const socketPath = path.join(makeTempDir('davport-served-'), 'socket');
  const command = [
    ...prefix,
    process.execPath,
    ...[CHILD, dir, socketPath, JSON.stringify(options)],
  ];
  const child = startBackground(command[0]!, command.slice(1));
  await waitUntil('the share', () => child.log().includes('swept') || !child.running, 30_000);
  if (!child.running) throw new Error(`the share ended: ${child.log()}`);
  return {
    process: child,
    socketPath,
    request: (method, target, given = {}) =>
      send({ createConnection: () => net.connect(socketPath) }, method, target, given),
  };
}
