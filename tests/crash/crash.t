#!/usr/bin/env python3
# dagrun is killed at its system calls, at their entry and at their exit, alone or with what it started, and told to
# go on: oracle.py says what must hold, scenarios.py what it was doing. Without options some points of each scenario,
# evenly spread; --all: with -j1 every one, with -j4 many.
# Under the sanitizers, which make everything many times slower, a tenth of the points.
#
#	crash.t [--all] [--points N] [--seed N] [--only SCENARIO] [--at MODE:JOBS:CALL:entry|exit[:again]]
import argparse
import collections
import json
import os
import random
import shutil
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ['builddir']
os.environ.setdefault('CRASH_STOPPER', os.path.join(BUILD, 'tests/crash/stopper'))
os.environ.setdefault('CRASH_TASK', os.path.join(BUILD, 'tests/crash/task'))
import oracle  # noqa: E402
import scenarios  # noqa: E402

JOBS = (1, 4)
POINTS = 1000
# One that sleeps for its retry gets fewer.
SHARES = {'retries': .1, 'timeout': .4}
WORKERS = len(os.sched_getaffinity(0))


def modes(scenario=None):
    """How it can be killed. Without a guardian nobody ends a task that hangs."""
    all_of_them = list(oracle.MODES) + (list(oracle.GUARDED) if oracle.GUARDIAN else [])
    return [m for m in all_of_them if oracle.GUARDIAN or m != 'first' or not (scenario and scenario.hangs)]


def begins(run):
    """The first call that matters: before it dagrun has written nothing."""
    return run.calls.index('mkdirat') + 1 if 'mkdirat' in run.calls else 1


def some(runs, n_points, chance):
    """Spread over all runs, calls and modes alike."""
    total = sum(SHARES.get(r.s.name, 1) for r in runs)
    for run in runs:
        n = max(2, round(n_points * SHARES.get(run.s.name, 1) / total))
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


def worker(points, top, out):
    """Tries these, and writes a line each."""
    oracle.subreaper()
    with open(out, 'w') as f:
        for i, p in points:
            os.chdir('/')
            p.run.at_home(top)
            began = time.monotonic()
            twice, wrong = p.work()
            print(json.dumps([i, twice, wrong, time.monotonic() - began]), file=f, flush=True)
            if wrong:
                print('VIOLATION: %s: %s' % (p, wrong), flush=True)
                print("  again: crash.t --only %s --at '%s'" % (p.run.s.name, p.at()), flush=True)


def work(points, top):
    """All points in some processes; what each came to, in their order."""
    lanes = []
    fast = [(i, p) for i, p in enumerate(points) if not p.run.s.slow]
    slow = [(i, p) for i, p in enumerate(points) if p.run.s.slow]
    for ps, n in ((fast, WORKERS), (slow, 2 * WORKERS)):
        lanes += [ps[i::n] for i in range(n) if ps[i::n]]
    pids = []
    for i, lane in enumerate(lanes):
        place = os.path.join(top, 'worker%d' % i)
        os.makedirs(place)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                worker(lane, place, os.path.join(top, 'result%d' % i))
                status = 0
            finally:
                sys.stdout.flush()
                os._exit(status)
        pids.append(pid)
    broken = sum(os.waitpid(pid, 0)[1] != 0 for pid in pids)
    results = {}
    for i in range(len(lanes)):
        with open(os.path.join(top, 'result%d' % i)) as f:
            for line in f:
                index, *rest = json.loads(line)
                results[index] = rest
    return broken, [results.get(i) for i in range(len(points))]


def table(points, results):
    """Points tried, with violations behind a '!', by scenario and mode."""
    cells = collections.defaultdict(lambda: [0, 0])
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    for p, r in zip(points, results):
        if r is None:
            continue
        for key in ((p.run.s.name, p.mode), ('all', p.mode)):
            cells[key][0] += 1
            cells[key][1] += r[1] is not None
        for key in (p.run.s.name, 'all'):
            sums[key][0] += 1
            sums[key][1] += r[0] is not None
            sums[key][2] += r[0] or 0
            sums[key][3] += r[1] is not None
    which = [m for m in modes() if ('all', m) in cells]
    heads = ['%-12s' % 'scenario'] + which + ['points', 'cut short', 'ran twice', 'violations']
    print(' | '.join(heads))
    for name in [s.name for s in scenarios.ALL if s.name in sums] + ['all']:
        row = ['%-12s' % name]
        for m in which:
            tried, bad = cells[name, m]
            row.append(('%d!%d' % (tried, bad) if bad else str(tried)).rjust(len(m)))
        for value, head in zip(sums[name], heads[-4:]):
            row.append(str(value).rjust(len(head)))
        print(' | '.join(row))
    return sums['all'][3]


def sanitized():
    with open(oracle.DAGRUN, 'rb') as f:
        return b'__asan_init' in f.read()


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument('--all', action='store_true')
    p.add_argument('--points', type=int, default=POINTS // 10 if sanitized() else POINTS)
    p.add_argument('--seed', type=int, default=int.from_bytes(os.urandom(4), 'big'))
    p.add_argument('--only')
    p.add_argument('--at')
    return p.parse_args()


def main():
    o = arguments()
    if not oracle.subreaper() or not os.path.exists('/proc/self/task/%d/children' % os.getpid()):
        print('skipped: orphans cannot be found here')
        return 77
    chance = random.Random(o.seed)
    print('seed %d' % o.seed, flush=True)
    top = oracle.working_directory()
    try:
        runs = [oracle.Run(s, j, top) for s in scenarios.ALL for j in JOBS if o.only in (None, s.name)]
        points = list(one(runs, o.at) if o.at else every(runs, chance) if o.all else some(runs, o.points, chance))
        began = time.monotonic()
        chance.shuffle(points)
        broken, results = work(points, top)
        bad = table(points, results)
        missing = sum(r is None for r in results)
        takes = time.monotonic() - began
        print('%d points in %.1f s, %.0f a second' % (len(points), takes, len(points) / takes))
        if broken or missing:
            print('%d workers broke, %d points were not tried' % (broken, missing))
        return 1 if bad or broken or missing else 0
    finally:
        os.chdir('/')
        shutil.rmtree(top, ignore_errors=True)


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(99))
    sys.exit(main())
