"""Reading and writing open files."""
import ctypes
import os

from kinds import bytes_of, kind
from side import Skip

LIBC = ctypes.CDLL(None, use_errno=True)
FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE = 1, 2


@kind('slot', 'offset', 'size', 'seed', weight=8)
def pwrite(side, slot, offset, size, seed):
    return os.pwrite(side.fd(slot), bytes_of(seed, size), offset)


@kind('slot', 'size', 'seed', weight=4)
def write(side, slot, size, seed):
    return os.write(side.fd(slot), bytes_of(seed, size))


@kind('slot', 'offset', 'size', 'seed', weight=.5)
def pwritev(side, slot, offset, size, seed):
    content = bytes_of(seed, size)
    return os.pwritev(side.fd(slot), [content[:size // 3], content[size // 3:]], offset)


@kind('slot', 'offset', 'seed', weight=.3)
def pwrite_large(side, slot, offset, seed):
    return os.pwrite(side.fd(slot), bytes_of(seed, 300_000), offset)


@kind('slot', 'offset', 'few', 'seed')
def pwrite_pieces(side, slot, offset, few, seed):
    """One after the other, as a program that streams."""
    return [os.pwrite(side.fd(slot), bytes_of(seed + n, 3000), offset + 3000 * n) for n in range(few)]


@kind('slot', 'offset', 'length', weight=5)
def pread(side, slot, offset, length):
    return os.pread(side.fd(slot), length, offset)


@kind('slot', 'length', weight=3)
def read(side, slot, length):
    return os.read(side.fd(slot), length)


@kind('slot', 'offset', 'few', weight=.5)
def readv(side, slot, offset, few):
    buffers = [bytearray(700) for _ in range(few)]
    return os.preadv(side.fd(slot), buffers, offset), bytes(b''.join(buffers))


@kind('slot', 'offset')
def seek_set(side, slot, offset):
    return os.lseek(side.file(slot), offset, os.SEEK_SET)


@kind('slot', 'few')
def seek_end(side, slot, few):
    return os.lseek(side.file(slot), -few, os.SEEK_END)


@kind('slot', 'few', weight=.5)
def seek_current(side, slot, few):
    return os.lseek(side.file(slot), few, os.SEEK_CUR)


def content_of(sides, slot):
    fd = sides.local.fds[slot]
    with open(f'/proc/self/fd/{fd}', 'rb') as file:
        return file.read()


def told_data(mounted, local, sides, args):
    """Holes are the server's affair: what is told to be one must read as zeros."""
    if mounted == local:
        return True
    slot, offset = args
    content = content_of(sides, slot)
    end = len(content) if mounted == 'ENXIO' else mounted
    return isinstance(end, int) and offset <= end <= len(content) and not any(content[offset:end])


def told_hole(mounted, local, sides, args):
    if mounted == local:
        return True
    slot, offset = args
    content = content_of(sides, slot)
    return isinstance(mounted, int) and offset <= mounted <= len(content) and content[mounted:mounted + 1] in (b'', b'\0')


def seek_and_return(fd, offset, whence):
    """The file's position is not a hole's: it stays where it was."""
    before = os.lseek(fd, 0, os.SEEK_CUR)
    try:
        return os.lseek(fd, offset, whence)
    finally:
        os.lseek(fd, before, os.SEEK_SET)


@kind('slot', 'offset', agrees=told_data)
def seek_data(side, slot, offset):
    return seek_and_return(side.file(slot), offset, os.SEEK_DATA)


@kind('slot', 'offset', agrees=told_hole)
def seek_hole(side, slot, offset):
    return seek_and_return(side.file(slot), offset, os.SEEK_HOLE)


@kind('slot', 'length', weight=3)
def ftruncate(side, slot, length):
    os.ftruncate(side.fd(slot), length)


@kind('slot', 'offset', weight=.5)
def ftruncate_far(side, slot, offset):
    os.ftruncate(side.fd(slot), offset + 100_000)


@kind('file', 'length', weight=2)
def truncate(side, path, length):
    os.truncate(side.at(path), length)


@kind('slot', 'offset', 'length')
def fallocate(side, slot, offset, length):
    os.posix_fallocate(side.fd(slot), offset, length + 1)


def fallocate_mode(fd, mode, offset, length):
    if LIBC.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length + 1)) != 0:
        raise OSError(ctypes.get_errno(), 'fallocate')


@kind('slot', 'offset', 'length', weight=.3)
def fallocate_keep(side, slot, offset, length):
    fallocate_mode(side.fd(slot), FALLOC_FL_KEEP_SIZE, offset, length)


@kind('slot', 'offset', 'length', weight=.3)
def punch_hole(side, slot, offset, length):
    fallocate_mode(side.fd(slot), FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, offset, length)


@kind('slot', 'source', 'offset', 'length')
def copy_range(side, slot, source, offset, length):
    done = 0
    while done < length:
        count = os.copy_file_range(side.fd(source), side.fd(slot), length - done, offset + done, done)
        if count == 0:
            break
        done += count
    return done


@kind('file', 'new')
def copy_whole(side, path, new):
    with open(side.at(path), 'rb') as source, open(side.at(new), 'xb') as target:
        size = os.fstat(source.fileno()).st_size
        while size > 0 and (count := os.copy_file_range(source.fileno(), target.fileno(), size)) > 0:
            size -= count


@kind('slot', 'source', 'length')
def send_file(side, slot, source, length):
    # Of a file to itself: what is read may have been written by then, or not.
    if os.path.sameopenfile(side.fd(slot), side.fd(source)):
        raise Skip
    done = 0
    while done < length and (count := os.sendfile(side.fd(slot), side.fd(source), done, length - done)) > 0:
        done += count
    return done


@kind('slot', weight=2)
def fsync(side, slot):
    os.fsync(side.fd(slot))


@kind('slot')
def fdatasync(side, slot):
    os.fdatasync(side.fd(slot))


@kind('folder', weight=.5)
def fsync_folder(side, path):
    fd = os.open(side.at(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@kind(weight=.2)
def syncfs(side):
    # The local side's file system is the whole machine's, and nobody asks what it has on disk.
    if side.mounted:
        fd = os.open(side.root, os.O_RDONLY)
        try:
            if LIBC.syncfs(fd) != 0:
                raise OSError(ctypes.get_errno(), 'syncfs')
        finally:
            os.close(fd)


@kind('slot', weight=.5)
def drop_pages(side, slot):
    os.posix_fadvise(side.fd(slot), 0, 0, os.POSIX_FADV_DONTNEED)


@kind('slot', 'offset', 'length', weight=.3)
def read_ahead(side, slot, offset, length):
    os.posix_fadvise(side.fd(slot), offset, length, os.POSIX_FADV_WILLNEED)
