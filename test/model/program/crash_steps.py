"""Steps that promise something: each tells `promises` what it is about to do before, and what is certain after."""
import errno
import mmap
import os
from itertools import combinations

from kinds import bytes_of
from promises import ABSENT, FOLDER

STEPS = {}


def step(weight):
    def register(do):
        STEPS[do.__name__] = (do, weight)
        return do
    return register


def brought(promises, path, content, call):
    """A call that returns 0 only when the peer has `content`."""
    promises.tried(path, content)
    call()
    promises.kept(path, content)


def close_quietly(fd):
    """After an error that was told already."""
    try:
        os.close(fd)
    except OSError:
        pass


def write_file(world, path, flags, pieces, before=b'', in_place=False):
    """Opens, writes, closes; with an fsync somewhere, or none."""
    content = there = before
    fresh = []
    synced = world.random.randrange(2 * len(pieces) + 2)

    def bring(call):
        nonlocal there
        if in_place:
            world.promises.tried(path, *mixtures(there, content, fresh))
        brought(world.promises, path, content, call)
        there = content
        fresh.clear()

    world.promises.unsure(path)
    fd = os.open(world.at(path), flags, 0o644)
    try:
        for number, (at, piece) in enumerate(pieces):
            os.pwrite(fd, piece, at) if at is not None else os.write(fd, piece)
            at = len(content) if at is None else at
            content = content.ljust(at, b'\0')[:at] + piece + content[at + len(piece):]
            fresh.append((at, piece))
            if number == synced:
                bring(lambda: os.fsync(fd))
            if number == synced - 1:
                bring(lambda: os.close(os.dup(fd)))
    except BaseException:
        # Nobody is told of what comes of this close.
        world.promises.tried(path, content, *(mixtures(there, content, fresh) if in_place else []))
        close_quietly(fd)
        raise
    bring(lambda: os.close(fd))


def mixtures(before, after, pieces):
    """What a server may hold that is killed, or hears no more, while parts are written in place, one after the other, in whatever order."""
    for count in range(1, len(pieces) + 1):
        for some in combinations(pieces, count):
            held = bytearray(before)
            for at, piece in sorted(some):
                held.extend(bytes(max(0, at - len(held))))
                held[at:at + len(piece)] = after[at:at + len(piece)]
            yield bytes(held)


def pieces_of(world, content):
    size = world.random.choice([4096, 65536, 200_000, 1 << 20])
    return [(None, content[at:at + size]) for at in range(0, len(content), size)] or [(None, b'')]


@step(4)
def save_over(world):
    path = world.file_name()
    write_file(world, path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, pieces_of(world, world.version()))


@step(5)
def save_beside(world):
    path, content = world.file_name(), world.version()
    beside = path + '~'
    if not world.promises.known(beside):
        return
    write_file(world, beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, pieces_of(world, content))
    move(world, beside, path)


def move(world, old, new):
    promises = world.promises
    content = promises.content(old)
    promises.tried(new, content, *([ABSENT] if world.removes_before_move else []))
    promises.tried(old, ABSENT)
    promises.unsure(new)
    promises.unsure(old)
    os.rename(world.at(old), world.at(new))
    promises.kept(new, content)
    promises.kept(old, ABSENT)


@step(3)
def rename(world):
    old, new = world.existing(), world.file_name()
    if old is not None and old != new and world.promises.known(old):
        move(world, old, new)


@step(3)
def append(world):
    path = world.existing()
    if path is None:
        return
    line = bytes_of(world.next_seed(), world.random.randrange(1, 3000))
    append_line(world, path, line)


def append_line(world, path, line):
    before = world.promises.content(path)
    world.promises.unsure(path)
    fd = os.open(world.at(path), os.O_WRONLY | os.O_APPEND)
    try:
        os.write(fd, line)
    finally:
        brought(world.promises, path, before + line, lambda: os.close(fd))


@step(4)
def patch(world):
    path = world.existing()
    if path is None:
        return
    before = world.promises.content(path)
    at = [world.random.randrange(len(before) + 1) for _ in range(3)]
    pieces = [(each, bytes_of(world.next_seed(), 2000)) for each in at]
    write_file(world, path, os.O_RDWR, pieces, before, in_place=world.writes_in_place)


@step(2)
def truncate(world):
    path = world.existing()
    if path is None:
        return
    before, size = world.promises.content(path), world.random.randrange(50_000)
    world.promises.unsure(path)
    brought(world.promises, path, before[:size].ljust(size, b'\0'), lambda: os.truncate(world.at(path), size))


@step(2)
def map_and_store(world):
    path = world.existing()
    if path is None or len(world.promises.content(path)) < 5000:
        return
    before = world.promises.content(path)
    at = world.random.randrange(len(before) - 4000)
    piece = bytes_of(world.next_seed(), 4000)
    world.promises.unsure(path)
    fd = os.open(world.at(path), os.O_RDWR)
    try:
        area = mmap.mmap(fd, 0)
        # Into the memory by read(2): where davport is gone meanwhile that is EFAULT, and a store would be SIGBUS.
        reader, writer = os.pipe()
        os.write(writer, piece)
        os.close(writer)
        try:
            with memoryview(area) as view:
                os.readv(reader, [view[at:at + 4000]])
        finally:
            os.close(reader)
        area.flush()
        area.close()
    finally:
        brought(world.promises, path, before[:at] + piece + before[at + 4000:], lambda: os.close(fd))


@step(2)
def unlink(world):
    path = world.existing()
    if path is not None:
        world.promises.unsure(path)
        brought(world.promises, path, ABSENT, lambda: os.unlink(world.at(path)))


@step(1)
def copy_on_server(world):
    path, new = world.existing(), world.file_name()
    if path is None or world.promises.content(new) != ABSENT or not world.promises.known(new):
        return
    content = world.promises.content(path)
    world.promises.unsure(new)
    world.promises.tried(new, b'', content)
    source = os.open(world.at(path), os.O_RDONLY)
    target = os.open(world.at(new), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        left = len(content)
        while left > 0 and (count := os.copy_file_range(source, target, left)) > 0:
            left -= count
    except BaseException:
        close_quietly(source)
        close_quietly(target)
        raise
    close_quietly(source)
    os.close(target)
    world.promises.kept(new, content)


@step(2)
def make_folder(world):
    path = world.random.choice(['d', 'e'])
    if world.promises.known(path) and world.promises.content(path) == ABSENT:
        brought(world.promises, path, FOLDER, lambda: os.mkdir(world.at(path)))


@step(1)
def remove_folder(world):
    path = world.random.choice(['d', 'e'])
    if world.promises.content(path) != FOLDER or not world.promises.known(path):
        return
    try:
        world.promises.tried(path, ABSENT)
        os.rmdir(world.at(path))
        world.promises.kept(path, ABSENT)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        world.promises.kept(path, FOLDER)


@step(1)
def make_link(world):
    """Of a name of its own: what is written by a link goes elsewhere."""
    if not world.keeps_links or not world.promises.known('link'):
        return
    if world.promises.content('link') == ABSENT:
        brought(world.promises, 'link', 'target', lambda: os.symlink('target', world.at('link')))
    else:
        brought(world.promises, 'link', ABSENT, lambda: os.unlink(world.at('link')))


@step(3)
def read_back(world):
    path = world.existing()
    if path is not None:
        with open(world.at(path), 'rb') as file:
            world.same(path, file.read())


@step(1)
def read_listing(world):
    names = set(os.listdir(world.root))
    sure = {path for path, content in world.promises.sure.items() if '/' not in path and content != ABSENT}
    world.same_names(sure, names)
