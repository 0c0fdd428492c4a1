"""Names: made, moved, removed, linked, listed."""
import ctypes
import errno
import os
import platform
import struct

from kinds import kind
from side import Listing, Skip

LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
SYS_GETDENTS64 = 217 if platform.machine() == 'x86_64' else 61


@kind('new', 'mode', weight=3)
def mkdir(side, path, mode):
    os.mkdir(side.at(path), mode | 0o111)


@kind('inner', weight=1.5)
def rmdir(side, path):
    os.rmdir(side.at(path))


@kind('path', weight=3)
def unlink(side, path):
    os.unlink(side.at(path))


@kind('open_path', weight=1.5)
def unlink_open(side, path):
    os.unlink(side.at(path))


@kind('path', 'new', weight=4)
def rename(side, path, new):
    os.rename(side.at(path), side.at(new))


@kind('path', 'other', weight=2)
def rename_over(side, path, other):
    os.rename(side.at(path), side.at(other))


@kind('file', 'open_path', weight=1.5)
def rename_over_open(side, path, open_path):
    os.rename(side.at(path), side.at(open_path))


@kind('open_path', 'new', weight=1.5)
def rename_open(side, open_path, new):
    os.rename(side.at(open_path), side.at(new))


@kind('inner', 'new', weight=1.5)
def rename_folder(side, path, new):
    os.rename(side.at(path), side.at(new))


def renameat2(side, path, other, flags):
    names = [os.fsencode(side.at(name)) for name in (path, other)]
    if LIBC.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], flags) != 0:
        raise OSError(ctypes.get_errno(), 'renameat2')


@kind('path', 'other')
def rename_noreplace(side, path, other):
    renameat2(side, path, other, RENAME_NOREPLACE)


@kind('path', 'other', weight=.3)
def rename_exchange(side, path, other):
    renameat2(side, path, other, RENAME_EXCHANGE)


@kind('file', 'new')
def link(side, path, new):
    os.link(side.at(path), side.at(new), follow_symlinks=False)


@kind('path', 'new')
def symlink(side, path, new):
    """To a neighbour: wherever the link is moved, it leads to the same on both sides, and never out of them."""
    os.symlink(path.split('/')[-1], side.at(new))


@kind('path')
def readlink(side, path):
    return os.readlink(side.at(path))


@kind('new', 'new_mode', weight=.5)
def mknod(side, path, mode):
    os.mknod(side.at(path), 0o100000 | mode)


@kind('new', weight=.2)
def mkfifo(side, path):
    """WebDAV has no special files; where one exists its open would wait."""
    if os.path.lexists(side.at(path)):
        raise Skip
    if not side.mounted:
        os.mknod(side.at(path))
        os.unlink(side.at(path))
        raise OSError(errno.EPERM, 'no special files')
    os.mkfifo(side.at(path))


@kind('folder', weight=2)
def list_whole(side, path):
    return sorted(side.visible(os.listdir(side.at(path))))


@kind('folder', weight=1)
def list_kinds(side, path):
    with os.scandir(side.at(path)) as entries:
        return sorted((entry.name, entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in entries
                      if not side.hidden(entry.name))


@kind('free_listing', 'folder')
def list_begin(side, slot, path):
    side.need_free(slot, side.listings)
    side.listings[slot] = Listing(os.open(side.at(path), os.O_RDONLY | os.O_DIRECTORY))


def getdents(fd, size):
    buffer = ctypes.create_string_buffer(size)
    count = LIBC.syscall(SYS_GETDENTS64, fd, buffer, size)
    if count < 0:
        raise OSError(ctypes.get_errno(), 'getdents64')
    names, at = [], 0
    while at < count:
        _, _, length, _ = struct.unpack_from('=QqHB', buffer, at)
        names.append(os.fsdecode(buffer.raw[at + 19:at + length].split(b'\0')[0]))
        at += length
    return names


def lists_what_stays(mounted, local, sides, args):
    """An entry that stays is told exactly once; one that never was, never."""
    if isinstance(mounted, str) or isinstance(local, str):
        # Of a folder that was removed there is nothing to read; who has read to its end before need not ask.
        removed = os.fstat(sides.local.listings[args[0]].fd).st_nlink == 0
        return mounted == local or (removed and {mounted, local} == {'ENOENT', None})
    listing = sides.mounted.listings[args[0]]
    watch = sides.watches[args[0]]
    seen = [name for name in sides.mounted.visible(listing.seen) if name not in ('.', '..')]
    once = all(seen.count(name) == 1 for name in watch.stays if name in seen)
    return once and set(seen) <= watch.ever and (not listing.ended or watch.stays <= set(seen))


@kind('listing', weight=2, agrees=lists_what_stays)
def list_piece(side, slot):
    listing = side.listing(slot)
    names = getdents(listing.fd, 64)
    listing.seen += names
    listing.ended = listing.ended or not names


@kind('listing', agrees=lists_what_stays)
def list_rest(side, slot):
    while not side.listing(slot).ended:
        list_piece(side, slot)


@kind('listing', weight=.3)
def list_again(side, slot):
    os.lseek(side.listing(slot).fd, 0, os.SEEK_SET)
    side.listing(slot).begin()


@kind('listing', weight=.5)
def list_end(side, slot):
    os.close(side.listing(slot).fd)
    del side.listings[slot]
