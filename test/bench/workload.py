"""
workload.py WORK FOLDER [CHECK]: one measured piece of work in FOLDER, which holds what files.ts makes. Warms up, prints `ready`, waits for a
line, does the work, and prints seconds and what was done, as JSON. Timed inside, so that the start of the interpreter does not count.
CHECK: what is read must be what was written (not so on the file system that does nothing).
"""
import json
import os
import random
import subprocess
import sys
import threading
import time

MIB = 1 << 20
BIG = 256 * MIB
BLOCK = 4096


def number(data):
    """Every block of 4 KiB begins with its number."""
    return int.from_bytes(data[:8], 'little')


class Work:
    def __init__(self, folder, check):
        self.folder = folder
        self.check = check

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

    # Changes

    def write(self):
        block = random.Random(1).randbytes(MIB)
        with open(f'{self.folder}/written/out', 'wb', buffering=0) as file:
            for _ in range(BIG // MIB):
                file.write(block)
        return BIG

    def create(self):
        for index in range(1000):
            with open(f'{self.folder}/written/f{index:05}', 'wb', buffering=0) as file:
                file.write(b'x' * 1000)
        return 1000


WARM = ('stat', 'ls', 'find', 'status')

name, folder = sys.argv[1:3]
work = Work(folder, sys.argv[3:] == ['check'])
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
