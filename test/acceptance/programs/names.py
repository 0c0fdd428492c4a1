"""Odd names. names.py make|check|rename|remove FOLDER: files and folders whose content is their own name."""
import os
import sys

NAMES = [
    'with space', ' leading', 'trailing ', '100%', '%20', 'per%20cent', 'a%2Fb', 'a#b', 'a?b', 'a&b', 'a;b', 'a=b', 'a+b',
    "single ' quote", 'double " quote', '<angle>', '[bracket]', '{brace}', 'back\\slash', 'col:on', 'a|b', 'a*b', '~tilde',
    '$dollar', '`tick`', '^', '!', '(', ',', '@at', 'new\nline', 'tab\there', '...', '.hidden', '-dash', '&amp;', ']]>',
    '\U0001f600 non-BMP', '\U0001f468\u200d\U0001f469\u200d\U0001f467', 'NFC \u00e9', 'NFD e\u0301',
    '\u65e5\u672c\u8a9e', '\u05d0\u05d1', 'CON', 'x' * 255, '\u00e9' * 127 + 'x', 'index.html',
]
FRESH = ' renamed \u00fc%#?&;'


def fits(name):
    return len(name.encode()) <= 255


def expect(folder, names):
    listed = sorted(os.listdir(folder.encode()))
    wanted = sorted(name.encode() for name in names)
    missing = [name for name in wanted if name not in listed]
    extra = [name for name in listed if name not in wanted]
    assert not missing and not extra, f'in {folder}: missing {missing}, not expected {extra}'


def make(folder):
    os.mkdir(f'{folder}/files')
    os.mkdir(f'{folder}/folders')
    for name in NAMES:
        with open(f'{folder}/files/{name}', 'w') as file:
            file.write(name)
        os.mkdir(f'{folder}/folders/{name}')
        with open(f'{folder}/folders/{name}/{name}', 'w') as file:
            file.write(name)
    try:
        open(f'{folder}/files/' + 'x' * 256, 'w')
    except OSError as error:
        assert os.strerror(error.errno) == 'File name too long', error
    else:
        raise AssertionError('a name of 256 bytes was taken')


def check(folder):
    expect(f'{folder}/files', NAMES)
    expect(f'{folder}/folders', NAMES)
    for name in NAMES:
        for path in (f'files/{name}', f'folders/{name}/{name}'):
            with open(f'{folder}/{path}') as file:
                content = file.read()
            assert content == name, f'{path!r} holds {content!r}'
        expect(f'{folder}/folders/{name}', [name])


def renamed(name):
    return name + FRESH if fits(name + FRESH) else name[:60] + FRESH


def rename(folder):
    for name in NAMES:
        os.rename(f'{folder}/files/{name}', f'{folder}/files/{renamed(name)}')
        os.rename(f'{folder}/folders/{name}', f'{folder}/folders/{renamed(name)}')
    expect(f'{folder}/files', [renamed(name) for name in NAMES])
    expect(f'{folder}/folders', [renamed(name) for name in NAMES])
    for name in NAMES:
        for path in (f'files/{renamed(name)}', f'folders/{renamed(name)}/{name}'):
            with open(f'{folder}/{path}') as file:
                assert file.read() == name, path


def remove(folder):
    for name in NAMES:
        os.unlink(f'{folder}/files/{renamed(name)}')
        os.unlink(f'{folder}/folders/{renamed(name)}/{name}')
        os.rmdir(f'{folder}/folders/{renamed(name)}')
    expect(f'{folder}/files', [])
    expect(f'{folder}/folders', [])


{'make': make, 'check': check, 'rename': rename, 'remove': remove}[sys.argv[1]](sys.argv[2])
