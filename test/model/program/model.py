"""Does steps on both sides, and compares: a sequence of them is a fresh folder on each side, and what becomes of it."""
import errno
import os
import shutil
import sys

# They register their kinds of step.
import steps_attributes  # noqa: F401
import steps_data  # noqa: F401
import steps_names  # noqa: F401
import steps_open  # noqa: F401
from compare import Comparison, Disagreement, compare_served, same, short
from kinds import FILES, KINDS, PATHS, walk
from side import Side, Skip


SET_TIMES = {'utimens', 'utimens_mtime_only', 'touch'}


class Watch:
    """Of a listing: what stayed there since it began, and whatever was there."""

    def __init__(self, folder):
        self.fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self.entries = self.now()
        self.ever = {name for name, _ in self.entries}

    def now(self):
        return {(name, os.lstat(name, dir_fd=self.fd).st_ino) for name in os.listdir(self.fd)}

    def update(self):
        now = self.now()
        self.entries &= now
        self.ever |= {name for name, _ in now}

    @property
    def stays(self):
        return {name for name, _ in self.entries}


class Model:
    """`roots`: of the mount, the local folder and what the server serves; the sequence takes place in `name` of each."""

    def __init__(self, roots, name, allowed):
        self.roots = [f'{root}/{name}' for root in roots]
        self.mounted = Side(self.roots[0], True, allowed.hidden, allowed.forgets_removed())
        self.local = Side(self.roots[1], False, allowed.hidden, False)
        self.allowed = allowed
        self.comparison = Comparison(allowed)
        self.watches = {}
        os.mkdir(self.roots[0])
        os.mkdir(self.roots[1])

    def ask(self, what):
        """Something that only whoever started this process can do."""
        print(f'ask {what}', flush=True)
        answer = sys.stdin.readline().strip()
        if answer != 'done':
            raise Disagreement(f'{what}: {answer}')

    def do(self, step):
        """Whether it meant anything."""
        kind, args = KINDS[step[0]], step[1:]
        if kind.control:
            kind.do(self, *args)
            return True
        try:
            mounted = outcome(kind, self.mounted, args)
            if self.allowed.refused(step[0], mounted):
                return True
            local = outcome(kind, self.local, args)
        except Skip:
            return False
        self.follow(step[0], args, mounted)
        if kind.agrees is None:
            same('result', mounted, local)
        elif not kind.agrees(mounted, local, self, args):
            raise Disagreement(f'result: the mount says {short(mounted)}, the local folder {short(local)}')
        for param, arg in zip(kind.params, args):
            if param in PATHS:
                self.comparison.path(self.mounted, self.local, arg, step[0] in SET_TIMES)
            elif param in FILES:
                self.comparison.slot(self.mounted, self.local, arg)
        return True

    def follow(self, name, args, mounted):
        if name == 'map_store':
            self.comparison.untimed |= set(self.inodes_of_maps())
        elif name == 'fallocate':
            self.comparison.untimed.add(os.fstat(self.local.fds[args[0]]).st_ino)
        elif name in ('ftruncate', 'truncate', 'open_truncate') and mounted is None:
            self.comparison.note_truncated(os.stat(self.local.at(args[0]) if name == 'truncate' else self.local.fds[args[0]]))
        for slot in set(self.watches) - set(self.local.listings):
            os.close(self.watches.pop(slot).fd)
        if name in ('list_begin', 'list_again') and args[0] in self.local.listings:
            if args[0] in self.watches:
                os.close(self.watches[args[0]].fd)
            self.watches[args[0]] = Watch(f'/proc/self/fd/{self.local.listings[args[0]].fd}')
        for watch in self.watches.values():
            watch.update()

    def inodes_of_maps(self):
        with open('/proc/self/maps') as maps:
            return [int(line.split(maxsplit=5)[4]) for line in maps if self.local.root in line]

    def compare_all(self):
        self.comparison.tree(self.mounted, self.local)
        for slot in self.local.fds:
            self.comparison.slot(self.mounted, self.local, slot)

    def close_all(self):
        self.mounted.close_all()
        self.local.close_all()
        for watch in self.watches.values():
            os.close(watch.fd)
        self.watches.clear()

    def end(self):
        """Everything closed: the server has it, too. What was stored through a mapping comes after the close, at the latest by fsync."""
        self.compare_all()
        unmapped = not self.local.maps and not self.comparison.untimed
        self.close_all()
        if not unmapped:
            self.sync_files()
        self.compare_all()
        self.compare_served()

    def sync_files(self):
        for path, entry in walk(self.mounted.root):
            if entry.is_file(follow_symlinks=False) and not self.allowed.hidden(entry.name):
                fd = os.open(entry.path, os.O_RDONLY)
                os.fsync(fd)
                os.close(fd)

    def compare_served(self):
        compare_served(self.roots[2], self.roots[1], self.allowed)

    def discard(self):
        self.close_all()
        for root in self.roots[:2]:
            shutil.rmtree(root, onerror=self.unless_hidden)

    def unless_hidden(self, _call, path, info):
        """Such a file goes by itself, some time after its last close."""
        if not self.allowed.hidden(os.path.basename(path)):
            raise info[1]


def outcome(kind, side, args):
    try:
        return kind.do(side, *args)
    except OSError as error:
        return 'EOPNOTSUPP' if error.errno == errno.EOPNOTSUPP else errno.errorcode[error.errno]
