"""One of the two folders that the same steps are done in, with what is open there."""
import mmap
import os
import stat


class Skip(Exception):
    """The step means nothing at the moment: what it works on is not open, or is in use."""


class Listing:
    """An open directory that is read in pieces."""

    def __init__(self, fd):
        self.fd = fd
        self.begin()

    def begin(self):
        self.seen = []
        self.ended = False


class Side:
    def __init__(self, root, mounted, hidden, forgets):
        self.root = root
        self.forgets = forgets
        self.hidden = hidden
        self.mounted = mounted
        self.fds = {}
        self.listings = {}
        self.maps = {}

    def visible(self, names):
        return [name for name in names if not self.hidden(name)]

    def at(self, path):
        return f'{self.root}/{path}' if path else self.root

    def fd(self, slot):
        if slot not in self.fds or self.is_forgotten(slot):
            raise Skip
        return self.fds[slot]

    def is_forgotten(self, slot):
        """libfuse 2 keeps a removed file for those who opened it; not a folder, nor what O_PATH leads to."""
        try:
            os.fstat(self.fds[slot])
            return False
        except FileNotFoundError:
            if not self.forgets:
                raise
            return True

    def file(self, slot):
        """As `fd`; of a folder the position means what its file system likes."""
        if stat.S_ISDIR(os.fstat(self.fd(slot)).st_mode):
            raise Skip
        return self.fds[slot]

    def take(self, slot, fd):
        self.fds[slot] = fd

    def need_free(self, slot, table=None):
        if slot in (self.fds if table is None else table):
            raise Skip

    def listing(self, slot):
        if slot not in self.listings:
            raise Skip
        return self.listings[slot]

    def map(self, slot, end=0):
        """The mapping; its bytes up to `end` are within the file, so that touching them is no SIGBUS."""
        if slot not in self.maps or self.maps[slot].size() < end or len(self.maps[slot]) < end:
            raise Skip
        return self.maps[slot]

    def new_map(self, slot, fd, length, **how):
        self.need_free(slot, self.maps)
        if length == 0 or os.fstat(fd).st_size < length:
            raise Skip
        return mmap.mmap(fd, length, **how)

    def close_all(self):
        for area in self.maps.values():
            area.close()
        for slot in list(self.fds):
            os.close(self.fds.pop(slot))
        for listing in self.listings.values():
            os.close(listing.fd)
        self.maps.clear()
        self.listings.clear()
