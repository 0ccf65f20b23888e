#!/usr/bin/env python3
# Killed at any moment, and at any system call: no final name ever shows part of a file, the same command goes on
# where it was, the result is a clean run's, at most -j tasks run twice, and nothing is left behind. A damaged
# journal costs what it told.
#
# Arguments, in any order: a number is the seed of the moments, a word one of the tests.
import ctypes
import hashlib
import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import time

DAGRUN = os.environ['DAGRUN']
JOBS = 4
PATIENCE = 60
MARK = b'end of file\n'

# Each task leaves a word in the log, writes its output in three pieces and a mark. None waits for anything.
DAGFILE = '''args n
  list = %s
map leaf
  each = n
  out  = leaf/{arg}
  run  =
    echo leaf-{arg} >> log
    exec > {out}
    echo {arg}; echo more of {arg}; echo 'end of file'
merge all
  each = leaf
  out  = all
  keep = %s
  run  =
    echo merge {in} >> log
    exec > {out}
    cat {in} | grep -v '^end'; echo 'end of file'
task last
  in  = all
  out = last
  run =
    echo last >> log
    cat {in} > {out}; wc -l < {in} >> {out}; echo 'end of file' >> {out}
'''


class Failed(Exception):
    pass


def check(holds, what):
    if not holds:
        raise Failed(what)


def subreaper():
    """Orphans of those that we start are our children: they can be found, killed and waited for, whoever was killed
    before them."""
    PR_SET_CHILD_SUBREAPER = 36
    try:
        return ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    except (AttributeError, OSError):
        return False


