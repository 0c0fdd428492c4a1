import assert from 'node:assert/strict';
import { bash } from '../support/run.js';
import { scenario } from '../support/scenario.js';

/** Should it fail, what make would do and the times that it goes by. */
const UP_TO_DATE = `
cd "$1/project"
make -q all || { make -n all; stat -c '%y %n' *; exit 1; }`;

/** 20 modules, a static library and a program; gold writes its output through a shared mapping of the file. */
const MAKE_PROJECT = `
mkdir "$1/project"; cd "$1/project"
for i in $(seq 20); do
  echo "int value_$i(void) { return $i; }" > module_$i.c
done
{
  echo '#include <stdio.h>'
  for i in $(seq 20); do echo "int value_$i(void);"; done
  echo 'int main(void) { int sum = 0;'
  for i in $(seq 20); do echo "sum += value_$i();"; done
  echo 'printf("%d\\n", sum); return 0; }'
} > main.c
cat > Makefile <<'END'
OBJECTS := $(patsubst %.c,%.o,$(wildcard module_*.c))
all: mapped plain
mapped: main.o libmodules.a
	$(CC) -fuse-ld=gold -Wl,--mmap-output-file -o $@ main.o -L. -lmodules
plain: main.o libmodules.a
	$(CC) -fuse-ld=bfd -o $@ main.o -L. -lmodules
libmodules.a: $(OBJECTS)
	ar rc $@ $^
END`;

scenario(
  'make of a C project, with a linker that maps its output',
  { timeoutMs: 90_000 },
  async ({ peer, mount, dir }) => {
    await bash(MAKE_PROJECT, [dir]);
    await bash('cd "$1/project" && make -s -j2 all', [dir], { timeoutMs: 60_000 });
    await bash(UP_TO_DATE, [dir]);
    const programs =
      'cp "$1/project/mapped" "$1/project/plain" "$2"; cd "$2"; chmod +x *; ./mapped; ./plain';
    for (const from of [dir, peer.dir]) {
      const { stdout } = await bash(
        `d=$(mktemp -d); trap 'rm -r "$d"' EXIT; set -- "$1" "$d"; ${programs}`,
        [from],
      );
      assert.equal(stdout, '210\n210\n');
    }
    await mount.remount();
    await bash(UP_TO_DATE, [dir]);
  },
);

scenario(
  'a program built on the mount runs there',
  { timeoutMs: 60_000, peers: ['share', 'apache'] },
  async ({ mount, dir }) => {
    await bash(`cd "$1" && echo 'int main(void) { return 7; }' > seven.c && gcc -o seven seven.c`, [
      dir,
    ]);
    assert.equal((await bash('"$1/seven"', [dir], { accept: 'any' })).code, 7);
    await mount.remount();
    assert.equal((await bash('"$1/seven"', [dir], { accept: 'any' })).code, 7);
  },
);
