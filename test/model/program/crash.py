"""
crash.py MOUNT SERVED PEER WHAT SEED ROUNDS [journal]: steps while WHAT (davport, peer, channel) is killed, by who answers "ask kill" and
"ask mend"; after each round everything that was promised is looked for at the peer, then through the mount. With "journal" a close
promises no more than that the mount will bring it, sooner or later: only the mount is asked.
"""
import errno
import os
import random
import sys
import time
from collections import Counter

from compare import Disagreement, same
from crash_steps import STEPS
from kinds import bytes_of
from promises import ABSENT, FOLDER, Promises, tree_at_peer, tree_of

"""What a program may be told when the other side of it is gone."""
BROKEN = {
    'davport': {errno.ENOTCONN, errno.ECONNABORTED, errno.EIO},
    'peer': {errno.EIO, errno.ETIMEDOUT},
    'channel': {errno.EIO, errno.ETIMEDOUT},
}
STEPS_AFTER_KILL = 6
ROUND_SECONDS = 1.0


class World:
    def __init__(self, root, peer, seed):
        self.root, self.random = root, random.Random(seed)
        self.removes_before_move = peer == 'apache'
        self.writes_in_place = peer == 'apache'
        self.keeps_links = peer == 'share'
        self.promises = Promises()
        self.seed = seed << 20

    def at(self, path):
        return f'{self.root}/{path}'

    def next_seed(self):
        self.seed += 1
        return self.seed

    def version(self):
        size = self.random.choice([0, 10, 5000, 70_000, 300_000, 1_500_000])
        return bytes_of(self.next_seed(), size)

    def file_name(self):
        folders = [''] + [f'{path}/' for path in 'de' if self.promises.content(path) == FOLDER and self.promises.known(path)]
        return self.random.choice(folders) + self.random.choice(['f', 'g', 'h ü'])

    def existing(self):
        paths = [path for path, content in self.promises.sure.items() if isinstance(content, bytes) and self.promises.known(path)]
        return self.random.choice(sorted(paths)) if paths else None

    def same(self, path, content):
        same(f'content of {path!r}', content, self.promises.content(path))

    def same_names(self, sure, names):
        unknown = names - set(self.promises.may)
        if not sure <= names or unknown:
            raise Disagreement(f'names: {sorted(sure - names)} are missing, {sorted(unknown)} were never made')


def ask(what):
    print(f'ask {what}', flush=True)
    answer = sys.stdin.readline().strip()
    if answer != 'done':
        sys.exit(f'{what}: {answer}')


def steps_until_broken(world, what, counts):
    names, weights = list(STEPS), [weight for _, weight in STEPS.values()]
    end, failed = time.monotonic() + ROUND_SECONDS, 0
    while time.monotonic() < end and failed < STEPS_AFTER_KILL:
        name = world.random.choices(names, weights)[0]
        try:
            STEPS[name][0](world)
            counts[name] += 1
        except OSError as error:
            if error.errno not in BROKEN[what]:
                raise Disagreement(f'{name}: {error}') from error
            failed += 1
            counts['broken'] += 1
            if what == 'davport':
                return


def bring(root):
    """What could not be brought before is brought, at the latest by an fsync."""
    for path, content in tree_of(root).items():
        if isinstance(content, bytes):
            fd = os.open(f'{root}/{path}', os.O_RDONLY)
            os.fsync(fd)
            os.close(fd)


def main():
    root, served, peer, what, seed, rounds = *sys.argv[1:5], int(sys.argv[5]), int(sys.argv[6])
    journal = 'journal' in sys.argv[7:]
    world, counts = World(root, peer, seed), Counter()
    hidden = lambda name: name.startswith(('.DAV', '.davfs.tmp', '.davport-'))  # noqa: E731
    for number in range(1, rounds + 1):
        try:
            ask('kill')
            steps_until_broken(world, what, counts)
            ask('killed')
            if what == 'davport' and not journal and world.keeps_links:
                world.promises.check('at the peer', tree_at_peer(served, hidden))
            ask('mend')
            bring(root)
            found = tree_of(root)
            world.promises.check('through the mount', found)
            same('names at the peer', sorted(tree_at_peer(served, hidden)), sorted(found))
            if world.keeps_links:
                world.promises.check('at the peer, after all', tree_at_peer(served, hidden))
            world.promises.settle(found)
        except Disagreement as failure:
            sys.exit(f'TEST_SEED={seed}, round {number}: {failure}')
    print(f'{rounds} rounds, {sum(counts.values())} steps, {counts.pop("broken", 0)} of them broken; {dict(counts)}')


main()
