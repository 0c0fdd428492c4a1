"""Attributes, and what is done to the mount as a whole."""
import ctypes
import os

from kinds import control, kind

UTIME_OMIT = (1 << 30) - 2
LIBC = ctypes.CDLL(None, use_errno=True)


@kind('path', weight=3)
def lstat(side, path):
    os.lstat(side.at(path))


@kind('path')
def stat(side, path):
    return os.stat(side.at(path)).st_mode >> 12


@kind('slot')
def fstat(side, slot):
    os.fstat(side.fd(slot))


@kind('path')
def access(side, path):
    return [os.access(side.at(path), how) for how in (os.F_OK, os.R_OK, os.W_OK, os.X_OK)]


@kind('folder', weight=.3)
def statfs(side, path):
    return os.statvfs(side.at(path)).f_namemax


@kind('path', 'mode')
def chmod(side, path, mode):
    os.chmod(side.at(path), mode)


@kind('slot', 'mode')
def fchmod(side, slot, mode):
    os.fchmod(side.fd(slot), mode)


@kind('path', weight=.3)
def chown_same(side, path):
    os.chown(side.at(path), os.getuid(), os.getgid())


@kind('path', 'time', 'time', weight=1.5)
def utimens(side, path, atime, mtime):
    os.utime(side.at(path), ns=(atime, mtime))


@kind('slot', 'time', weight=1.5)
def futimens(side, slot, mtime):
    os.utime(side.fd(slot), ns=(mtime, mtime))


@kind('path', weight=.5)
def touch(side, path):
    os.utime(side.at(path))


@kind('path', 'time', weight=.5)
def utimens_mtime_only(side, path, mtime):
    times = (ctypes.c_long * 4)(0, UTIME_OMIT, mtime // 10**9, mtime % 10**9)
    if LIBC.utimensat(-100, os.fsencode(side.at(path)), times, 0) != 0:
        raise OSError(ctypes.get_errno(), 'utimensat')


@kind('path', 'xname', 'length', 'seed', weight=1.5)
def set_xattr(side, path, name, length, seed):
    os.setxattr(side.at(path), name, bytes([seed % 256]) * (length % 500))


@kind('path', 'xname')
def set_xattr_new(side, path, name):
    os.setxattr(side.at(path), name, b'created', os.XATTR_CREATE)


@kind('path', 'xname')
def set_xattr_over(side, path, name):
    os.setxattr(side.at(path), name, b'\0replaced\xff', os.XATTR_REPLACE)


@kind('slot', 'xname', weight=.5)
def fset_xattr(side, slot, name):
    os.setxattr(side.fd(slot), name, b'by handle')


@kind('path', 'xname', weight=1.5)
def get_xattr(side, path, name):
    return os.getxattr(side.at(path), name)


@kind('path')
def list_xattr(side, path):
    return sorted(os.listxattr(side.at(path)))


@kind('path', 'xname')
def remove_xattr(side, path, name):
    os.removexattr(side.at(path), name)


@control(weight=2)
def look_at_all(model):
    model.compare_all()


@control(weight=0)
def look_at_server(model):
    """For a sequence by hand, where everything is sure to be brought."""
    model.compare_served()


@control(weight=.05)
def remount(model):
    model.close_all()
    model.ask('remount')
    model.compare_all()


@control(weight=.3)
def cut_channel(model):
    model.ask('cut')


@control(weight=.05)
def restart_peer(model):
    model.ask('restart')
