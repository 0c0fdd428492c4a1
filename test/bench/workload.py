"""
workload.py WORK FOLDER [SERVED]: one measured piece of work in FOLDER, which holds what files.ts makes. Warms up, prints `ready`, waits for a
line, does the work, and prints seconds and what was done, as JSON. Timed inside, so that the start of the interpreter does not count.
SERVED: the same folder as the server has it. What is read must be what was written, and a change is done when it is there. (The file
system that does nothing has none.)
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

MIB = 1 << 20
BIG = 256 * MIB
BLOCK = 4096


def number(data):
    """Every block of 4 KiB begins with its number."""
    return int.from_bytes(data[:8], 'little')


class Work:
    def __init__(self, folder, served):
        self.folder = folder
        self.served = served
        self.check = served is not None

    def expect(self, right, what):
        if self.check and not right:
            raise SystemExit(f'wrong: {what}')

    def wrong_block(self, data, block, size=BLOCK):
        return self.expect(len(data) == size and number(data) == block, f'block {block}')

    # Metadata

    def stat(self):
        for index in range(5000):
            os.stat(f'{self.folder}/small/f{index % 50:05}')
        return 5000

    def ls(self):
        return self.lines(['ls', '-l', f'{self.folder}/flat'], 10001)

    def find(self):
        return self.lines(['find', f'{self.folder}/tree', '-printf', '%s\n'], 10101)

    def lines(self, command, expected):
        out = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        found = out.count(b'\n')
        self.expect(found == expected, f'{found} lines of {command[0]}, not {expected}')
        return found

    def walk(self):
        found = 0
        stack = [f'{self.folder}/tree']
        while stack:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    os.lstat(entry.path)
                    found += 1
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
        self.expect(found == 10100, f'{found} entries')
        return found

    def status(self):
        out = subprocess.run(
            ['git', '-c', 'safe.directory=*', '-C', f'{self.folder}/repo', 'status', '--porcelain'],
            stdout=subprocess.PIPE, check=True, env={**os.environ, 'HOME': '/nonexistent'}).stdout
        self.expect(out == b'', 'the work tree is dirty')
        return 1

    # Content

    def read_all(self, name, size):
        buffer = bytearray(MIB)
        done = 0
        with open(f'{self.folder}/{name}', 'rb', buffering=0) as file:
            while n := file.readinto(buffer):
                if done % BLOCK == 0:
                    self.expect(number(buffer) == done // BLOCK, f'{name} at {done}')
                done += n
        self.expect(done == size, f'{done} bytes of {name}')
        return done

    def read(self):
        return self.read_all('big', BIG)

    def parallel(self):
        done = []

        def one(index):
            done.append(self.read_all(f'parallel/p{index}', BIG // 4))
        threads = [threading.Thread(target=one, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.expect(len(done) == 4, 'a reader failed')
        return sum(done)

    def first(self):
        return self.blocks([0])

    def random(self):
        order = random.Random(2)
        return self.blocks(order.randrange(BIG // BLOCK) for _ in range(2000))

    def blocks(self, numbers):
        done = 0
        file = os.open(f'{self.folder}/big', os.O_RDONLY)
        for block in numbers:
            self.wrong_block(os.pread(file, BLOCK, block * BLOCK), block)
            done += 1
        os.close(file)
        return done

    def small(self):
        for index in range(1000):
            with open(f'{self.folder}/small/f{index:05}', 'rb') as file:
                self.wrong_block(file.read(), index)
        return 1000

    def grep(self):
        command = ['grep', '-rl', 'NEEDLE', f'{self.folder}/tree']
        out = subprocess.run(command, stdout=subprocess.PIPE).stdout
        self.expect(out.count(b'\n') == 100, f'{len(out)} bytes of hits')
        return 10000

    # Changes. What they are done on is put into the served folder before the first look at it.

    def give(self, path):
        """Whoever serves `big` may change it."""
        owner = os.stat(f'{self.served}/big')
        os.chown(path, owner.st_uid, owner.st_gid)

    def make_files(self, folder, count):
        os.makedirs(folder)
        self.give(folder)
        for index in range(count):
            name = f'{folder}/f{index:05}'
            with open(name, 'wb') as file:
                file.write(b'x' * 1000)
            self.give(name)

    def settle(self, is_done):
        """Some upload behind one's back."""
        while self.check and not is_done():
            time.sleep(0.005)

    def settle_files(self, count, size, folder=''):
        def is_done():
            sizes = [entry.stat(follow_symlinks=False).st_size
                     for entry in os.scandir(f'{self.served}/written{folder}')
                     if entry.is_file(follow_symlinks=False) and not entry.name.startswith('.')]
            return sizes.count(size) == count
        self.settle(is_done)

    def write(self):
        block = random.Random(1).randbytes(MIB)
        with open(f'{self.folder}/written/out', 'wb', buffering=0) as file:
            for _ in range(BIG // MIB):
                file.write(block)
        self.settle_files(1, BIG)
        return BIG

    def create(self):
        for index in range(1000):
            with open(f'{self.folder}/written/f{index:05}', 'wb', buffering=0) as file:
                file.write(b'x' * 1000)
        self.settle_files(1000, 1000)
        return 1000

    def prepare_patch(self):
        shutil.copyfile(f'{self.served}/big', f'{self.served}/written/out')
        self.give(f'{self.served}/written/out')
        # Apache vouches for no version that is younger than a second; what is patched is older as a rule.
        time.sleep(1.5)

    def patch(self):
        place = BIG // 2 + 1
        data = b'y' * BLOCK
        with open(f'{self.folder}/written/out', 'r+b', buffering=0) as file:
            os.pwrite(file.fileno(), data, place)

        def is_done():
            with open(f'{self.served}/written/out', 'rb') as file:
                return os.pread(file.fileno(), BLOCK, place) == data
        self.settle(is_done)
        return 1

    def append(self):
        for index in range(1000):
            with open(f'{self.folder}/written/log', 'ab', buffering=0) as file:
                file.write(b'%099d\n' % index)
        self.settle_files(1, 100_000)
        return 1000

    def prepare_tar(self):
        self.scratch = tempfile.TemporaryDirectory()
        for folder in range(30):
            self.make_files(f'{self.scratch.name}/t/d{folder:02}', 50)
        subprocess.run(['tar', '-C', self.scratch.name, '-cf', f'{self.scratch.name}/t.tar', 't'], check=True)

    def tar(self):
        subprocess.run(['tar', '-C', f'{self.folder}/written', '--no-same-owner', '-xf', f'{self.scratch.name}/t.tar'], check=True)
        for folder in range(30):
            self.settle_files(50, 1000, f'/t/d{folder:02}')
        return 1500

    def prepare_copy(self):
        self.make_files(f'{self.served}/written/from', 500)

    def copy(self):
        subprocess.run(['cp', '-r', f'{self.folder}/written/from', f'{self.folder}/written/to'], check=True)
        self.settle(lambda: os.path.exists(f'{self.served}/written/to'))
        self.settle_files(500, 1000, '/to')
        return 500

    def prepare_rename(self):
        self.make_files(f'{self.served}/written/from', 500)
        os.mkdir(f'{self.served}/written/to')
        self.give(f'{self.served}/written/to')

    def rename(self):
        for index in range(500):
            os.rename(f'{self.folder}/written/from/f{index:05}', f'{self.folder}/written/to/g{index:05}')
        self.settle_files(500, 1000, '/to')
        return 500

    def prepare_unlink(self):
        self.make_files(f'{self.served}/written/from', 1000)

    def unlink(self):
        for index in range(1000):
            os.unlink(f'{self.folder}/written/from/f{index:05}')
        self.settle_files(0, 1000, '/from')
        return 1000

    def folders(self):
        for index in range(500):
            os.mkdir(f'{self.folder}/written/d')
            os.rmdir(f'{self.folder}/written/d')
        self.settle(lambda: not os.listdir(f'{self.served}/written'))
        return 1000

    def prepare_commit(self):
        self.make_files(f'{self.served}/written/repo', 1000)

    def commit(self):
        for arguments in (['init', '-q'], ['add', '.'], ['commit', '-qm', 'one']):
            subprocess.run(['git', '-c', 'safe.directory=*', '-c', 'gc.auto=0', '-c', 'user.name=a',
                            '-c', 'user.email=a@a', '-C', f'{self.folder}/written/repo', *arguments],
                           check=True, env={**os.environ, 'HOME': '/nonexistent'})
        self.settle(lambda: os.path.exists(f'{self.served}/written/repo/.git/refs/heads/master')
                    or os.path.exists(f'{self.served}/written/repo/.git/refs/heads/main'))
        return 1000


WARM = ('stat', 'ls', 'find', 'status')

name, folder = sys.argv[1:3]
work = Work(folder, sys.argv[3] if len(sys.argv) > 3 else None)
getattr(work, f'prepare_{name}', lambda: None)()
# The first connection, and the root.
os.listdir(folder)
if name in WARM:
    getattr(work, name)()
    getattr(work, name)()
print('ready', flush=True)
sys.stdin.readline()
start = time.perf_counter()
done = getattr(work, name.removesuffix('-cold'))()
print(json.dumps({'done': done, 'seconds': time.perf_counter() - start}))
