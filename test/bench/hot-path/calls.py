"""
calls.py KIND FOLDER COUNT: COUNT calls of one kind, each of which reaches the daemon of the mount (see served.ts); prints how many operations
of the file system they were, and the seconds they took, as JSON. KIND:
  getattr   statx of an open file, with AT_STATX_FORCE_SYNC
  lookup    stat of a name
  listing   opendir, all of a folder, closedir; counted by name
  read4k, read128k, read1m   reads with O_DIRECT
"""
import ctypes
import json
import mmap
import os
import sys
import time

AT_EMPTY_PATH = 0x1000
AT_STATX_FORCE_SYNC = 0x2000
STATX_BASIC_STATS = 0x7FF
FILES = 50
FOLDERS = 100
BIG = 1 << 20


def getattr_(folder, count):
    statx = ctypes.CDLL(None, use_errno=True).statx
    fd = os.open(f'{folder}/small/f00000', os.O_RDONLY)
    answer = ctypes.create_string_buffer(256)
    arguments = (fd, b'', AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, answer)
    for _ in range(count):
        if statx(*arguments) != 0:
            raise OSError(ctypes.get_errno(), 'statx')
    return count


def lookup(folder, count):
    names = [f'f{index:05}' for index in range(FILES)]
    # Of the folder itself nothing is asked.
    at = os.open(f'{folder}/small', os.O_RDONLY)
    for index in range(count):
        os.stat(names[index % FILES], dir_fd=at)
    return count


def listing(folder, count):
    names = 0
    for index in range(count):
        names += len(os.listdir(f'{folder}/tree/d{index % FOLDERS:02}'))
    return names


def read(size):
    def run(folder, count):
        fd = os.open(f'{folder}/cached', os.O_RDONLY | os.O_DIRECT)
        page = mmap.mmap(-1, size)
        for index in range(count):
            if os.preadv(fd, [page], index * size % BIG) != size:
                raise OSError('short read')
        return count

    return run


KINDS = {
    'getattr': getattr_,
    'lookup': lookup,
    'listing': listing,
    'read4k': read(4 << 10),
    'read128k': read(128 << 10),
    'read1m': read(1 << 20),
}

kind, folder, count = sys.argv[1:4]
start = time.perf_counter()
done = KINDS[kind](folder, int(count))
print(json.dumps({'done': done, 'seconds': time.perf_counter() - start}))
