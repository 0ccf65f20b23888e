#!/usr/bin/env python3
# dagrun is killed at its system calls, at their entry and at their exit, alone or with what it started, and told to
# go on: oracle.py says what must hold, scenarios.py what it was doing. Without options some points of each scenario,
# evenly spread; --all: with -j1 every one, with -j4 many.
# Under the sanitizers, which make everything many times slower, a tenth of the points.
#
#	crash.t [--all] [--points N] [--seed N] [--only SCENARIO] [--at MODE:JOBS:CALL:entry|exit[:again]]
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import driver  # noqa: E402
import oracle  # noqa: E402

POINTS = 1000


def modes(scenario=None):
    """How it can be killed. Without a guardian nobody ends a task that hangs."""
    all_of_them = list(oracle.MODES) + (list(oracle.GUARDED) if oracle.GUARDIAN else [])
    return [m for m in all_of_them if oracle.GUARDIAN or m != 'first' or not (scenario and scenario.hangs)]


def begins(run):
    """The first call that matters: before it dagrun has written nothing."""
    return run.calls.index('mkdirat') + 1 if 'mkdirat' in run.calls else 1


def some(runs, n_points, chance):
    """Spread over all runs, calls and modes alike."""
    for run in runs:
        n = driver.share(run, runs, n_points)
        low, high = begins(run), len(run.calls)
        which = modes(run.s)
        turn = chance.randrange(2 * len(which))
        for i in range(n):
            call = low + int((i + chance.random()) * (high + 1 - low) / n)
            yield oracle.Point(run, which[(turn + i) % len(which)], call, (turn + i // len(which)) % 2 == 1,
                               (turn + i) % 7 == 0)


def every(runs, chance):
    """Of a -j1 each call, its entry and its exit, the whole tree and one of the other modes in turns; of a -j4, which
    is never twice the same, as many as that at random."""
    for run in runs:
        others = [m for m in modes(run.s) if m != 'tree']
        for i in range(2 * len(run.calls)):
            n, on_exit = i // 2 + 1, i % 2 == 1
            if run.jobs > 1:
                n, on_exit = chance.randint(begins(run), len(run.calls)), chance.random() < .5
                yield oracle.Point(run, chance.choice(modes(run.s)), n, on_exit, i % 4 == 0)
            else:
                yield oracle.Point(run, 'tree', n, on_exit, i % 16 == 0)
                yield oracle.Point(run, others[(i // 2 + i) % len(others)], n, on_exit, i % 16 == 8)


def one(runs, text):
    """As --at names it."""
    mode, jobs, n, where, *again = text.split(':')
    for run in runs:
        if run.jobs == int(jobs):
            yield oracle.Point(run, mode, int(n), where == 'exit', bool(again))


def choose(runs, o, chance):
    return one(runs, o.at) if o.at else every(runs, chance) if o.all else some(runs, o.points, chance)


if __name__ == '__main__':
    sys.exit(driver.main(POINTS, choose))
