"""
slow_reader.py FILE: opens FILE, reads its first block, says "reading", and on a line of input reads the rest.
Prints which versions (first byte of each block) it saw: "A", "B", "AB", or "ESTALE".
"""
import errno
import os
import sys

BLOCK = 4096
fd = os.open(sys.argv[1], os.O_RDONLY)
seen = {os.pread(fd, BLOCK, 0)[:1]}
print('reading', flush=True)
sys.stdin.readline()
at = BLOCK
try:
    while piece := os.pread(fd, 1 << 20, at):
        seen.update(piece[i:i + 1] for i in range(0, len(piece), 512))
        at += len(piece)
except OSError as error:
    print(errno.errorcode[error.errno], flush=True)
    sys.exit()
print(b''.join(sorted(seen)).decode(), at, flush=True)