def children():
    me = os.getpid()
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        try:
            with open('/proc/%s/stat' % entry, 'rb') as f:
                fields = f.read().rsplit(b')', 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == me:
            yield int(entry)


def reap(kill):
    """Until we have no children any more; kill: as fast as they can be killed. The children of one that is dead are
    ours."""
    while True:
        if kill:
            for pid in children():
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def files(hidden):
    """All that stands under final names, and only the temporary ones if hidden."""
    for where, dirs, names in os.walk('.'):
        if where == '.':
            dirs[:] = [d for d in dirs if d != '.dagrun'] + (['.dagrun'] if os.path.isdir('.dagrun') else [])
        elif where == './.dagrun':
            dirs[:] = [d for d in dirs if d in (('parts', 'tmp') if hidden else ('parts',))]
            continue
        for name in names:
            if name.startswith('.dagrun-') == hidden and (hidden or name not in ('Dagfile', 'log')):
                yield os.path.join(where, name)
            elif hidden and where.startswith('./.dagrun/tmp'):
                yield os.path.join(where, name)


def content(path):
    with open(path, 'rb') as f:
        return f.read()


def log():
    return content('log').split(b'\n')[:-1] if os.path.exists('log') else []


def dagrun(what):
    """A run to its end; what ran."""
    before = len(log())
    p = subprocess.run([DAGRUN, '-j%d' % JOBS], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=PATIENCE)
    check(p.returncode == 0, '%s: exit %d: %s' % (what, p.returncode, p.stdout.decode(errors='replace')))
    return log()[before:]


class Job:
    """A job of n leaves, and what a clean run makes of it."""

    def __init__(self, n, keep):
        self.dagfile = DAGFILE % (' '.join('%03d' % i for i in range(n)), keep)
        self.keep = keep
        self.top = os.getcwd()
        self.fresh('clean-' + keep)
        began = time.monotonic()
        self.tasks = len(dagrun('a clean run'))
        self.takes = time.monotonic() - began  # the first time; a run that is not cut short can only lessen it
        check(self.tasks == n + n - 1 + 1, '%d tasks in a clean run' % self.tasks)
        self.result = self.outputs()

    def fresh(self, name):
        os.chdir(self.top)
        shutil.rmtree(name, ignore_errors=True)
        os.mkdir(name)
        os.chdir(name)
        with open('Dagfile', 'w') as f:
            f.write(self.dagfile)

    def outputs(self):
        return {p: hashlib.sha256(content(p)).digest() for p in files(False)}

    def whole(self):
        """Before the resume: each final name is absent or shows just what it is to show."""
        for path in files(False):
            data = content(path)
            check(data.endswith(MARK), '%s shows part of a file: %r' % (path, data[-40:]))
            if path in self.result or self.keep == 'yes':
                check(self.result.get(path) == hashlib.sha256(data).digest(), '%s is not what a clean run makes' % path)

    def resumes(self, kills=1):
        killed = log()
        self.whole()
        again = dagrun('the resume')
        check(self.outputs() == self.result, 'the result is not that of a clean run: %s' % sorted(
            set(self.outputs().items()) ^ set(self.result.items())))
        starts = killed + again
        check(len(set(starts)) == self.tasks, '%d tasks in all' % len(set(starts)))
        twice = len(starts) - len(set(starts))
        check(twice <= JOBS * kills, '%d tasks ran twice' % twice)
        left = sorted(files(True))
        check(not left, 'left behind: %s' % left)
        check(not dagrun('the third run'), 'a third run does something')
        return twice


def cut_at(moment):
    """Runs dagrun until then, and kills it and all that it has started. How long it took, if it came to its end."""
    began = time.monotonic()
    p = subprocess.Popen([DAGRUN, '-j%d' % JOBS], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
    fd = os.pidfd_open(p.pid)
    ended = select.select([fd], [], [], moment)[0]
    took = time.monotonic() - began
    os.close(fd)
    p.kill()
    p.wait()
    reap(True)
    return took if ended else None


def at_moments(seed):
    """The whole tree is killed at 50 random moments; every third time the resume is killed too."""
    jobs = (Job(24, 'yes'), Job(24, 'no'))
    chance = random.Random(seed)
    cut = twice = 0
    for i in range(50):
        job = jobs[i % 2]
        moment = chance.random() * job.takes
        try:
            job.fresh('killed')
            took = cut_at(moment)
            if took is None:
                cut += 1
            else:
                job.takes = min(job.takes, took)
            if i % 3 == 0:
                job.whole()
                cut_at(chance.random() * job.takes)
            twice += job.resumes(1 + (i % 3 == 0))
        except (Failed, subprocess.TimeoutExpired) as e:
            raise Failed('moment %d (%.1f ms): %s' % (i, moment * 1e3, e))
    print('%d of 50 runs were cut short; %d tasks ran twice' % (cut, twice))
    check(cut >= 20, 'too few')


def strace(options):
    """dagrun alone, not its children, under strace: it dies as dagrun does."""
    env = dict(os.environ)
    # The one of the sanitizers that does not work under strace.
    env['ASAN_OPTIONS'] = env.get('ASAN_OPTIONS', '') + ':detect_leaks=0'
    p = subprocess.Popen(['strace', '-qq', '-o', 'trace', *options, DAGRUN, '-j%d' % JOBS], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    try:
        status = p.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        p.kill()
        reap(True)
        raise
    return status


def at_system_calls(seed):
    """dagrun alone is killed at the entry of 100 system calls, spread over a run; its tasks go on to their end, or are
    killed, in turns."""
    job = Job(6, 'no')
    job.fresh('traced')
    if not shutil.which('strace') or strace([]) != 0:
        print('skipped: strace cannot be used here')
        return
    calls = re.findall(r'^(\w+)\(', content('trace').decode(errors='replace'), re.M)
    start = next(i for i, c in enumerate(calls) if c not in ('execve', 'brk', 'mmap', 'access', 'openat', 'close'))
    # The n-th call of its name: what it counts by.
    points = []
    seen = {}
    for call in calls:
        seen[call] = seen.get(call, 0) + 1
        points.append((call, seen[call]))
    points = points[start:]
    points = [points[i * len(points) // 100] for i in range(100)]
    cut = twice = 0
    for i, (call, n) in enumerate(points):
        try:
            job.fresh('killed')
            cut += strace(['-e', 'trace=' + call, '-e', 'inject=%s:signal=KILL:when=%d' % (call, n)]) != 0
            reap(i % 2 == 0)
            os.unlink('trace')
            twice += job.resumes()
        except (Failed, subprocess.TimeoutExpired) as e:
            raise Failed('at %s number %d: %s' % (call, n, e))
    print('%d of 100 runs were cut short, of %d system calls; %d tasks ran twice' % (cut, len(calls), twice))
    check(cut >= 75, 'too few')


def damaged(seed):
    """A journal of which bytes have changed, or the end is missing, causes more work and no other result."""
    job = Job(6, 'yes')
    job.fresh('damaged')
    dagrun('the first run')
    chance = random.Random(seed)
    whole = content('.dagrun/journal')
    for i in range(40):
        # The header says whose file it is: what has another one is refused.
        at = chance.randrange(24, len(whole))
        hurt = bytearray(whole[:at] if i % 4 == 0 else whole)
        if i % 4:
            hurt[at] ^= 1 << chance.randrange(8)
        if i % 4 == 3:
            hurt[at:at + 300] = os.urandom(300)
        with open('.dagrun/journal', 'wb') as f:
            f.write(hurt)
        try:
            again = dagrun('after the damage')
            check(len(again) <= job.tasks, '%d tasks ran' % len(again))
            check(job.outputs() == job.result, 'the result is not that of a clean run')
            check(not dagrun('another run'), 'another run does something')
        except (Failed, subprocess.TimeoutExpired) as e:
            raise Failed('damage %d at %d of %d bytes: %s' % (i, at, len(whole), e))
        whole = content('.dagrun/journal')


def main():
    seed = next((int(a) for a in sys.argv[1:] if a.isdigit()), int.from_bytes(os.urandom(4), 'big'))
    wanted = [a for a in sys.argv[1:] if not a.isdigit()]
    if not subreaper():
        print('cannot be the one whom orphans go to')
        return 77
    top = os.getcwd()
    bad = 0
    for test in (at_moments, at_system_calls, damaged):
        name = test.__name__.replace('_', '-')
        if wanted and name not in wanted:
            continue
        os.mkdir(os.path.join(top, name))
        os.chdir(os.path.join(top, name))
        print('%s: seed %d' % (name, seed), flush=True)
        began = time.monotonic()
        try:
            test(seed)
            print('ok: %s, %.1f s' % (name, time.monotonic() - began), flush=True)
        except Failed as e:
            bad = 1
            print('FAILED: %s: %s' % (name, e), flush=True)
        finally:
            reap(True)
    return bad


if __name__ == '__main__':
    sys.exit(main())
