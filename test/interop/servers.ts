/** Real WebDAV servers for tests: each on a port of its own, over a folder that the caller owns. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../support/ports.js';

export interface RunningServer {
  /** http://127.0.0.1:PORT */
  readonly url: string;
  readonly pid: number;
  /** Ends it in good order. */
  stop(): Promise<void>;
  /** SIGKILL, to it and its children. */
  kill(): Promise<void>;
}

export interface ApacheServer extends RunningServer {
  /** One line per request: method, status, Depth, path. */
  readonly accessLog: string;
}

export interface ChezdavOptions {
  readonly readOnly?: boolean;
  /** An htdigest file; its realm is that of the file. */
  readonly htdigest?: string;
}

export interface ApacheOptions {
  /** Lines for the folder's section, such as authentication. */
  readonly directory?: string;
  /** Modules beside those of WebDAV, by name: auth_digest, authn_file … */
  readonly modules?: readonly string[];
  /** Lines for the server. */
  readonly server?: string;
}

const START_TIMEOUT_MS = 10_000;
const MODULES = '/usr/lib/apache2/modules';

export const haveChezdav = existsSync('/usr/bin/chezdav');
export const haveApache = existsSync('/usr/sbin/apache2');

/** A reason to skip, which is an error where all peers have to be there. */
export function missing(name: string, have: boolean): string | false {
  if (have) return false;
  if (process.env.DAVPORT_REQUIRE_PEERS === '1') throw new Error(`${name} is not installed`);
  return `${name} is not installed`;
}

/** A folder below os.tmpdir(), removed by the returned function. */
export function temporaryFolder(prefix = 'davport-peer-'): { dir: string; remove: () => void } {
  const dir = mkdtempSync(path.join(os.tmpdir(), prefix));
  // Apache serves as another user.
  chmodSync(dir, 0o755);
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

export async function startChezdav(
  dir: string,
  options: ChezdavOptions = {},
): Promise<RunningServer> {
  const port = await freePort();
  const args = ['-p', String(port), '-P', dir, '--local', '--no-mdns'];
  if (options.readOnly === true) args.push('-r');
  if (options.htdigest !== undefined) args.push('-d', options.htdigest);
  const child = spawn('/usr/bin/chezdav', args, { stdio: 'ignore' });
  return run(child, port, async () => undefined);
}

export async function startApache(dir: string, options: ApacheOptions = {}): Promise<ApacheServer> {
  const port = await freePort();
  const state = temporaryFolder('davport-apache-');
  const accessLog = path.join(state.dir, 'access.log');
  if (process.getuid?.() === 0) {
    // As root it refuses to serve; its user then has to own what it changes.
    execFileSync('chown', ['-R', 'www-data:www-data', dir, state.dir]);
  }
  const conf = path.join(state.dir, 'httpd.conf');
  writeFileSync(conf, apacheConfig(dir, state.dir, port, options));
  const child = spawn('/usr/sbin/apache2', ['-f', conf, '-DFOREGROUND'], {
    stdio: 'ignore',
    detached: true,
  });
  const clean = async (): Promise<void> => state.remove();
  try {
    return { ...(await run(child, port, clean)), accessLog };
  } catch (error) {
    const errors = path.join(state.dir, 'error.log');
    throw existsSync(errors) ? new Error(readFileSync(errors, 'utf8'), { cause: error }) : error;
  }
}

function apacheConfig(dir: string, state: string, port: number, options: ApacheOptions): string {
  const modules = [
    'mpm_event',
    'authz_core',
    'dav',
    'dav_fs',
    'dav_lock',
    ...(options.modules ?? []),
  ];
  return `ServerRoot ${state}
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
PidFile ${state}/pid
ErrorLog ${state}/error.log
${process.getuid?.() === 0 ? 'User www-data\nGroup www-data' : ''}
${modules.map((name) => `LoadModule ${name}_module ${MODULES}/mod_${name}.so`).join('\n')}
CustomLog ${state}/access.log "%m %>s %{Depth}i %U"
KeepAlive On
MaxKeepAliveRequests 0
DavLockDB ${state}/davlock
DavMinTimeout 60
DocumentRoot ${dir}
${options.server ?? ''}
<Directory ${dir}>
  Dav On
  AllowOverride None
  Options None
  ${options.directory ?? 'Require all granted'}
</Directory>
`;
}

/** A test run that ends early takes its servers along. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) signalAll(child, 'SIGKILL');
});

async function run(
  child: ChildProcess,
  port: number,
  clean: () => Promise<void>,
): Promise<RunningServer> {
  running.add(child);
  const exited = new Promise<void>((resolve) => {
    const onEnd = (): void => {
      running.delete(child);
      resolve();
    };
    child.once('exit', onEnd);
    child.once('error', onEnd);
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      signalAll(child, signal);
      const killer = setTimeout(() => signalAll(child, 'SIGKILL'), 5000);
      await exited;
      clearTimeout(killer);
    }
    await clean();
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    await untilAnswering(url, child);
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
  return { url, pid: child.pid!, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
}

/** Apache's children are in its process group: SIGKILL of the parent alone would leave them serving. */
function signalAll(child: ChildProcess, signal: NodeJS.Signals): void {
  const grouped = child.spawnargs.includes('-DFOREGROUND');
  try {
    process.kill(grouped && signal === 'SIGKILL' ? -child.pid! : child.pid!, signal);
  } catch {
    // Gone meanwhile.
  }
}

async function untilAnswering(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`${child.spawnfile} ended with ${child.exitCode ?? child.signalCode}`);
    }
    try {
      await fetch(`${url}/`, { method: 'OPTIONS', signal: AbortSignal.timeout(2000) });
      return;
    } catch (error) {
      if (Date.now() > deadline)
        throw new Error(`${child.spawnfile} does not answer`, { cause: error });
      await delay(20);
    }
  }
}
