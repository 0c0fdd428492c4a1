"""
run.py MOUNT LOCAL SERVED PEER BRIDGE SEED STEPS [FILE…]: random steps on a mount and in a local folder, compared after each.

Steps come in sequences, each in a fresh folder and from a seed of its own: SEED, SEED + 1, and so on. The first sequence that fails is
cut down to the steps that it takes, which are printed; with files of such steps these alone are done. "ask …" on standard output is
answered by "done" on standard input.
"""
import json
import os
import random
import re
import sys
import time
from collections import Counter

from allowed import Allowed
from compare import Disagreement
from kinds import KINDS, Draw
from model import Model

SEQUENCE = 400
SHRINK_SECONDS = float(os.environ.get('MODEL_SHRINK_SECONDS', '60'))

roots, (peer, bridge), seed, steps_wanted = sys.argv[1:4], sys.argv[4:6], int(sys.argv[6]), int(sys.argv[7])
allowed = Allowed(peer, bridge)
names = 0


def new_model():
    global names
    names += 1
    return Model(roots, f'sequence-{os.getpid()}-{names}', allowed)


def run(steps, on_step=lambda step, meant: None):
    """The failure, or None. `steps` may be drawn while it goes."""
    model = new_model()
    try:
        for step in steps(model) if callable(steps) else steps:
            failed_at = step
            on_step(step, model.do(step))
        failed_at = ['end']
        model.end()
    except (Disagreement, OSError) as failure:
        try:
            model.close_all()
        except OSError:
            pass
        return f'{json.dumps(failed_at)}\n    {failure}'
    model.discard()
    return None


def drawn(sequence_seed, count):
    def steps(model):
        kinds = [name for name in KINDS if allowed.done(name)]
        draw = Draw(random.Random(sequence_seed), model.local, kinds, peer)
        for _ in range(count):
            yield draw.step()
    return steps


def about(failure):
    """Enough to tell one defect from another."""
    return re.sub(r'[0-9]+|\'[^\']*\'', '', failure.splitlines()[1])[:30]


def cut_down(steps, failure):
    """Without one part after the other, as long as what remains fails."""
    deadline = time.monotonic() + SHRINK_SECONDS
    size = len(steps) // 2
    while size >= 1:
        at = 0
        while at < len(steps) and time.monotonic() < deadline:
            fewer = steps[:at] + steps[at + size:]
            still = run(fewer)
            if still is None or about(still) != about(failure):
                at += size
            else:
                steps, failure = fewer, still
        size //= 2
    return steps, failure


def fail(sequence_seed, steps, failure):
    again = [run(steps) for _ in range(3)]
    print(f'TEST_SEED={sequence_seed}: after {len(steps)} steps {failure}', flush=True)
    if None in again:
        print(f'Not each time: {sum(each is None for each in again)} of 3 repetitions passed. All steps:')
    else:
        steps, failure = cut_down(steps, failure)
        print(f'Cut down to {len(steps)} steps: {failure}')
    print('\n'.join(json.dumps(step) for step in steps))
    sys.exit(1)


os.umask(0o022)
for name in sys.argv[8:]:
    with open(name) as file:
        steps = [json.loads(line) for line in file if line.startswith('[')]
    failure = run(steps)
    if failure is not None:
        print(name)
        fail(seed, steps, failure)
if len(sys.argv) > 8:
    sys.exit()

started, done, meant = time.monotonic(), 0, Counter()
while done < steps_wanted:
    steps = []

    def note(step, means):
        meant[step[0]] += means

    def recorded(model):
        for step in drawn(seed, min(SEQUENCE, steps_wanted - done))(model):
            steps.append(step)
            yield step
    failure = run(recorded, note)
    if failure is not None:
        fail(seed, steps, failure)
    seed, done = seed + 1, done + len(steps)
    if done % (SEQUENCE * 50) == 0:
        print(f'{done} steps, {done / (time.monotonic() - started):.0f}/s', flush=True)
print(f'{done} steps of {len(meant)} kinds, {sum(meant.values())} of them meant something,'
      f' {done / (time.monotonic() - started):.0f}/s', flush=True)
print(json.dumps({'kinds': {name: meant[name] for name in KINDS}}))
