"""What the peer may hold of each name: what the last close, fsync or rename that returned 0 promised, or what one that failed was about to."""
import os
import stat

from compare import Disagreement, short

ABSENT, FOLDER = 'absent', 'folder'


class Promises:
    """`sure`: what a program reads, of names for which that is known. `may`: name → all that the peer may hold."""

    def __init__(self):
        self.sure = {}
        self.may = {}

    def content(self, path):
        return self.sure.get(path, ABSENT)

    def allowed(self, path):
        return self.may.get(path, [ABSENT])

    def tried(self, path, *contents):
        """On its way: from now on either."""
        self.may[path] = self.allowed(path) + [content for content in contents if content not in self.allowed(path)]

    def kept(self, path, content):
        self.may[path] = [content]
        self.sure[path] = content

    def unsure(self, path):
        self.sure.pop(path, None)

    def known(self, path):
        return len(self.allowed(path)) == 1

    def settle(self, found):
        """From now on exactly what was found."""
        self.may = {path: [content] for path, content in found.items()}
        self.sure = dict(found)

    def check(self, where, found):
        for path in sorted(set(found) | set(self.may)):
            content = found.get(path, ABSENT)
            if content not in self.allowed(path):
                wanted = ' or '.join(short(each) for each in self.allowed(path))
                raise Disagreement(f'{where}: {path!r} is {short(content)}, promised was {wanted}')


def tree_at_peer(root, hidden):
    """Where the last request of a mount that was killed may still be carried out: what was listed may have gone."""
    for _ in range(5):
        try:
            return tree_of(root, hidden)
        except FileNotFoundError:
            continue
    return tree_of(root, hidden)


def tree_of(root, hidden=lambda name: False, below=''):
    found = {}
    for name in os.listdir(f'{root}/{below}'):
        if hidden(name):
            continue
        path = f'{below}/{name}' if below else name
        mode = os.lstat(f'{root}/{path}').st_mode
        if stat.S_ISDIR(mode):
            found[path] = FOLDER
            found.update(tree_of(root, hidden, path))
        elif stat.S_ISLNK(mode):
            found[path] = os.readlink(f'{root}/{path}')
        else:
            with open(f'{root}/{path}', 'rb', buffering=0) as file:
                found[path] = file.read()
    return found
