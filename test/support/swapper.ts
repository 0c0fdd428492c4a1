/**
 * A local program that exchanges two names all the time (renameat2 with RENAME_EXCHANGE: there is no moment in which one is missing), and
 * makes them again when a client has moved or removed one.
 */
import { startBackground, type Background } from './background.js';
import { waitUntil } from './wait-until.js';

const PROGRAM = `
import ctypes, json, os, stat, sys
plan = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
def exchange(a, b):
    return libc.renameat2(-100, a.encode(), -100, b.encode(), 2) == 0
def make(path, kind):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if kind == 'fifo': os.mkfifo(path)
    elif kind.startswith('link:'): os.symlink(kind[5:], path)
    elif kind.startswith('file:'): open(path, 'x').write(kind[5:])
    else:
        os.mkdir(path)
        for name in ('f', 'sub/g'):
            os.makedirs(os.path.dirname(path + '/' + name), exist_ok=True)
            open(path + '/' + name, 'w').write('inside')
def opened(path):
    # A FIFO can be opened for writing without waiting only while somebody has it open for reading.
    try: fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError: return False
    is_fifo = stat.S_ISFIFO(os.fstat(fd).st_mode)
    os.close(fd)
    return is_fifo
print('ready', flush=True)
while True:
    for (a, kind), (b, other) in plan:
        if not exchange(a, b):
            for path, what in ((a, kind), (b, other)):
                try: make(path, what)
                except OSError: pass
        if 'fifo' in (kind, other) and (opened(a) or opened(b)): print('OPENED', flush=True)
`;

/** `file:CONTENT`, `link:TARGET`, `fifo`, or `folder` with the files f and sub/g, whose content is "inside". */
export type Thing = readonly [path: string, kind: string];

export async function startSwapper(
  pairs: readonly (readonly [Thing, Thing])[],
): Promise<Background> {
  const swapper = startBackground('/usr/bin/python3', ['-c', PROGRAM, JSON.stringify(pairs)]);
  await waitUntil('the swapper', () => swapper.log().includes('ready'));
  return swapper;
}
