"""What both sides show of a name, an open file or the whole tree."""
import fcntl
import os
import stat

"""Times that steps set are before it, times of writing after it."""
PRESENT_NS = 1_600_000_000 * 10**9


class Disagreement(Exception):
    pass


def short(value):
    if isinstance(value, (bytes, bytearray)):
        return f'{len(value)} bytes {bytes(value[:24]).hex()}…'
    return repr(value)


def first_difference(one, other):
    return next((at for at, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))


def same(what, mounted, local):
    if mounted == local:
        return
    where = ''
    if isinstance(mounted, bytes) and isinstance(local, bytes):
        at = first_difference(mounted, local)
        where = f', from byte {at} on: {mounted[at:at + 16].hex()} instead of {local[at:at + 16].hex()}'
    raise Disagreement(f'{what}: the mount says {short(mounted)}, the local folder {short(local)}{where}')


def try_stat(look):
    try:
        return look()
    except OSError as error:
        return error.errno


class Comparison:
    def __init__(self, allowed):
        self.allowed = allowed
        # Written through a mapping, when is the kernel's choice; or given room within what is there, which is no change to davport.
        self.untimed = set()

    def note_truncated(self, local):
        """To the size it had: a change for most file systems, none for some."""
        if local.st_mtime_ns < PRESENT_NS:
            self.untimed.add(local.st_ino)

    def path(self, mounted, local, path, set_times=False):
        looks = [try_stat(lambda: os.lstat(side.at(path))) for side in (mounted, local)]
        self.attributes(f'lstat {path!r}', *looks, set_times)

    def slot(self, mounted, local, slot):
        if slot not in mounted.fds or slot not in local.fds or mounted.is_forgotten(slot):
            return
        looks = [os.fstat(side.fds[slot]) for side in (mounted, local)]
        # What is set on a folder that was removed goes nowhere; and no file system is told of an open with O_PATH, so nothing is kept for it.
        untold = fcntl.fcntl(local.fds[slot], fcntl.F_GETFL) & os.O_PATH or stat.S_ISDIR(looks[1].st_mode)
        if not (untold and 0 in (looks[0].st_nlink, looks[1].st_nlink)):
            self.attributes(f'fstat of {slot}', *looks)

    def attributes(self, what, mounted, local, set_times=False):
        if isinstance(mounted, int) or isinstance(local, int):
            same(what, mounted, local)
            return
        same(f'{what}: type', stat.S_IFMT(mounted.st_mode), stat.S_IFMT(local.st_mode))
        if not stat.S_ISDIR(local.st_mode):
            same(f'{what}: size', mounted.st_size, local.st_size)
        if stat.S_ISLNK(local.st_mode):
            return
        same(f'{what}: mode', oct(stat.S_IMODE(mounted.st_mode)), oct(stat.S_IMODE(local.st_mode)))
        if stat.S_ISREG(local.st_mode) and self.allowed.compares_links():
            same(f'{what}: links', mounted.st_nlink, local.st_nlink)
        # A new file changes its folder when it reaches the peer, at its close.
        timed = set_times or not stat.S_ISDIR(local.st_mode)
        if timed and local.st_ino not in self.untimed and self.allowed.compares_times():
            self.times(what, mounted.st_mtime_ns, local.st_mtime_ns)

    def times(self, what, mounted, local):
        if local < PRESENT_NS:
            same(f'{what}: mtime', mounted, local)
        elif mounted < PRESENT_NS:
            raise Disagreement(f'{what}: mtime is still {mounted}, though it was changed since')

    def tree(self, mounted, local, below=''):
        names = [self.names(side, below) for side in (mounted, local)]
        same(f'names in {below!r}', *names)
        for name in names[1]:
            path = f'{below}/{name}' if below else name
            self.path(mounted, local, path)
            mode = os.lstat(local.at(path)).st_mode
            if stat.S_ISDIR(mode):
                self.tree(mounted, local, path)
            elif stat.S_ISLNK(mode):
                same(f'target of {path!r}', os.readlink(mounted.at(path)), os.readlink(local.at(path)))
            else:
                same(f'content of {path!r}', read_file(mounted.at(path)), read_file(local.at(path)))

    def names(self, side, below):
        return sorted(side.visible(os.listdir(side.at(below))))


def read_file(path):
    with open(path, 'rb', buffering=0) as file:
        return file.read()


def compare_served(served, local, allowed, below=''):
    """What is really at the server, once all was brought. Elsewhere than on davport's share links are small files."""
    names = [sorted(name for name in os.listdir(f'{root}/{below}') if not allowed.hidden_at_server(name)) for root in (served, local)]
    same(f'names at the server in {below!r}', *names)
    for name in names[1]:
        path = f'{below}/{name}' if below else name
        kinds = [stat.S_IFMT(os.lstat(f'{root}/{path}').st_mode) for root in (served, local)]
        if stat.S_ISLNK(kinds[1]) and allowed.peer != 'share':
            continue
        same(f'type of {path!r} at the server', *kinds)
        if stat.S_ISDIR(kinds[1]):
            compare_served(served, local, allowed, path)
        elif stat.S_ISREG(kinds[1]):
            same(f'content of {path!r} at the server', read_file(f'{served}/{path}'), read_file(f'{local}/{path}'))
