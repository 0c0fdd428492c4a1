/**
 * mount.fuse.davport SOURCE DIR [-sfnvh] [-N NS] [-t TYPE] [-o OPTIONS]: what mount(8) runs for `mount -t fuse.davport` and for
 * lines of fstab. SOURCE is a channel address; "none" and "davport" stand for the default channel.
 */
import { DEFAULT_ADDRESS } from '../channel/address.js';
import { UsageError } from '../errors.js';
import { EXIT, type CliIo } from './command.js';
import { runCli } from './main.js';

const USAGE = 'usage: mount.fuse.davport CHANNEL MOUNTPOINT [-o OPTION,OPTION=VALUE…]';
const DEFAULT_SOURCES = ['none', 'davport', ''];

interface HelperArgs {
  readonly operands: readonly string[];
  readonly options: readonly string[];
  readonly fake: boolean;
}

export async function runMountHelper(argv: readonly string[], io: CliIo): Promise<number> {
  let args: HelperArgs;
  try {
    args = parseHelperArgs(argv);
  } catch (error) {
    io.err(`mount.fuse.davport: ${(error as Error).message}`);
    return EXIT.usage;
  }
  const [source = '', mountpoint = ''] = args.operands;
  // mount --fake: everything but the mount itself.
  if (args.fake) return EXIT.ok;
  const channel = DEFAULT_SOURCES.includes(source) ? DEFAULT_ADDRESS : source;
  const options = args.options.flatMap((option) => ['-o', option]);
  // mount(8) may be called with a small PATH and without HOME; nothing here needs either.
  return await runCli(['mount', ...options, '--', channel, mountpoint], io);
}

function parseHelperArgs(argv: readonly string[]): HelperArgs {
  const operands: string[] = [];
  const options: string[] = [];
  let fake = false;
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at]!;
    if (!word.startsWith('-') || word === '-') {
      operands.push(word);
    } else if (/^-[oNt]$/.test(word)) {
      at += 1;
      const value = argv[at];
      if (value === undefined) throw new UsageError(`${word} needs a value; ${USAGE}`);
      if (word === '-o' && value !== '') options.push(value);
    } else if (/^-[sfnvrw]+$/.test(word)) {
      // -s sloppy, -n no mtab, -v verbose mean nothing here.
      fake ||= word.includes('f');
      if (word.includes('r')) options.push('ro');
    } else {
      throw new UsageError(`no option ${word}; ${USAGE}`);
    }
  }
  if (operands.length !== 2) throw new UsageError(USAGE);
  return { operands, options, fake };
}
