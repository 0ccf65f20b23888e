#!/usr/bin/env python3
# dagrun is killed at its system calls, at their entry and at their exit, alone or with what it started, and told to
# go on: oracle.py says what must hold, scenarios.py what it was doing. Without options some points of each scenario,
# evenly spread; --all: with -j1 every one, with -j4 many.
# Under the sanitizers, which make everything many times slower, a tenth of the points.
#
#	crash.t [--all] [--points N] [--seed N] [--workers N] [--only SCENARIO] [--jobs 1|4]
#		[--at MODE:JOBS:CALL:entry|exit[:again]]
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import driver  # noqa: E402
import oracle  # noqa: E402

POINTS = 1000
CHANGES = ('fcntl', 'linkat', 'mkdirat', 'pwrite64', 'renameat', 'renameat2', 'unlinkat', 'write')


def modes(run):
    """How it can be killed. Without a guardian nobody ends a task that hangs."""
    if run.guarded:
        return list(oracle.MODES) + list(oracle.GUARDED)
    return [m for m in oracle.MODES if m != 'first' or not run.s.hangs]


def calls_of(run, mode):
    """The first call at which it makes a difference, and the last."""
    return (1, run.guardian_calls) if mode.startswith('of the guardian') else (begins(run), len(run.calls))


def begins(run):
    """The first call that matters: before it dagrun has written nothing."""
    return run.calls.index('mkdirat') + 1 if 'mkdirat' in run.calls else 1


def telling(run, mode, call):
    """The first from there on, and else the last, that changes what a resume finds: most of the others find nothing new."""
    if mode.startswith('of the guardian'):
        return call
    which = [i + 1 for i, name in enumerate(run.calls) if name in CHANGES]
    return next((i for i in which if i >= call), which[-1] if which else call)


def some(runs, n_points, chance):
    """Spread over all runs, calls and modes alike; every other one at a call that changes something."""
    for run in runs:
        n = driver.share(run, runs, n_points)
        which = modes(run)
        turn = chance.randrange(2 * len(which))
        for i in range(n):
            mode = which[(turn + i) % len(which)]
            low, high = calls_of(run, mode)
            call = low + int((i + chance.random()) * (high + 1 - low) / n)
            if i // len(which) % 2:
                call = telling(run, mode, call)
            yield oracle.Point(run, mode, call, (turn + i // len(which) // 2) % 2 == 1, (turn + i) % 7 == 0)


def every(runs, chance):
    """Of a -j1 each call, its entry and its exit, the whole tree and one of the other modes in turns; of a -j4, which
    is never twice the same, as many as that at random."""
    for run in runs:
        others = [m for m in modes(run) if m != 'tree' and not m.startswith('of the')]
        for i in range(2 * len(run.calls)):
            n, on_exit = i // 2 + 1, i % 2 == 1
            if run.jobs > 1:
                mode = chance.choice(modes(run))
                yield oracle.Point(run, mode, chance.randint(*calls_of(run, mode)), chance.random() < .5, i % 4 == 0)
            else:
                yield oracle.Point(run, 'tree', n, on_exit, i % 16 == 0)
                yield oracle.Point(run, others[(i // 2 + i) % len(others)], n, on_exit, i % 16 == 8)


def one(runs, text):
    """As --at names it."""
    mode, jobs, n, where, again = re.fullmatch('(.+):([0-9]+):([0-9]+):(entry|exit)(:again)?', text).groups()
    for run in runs:
        if run.jobs == int(jobs):
            yield oracle.Point(run, mode, int(n), where == 'exit', bool(again))


def choose(runs, o, chance):
    return one(runs, o.at) if o.at else every(runs, chance) if o.all else some(runs, o.points, chance)


if __name__ == '__main__':
    sys.exit(driver.main(POINTS, choose))
