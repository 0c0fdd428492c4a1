/** The servers that are compared, each over a folder of its own with the same files. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBackground } from '../../support/background.js';
import { startDavport } from '../../support/davport.js';
import { startApache } from '../../support/peers/apache.js';
import { freePort } from '../../support/ports.js';
import { run } from '../../support/run.js';
import { makeTempDir } from '../../support/temp-dir.js';
import { waitUntil } from '../../support/wait-until.js';
import { argumentsOf, busyOf, parentOf, processes, residentOf, sumOf } from '../processes.js';
import { startNephele } from './nephele.js';
import type { Target } from './wires.js';

export const SIDE_NAMES = ['share', 'channel', 'chezdav', 'apache', 'nephele', 'null'] as const;
export type SideName = (typeof SIDE_NAMES)[number];

export interface Side {
  readonly name: SideName;
  readonly target: Target;
  /**
   * Where PUT of the next round goes: a new folder. The old one stays until the end: for five seconds ext4 doesn't use inodes again,
   * and looks at each of them for every file that is made (1 ms instead of 30 µs after 10,000 were removed).
   */
  freshFolder(): Promise<string>;
  /** Resident memory of the server with its children, in MiB. */
  memory(): number;
  /** What it has said so far. */
  readonly log: () => string;
  /** Processor time that they have used, in seconds. */
  busy(): number;
}

export interface Files {
  readonly small: number;
  readonly large: number;
  readonly entries: number;
}

interface Started {
  readonly pid: number;
  readonly target: Target;
  readonly log: () => string;
}

const SCRIPT = fileURLToPath(new URL('null-server.js', import.meta.url));

async function startServer(name: SideName, dir: string, files: Files): Promise<Started> {
  const port = await freePort();
  const plain: Target = { port, framed: false };
  switch (name) {
    case 'share':
      return background(
        startDavport(['share', dir, `tcp-listen:127.0.0.1:${port}`, '--http']),
        plain,
      );
    case 'channel': {
      const socket = path.join(makeTempDir('davport-bench-'), 'channel');
      const server = startDavport(['share', dir, `unix-listen:${socket}`]);
      await waitUntil('socket', () => existsSync(socket));
      return background(server, { path: socket, framed: true });
    }
    case 'chezdav': {
      const args = ['--local', '--no-mdns', '-p', String(port), '-P', dir];
      return background(startBackground('chezdav', args), plain);
    }
    case 'apache': {
      const peer = await startApache(dir);
      const target = { port: Number(new URL(peer.channel).port), framed: false };
      return { pid: listenerOf(target.port), target, log: () => peer.log() };
    }
    case 'nephele':
      return background(await startNephele(dir, port), plain);
    case 'null': {
      const args = [SCRIPT, String(files.small), String(files.large)];
      const server = startBackground(process.execPath, args, { cwd: path.dirname(SCRIPT) });
      const own = await waitUntil('null server', () => Number(server.log()));
      return background(server, { port: own, framed: false });
    }
  }
}

function background(server: { pid: number; log: () => string }, target: Target): Started {
  return { pid: server.pid, target, log: () => server.log() };
}

/** Process id of the parent that listens on the port: the one whose command line names its configuration. */
function listenerOf(port: number): number {
  for (const pid of processes()) {
    const args = argumentsOf(pid);
    if (!args.includes('apache2') || parentOf(pid) !== process.pid) continue;
    const file = args.split('\0')[2];
    if (file !== undefined && readFileSync(file, 'utf8').includes(`Listen 127.0.0.1:${port}\n`)) {
      return pid;
    }
  }
  throw new Error('no such Apache');
}

export async function startSide(name: SideName, files: Files): Promise<Side> {
  const dir = makeTempDir(`davport-bench-${name}-`);
  if (name !== 'null') fill(dir, files);
  const { pid, target, log } = await startServer(name, dir, files);
  if (!target.framed) await waitUntil(`${name}: ${log()}`, () => answers(target.port!), 30_000);
  let folders = 0;
  return {
    name,
    target,
    log,
    async freshFolder() {
      const folder = `put-${++folders}`;
      await run('mkdir', ['-m', '777', path.join(dir, folder)]);
      return `/${folder}/`;
    },
    memory: () => sumOf(pid, residentOf),
    busy: () => sumOf(pid, busyOf),
  };
}

function fill(dir: string, { small, large, entries }: Files): void {
  writeFileSync(path.join(dir, 'small'), Buffer.alloc(small, 's'));
  const block = Buffer.alloc(1 << 20, 'l');
  for (let at = 0; at < large; at += block.length) {
    writeFileSync(path.join(dir, 'large'), block, { flag: 'a' });
  }
  const folder = path.join(dir, 'list');
  mkdirSync(folder);
  for (let at = 0; at < entries; at++) writeFileSync(path.join(folder, `file-${at}.txt`), 'x');
}

async function answers(port: number): Promise<boolean> {
  const args = ['-s', '-o', '/dev/null', '-m', '2', '-X', 'OPTIONS', `http://127.0.0.1:${port}/`];
  return (await run('curl', args, { accept: 'any' })).code === 0;
}
