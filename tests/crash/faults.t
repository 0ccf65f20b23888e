#!/usr/bin/env python3
# System calls of dagrun fail, once or from then on: no space, an I/O error, no descriptors, no memory, no processes,
# half a write. It says so and ends with the right status or does without; what is recorded is not lost, no final name
# shows part of a file, nothing hangs, and a plain rerun suffices. Options as those of crash.t.
#
#	faults.t [--all] [--points N] [--seed N] [--workers N] [--only SCENARIO] [--jobs 1|4]
#		[--at KIND=HOW:JOBS:WHEN]
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import driver  # noqa: E402
from oracle import check  # noqa: E402

POINTS = 300

# What can fail how, and the calls that are of a kind, as tests/crash/calls.h has it.
CALLS = {
    'write': ('write', 'pwrite64'),
    'open': ('memfd_create', 'open', 'openat', 'openat2', 'pidfd_open', 'pipe', 'pipe2'),
    'rename': ('linkat', 'rename', 'renameat', 'renameat2'),
    'fsync': ('fdatasync', 'fsync', 'sync_file_range'),
    'spawn': ('clone', 'clone3', 'fork', 'vfork'),
    'mmap': ('brk', 'mmap', 'mremap'),
    'mkdir': ('mkdir', 'mkdirat', 'mknod', 'mknodat'),
    'read': ('pread64', 'read'),
}
FAULTS = (
    ('write', 'ENOSPC'), ('write', 'EIO'), ('write', 'EDQUOT'), ('write', 'EINTR'), ('write', 'short'),
    ('open', 'EMFILE'), ('open', 'ENFILE'), ('open', 'ENOSPC'), ('open', 'EIO'),
    ('rename', 'EIO'), ('rename', 'ENOSPC'), ('fsync', 'EIO'), ('spawn', 'EAGAIN'), ('spawn', 'ENOMEM'),
    ('mmap', 'ENOMEM'), ('mkdir', 'ENOSPC'), ('mkdir', 'EROFS'), ('read', 'EIO'), ('read', 'EINTR'), ('pipe-read', 'EIO'))
# A call that is interrupted is made again, as often as it takes.
ONCE = ('EINTR',)


class Fault:
    """The `when`-th call of a kind fails, or (ever) all from there on."""

    def __init__(self, run, kind, how, when, ever):
        self.run, self.kind, self.how, self.when, self.ever = run, kind, how, when, ever
        self.mode = '%s %s' % (kind, how)

    def what(self):
        return '%s=%s,%d%s' % (self.kind, self.how, self.when, '+' if self.ever else '')

    def at(self):
        return '%s=%s:%d:%d%s' % (self.kind, self.how, self.run.jobs, self.when, '+' if self.ever else '')

    def __str__(self):
        return '%s -j%d, %s' % (self.run.s.name, self.run.jobs, self.what())

    def work(self):
        return self.run.attempt(self.fail)

    def fail(self):
        """None where the call was never made."""
        run = self.run
        run.fresh()
        with run.beside():
            word = run.stopper(['-e', self.what()])
        check(word[0] == 'ended', ' '.join(word))
        status, hits = int(word[1]), int(word[3].split('=')[1])
        said = run.said()
        check(status in (0, 1, 2, 3, 4), 'exit %d' % status)
        if status == run.s.status and (status == 0 or not hits):
            check(run.results() == run.new, 'exit %d, but not all is as it should be' % status)
        else:
            check(hits, 'exit %d without a fault' % status)
            check(self.kind != 'mmap' or status != 2, 'exit 2, but what was asked for is all right')
            check(said.strip(), 'exit %d without a word' % status)
        run.nobody_was_misled()
        run.is_old_or_new(run.old)
        repeated = run.resume(1)
        return repeated if hits else None


def range_of(run, kind):
    """Of the calls of a kind those that are not the loader's, and one more, which only a resume may make."""
    if kind == 'pipe-read':
        return 1, sum(c in CALLS['read'] for c in run.calls) - sum(c in CALLS['read'] for c in run.can_fail)
    loader = run.can_fail.index('rt_sigaction') if 'rt_sigaction' in run.can_fail else 0
    before = sum(c in CALLS[kind] for c in run.can_fail[:loader])
    return before + 1, sum(c in CALLS[kind] for c in run.can_fail)


def faults():
    """The sanitizers' own memory is mapped as well, and they end the program where it is not to be had."""
    return [f for f in FAULTS if f[0] != 'mmap' or not driver.sanitized()]


def every(runs):
    for run in runs:
        for kind, how in faults():
            low, high = range_of(run, kind)
            for when in range(low, high + 1):
                yield Fault(run, kind, how, when, False)
                if how not in ONCE:
                    yield Fault(run, kind, how, when, True)


def some(runs, n_points, chance):
    which = faults()
    for run in runs:
        n = driver.share(run, runs, n_points)
        turn = chance.randrange(len(which))
        for i in range(n):
            kind, how = which[(turn + i) % len(which)]
            low, high = range_of(run, kind)
            if low <= high:
                yield Fault(run, kind, how, chance.randint(low, high), how not in ONCE and chance.random() < .5)


def one(runs, text):
    fault, jobs, when = text.split(':')
    kind, how = fault.split('=')
    for run in runs:
        if run.jobs == int(jobs):
            yield Fault(run, kind, how, int(when.rstrip('+')), when.endswith('+'))


def choose(runs, o, chance):
    return one(runs, o.at) if o.at else every(runs) if o.all else some(runs, o.points, chance)


if __name__ == '__main__':
    sys.exit(driver.main(POINTS, choose))
