/** Apache httpd with mod_dav, with an access log for counting requests. */
import { readFileSync, writeFileSync } from 'node:fs';
import { startBackground, type Background } from '../background.js';
import { freePort } from '../ports.js';
import { run } from '../run.js';
import { makeTempDir } from '../temp-dir.js';
import { waitUntil } from '../wait-until.js';
import { answersHttp } from './chezdav.js';
import type { Peer } from './types.js';

const MODULES = '/usr/lib/apache2/modules';

function configuration(state: string, dir: string, port: number): string {
  // httpd refuses to serve files as root.
  const user = process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : '';
  const modules = ['mpm_event', 'authz_core', 'dav', 'dav_fs', 'dav_lock', 'setenvif'];
  return `ServerRoot "${state}"
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
PidFile "${state}/pid"
ErrorLog "${state}/error.log"
LogLevel warn
${user}
${modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
CustomLog "${state}/access.log" "%m %U"
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 30
Timeout 120
LimitRequestBody 0
LimitXMLRequestBody 0
DavLockDB "${state}/lock"
DocumentRoot "${dir}"
<Directory "${dir}">
  Dav On
  AllowOverride None
  Options None
  Require all granted
</Directory>
`;
}

function groupExists(id: number): boolean {
  try {
    return process.kill(-id, 0);
  } catch {
    return false;
  }
}

export async function startApache(dir: string): Promise<Peer> {
  const state = makeTempDir('davport-apache-');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const file = `${state}/httpd.conf`;
  writeFileSync(file, configuration(state, dir, port));
  writeFileSync(`${state}/access.log`, '');
  const adopt = async (): Promise<void> => {
    if (process.getuid?.() === 0) await run('chown', ['-Rh', 'www-data:www-data', dir]);
  };
  await adopt();
  await run('chmod', ['755', dir]);
  if (process.getuid?.() === 0) await run('chown', ['www-data:www-data', state]);
  let server: Background;
  const restart = async (): Promise<void> => {
    // libdb waits for ever for the end of a process that was killed while it made the lock database.
    await run('rm', ['-f', `${state}/pid`, `${state}/__db.lock`]);
    // In the foreground it leads a process group of its own, so that a SIGKILL reaches its children too.
    server = startBackground('apache2', ['-f', file, '-D', 'FOREGROUND']);
    await waitUntil('apache', () => {
      if (!server.running)
        throw new Error(server.log() + readFileSync(`${state}/error.log`, 'utf8'));
      return answersHttp(url);
    });
  };
  await restart();
  return {
    kind: 'apache',
    channel: url,
    dir,
    restart,
    async stop() {
      await server.stop();
    },
    async kill() {
      process.kill(-server.pid, 'SIGKILL');
      await server.exited;
      // A child that waits for the disk lives on for a while, and the port with it.
      await waitUntil('the end of all of Apache', () => !groupExists(server.pid));
    },
    log: () => readFileSync(`${state}/error.log`, 'utf8'),
    adopt,
    async requests() {
      return readFileSync(`${state}/access.log`, 'utf8').trimEnd().split('\n');
    },
  };
}
