/** A program that changes files at random and says what it is about to do, and what was done: of a mount that dies under it, all that was promised is known. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Path below the folder → SHA-256 of the content; a folder is 'dir'. */
export type Shadow = ReadonlyMap<string, string>;

/** One line of the program before a step, or `done` after it. */
export type Step =
  | { readonly op: 'write' | 'mkdir'; readonly path: string; readonly content: string }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'rename'; readonly path: string; readonly to: string }
  | { readonly op: 'done' };

/** Begins with some files that take a while to be uploaded. Arguments: the folder, a file for the lines, a seed, how many steps. Ends at the first error, with exit code 3. */
export const SHADOW_WRITER = `
import hashlib, json, os, random, sys
root, log, seed, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
draw = random.Random(seed)
out = open(log, 'a', buffering=1)
def tell(**line):
    out.write(json.dumps(line) + '\\n')
def sha(content):
    return hashlib.sha256(content).hexdigest()
files, folders = {}, ['']
def scan(below):
    for entry in os.scandir(root + '/' + below):
        name = below + entry.name
        if entry.is_dir():
            folders.append(name + '/')
            scan(name + '/')
        else:
            files[name] = None
def content(number):
    size = draw.choice([0, 10, 1000, 5000, 70000, 300000])
    return (b'%d-%d ' % (seed, number) * (size // 4 + 1))[:size]
def write(name, mode, data, whole, sync):
    tell(op='write', path=name, content=sha(whole))
    with open(root + '/' + name, mode, buffering=0) as file:
        for at in range(0, len(data), 40000):
            file.write(data[at:at + 40000])
        if sync:
            os.fsync(file.fileno())
    files[name] = whole
    tell(op='done')
def step(number):
    kind = draw.randrange(20)
    name = draw.choice(folders) + 'f%d' % draw.randrange(8)
    there = sorted(files)
    if kind < 9 or not there:
        data = content(number)
        write(name, 'wb' if name in files else 'xb', data, data, kind == 0)
    elif kind < 11:
        name = draw.choice(there)
        data = content(number)
        # Of another run's the content is not known here.
        if files[name] is not None:
            write(name, 'ab', data, files[name] + data, False)
    elif kind < 14:
        name = draw.choice(there)
        tell(op='remove', path=name)
        os.unlink(root + '/' + name)
        del files[name]
        tell(op='done')
    elif kind < 18:
        source = draw.choice(there)
        if source == name:
            return
        tell(op='rename', path=source, to=name)
        os.rename(root + '/' + source, root + '/' + name)
        files[name] = files.pop(source)
        tell(op='done')
    elif kind == 18 and len(folders) < 4:
        folder = 'd%d' % number
        tell(op='mkdir', path=folder, content='dir')
        os.mkdir(root + '/' + folder)
        folders.append(folder + '/')
        tell(op='done')
    elif kind == 19 and len(folders) > 1:
        old, new = draw.choice(folders[1:]), 'r%d/' % number
        tell(op='rename', path=old[:-1], to=new[:-1])
        os.rename(root + '/' + old, root + '/' + new)
        folders[folders.index(old)] = new
        for name in there:
            if name.startswith(old):
                files[new + name[len(old):]] = files.pop(name)
        tell(op='done')
try:
    scan('')
    for number in range(6):
        data = (b'%d %d ' % (seed, number) * 50000)[:250000]
        write('first%d' % number, 'wb', data, data, False)
    for number in range(steps):
        step(number)
except OSError as error:
    print(error)
    sys.exit(3)
`;

export function applyStep(shadow: Shadow, step: Step): Map<string, string> {
  const after = new Map(shadow);
  if (step.op === 'write' || step.op === 'mkdir') after.set(step.path, step.content);
  if (step.op === 'remove') after.delete(step.path);
  if (step.op === 'rename') {
    for (const [name, content] of shadow) {
      if (name !== step.path && !name.startsWith(`${step.path}/`)) continue;
      after.delete(name);
      after.set(step.to + name.slice(step.path.length), content);
    }
  }
  return after;
}

/** What was promised by the lines, and what may be true as well: the step that was not done. */
export function promised(before: Shadow, lines: readonly Step[]): [Shadow, Shadow] {
  let shadow = before;
  let pending: Step | undefined;
  for (const line of lines) {
    if (line.op === 'done') shadow = applyStep(shadow, pending!);
    pending = line.op === 'done' ? undefined : line;
  }
  return [shadow, pending === undefined ? shadow : applyStep(shadow, pending)];
}

/** Of a local folder. Names that `isHidden` says are left out. */
export function shadowOf(folder: string, isHidden: (name: string) => boolean): Shadow {
  const found = new Map<string, string>();
  for (const name of namesBelow(folder)) {
    if (isHidden(path.basename(name))) continue;
    const state = stateOf(path.join(folder, name));
    if (state !== undefined) found.set(name, state);
  }
  return found;
}

/** A folder that is renamed while they are read is looked for again. */
function namesBelow(folder: string, attempts = 5): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    if (attempts <= 1 || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return namesBelow(folder, attempts - 1);
  }
}

/** Undefined: it has gone meanwhile, as a temporary file of a server does when its client has. */
function stateOf(file: string): string | undefined {
  try {
    if (lstatSync(file).isDirectory()) return 'dir';
    return createHash('sha256').update(readFileSync(file)).digest('hex');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export const LIST_SHADOW = `
import hashlib, json, os, sys
found = {}
for folder, folders, files in os.walk(sys.argv[1]):
    for name in folders:
        found[os.path.relpath(os.path.join(folder, name), sys.argv[1])] = 'dir'
    for name in files:
        path = os.path.join(folder, name)
        with open(path, 'rb') as file:
            found[os.path.relpath(path, sys.argv[1])] = hashlib.sha256(file.read()).hexdigest()
print(json.dumps(found))
`;
