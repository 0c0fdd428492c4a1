"""Opening, closing, and whole files at once."""
import errno
import fcntl
import os
import mmap

from kinds import bytes_of, kind

NO_DIRECT = ~os.O_DIRECT


def plain(side, path, flags):
    """Only the mount is asked for O_DIRECT, and for files: what local file systems want aligned is their own affair."""
    return flags if side.mounted and not os.path.isdir(path) else flags & NO_DIRECT


@kind('free', 'path', 'flags', 'new_mode', weight=6)
def open_file(side, slot, path, flags, mode):
    side.need_free(slot)
    side.take(slot, os.open(side.at(path), plain(side, side.at(path), flags), mode))


@kind('free', 'file', weight=3)
def open_read(side, slot, path):
    side.need_free(slot)
    side.take(slot, os.open(side.at(path), os.O_RDONLY))


@kind('free', 'file', weight=4)
def open_update(side, slot, path):
    side.need_free(slot)
    side.take(slot, os.open(side.at(path), os.O_RDWR))


@kind('free', 'file')
def open_append(side, slot, path):
    side.need_free(slot)
    side.take(slot, os.open(side.at(path), os.O_RDWR | os.O_APPEND))


@kind('free', 'file')
def open_truncate(side, slot, path):
    side.need_free(slot)
    side.take(slot, os.open(side.at(path), os.O_RDWR | os.O_TRUNC))


@kind('free', 'new', 'new_mode', weight=2)
def open_exclusive(side, slot, path, mode):
    side.need_free(slot)
    side.take(slot, os.open(side.at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode))


@kind('free', 'path', weight=.3)
def open_path_only(side, slot, path):
    side.need_free(slot)
    side.take(slot, os.open(side.at(path), os.O_PATH))


@kind('free', 'folder', weight=.3)
def open_folder(side, slot, path):
    side.need_free(slot)
    side.take(slot, os.open(side.at(path), os.O_RDONLY | os.O_DIRECTORY))


@kind('free', 'folder', weight=.1)
def open_unnamed(side, slot, path):
    side.need_free(slot)
    side.take(slot, os.open(side.at(path), os.O_RDWR | os.O_TMPFILE))


@kind('slot', weight=7)
def close(side, slot):
    fd = side.fd(slot)
    del side.fds[slot]
    os.close(fd)


@kind('slot')
def close_duplicate(side, slot):
    """Its close is a flush: the peer has what was written so far."""
    os.close(os.dup(side.fd(slot)))


@kind('slot', 'free', weight=.5)
def duplicate(side, slot, free):
    side.need_free(free)
    side.take(free, os.dup(side.fd(slot)))


def write_whole(path, flags, content, piece):
    fd = os.open(path, flags, 0o644)
    try:
        for at in range(0, len(content), piece):
            os.write(fd, content[at:at + piece])
    finally:
        os.close(fd)


@kind('path', 'size', 'seed', weight=3)
def save_over(side, path, size, seed):
    write_whole(side.at(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, bytes_of(seed, size), 5000)


@kind('path', 'size', 'seed', weight=2)
def save_beside(side, path, size, seed):
    beside = side.at(path) + '~'
    write_whole(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, bytes_of(seed, size), 1 << 20)
    try:
        os.rename(beside, side.at(path))
    except OSError:
        os.unlink(beside)
        raise


@kind('file', 'size', 'seed', weight=2)
def log_line(side, path, size, seed):
    write_whole(side.at(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND, bytes_of(seed, size % 200), 1 << 20)


@kind('path', 'seed', weight=.3)
def save_large(side, path, seed):
    write_whole(side.at(path), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, bytes_of(seed, 300_000 + seed % 900_000), 70_001)


@kind('file', weight=3)
def read_whole(side, path):
    with open(side.at(path), 'rb', buffering=0) as file:
        return file.read()


@kind('slot', weight=.5)
def lock_shared(side, slot):
    fcntl.flock(side.fd(slot), fcntl.LOCK_SH | fcntl.LOCK_NB)


@kind('slot', weight=.5)
def lock_exclusive(side, slot):
    fcntl.flock(side.fd(slot), fcntl.LOCK_EX | fcntl.LOCK_NB)


@kind('slot', weight=.5)
def unlock(side, slot):
    fcntl.flock(side.fd(slot), fcntl.LOCK_UN)


@kind('slot', 'offset', 'length', weight=.5)
def lock_record(side, slot, offset, length):
    fcntl.lockf(side.fd(slot), fcntl.LOCK_EX | fcntl.LOCK_NB, length, offset)


@kind('slot', 'free_map', 'length', weight=1.5)
def map_shared(side, slot, area, length):
    side.maps[area] = side.new_map(area, side.fd(slot), length)


@kind('slot', 'free_map', 'length', weight=.5)
def map_private(side, slot, area, length):
    side.maps[area] = side.new_map(area, side.fd(slot), length, flags=mmap.MAP_PRIVATE)


@kind('map')
def unmap(side, area):
    side.map(area).close()
    del side.maps[area]


@kind('map', 'offset', 'few', 'seed', weight=2)
def map_store(side, area, offset, few, seed):
    side.map(area, offset + few * 100)[offset:offset + few * 100] = bytes_of(seed, few * 100)


@kind('map', 'offset', 'few', weight=2)
def map_load(side, area, offset, few):
    return side.map(area, offset + few * 100)[offset:offset + few * 100]


@kind('map')
def map_sync(side, area):
    mapped = side.map(area)
    if mapped.size() < len(mapped):
        raise OSError(errno.ENOMEM, 'beyond the end of the file')
    mapped.flush()
