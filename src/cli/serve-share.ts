/** What `davport share` does: serves the folder until it is told to stop. */
import { statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  DEFAULT_ADDRESS,
  isChannelAddress,
  parseAddress,
  type Address,
} from '../channel/address.js';
import { openChannel } from '../channel/open-channel.js';
import { DavportError, UsageError } from '../errors.js';
import { createLogger, type Logger } from '../log.js';
import { createAcceptorMux } from '../mux/mux.js';
import { loadNativeBinding } from '../native/binding.js';
import type { Share, ShareStats } from '../share/options.js';
import { createShare, listenHttp, type SymlinkPolicy } from '../share/share.js';
import { formatAccess } from './access-log.js';
import { absoluteAddress } from './address-text.js';
import { EXIT, type CliIo, type ParsedArgs } from './command.js';
import { onStopSignals } from './signals.js';
import { sdNotify } from './sd-notify.js';
import { StatusLine } from './status-line.js';
import { leaveParent, parentKind, tellParent } from './supervision.js';
import { formatBytes } from './upload-everything.js';

const START_WAIT_MS = 100;

interface Running {
  /** What is told once it serves. */
  readonly where: string;
  /** Settles when going on makes no sense. */
  readonly failed: Promise<Error>;
  close(): Promise<void>;
}

export async function serveShare(args: ParsedArgs, io: CliIo): Promise<number> {
  const root = path.resolve(io.cwd, args.positionals[0]!);
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`${root} is no folder; name an existing one: davport share DIR`);
  }
  const address = parseAddress(absoluteAddress(args.positionals[1] ?? DEFAULT_ADDRESS, io.cwd));
  const maxConnections = parseCount(args.value('max-connections'));
  const screen = new StatusLine(process.stderr);
  const log = createLogger('warn', (line) => screen.say(line));
  const binding = loadNativeBinding();
  const served = await createShare({
    root,
    readOnly: args.has('read-only'),
    symlinks: (args.value('symlinks') ?? 'inside') as SymlinkPolicy,
    log,
    attributes: binding instanceof Error ? undefined : binding,
    watches: binding instanceof Error ? undefined : binding,
    sync: args.has('sync'),
    ...(maxConnections !== undefined && { maxConnections }),
    ...(args.has('log') && { onRequest: (record) => io.err(formatAccess(record, new Date())) }),
  });
  try {
    const running = args.has('http')
      ? await serveHttp(served, address)
      : serveChannel(served, address, log, maxConnections);
    // A log and a line that changes would fight for the terminal.
    if (!args.has('log')) screen.start(() => formatProgress(served.stats));
    return await runUntilStopped(served, running, { ...io, err: (line) => screen.say(line) });
  } finally {
    screen.stop();
    await served.close();
  }
}

async function serveHttp(served: Share, address: Address): Promise<Running> {
  if (address.kind !== 'tcp-listen' && address.kind !== 'unix-listen') {
    throw new UsageError(
      '--http serves on tcp-listen:HOST:PORT or unix-listen:PATH; ' +
        'for example: davport share DIR tcp-listen:127.0.0.1:8080 --http',
    );
  }
  const at = address.kind === 'unix-listen' ? { path: address.path } : address;
  const listener = await listenHttp(served, at).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DavportError('LISTEN_FAILED', `cannot serve on ${address.text}: ${reason}`, {
      cause: error,
    });
  });
  const { address: where, failed } = listener;
  return { where, failed, close: () => listener.close() };
}

function parseCount(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,5}$/.test(text)) {
    throw new UsageError(`--max-connections is a number from 1 to 999999, not "${text}"`);
  }
  return Number(text);
}

function serveChannel(
  served: Share,
  address: Address,
  log: Logger,
  maxStreams: number | undefined,
): Running {
  if (address.kind === 'http') {
    throw new UsageError(
      `${address.text} is an address to mount; to serve HTTP: ` +
        'davport share DIR tcp-listen:HOST:PORT --http',
    );
  }
  if (!isChannelAddress(address)) {
    throw new UsageError(`${address.text}: spice: addresses are not there yet; name a channel`);
  }
  const channel = openChannel(address, { log, binding: loadNativeBinding() });
  const mux = createAcceptorMux(channel, {
    log,
    onStream: (stream) => served.attach(stream),
    ...(maxStreams !== undefined && { maxStreams }),
  });
  const failed = new Promise<Error>((resolve) => {
    const check = (): void => {
      if (mux.failure) resolve(mux.failure);
    };
    mux.onConnectedChange(check);
    check();
  });
  return { where: address.text, failed, close: () => mux.close() };
}

async function runUntilStopped(served: Share, running: Running, io: CliIo): Promise<number> {
  let dispose = (): void => undefined;
  const stopped = new Promise<undefined>((resolve) => {
    dispose = onStopSignals(() => resolve(undefined));
    if (parentKind(io.env) === 'demo') process.once('disconnect', () => resolve(undefined));
  });
  try {
    // An address that can't be had says so within this.
    const early = await Promise.race([running.failed, delay(START_WAIT_MS, undefined)]);
    if (early) throw early;
    await tellParent({ type: 'ready', notes: [] });
    const quiet = parentKind(io.env) !== undefined;
    if (!quiet) io.err(`davport: sharing ${served.root} on ${running.where}; ^C ends it`);
    await sdNotify(io.env, 'READY=1');
    const failure = await Promise.race([stopped, running.failed]);
    if (failure) throw failure;
    await sdNotify(io.env, 'STOPPING=1');
    if (!quiet) io.err(`davport: ${formatSummary(served.stats)}`);
    return EXIT.ok;
  } finally {
    dispose();
    leaveParent();
    await running.close();
  }
}

function formatSummary({ requests, failures, bytesIn, bytesOut }: ShareStats): string {
  const count = requests === 1 ? '1 request' : `${requests} requests`;
  const failed = failures === 0 ? '' : `, ${failures} failed`;
  return `${count}${failed}, ${formatBytes(bytesIn)} received, ${formatBytes(bytesOut)} sent`;
}

function formatProgress(stats: ShareStats): string {
  return `${stats.active} at work, ${stats.connections} connected; ${formatSummary(stats)}`;
}
