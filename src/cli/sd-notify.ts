/**
 * Tells systemd how a service stands (sd_notify(3)). Node has no unix datagram sockets, so systemd's own command sends it.
 */
import { spawn } from 'node:child_process';

/** Resolves when the message was sent; never rejects: without systemd-notify the unit's time-out says so. */
export function sdNotify(env: NodeJS.ProcessEnv, ...assignments: string[]): Promise<void> {
  const socket = env['NOTIFY_SOCKET'];
  if (socket === undefined || socket === '') return Promise.resolve();
  return new Promise((resolve) => {
    const child = spawn('systemd-notify', [`--pid=${process.pid}`, ...assignments], {
      stdio: 'ignore',
      env,
    });
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
  });
}
