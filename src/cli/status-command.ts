/** `davport status`: is the peer there, and what is not at the peer yet. */
import { setTimeout as delay } from 'node:timers/promises';
import { UsageError } from '../errors.js';
import type { PendingFile } from '../vfs/dav-filesystem.js';
import { EXIT, type CliIo, type CommandSpec, type ParsedArgs } from './command.js';
import { ask } from './control-client.js';
import { objectIn } from './control-protocol.js';
import type { StatusEnd } from './control-status.js';
import { mountOf, resolveMountpoint } from './mountinfo.js';
import { findRuntimeState, type FoundState } from './runtime-state.js';
import { formatBytes } from './upload-everything.js';

const WATCH_MS = 1000;

export const statusCommand: CommandSpec = {
  name: 'status',
  summary: 'show what a mount has not brought to the peer yet',
  usage: 'MOUNTPOINT [--json] [--watch]',
  description: [
    'Shows whether the peer of the mount at MOUNTPOINT is there, and the files that it does not have',
    'yet: open (their close brings them), waiting, uploading, or refused, with the reason.',
  ],
  positionals: { min: 1, max: 1 },
  options: [
    { name: 'json', help: 'one JSON object' },
    { name: 'watch', help: 'again each second, until it is interrupted' },
  ],
  examples: [{ line: 'davport status /mnt/share', says: 'May the machine be turned off?' }],
  run: status,
};

interface Status extends StatusEnd {
  readonly mountpoint: string;
  readonly source: string;
  readonly pending: readonly PendingFile[];
}

async function status(args: ParsedArgs, io: CliIo): Promise<number> {
  const folder = resolveMountpoint(args.positionals[0] ?? '', io.cwd);
  const mount = mountOf(folder);
  const uid = mount?.uid ?? process.getuid?.() ?? 0;
  const state = mount && findRuntimeState(io.env, mount.mountpoint, uid);
  if (!state) throw new UsageError(`${folder} is on no davport mount; see: findmnt`);
  for (;;) {
    const found = await askStatus(state, io);
    if (args.has('json')) io.out(JSON.stringify(found));
    else for (const line of describe(found)) io.out(line);
    if (!args.has('watch') || io.outputClosed.aborted) return EXIT.ok;
    await delay(WATCH_MS);
  }
}

async function askStatus(state: FoundState, io: CliIo): Promise<Status> {
  const pending: PendingFile[] = [];
  const answer = ask(state, { op: 'status' }, io.outputClosed);
  for (;;) {
    const { done, value } = await answer.next();
    const { mountpoint, source } = state;
    if (done) return { mountpoint, source, ...(value as unknown as StatusEnd), pending };
    const file = objectIn(value, 'file');
    if (file) pending.push(file as unknown as PendingFile);
  }
}

function describe({ mountpoint, source, connected, files, bytes, pending }: Status): string[] {
  const peer = connected === undefined ? '' : connected ? ', connected' : ', the peer is away';
  const left = files === 0 ? 'everything is there' : `${files} pending (${formatBytes(bytes)})`;
  const lines = pending.map((file) => {
    const age = Math.max(0, Math.round((Date.now() - file.since) / 1000));
    const why = file.error === undefined ? '' : `: ${file.error}`;
    const text = `  ${file.state} ${formatBytes(file.size)}, ${age} s: ${file.path}${why}`;
    // A name may hold anything, commands for the terminal included.
    return text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
  });
  if (files > pending.length) lines.push(`  and ${files - pending.length} more`);
  return [`${mountpoint}: ${source}${peer}, ${left}`, ...lines];
}
