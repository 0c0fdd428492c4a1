/**
 * `davport demo`: both ends on one machine. One process shares a folder on a channel (a unix socket), another mounts it, and this
 * one shows the result and cleans up.
 */
import { execFile } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  statSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { DavportError, UsageError } from '../errors.js';
import { loadNativeBinding } from '../native/binding.js';
import { EXIT, type CliIo, type CommandSpec, type ParsedArgs } from './command.js';
import { removeDemoFolder, writeExampleFiles } from './demo-files.js';
import { mountsAt } from './mountinfo.js';
import { onStopSignals } from './signals.js';
import { startSupervised, type SupervisedChild } from './supervision.js';

export const demoCommand: CommandSpec = {
  name: 'demo',
  summary: 'share a folder and mount it, both on this machine, to see how it works',
  usage: '[DIR]',
  description: [
    'Shares DIR (default: a temporary folder with a few example files) in one process, mounts it',
    'in another, and says where. Ctrl-C unmounts and removes the temporary folders; DIR stays.',
  ],
  positionals: { min: 0, max: 1 },
  options: [],
  examples: [
    { line: 'davport demo', says: 'Example files; nothing else needed, not even root.' },
    { line: 'davport demo ~/Public', says: 'A folder of yours.' },
  ],
  run: demo,
};

interface Places {
  /** Holds all that the demo makes. */
  readonly base: string;
  readonly shared: string;
  readonly mounted: string;
  readonly socket: string;
}

async function demo(args: ParsedArgs, io: CliIo): Promise<number> {
  const given = args.positionals[0];
  if (given !== undefined) checkFolder(path.resolve(io.cwd, given));
  checkSystem(io.env);
  const stop = stopRequest();
  const places = makePlaces(given === undefined ? undefined : path.resolve(io.cwd, given));
  const children: SupervisedChild[] = [];
  try {
    return await runBothEnds(places, children, stop.requested, io);
  } finally {
    // The mount first: it uploads to the share.
    for (const child of children.reverse()) await endChild(child);
    stop.dispose();
    if (mountsAt(places.mounted).length > 0) {
      io.err(
        `davport: ${places.mounted} is still mounted; davport umount --force ${places.mounted}`,
      );
    } else {
      removeDemoFolder(places.base);
    }
  }
}

async function runBothEnds(
  places: Places,
  children: SupervisedChild[],
  stopped: Promise<void>,
  io: CliIo,
): Promise<number> {
  const channel = `unix:${places.socket}`;
  const commands = [
    ['share', places.shared, `unix-listen:${places.socket}`],
    ['mount', '-f', channel, places.mounted],
  ];
  for (const command of commands) {
    const child = startSupervised('demo', command, {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: io.env,
    });
    children.push(child);
    const word = await Promise.race([child.word, stopped]);
    if (word === undefined) return EXIT.ok;
    if (word.type === 'failed') {
      throw new DavportError('DEMO_FAILED', `the demo's ${word.message}`);
    }
  }
  await show(places, io);
  const ended = await Promise.race([stopped, ...children.map(({ exited }) => exited)]);
  if (ended === undefined) return EXIT.ok;
  throw new DavportError('DEMO_FAILED', `one end of the demo stopped with exit code ${ended}`);
}

function stopRequest(): { requested: Promise<void>; dispose: () => void } {
  let dispose = (): void => undefined;
  const requested = new Promise<void>((resolve) => {
    dispose = onStopSignals(() => resolve());
  });
  return { requested, dispose };
}

async function endChild(child: SupervisedChild): Promise<void> {
  if (child.process.exitCode === null && child.process.signalCode === null) {
    child.process.kill('SIGTERM');
  }
  await child.exited;
}

function makePlaces(given: string | undefined): Places {
  const base = mkdtempSync(path.join(realpathSync(os.tmpdir()), 'davport-demo-'));
  const mounted = path.join(base, 'mounted');
  const shared = given ?? path.join(base, 'shared');
  mkdirSync(mounted);
  if (given === undefined) {
    mkdirSync(shared);
    writeExampleFiles(shared);
  }
  return { base, shared, mounted, socket: path.join(base, 'channel.sock') };
}

async function show(places: Places, io: CliIo): Promise<void> {
  const { shared, mounted } = places;
  io.out(`Shared on a channel:  ${shared}`);
  io.out(`Mounted:              ${mounted}`);
  io.out('');
  io.out(`$ ls -l ${mounted}`);
  io.out(await list(mounted));
  io.out('');
  io.out('Try in another terminal:');
  io.out(`  cd ${mounted}`);
  io.out(`  echo hello > new.txt && cat ${path.join(shared, 'new.txt')}`);
  io.out(`  cp -r /usr/share/doc/bash . && diff -r /usr/share/doc/bash bash`);
  io.out('  df -h .');
  io.out('');
  io.out('Ctrl-C unmounts it and ends the demo.');
}

/** By a program of its own and for a limited time, as every user of a mount: this process must be able to clean up. */
function list(folder: string): Promise<string> {
  return new Promise((resolve) => {
    execFile('ls', ['-l', '--', folder], { timeout: 10_000 }, (error, stdout, stderr) => {
      resolve((error ? stdout + stderr || error.message : stdout).trimEnd());
    });
  });
}

function checkFolder(folder: string): void {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`${folder} is no folder; name an existing one, or none for example files`);
  }
}

/** What a mount needs from the system, said before anything is started. */
function checkSystem(env: NodeJS.ProcessEnv): void {
  if (!existsSync('/dev/fuse')) {
    throw new DavportError(
      'NO_FUSE',
      'this system has no /dev/fuse; load the module with: sudo modprobe fuse ' +
        '(in a container: start it with --device /dev/fuse --cap-add SYS_ADMIN)',
    );
  }
  const root = process.getuid?.() === 0;
  if (!root && !['fusermount3', 'fusermount'].some((program) => inPath(program, env))) {
    throw new DavportError(
      'NO_FUSE',
      'fusermount3 is missing; get it with: sudo apt-get install fuse3',
    );
  }
  const binding = loadNativeBinding();
  if (binding instanceof Error && !existsSync(fuseNativeFolder())) {
    throw new DavportError(
      'NO_NATIVE',
      'the native part is not built; get a compiler with: sudo apt-get install gcc libc6-dev, ' +
        'then: npm run build:native',
      { cause: binding },
    );
  }
}

function fuseNativeFolder(): URL {
  return new URL('../../node_modules/fuse-native', import.meta.url);
}

function inPath(program: string, env: NodeJS.ProcessEnv): boolean {
  return (env['PATH'] ?? '/usr/bin:/bin').split(':').some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
