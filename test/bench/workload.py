"""
workload.py WORK FOLDER: one measured piece of work in FOLDER; prints seconds and what was done, as JSON. Timed inside, so that the start of
the interpreter does not count.
"""
import json
import os
import random
import sys
import time

MIB = 1 << 20
BIG = 256


def read(folder):
    buffer = bytearray(MIB)
    with open(f'{folder}/big', 'rb', buffering=0) as file:
        done = 0
        while n := file.readinto(buffer):
            done += n
            if done == BIG * MIB:
                break
    return done / MIB


def write(folder):
    block = random.Random(1).randbytes(MIB)
    with open(f'{folder}/written', 'wb', buffering=0) as file:
        for _ in range(BIG):
            file.write(block)
    return BIG


def randomly(folder):
    order = random.Random(2)
    with open(f'{folder}/big', 'rb', buffering=0) as file:
        for _ in range(1000):
            os.pread(file.fileno(), 4096, order.randrange(BIG * MIB // 4096) * 4096)
    return 1000


def walk(folder):
    found = 0
    stack = [f'{folder}/tree']
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                else:
                    found += entry.stat(follow_symlinks=False).st_size >= 0
    return found


def create(folder):
    # On the null file system every name is there already.
    os.makedirs(f'{folder}/small', exist_ok=True)
    for index in range(1000):
        with open(f'{folder}/small/file-{index}', 'wb', buffering=0) as file:
            file.write(b'x' * 1000)
    return 1000


def stat(folder):
    for index in range(5000):
        os.stat(f'{folder}/file-{index % 50}')
    return 5000


work, folder = sys.argv[1:3]
start = time.perf_counter()
done = {'read': read, 'write': write, 'random': randomly, 'walk': walk, 'create': create, 'stat': stat}[work](folder)
print(json.dumps({'done': done, 'seconds': time.perf_counter() - start}))
