/** `davport search`: the server of a mount looks for files, instead of pulling every name over the channel. */
import path from 'node:path';
import { DavportError, UsageError } from '../errors.js';
import { encodeName } from '../names.js';
import { ask } from './control-client.js';
import { objectIn } from './control-protocol.js';
import type { FoundLine, SearchQuestion } from './control-search.js';
import { EXIT, type CliIo, type CommandSpec, type ParsedArgs } from './command.js';
import { columns } from './help.js';
import { mountOf, resolveMountpoint } from './mountinfo.js';
import { findRuntimeState, type FoundState } from './runtime-state.js';
import { parseQuery, QUERY_HELP } from './search-query.js';

export const searchCommand: CommandSpec = {
  name: 'search',
  summary: 'let the server of a mount look for files',
  usage: "MOUNTPOINT 'QUERY' [--json | -0] [--limit N]",
  description: [
    'Asks the server that is mounted at MOUNTPOINT for files, and prints their paths as they are',
    'found. MOUNTPOINT may be a folder of the mount. Needs a server with SEARCH, as davport share',
    'is. What is found is what the server has: a file that is still being written is not there yet.',
  ],
  positionals: { min: 2, max: 2 },
  options: [
    { name: 'json', help: 'one JSON object per line: path, type, size, modified, created' },
    { name: 'null', short: '0', help: 'a NUL after each path instead of a newline' },
    { name: 'limit', value: 'N', help: 'stop after N results' },
  ],
  more: () => [
    'The query is words that must all hold. Names and texts are compared without regard to case:',
    ...columns(QUERY_HELP),
  ],
  examples: [
    {
      line: 'davport search /mnt/share report',
      says: 'Files and folders with "report" in the name.',
    },
    {
      line: "davport search /mnt/share 'name:*.iso size:>1G modified:<30d'",
      says: 'Large images of the last month.',
    },
    {
      line: `davport search /mnt/share 'in:src content:"fix me" -name:*.min.js'`,
      says: 'Files below src with that text in them.',
    },
    {
      line: "davport search -0 /mnt/share 'name:*.log' | xargs -0 ls -l",
      says: 'For other programs.',
    },
    { line: "davport search /mnt/share -- '-type:dir'", says: 'A query that begins with a dash.' },
  ],
  run: search,
};

async function search(args: ParsedArgs, io: CliIo): Promise<number> {
  const [folder = '', query = ''] = args.positionals;
  const limit = parseLimit(args.value('limit'));
  if (args.has('json') && args.has('null'))
    throw new UsageError('--json and -0 exclude each other');
  // What is wrong with it is said before anybody is asked.
  parseQuery(query, Date.now());
  const { state, below } = findMount(folder, io);
  const question: SearchQuestion = {
    op: 'search',
    path: below,
    query,
    ...(limit !== undefined && { limit }),
  };
  const print = printer(args, io, folder, below);
  try {
    const complete = await printAll(state, question, print, io);
    if (!complete) io.err('davport: there is more; --limit N says how many are told');
    return EXIT.ok;
  } catch (error) {
    // Who reads has seen enough.
    if (io.outputClosed.aborted) return EXIT.ok;
    throw error instanceof DavportError && error.code === 'NO_SEARCH' ? noSearch(state) : error;
  }
}

async function printAll(
  state: FoundState,
  question: SearchQuestion,
  print: (found: FoundLine) => void,
  io: CliIo,
): Promise<boolean> {
  const answer = ask(state, { ...question }, io.outputClosed);
  for (;;) {
    const { done, value } = await answer.next();
    if (done) return value['complete'] === true;
    const found = objectIn(value, 'found');
    if (found && typeof found['path'] === 'string') print(found as unknown as FoundLine);
  }
}

function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError('--limit is a number: --limit 100');
  return Number(text);
}

/** The mount that holds `folder`, and the path of that below the mountpoint. */
function findMount(folder: string, io: CliIo): { state: FoundState; below: string } {
  const resolved = resolveMountpoint(folder, io.cwd);
  const mount = mountOf(resolved);
  const uid = mount?.uid ?? process.getuid?.() ?? 0;
  const state = mount && findRuntimeState(io.env, mount.mountpoint, uid);
  if (!mount || !state) throw new UsageError(`${resolved} is on no davport mount; see: findmnt`);
  const relative = path.posix.relative(mount.mountpoint, resolved);
  return { state, below: relative === '' ? '' : `/${relative}` };
}

function printer(
  args: ParsedArgs,
  io: CliIo,
  folder: string,
  below: string,
): (found: FoundLine) => void {
  const prefix = folder.replace(/\/+$/, '');
  const end = args.has('null') ? '\0' : '\n';
  return (found) => {
    const name = prefix + found.path.slice(below.length);
    if (args.has('json')) io.out(JSON.stringify({ ...found, path: name }));
    // A name may hold anything, commands for the terminal included.
    else if (io.isTerminal) io.out(name.replace(/[\x00-\x1f\x7f-\x9f]/g, '?'));
    else io.write(encodeName(name + end));
  };
}

function noSearch({ source, mountpoint }: FoundState): DavportError {
  return new DavportError(
    'NO_SEARCH',
    `the server of ${source} has no SEARCH; look yourself: find ${mountpoint} -iname '*…*'`,
  );
}
