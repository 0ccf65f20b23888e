# What crash.t and faults.t share: points are tried by some processes at once, and counted in a table.
import argparse
import collections
import json
import os
import random
import shutil
import signal
import sys
import time

BUILD = os.environ['builddir']
os.environ.setdefault('CRASH_STOPPER', os.path.join(BUILD, 'tests/crash/stopper'))
os.environ.setdefault('CRASH_TASK', os.path.join(BUILD, 'tests/crash/task'))
os.environ.setdefault('CRASH_JOURNAL', os.path.join(BUILD, 'tests/journal-tool'))
import oracle  # noqa: E402
import scenarios  # noqa: E402

JOBS = (1, 4)
# One that sleeps for its retry gets fewer.
SHARES = {'retries': .1, 'timeout': .4}


def share(run, runs, n_points):
    """How many of so many points are this run's."""
    return max(2, round(n_points * SHARES.get(run.s.name, 1) / sum(SHARES.get(r.s.name, 1) for r in runs)))


def worker(points, top, out):
    """Tries these, and writes a line each. What it has started ends with it."""
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
                test = os.path.basename(sys.argv[0])
                print("  again: %s --only %s --at '%s'" % (test, p.run.s.name, p.at()), flush=True)


def work(points, top, workers):
    """All points in so many processes; what each came to, in their order."""
    lanes = []
    fast = [(i, p) for i, p in enumerate(points) if not p.run.s.slow]
    slow = [(i, p) for i, p in enumerate(points) if p.run.s.slow]
    for ps, n in ((fast, workers), (slow, 2 * workers)):
        lanes += [ps[i::n] for i in range(n) if ps[i::n]]
    pids = []
    parent = os.getpid()
    for i, lane in enumerate(lanes):
        place = os.path.join(top, 'worker%d' % i)
        os.makedirs(place)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                oracle.end_with(parent)
                worker(lane, place, os.path.join(top, 'result%d' % i))
                status = 0
            finally:
                oracle.nobody_left(0)
                sys.stdout.flush()
                os._exit(status)
        pids.append(pid)
    try:
        broken = sum(os.waitpid(pid, 0)[1] != 0 for pid in pids)
    except SystemExit:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        for pid in pids:
            try:
                os.waitpid(pid, 0)
            except ChildProcessError:
                pass
        raise
    finally:
        # Of a worker that was killed.
        oracle.nobody_left(0)
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
    which = sorted({mode for name, mode in cells if name == 'all'}, key=[p.mode for p in points].index)
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


def own_programs(top):
    """A build that goes on beside a run of hours changes nothing in it."""
    for name in ('DAGRUN', 'CRASH_STOPPER', 'CRASH_TASK', 'CRASH_JOURNAL'):
        at = os.environ[name]
        os.environ[name] = shutil.copy(at, os.path.join(top, os.path.basename(at)))
    oracle.DAGRUN, oracle.STOPPER = os.environ['DAGRUN'], os.environ['CRASH_STOPPER']


def arguments(points):
    p = argparse.ArgumentParser()
    p.add_argument('--all', action='store_true')
    p.add_argument('--points', type=int, default=points // 10 if sanitized() else points)
    p.add_argument('--seed', type=int, default=int.from_bytes(os.urandom(4), 'big'))
    p.add_argument('--only')
    p.add_argument('--jobs', type=int, choices=JOBS)
    p.add_argument('--workers', type=int, default=len(os.sched_getaffinity(0)))
    p.add_argument('--at')
    return p.parse_args()


def main(points, choose):
    """`points` of them, or all; choose(runs, options, chance) yields them. The test's exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(99))
    o = arguments(points)
    if not oracle.subreaper() or not os.path.exists('/proc/self/task/%d/children' % os.getpid()):
        print('skipped: orphans cannot be found here')
        return 77
    chance = random.Random(o.seed)
    print('seed %d' % o.seed, flush=True)
    top = oracle.working_directory()
    try:
        own_programs(top)
        runs = [oracle.Run(s, j, top) for s in scenarios.ALL for j in JOBS
                if o.only in (None, s.name) and o.jobs in (None, j)]
        began = time.monotonic()
        ps = list(choose(runs, o, chance))
        chance.shuffle(ps)
        broken, results = work(ps, top, o.workers)
        bad = table(ps, results)
        missing = sum(r is None for r in results)
        takes = time.monotonic() - began
        print('%d points in %.1f s, %.0f a second' % (len(ps), takes, len(ps) / takes))
        if broken or missing:
            print('%d workers broke, %d points were not tried' % (broken, missing))
        return 1 if bad or broken or missing else 0
    finally:
        os.chdir('/')
        shutil.rmtree(top, ignore_errors=True)
