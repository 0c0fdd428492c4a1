/** `davport share`: serves one folder on a channel, or over plain HTTP. */
import type { CliIo, CommandSpec, ParsedArgs } from './command.js';

const SYMLINK_POLICIES = ['inside', 'hide', 'show'] as const;

export const shareCommand: CommandSpec = {
  name: 'share',
  summary: 'serve a folder on a channel',
  usage: 'DIR [CHANNEL] [--read-only] [--symlinks inside|hide|show] [--http] [OPTIONS]',
  description: [
    'Serves DIR, and nothing outside of it, to whoever is at the other end of CHANNEL (default:',
    'the virtio port org.spice-space.webdav.0). DIR is always named: nothing is shared by default.',
  ],
  positionals: { min: 1, max: 2 },
  options: [
    { name: 'read-only', short: 'r', help: 'refuse every change' },
    {
      name: 'symlinks',
      value: 'POLICY',
      choices: SYMLINK_POLICIES,
      help:
        'inside: links are followed while the target is inside DIR (default); hide: links are not ' +
        'there; show: links are told to clients that know them, and never followed',
    },
    {
      name: 'http',
      help: 'plain HTTP, without the multiplexer; with tcp-listen: and unix-listen:',
    },
    {
      name: 'sync',
      help: 'every change is on disk before it is answered, whether the client asks for it or not',
    },
    {
      name: 'max-connections',
      value: 'N',
      help:
        'connections at a time (default: 256 on a channel, 1024 with --http); more are refused unless ' +
        'one is idle',
    },
    {
      name: 'log',
      help: 'one line per request on standard error, in the combined format of web servers',
    },
  ],
  examples: [
    {
      line: 'davport share ~/Public unix-listen:/run/vm/share.sock',
      says: 'On the host, for a virtio port whose chardev is that socket.',
    },
    {
      line: 'davport share --read-only ./docs tcp-listen:127.0.0.1:8080 --http --log',
      says: 'A plain WebDAV server on this machine.',
    },
  ],
  run: share,
};

/** The server is loaded by who serves: `davport umount` and the others start in half the time without it. */
async function share(args: ParsedArgs, io: CliIo): Promise<number> {
  const { serveShare } = await import('./serve-share.js');
  return serveShare(args, io);
}
