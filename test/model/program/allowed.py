"""
Where a mount may differ from a local folder: what WebDAV, a server or a bridge can't do. doc/SEMANTICS.md and doc/FUSE-NATIVE.md tell users.
"""
from collections import namedtuple

SHARE, FOREIGN = {'share'}, {'spice', 'chezdav', 'apache'}
ALL = SHARE | FOREIGN
BOTH, NATIVE = {'kernel', 'fuse-native'}, {'fuse-native'}

"""The mount fails with `error` and has done nothing; the local side is then not asked."""
Refusal = namedtuple('Refusal', 'kinds error peers bridges reason')
REFUSALS = [
    Refusal({'rename_exchange'}, 'EINVAL', ALL, BOTH, 'names cannot be exchanged over WebDAV'),
    Refusal({'rename_noreplace'}, 'EINVAL', ALL, NATIVE, 'libfuse 2 has no renameat2'),
    Refusal(
        {'rmdir', 'rename', 'rename_over', 'rename_folder', 'rename_open', 'rename_over_open', 'rename_noreplace'}, 'ENOTEMPTY', ALL, NATIVE,
        'a folder in which an open file was removed still holds it, as .fuse_hidden…',
    ),
    Refusal({'link'}, 'EPERM', FOREIGN, BOTH, 'no hard links there: EPERM, as on FAT'),
    Refusal({'open_unnamed'}, 'EOPNOTSUPP', ALL, BOTH, 'no file without a name at the peer: programs take a temporary one'),
    Refusal({'fallocate_keep', 'punch_hole'}, 'EOPNOTSUPP', ALL, BOTH, 'room and holes are the server\'s affair'),
    Refusal({'fallocate'}, 'EBADF', ALL, NATIVE, 'the package has no fallocate, and what glibc does instead wants no O_APPEND'),
    Refusal({'fset_xattr'}, 'EOPNOTSUPP', ALL, BOTH, 'properties go with a name, and an unlinked file has none'),
]

"""Not done at all, because what follows would differ without end."""
Left = namedtuple('Left', 'kinds peers bridges reason')
LEFT_OUT = [
    Left(
        {'set_xattr', 'set_xattr_new', 'set_xattr_over', 'fset_xattr'}, {'spice', 'chezdav'}, BOTH,
        'new content is a new file to phodav, and properties that davport doesn\'t know are gone with the old one',
    ),
    Left({'utimens', 'futimens', 'touch', 'utimens_mtime_only'}, ALL, NATIVE, 'the package passes the access time twice, or nothing'),
    Left({'map_store'}, ALL, NATIVE, 'that a write comes from a mapping is not passed on: beside O_APPEND it may go to the end'),
    Left({'link'}, ALL, NATIVE, 'libfuse 2 numbers inodes by path: two names of one file are two files to it'),
]


class Allowed:
    def __init__(self, peer, bridge):
        self.peer, self.bridge = peer, bridge
        self.refusals = {
            (kind, row.error) for row in REFUSALS if peer in row.peers and bridge in row.bridges for kind in row.kinds
        }

    def done(self, kind):
        return not any(kind in row.kinds and self.peer in row.peers and self.bridge in row.bridges for row in LEFT_OUT)

    def refused(self, kind, result):
        return isinstance(result, str) and (kind, result) in self.refusals

    def compares_times(self):
        """fuse-native sets none but the access time."""
        return self.bridge == 'kernel'

    def forgets_removed(self):
        return self.bridge == 'fuse-native'

    def compares_links(self):
        return self.bridge == 'kernel' and self.peer == 'share'

    def hidden(self, name):
        """libfuse 2 renames what is open instead of removing it."""
        return self.bridge == 'fuse-native' and name.startswith('.fuse_hidden')

    def hidden_at_server(self, name):
        """The second are mod_dav's own."""
        return self.hidden(name) or name == '.DAV'
