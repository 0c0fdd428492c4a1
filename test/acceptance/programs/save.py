"""
save.py FOLDER ROUNDS [ERROR…]: saves a document as editors do, while readers look on. Each reader sees an old or a new text, never half of
one, or one of the named errors.
"""
import os
import sys
import threading
import time

folder, rounds = sys.argv[1], int(sys.argv[2])
path = f'{folder}/document.txt'
# Changed while it was read: told, not mixed.
allowed = {'Stale file handle', *sys.argv[3:]}
done = threading.Event()
problems = []


def text(version):
    return f'version {version}\n'.encode() * (500 + version * 37)


TEXTS = {text(version) for version in range(rounds * 2 + 1)}


def save_by_rename(version):
    """Writes beside and renames over: what gedit, emacs and most others do."""
    temporary = f'{folder}/.document.txt.tmp'
    with open(temporary, 'wb') as file:
        file.write(text(version))
        file.flush()
        os.fsync(file.fileno())
    os.rename(temporary, path)


def save_with_backup(version):
    """Renames the old away, writes anew, removes the old: vim with its defaults."""
    swap = f'{folder}/.document.txt.swp'
    fd = os.open(swap, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.pwrite(fd, b'b0VIM 9.0', 0)
    os.fsync(fd)
    os.rename(path, path + '~')
    with open(path, 'wb') as file:
        file.write(text(version))
        file.flush()
        os.fsync(file.fileno())
    os.unlink(path + '~')
    os.close(fd)
    os.unlink(swap)


def look():
    while not done.is_set():
        try:
            with open(path, 'rb') as file:
                content = file.read()
        except OSError as error:
            if os.strerror(error.errno) not in allowed:
                problems.append(repr(error))
            continue
        if content not in TEXTS:
            problems.append(f'{len(content)} bytes of no version: {content[:40]!r}')
        time.sleep(0.002)


with open(path, 'wb') as file:
    file.write(text(0))
readers = [threading.Thread(target=look) for _ in range(2)]
for reader in readers:
    reader.start()
try:
    for version in range(1, rounds + 1):
        save_by_rename(version)
        with open(path, 'rb') as file:
            assert file.read() == text(version), f'version {version} is not what was saved'
finally:
    done.set()
    for reader in readers:
        reader.join()
for version in range(rounds + 1, 2 * rounds + 1):
    save_with_backup(version)
    with open(path, 'rb') as file:
        assert file.read() == text(version), f'version {version} is not what was saved'
assert not problems, problems[:5]
assert os.listdir(folder) == ['document.txt'], os.listdir(folder)
