"""The kinds of step, and how the arguments of each are drawn."""
import os

KINDS = {}
NAMES = ['a', 'b', 'c \u00e9', 'd%20', 'e']
SLOTS = 6
FLAGS = [os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR]
EXTRA = [os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND, os.O_DSYNC, os.O_DIRECT, os.O_NOFOLLOW, os.O_DIRECTORY]
FEW = {os.O_EXCL: .1, os.O_NOFOLLOW: .1, os.O_DIRECTORY: .02, os.O_DIRECT: .05, os.O_DSYNC: .05, os.O_TRUNC: .15, os.O_APPEND: .2}
SIZES = [0, 1, 10, 511, 4095, 4096, 4097, 8192, 20000]
MODES = [0o600, 0o644, 0o755, 0o700, 0o640, 0o664]
TIMES = [0, 1, 1_000_000_000_000_000_000, 1_234_567_890_123_456_789, 1_500_000_000_999_999_999]
XATTRS = ['user.a', 'user.b c', 'user.\u00e9']

"""Arguments that say which names and open files a step is about: these are compared after it."""
PATHS = {'path', 'other', 'file', 'new', 'folder', 'inner', 'open_path'}
FILES = {'slot', 'source', 'free'}


class Kind:
    def __init__(self, do, params, weight, agrees, control):
        self.do, self.params, self.weight, self.agrees, self.control = do, params, weight, agrees, control


def kind(*params, weight=1.0, agrees=None):
    """A step done on each side: do(side, *arguments). `agrees(mounted, local, sides, arguments)` where the results needn't be equal."""
    def register(do):
        KINDS[do.__name__] = Kind(do, params, weight, agrees, False)
        return do
    return register


def control(*params, weight=1.0):
    """A step of the whole: do(model, *arguments)."""
    def register(do):
        KINDS[do.__name__] = Kind(do, params, weight, None, True)
        return do
    return register


class Draw:
    """Draws steps that are likely to mean something, by what is there on the local side."""

    def __init__(self, random, local, kinds, peer):
        self.random, self.local, self.peer = random, local, peer
        self.names = list(kinds)
        self.weights = [KINDS[name].weight for name in kinds]

    def step(self):
        self.tree = None
        name = self.random.choices(self.names, self.weights)[0]
        return [name, *(getattr(self, param)() for param in KINDS[name].params)]

    def existing(self, want):
        if self.tree is None:
            self.tree = sorted(walk(self.local.root))
        found = [path for path, entry in self.tree if want(entry)]
        return self.random.choice(found) if found else None

    def anywhere(self):
        folder = ''
        if self.random.random() < .5:
            folder = self.existing(lambda entry: entry.is_dir(follow_symlinks=False)) or self.random.choice(NAMES)
        name = self.random.choice(NAMES)
        return f'{folder}/{name}' if folder and folder.count('/') < 2 else name

    def path(self):
        return self.random.random() < .75 and self.existing(lambda entry: True) or self.anywhere()

    def file(self):
        return self.random.random() < .9 and self.existing(leads_to_file) or self.anywhere()

    def folder(self):
        return self.random.random() < .8 and self.existing(leads_to_folder) or self.random.choice(['', self.anywhere()])

    def inner(self):
        return self.folder() or self.anywhere()

    other = path

    def new(self):
        return self.anywhere()

    def open_path(self):
        """A name of a file that is open."""
        inodes = {os.fstat(fd).st_ino for fd in self.local.fds.values()}
        return self.existing(lambda entry: entry.inode() in inodes) or self.path()

    def slot(self):
        return self.random.choice(sorted(self.local.fds) or [0])

    source = slot

    def free(self):
        return self.random.choice([slot for slot in range(SLOTS) if slot not in self.local.fds] or [0])

    def map(self):
        return self.random.choice(sorted(self.local.maps) or [0])

    def listing(self):
        return self.random.choice(sorted(self.local.listings) or [0])

    def free_listing(self):
        return self.random.randrange(2)

    def free_map(self):
        return self.random.randrange(2)

    def flags(self):
        flags = self.random.choice(FLAGS)
        for extra in EXTRA:
            if self.random.random() < FEW.get(extra, .4):
                flags |= extra
        # Without O_DIRECTORY's own meaning open(2) refuses both since Linux 6.3, and made a file before.
        return flags & ~os.O_DIRECTORY if flags & os.O_CREAT else flags

    def mode(self):
        return self.random.choice(MODES)

    def new_mode(self):
        """Other servers keep the mode given to open(2) only where it makes the file executable."""
        return self.random.choice(MODES if self.peer == 'share' else [0o644, 0o755])

    def size(self):
        return self.random.choice(SIZES) if self.random.random() < .6 else self.random.randrange(30_000)

    length = size

    def offset(self):
        if self.random.random() < .02:
            return self.random.choice([300_000, 1_048_576, 1_100_000])
        return self.size()

    def seed(self):
        return self.random.randrange(1 << 30)

    def time(self):
        return self.random.choice(TIMES)

    def xname(self):
        return self.random.choice(XATTRS)

    def few(self):
        return self.random.randrange(1, 5)


def leads_to_file(entry):
    return os.path.isfile(entry.path)


def leads_to_folder(entry):
    return os.path.isdir(entry.path)


def walk(root, below=''):
    with os.scandir(f'{root}/{below}') as entries:
        for entry in list(entries):
            path = f'{below}/{entry.name}' if below else entry.name
            yield path, entry
            if entry.is_dir(follow_symlinks=False):
                yield from walk(root, path)


def bytes_of(seed, size):
    """Cheap bytes that show where they came from: every 8 differ."""
    first = seed * 40503 % (1 << 63)
    return b''.join((first + at).to_bytes(8, 'big') for at in range(0, size, 8))[:size]
