"""parallel.py FOLDER SEED: 64 threads that read and 64 that write, at once. FOLDER/ready holds the files to read."""
import hashlib
import os
import random
import sys
import threading

folder, seed = sys.argv[1], int(sys.argv[2])
names = sorted(os.listdir(f'{folder}/ready'))
problems = []


def read(index):
    order = random.Random(seed + index)
    for _ in range(4):
        name = order.choice(names)
        with open(f'{folder}/ready/{name}', 'rb') as file:
            if order.random() < 0.5:
                content = file.read()
            else:
                # Pieces in a random order.
                size = os.fstat(file.fileno()).st_size
                pieces = {}
                starts = list(range(0, size, 30011))
                order.shuffle(starts)
                for start in starts:
                    pieces[start] = os.pread(file.fileno(), 30011, start)
                content = b''.join(pieces[start] for start in sorted(pieces))
        digest = hashlib.sha256(content).hexdigest()
        assert name.startswith(digest[:16]), f'{name}: {len(content)} bytes with digest {digest}'


def write(index):
    order = random.Random(-seed - index)
    path = f'{folder}/writer-{index}'
    for turn in range(2):
        content = order.randbytes(order.randrange(1, 200_000))
        with open(f'{path}-{turn}', 'wb') as file:
            for start in range(0, len(content), 7919):
                file.write(content[start:start + 7919])
        with open(f'{path}-{turn}', 'rb') as file:
            assert file.read() == content, f'{path}-{turn} reads differently'
        digest = hashlib.sha256(content).hexdigest()[:16]
        os.rename(f'{path}-{turn}', f'{folder}/written/{digest}-{index}-{turn}')


def guarded(work, index):
    try:
        work(index)
    except BaseException as error:
        problems.append(f'{work.__name__} {index}: {error!r}')


os.makedirs(f'{folder}/written')
threads = [threading.Thread(target=guarded, args=(work, i)) for i in range(64) for work in (read, write)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if problems:
    sys.exit('\n'.join(problems[:10]))
