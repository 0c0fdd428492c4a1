/** `davport mount`: reads the request, then either serves it here (-f) or starts a process in the background that does. */
import { DEFAULT_ADDRESS, parseAddress } from '../channel/address.js';
import { UsageError } from '../errors.js';
import { OPTION_TABLE, parseMountOptions } from '../fuse/mount-options.js';
import { absoluteAddress } from './address-text.js';
import { mountInBackground } from './background.js';
import type { CliIo, CommandSpec, ParsedArgs } from './command.js';
import { findCredentials, refuseUserinfo } from './credentials.js';
import { columns } from './help.js';
import { resolveMountpoint } from './mountinfo.js';
import type { MountRequest } from './mount-request.js';
import { absoluteOptionPaths } from './mount-request.js';
import { parentKind } from './supervision.js';

export const mountCommand: CommandSpec = {
  name: 'mount',
  summary: 'mount the folder at the other end of a channel, or a WebDAV server',
  usage: '[CHANNEL] MOUNTPOINT [-f] [-d] [-o OPTION,OPTION=VALUE…]',
  description: [
    'Mounts what is shared at the other end of CHANNEL (default: the virtio port',
    'org.spice-space.webdav.0) at MOUNTPOINT, an existing folder. Returns when the path is usable; a',
    'process in the background goes on. Succeeds while nobody is at the other end, too: the mount',
    'works when somebody is.',
  ],
  positionals: { min: 1, max: 2 },
  options: [
    { name: 'foreground', short: 'f', help: 'stay in the foreground, messages on standard error' },
    { name: 'debug', short: 'd', help: 'as -f, with everything that happens' },
    { name: 'o', short: 'o', value: 'OPTION,…', multiple: true, help: 'mount options, see below' },
  ],
  more: mountOptionHelp,
  examples: [
    { line: 'davport mount /mnt/share', says: 'In a guest: the folder that the viewer shares.' },
    {
      line: 'davport mount unix:/run/vm/share.sock ~/share -o ro,attr_timeout=5',
      says: 'A channel on a socket, read-only.',
    },
    {
      line: 'davport mount https://dav.example.org/files/ ~/dav -o passwd_file=$HOME/.davport',
      says: 'A WebDAV server, without a channel.',
    },
    { line: 'davport umount /mnt/share', says: 'The way back.' },
  ],
  run: mount,
};

async function mount(args: ParsedArgs, io: CliIo): Promise<number> {
  const request = readRequest(args, io);
  const stays = args.has('foreground') || args.has('debug') || parentKind(io.env) !== undefined;
  if (!stays) return await mountInBackground(request, io);
  // Half of the program: the other commands, a share above all, would carry it for nothing.
  const { serveMount } = await import('./serve-mount.js');
  return await serveMount(request, io);
}

/** Everything that can be wrong with what was asked for is found here, before anything is started. */
function readRequest(args: ParsedArgs, io: CliIo): MountRequest {
  const { positionals } = args;
  const channel = positionals.length === 2 ? positionals[0]! : DEFAULT_ADDRESS;
  if (positionals.length === 1) checkIsNoChannel(positionals[0]!);
  refuseUserinfo(channel);
  const source = absoluteAddress(channel, io.cwd);
  const address = parseAddress(source);
  const lists = args.has('debug') ? [...args.values('o'), 'log_level=debug'] : args.values('o');
  const options = absoluteOptionPaths(parseMountOptions(lists), io.cwd);
  const mountpoint = resolveMountpoint(positionals.at(-1)!, io.cwd);
  const credentials =
    address.kind === 'http'
      ? findCredentials(source, options.passwdFile, io.env, options.username)
      : undefined;
  return { source, address, mountpoint, options, lists, credentials };
}

/** "davport mount unix:/x": the folder was forgotten. */
function checkIsNoChannel(word: string): void {
  if (!/^([a-z+-]+:|\/dev\/)/.test(word)) return;
  throw new UsageError(
    `${word} is a channel; where is it to be mounted? davport mount ${word} DIR`,
  );
}

function mountOptionHelp(): string[] {
  const rows = Object.entries(OPTION_TABLE).filter(([, row]) => row.kind !== 'ignored');
  return [
    'Mount options (-o), as in mount.fuse(8):',
    ...columns(
      rows.map(([name, row]) => [row.kind === 'flag' ? name : `${name}=…`, row.help] as const),
    ),
  ];
}
