# The jobs that tests/crash has dagrun do. Each is a directory that is filled before the run that is killed.
import os
import shutil
import subprocess


def checksum(data):
    """As tests/crash/task.c makes it: FNV-1a, 64 bits."""
    h = 0xcbf29ce484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return h


def whole(data):
    """Is that all of a file that a task, or source() below, has written?"""
    return len(data) >= 19 and data[-19:] == b'= %016x\n' % checksum(data[:-19])


CLOCK = [0]


def source(path, text):
    """A file from outside, of some time ago, each later than the one before: nothing depends on how fast we are."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    data = text.encode() + b'\n'
    with open(path, 'wb') as f:
        f.write(data + b'= %016x\n' % checksum(data))
    CLOCK[0] += 1
    os.utime(path, (1.6e9 + CLOCK[0], 1.6e9 + CLOCK[0]))


class Scenario:
    """args, status: of the run. tries: how often a task is started at most. failing: names of tasks that always fail.
    beside: what a second dagrun in the same directory is to make. slow: seconds that a run sleeps. passing: how paths
    begin of what a clean run may remove again. hangs: one of its tasks ends only if somebody ends it."""
    name = dagfile = None
    args = ()
    status = 0
    tries = 1
    failing = frozenset()
    beside = None
    slow = 0
    passing = ('.dagrun/parts/',)
    hangs = False
    sources = 0

    def fill(self, run):
        """Makes what is there before the run that is killed, in the working directory. run(*args) runs dagrun."""
        self.put(self.dagfile)
        for i in range(self.sources):
            source('in/%d' % i, 'source %d' % i)

    def put(self, dagfile):
        with open('Dagfile', 'w') as f:
            f.write(dagfile.replace('TASK', os.environ['CRASH_TASK']))


class Chain(Scenario):
    name = 'chain'
    dagfile = '''task a
  in  = in/0
  out = a
  run = TASK a -o {out} {in}
task b
  in  = a
  out = deep/er/b
  run = TASK b -o {out} {in}
task c
  in  = deep/er/b
  out = c
  run = TASK c -o {out} {in}
task d
  in  = c
  out = d
  run = TASK d -o {out} {in}
'''
    sources = 1


MAP = '''args n
  glob = in/*
map leaf
  each = n
  out  = leaf/{stem}
  run  = TASK leaf-{in.stem} -o {out} {in}
'''


class FanIn(Scenario):
    name = 'fan-in'
    dagfile = MAP + '''merge all
  each   = leaf
  fan-in = all
  out    = all
  run    = TASK merge: -o {out} {in}
'''
    sources = 8


class Rounds(Scenario):
    """Inner nodes go when they have been read."""
    name = 'rounds'
    passing = ('.dagrun/parts/', 'leaf/')
    dagfile = MAP.replace('  out ', '  keep = no\n  out ') + '''merge all
  each  = leaf
  shape = rounds
  out   = all
  run   = TASK merge: -o {out} {in}
'''
    sources = 5


class Insertion(Scenario):
    """A tree that stands gets a leaf more in its middle."""
    name = 'insertion'
    dagfile = MAP + '''merge all
  each = leaf
  keep = yes
  out  = all
  run  = TASK merge: -o {out} {in}
'''

    def fill(self, run):
        self.put(self.dagfile)
        for i in (0, 1, 2, 4, 5, 6):
            source('in/%d' % i, 'source %d' % i)
        run('-j4')
        source('in/3', 'source 3')


class SeveralOutputs(Scenario):
    name = 'outputs'
    dagfile = '''args n
  glob = in/*
map pair
  each  = n
  out.a = a/{stem}
  out.b = b/{stem}
  run   = TASK pair-{in.stem} -o {out.a} -o {out.b} {in}
merge all
  each = pair.a
  out  = all
  run  = TASK merge: -o {out} {in}
task last
  in  = all pair.b
  out = last
  run = TASK last -o {out} {in}
'''
    sources = 3


class Directory(Scenario):
    """Directories that stand change places with those that replace them."""
    name = 'directory'
    dagfile = '''args n
  glob = in/*
map folder
  each = n
  out  = dir/{stem}/
  run  = TASK dir-{in.stem} -d {out} {in}
task last
  in  = in/0
  out = last/
  run = TASK last -d {out} {in}
'''
    sources = 3

    def fill(self, run):
        super().fill(run)
        run('-j4')
        source('in/0', 'source 0 is another')
        source('in/1', 'source 1 is another')
        source('in/3', 'source 3')


class Edit(Scenario):
    """One source of some is another, and most of what it needs has gone since."""
    name = 'edit'
    dagfile = MAP + '''merge all
  each = leaf
  out  = all
  run  = TASK merge: -o {out} {in}
task last
  in  = all
  out = last
  run = TASK last -o {out} {in}
'''
    sources = 4

    def fill(self, run):
        super().fill(run)
        run('-j4')
        source('in/2', 'source 2 is another')


class Failing(Scenario):
    name = 'failing'
    dagfile = MAP + '''task bad
  in  = in/0
  out = bad
  run = TASK bad -o {out} -x 3 {in}
task behind
  in  = bad
  out = behind
  run = TASK behind -o {out} {in}
task good
  in  = leaf
  out = good
  run = TASK good -o {out} {in}
'''
    sources = 2
    args = ('-k',)
    status = 1
    failing = frozenset(('bad',))


class Retries(Scenario):
    name = 'retries'
    dagfile = MAP + '''task second
  in      = in/0
  out     = second
  retries = 1
  run     = TASK second -o {out} -a {attempt} -u 2 {in}
task last
  in  = second leaf
  out = last
  run = TASK last -o {out} {in}
'''
    sources = 2
    tries = 2
    slow = 1


class Timeout(Scenario):
    name = 'timeout'
    dagfile = MAP + '''task late
  in      = in/0
  out     = late
  timeout = 0.05s
  run     = TASK late -o {out} -p {in}
task last
  in  = leaf
  out = last
  run = TASK last -o {out} {in}
'''
    sources = 2
    args = ('-k',)
    status = 1
    failing = frozenset(('late',))
    slow = .05
    hangs = True


class NoOutputs(Scenario):
    name = 'no-outputs'
    dagfile = MAP + '''args m
  list = 1 2 3
map visit
  each = m
  run  = TASK visit-{arg}
task check
  in  = leaf
  run = TASK check {in}
'''
    sources = 2


class Shared(Scenario):
    """Another one makes the same beside it: each task is made by one of them, and what the killed one leaves by the other."""
    name = 'shared'
    passing = ('.dagrun/parts/', 'leaf/')
    dagfile = Rounds.dagfile
    sources = 6
    args = ('all',)
    beside = ('all',)


class Compaction(Scenario):
    """So much in the journal is of the past that this run writes it anew, if the other one beside it lets it."""
    name = 'compaction'
    dagfile = MAP + '''map other
  each = n
  out  = other/{stem}
  run  = TASK other-{in.stem} -o {out} {in}
'''
    sources = 20
    args = ('leaf',)
    beside = ('other',)

    def fill(self, run):
        super().fill(run)
        size = 0
        while True:
            shutil.rmtree('../before', ignore_errors=True)
            subprocess.check_call(['cp', '-a', '.', '../before'])
            run('-j4', 'leaf')
            if os.path.getsize('.dagrun/journal') < size:
                break
            size = os.path.getsize('.dagrun/journal')
            for i in range(self.sources):
                source('in/%d' % i, 'source %d at %d' % (i, size))
        here = os.getcwd()
        os.chdir('..')
        shutil.rmtree(here)
        os.rename('before', here)
        os.chdir(here)
        # Three are enough to look at.
        for i in range(3, self.sources):
            os.unlink('in/%d' % i)
            os.unlink('leaf/%d' % i)


ALL = [c() for c in (Chain, FanIn, Rounds, Insertion, SeveralOutputs, Directory, Edit, Failing, Retries, Timeout,
                     NoOutputs, Shared, Compaction)]
