# A dagrun is killed at a chosen system call, and started again: what must hold then, whatever the place was.
import collections
import ctypes
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

from scenarios import whole

DAGRUN = os.environ['DAGRUN']
STOPPER = os.environ['CRASH_STOPPER']
PATIENCE = int(os.environ.get("CRASH_PATIENCE", "60"))  # seconds for what takes milliseconds


class Violation(Exception):
    pass


def check(holds, what):
    if not holds:
        raise Violation(what)


def subreaper():
    """Orphans of those that we start are our children, so that they can be found and waited for. Can it be had?"""
    return prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def end_with(parent):
    """We are told to end when it does, however that comes."""
    prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        raise SystemExit(99)


def prctl(what, value):
    try:
        return ctypes.CDLL(None, use_errno=True).prctl(what, value, 0, 0, 0) == 0
    except (AttributeError, OSError):
        return False


def working_directory():
    """In memory where there is room: thousands of small runs are made in it, and most of that would be syncs."""
    shm = '/dev/shm'
    if os.access(shm, os.W_OK) and os.statvfs(shm).f_bavail * os.statvfs(shm).f_frsize > 1 << 28:
        return tempfile.mkdtemp(prefix='dagrun-test.', dir=shm)
    return tempfile.mkdtemp(prefix='crash.')


def children():
    with open('/proc/self/task/%d/children' % os.getpid()) as f:
        return [int(pid) for pid in f.read().split()]


def nobody_left(patience=PATIENCE):
    """Waits for those who are on their way out; who is still there then is killed, with all that it started, and
    counted."""
    deadline = time.monotonic() + patience
    stayed = set()
    # Blocked, so that one that comes between the look and the wait is not missed
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    try:
        while True:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
            late = time.monotonic() - deadline
            check(late < PATIENCE, 'processes do not even end by KILL')
            # Again and again: children of these become ours.
            for kid in children() if late > 0 else ():
                os.kill(kid, signal.SIGKILL)
                stayed.add(kid)
            signal.sigtimedwait([signal.SIGCHLD], .01)
    except ChildProcessError:
        return len(stayed)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])


def digest(path):
    """Of a file, or of all that is in a directory, which must be whole."""
    if not os.path.isdir(path):
        with open(path, 'rb') as f:
            data = f.read()
        check(whole(data), '%s shows part of a file: %r' % (path, data[-40:]))
        return hashlib.sha256(data).digest()
    h = hashlib.sha256()
    for name in sorted(os.listdir(path)):
        h.update(name.encode() + b'\0' + digest(os.path.join(path, name)))
    return h.digest()


def walk(place, skip, directories):
    """Paths of files below `place`; of the directories in `directories` themselves."""
    for entry in sorted(os.scandir(place or '.'), key=lambda e: e.name):
        path = os.path.join(place, entry.name)
        if path in skip:
            continue
        if entry.is_dir(follow_symlinks=False) and path not in directories:
            yield from walk(path, skip, directories)
        else:
            yield path


class Run:
    """What a scenario's clean run does with -jN, and where its copies are killed. All below one directory of our own:
    how it is before the run, which is the same for each N; here/, where it is done, log/, what the tasks tell, and
    tmp/, which dagrun may use."""

    def __init__(self, scenario, jobs, top):
        self.s = scenario
        self.jobs = jobs
        self.top = os.path.join(top, '%s-j%d' % (scenario.name, jobs))
        self.start = os.path.join(top, scenario.name)
        self.at_home(self.top)
        if not os.path.exists(self.start):
            os.makedirs(self.start)
            os.chdir(self.start)
            scenario.fill(self.prepare)
        os.chdir(self.start)
        self.directories = {'dir/%d' % i for i in range(4)} | {'last'} if scenario.name == 'directory' else set()
        self.old = self.outputs()
        self.removed = self.gone()  # by the scenario
        self.clean()

    def prepare(self, *args):
        rc = self.dagrun(args)
        check(rc == 0, '%s: cannot be prepared: %s' % (self.s.name, self.said()))

    def at_home(self, top):
        """Each worker has a place of its own."""
        self.here = os.path.join(top, 'here')
        self.log = os.path.join(top, 'log')
        self.tmp = os.path.join(top, 'tmp')
        self.env = dict(os.environ, CRASH_DIR=self.log, TMPDIR=self.tmp, LC_ALL='C')
        # The one of the sanitizers that cannot be where another traces.
        self.env['ASAN_OPTIONS'] = self.env.get('ASAN_OPTIONS', '') + ':detect_leaks=0'
        for path in (self.log, self.tmp):
            os.makedirs(path, exist_ok=True)

    def clean(self):
        """Twice, as one is traced for its calls."""
        self.fresh()
        with self.beside():
            word = self.stopper(['-l', os.path.join(self.top, 'calls')])
        check(word[:2] == ['ended', str(self.s.status)], '%s: a clean run: %s\n%s' % (self.s.name, word, self.said()))
        with open(os.path.join(self.top, 'calls')) as f:
            lines = f.read().split('\n')[:-1]
        self.calls = [line.split()[0] for line in lines]
        self.can_fail = [line for line in lines if not line.endswith(' -')]
        self.guarded = word[-1] == 'guardian=1'
        self.new = self.outputs()
        self.expected = self.starts()
        self.fresh()
        with self.beside():
            check(self.dagrun(self.args()) == self.s.status, '%s: another clean run' % self.s.name)
        check(self.outputs() == self.new, '%s: two clean runs differ' % self.s.name)
        # One that is to time out may be ended before it says that it starts.
        differ = (self.starts() - self.expected) + (self.expected - self.starts())
        check(not set(differ) - self.s.failing, '%s: two clean runs do not start the same' % self.s.name)
        self.guardian_calls = 0
        if self.guarded:
            self.fresh()
            with self.beside():
                self.guardian_calls = int(self.stopper(['-t', 'guardian'])[2].split('=')[1])
        self.empty()

    def empty(self):
        for path in (self.here, self.log, self.tmp):
            shutil.rmtree(path, ignore_errors=True)

    def fresh(self):
        self.empty()
        for path in (self.log, self.tmp):
            os.mkdir(path)
        shutil.copytree(self.start, self.here, symlinks=True)
        os.chdir(self.here)

    def args(self):
        return ['-j%d' % self.jobs, *self.s.args]

    def popen(self, argv):
        with open(os.path.join(self.log, 'said'), 'ab') as said:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=self.env)

    def dagrun(self, args):
        return self.wait(self.popen([DAGRUN, *args]))

    def wait(self, p, patience=PATIENCE):
        try:
            return p.wait(patience)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
            raise Violation('hangs: ' + ' '.join(p.args))

    def stopper(self, options, args=None):
        """What came to pass, in words."""
        report = os.path.join(self.log, 'report')
        # It ends what it has started, and we what it leaves, but for a moment that it has for that.
        args = [STOPPER, '-w', str(PATIENCE), '-o', report, *options, DAGRUN, *(args or self.args())]
        status = self.wait(self.popen(args), 2 * PATIENCE)
        check(status != 98, 'hangs: ' + ' '.join(args))
        check(status == 0, 'stopper: exit %d: %s' % (status, self.said()))
        with open(report) as f:
            return f.read().split()

    def beside(self):
        return Beside(self)

    def said(self):
        with open(os.path.join(self.log, 'said'), errors='replace') as f:
            return f.read()[-2000:]

    def words(self):
        try:
            with open(os.path.join(self.log, 'log')) as f:
                return [line.split(' ', 1) for line in f.read().split('\n')[:-1]]
        except FileNotFoundError:
            return []

    def starts(self):
        """How often each task was started."""
        return collections.Counter(name for word, name in self.words() if word == 'start')

    def makers(self):
        """Which task makes what has that name in the end: {path: task}."""
        made = [rest.split(' ', 1) for word, rest in self.words() if word == 'makes']
        return {re.sub(r'\.dagrun-[0-9a-f]{16}-', '', path).rstrip('/'): task for task, path in made}

    def finished(self):
        """Tasks that have a new output under its name. What stands is recorded: nobody may make it again, not even one of j."""
        makers = self.makers()
        new = [path for path, is_now in self.outputs().items() if is_now != self.old.get(path)]
        unknown = [path for path in new if path not in makers]
        check(not unknown, 'nobody has made %s' % ' '.join(unknown))
        return {makers[path] for path in new}

    def outputs(self):
        """All that stands under final names: {path: digest}. Each is whole."""
        skip = {'Dagfile', 'in'} | {os.path.join('.dagrun', n) for n in (
            'journal', 'lock', 'rows', 'runs', 'tmp', 'log', 'logs', 'tree', 'trees', 'journal.new')}
        return {path: digest(path) for path in walk('', skip, self.directories)
                if '.dagrun-' not in path and not path.startswith('.dagrun/journal.')}

    def results(self):
        """outputs(), but for what only takes room: where another uses a stage, or a guardian that has not ended yet, what
        the stage made and nobody needs stays until a later run."""
        return {path: is_now for path, is_now in self.outputs().items()
                if path in self.new or not path.startswith(self.s.passing)}

    def is_old_or_new(self, old):
        """Before the resume."""
        for path, is_now in self.outputs().items():
            if path.startswith(self.s.passing) and path not in self.new and path not in old:
                continue  # what a clean run removes again: whole, as all of outputs()
            check(is_now in (old.get(path), self.new.get(path)), '%s is neither as before nor as it should be' % path)

    def gone(self):
        """What is not there although it is recorded, and no record says that we remove it."""
        if not os.path.exists('.dagrun/journal'):
            return set()
        words = [os.environ['CRASH_JOURNAL'], 'missing']
        return set(subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True).stdout.splitlines())

    def nothing_is_lost(self):
        """Before the resume: what we remove is said to be before it is."""
        lost = sorted(self.gone() - self.removed)
        check(not lost, 'removed, and no record says so: %s' % ' '.join(lost))

    def leftovers(self, fifo):
        """Temporary names, whosever they were; fifo: also what a jobserver had."""
        for path in walk('', set(), set()):
            if '.dagrun-' in path or re.match(r'\.dagrun/(tmp/|journal\.|rows/[0-9a-f]+\.)', path):
                yield path
        if fifo:
            for entry in os.listdir(self.tmp):
                yield os.path.join(self.tmp, entry)

    def nothing_is_left(self, fifo):
        # First who is on the way out: the guardian of a run that was killed removes its fifo, and may be slower than a
        # run that finds little to do.
        stayed = nobody_left(PATIENCE)
        check(not stayed, '%d processes are left' % stayed)
        left = sorted(set(self.leftovers(fifo)))
        check(not left, 'left behind: %s' % ' '.join(left))

    def nobody_was_misled(self):
        for word, name in self.words():
            check(word != 'unfinished', name + ' read an input that was not finished')
            check(word != 'twice', name + ' was made by two at once')

    def work_repeated(self, starts, kills):
        again = {name: n - self.expected.get(name, 0) for name, n in starts.items() if name not in self.s.failing}
        others = sorted(set(again) - set(self.expected))
        check(not others, 'started, but not in a clean run: %s' % others)
        missing = sorted(set(self.expected) - set(starts) - self.s.failing)
        check(not missing, 'never started: %s' % missing)
        n = sum(max(0, v) for v in again.values())
        check(n <= self.jobs * self.s.tries * kills, '%d tasks ran twice' % n)
        return n

    def resume(self, kills, mode='tree'):
        """To its end; how many tasks ran twice. A killed run's fifo goes with its guardian, else with the next run that
        has one of its own, if nobody has it open any more: orphans of a run that was killed with its guardian may."""
        killed = self.starts()
        finished = self.finished()
        args = ['-j%d' % self.jobs, '-k'] if self.s.status else ['-j%d' % self.jobs]
        rc = self.dagrun(args)
        check(rc == self.s.status, 'the resume: exit %d' % rc)
        self.nobody_was_misled()
        now = self.results()
        differ = sorted(p for p in set(now) | set(self.new) if now.get(p) != self.new.get(p))
        check(not differ, 'not as after a clean run: %s' % ' '.join(differ))
        repeated = self.work_repeated(self.starts(), kills)
        again = sorted(finished & set(self.starts() - killed))
        check(not again, 'finished, and made again: %s' % ' '.join(again))
        # Outputs before records would be told as such
        check(not re.search('(was|were) changed since', self.said()), 'takes what it has made for changed by hand')
        ran = bool(self.starts() - killed)
        guarded = self.guarded and (mode in OUTLIVED or ran and 'leave' not in {**MODES, **GUARDED}[mode])
        self.nothing_is_left(guarded)
        before = self.starts()
        rc = self.dagrun(args)
        more = self.starts() - before
        check(rc == self.s.status and not set(more) - self.s.failing,
              'a third run: exit %d, starts %s' % (rc, sorted(more)))
        check(self.outputs() == self.new, 'after a third run all is not as after a clean one')
        self.nothing_is_left(guarded)
        return repeated

    def point(self, p):
        """Kills as the point says, and resumes. How many tasks ran twice; None: the run came to its end before."""
        self.fresh()
        with self.beside():
            word = self.stopper(p.options())
        kills = 1
        killed = word[0] == 'killed'
        status = word[4] if killed else word[1]
        if not killed or p.mode == 'guardian':
            check(status == str(self.s.status), 'ended with %s' % status)
        self.nobody_was_misled()
        self.is_old_or_new(self.old)
        self.nothing_is_lost()
        if p.again:
            # Killed once more in the resume, somewhere.
            calls = random.Random(str(p)).randrange(1, len(self.calls))
            between = dict(self.outputs())
            word = self.stopper(['-n', str(calls), '-k', 'tree', '-a', 'kill'], self.args())
            kills = 2
            self.nobody_was_misled()
            self.is_old_or_new({**self.old, **between})
            self.nothing_is_lost()
        n = self.resume(kills, p.mode if not p.again or p.orphans() else 'tree')
        return n if killed else None

    def attempt(self, fn):
        """How many tasks ran twice (None: nothing went wrong for dagrun), and what is wrong, or None."""
        try:
            return fn(), None
        except (Violation, OSError, ValueError) as e:
            said = self.said() if os.path.isdir(self.log) else ''
            return None, '%s: %s\n%s' % (type(e).__name__, e, said)
        finally:
            nobody_left(0)


class Beside:
    """Another dagrun in the same directory, where the scenario has one."""

    def __init__(self, run):
        self.run = run
        self.p = None

    def __enter__(self):
        if self.run.s.beside:
            self.p = self.run.popen([DAGRUN, '-j1', *self.run.s.beside])

    def __exit__(self, kind, value, trace):
        if self.p:
            rc = self.run.wait(self.p)
            if kind is None:
                check(rc == 0, 'the dagrun beside it: exit %d' % rc)


# Who is killed: options of stopper. With `first` the tasks run on to their end, as far as nobody ends them.
MODES = collections.OrderedDict((
    ('tree', ('-k', 'tree', '-a', 'kill')),
    ('first', ('-k', 'first', '-a', 'wait')),
    ('first, then tasks', ('-k', 'first', '-a', 'kill')),
    ('task', ('-k', 'task', '-a', 'wait')),
))
# Where there is one who outlives a killed dagrun, ends its tasks, gives back its tokens and removes its fifo.
GUARDED = collections.OrderedDict((
    ('first, resumed at once', ('-k', 'first', '-a', 'leave')),
    ('guardian', ('-k', 'guardian', '-a', 'wait')),
    ('both', ('-k', 'both', '-a', 'leave')),
    ('of the guardian: first', ('-t', 'guardian', '-k', 'first', '-a', 'leave')),
    ('of the guardian: both', ('-t', 'guardian', '-k', 'both', '-a', 'leave')),
))


# The guardian outlives these.
OUTLIVED = ('first', 'task', 'first, resumed at once', 'of the guardian: first')


class Point:
    def __init__(self, run, mode, n, on_exit, again=False):
        self.run, self.mode, self.n, self.on_exit, self.again = run, mode, n, on_exit, again

    def options(self):
        return ['-n', str(self.n), *(['-x'] if self.on_exit else []), *{**MODES, **GUARDED}[self.mode]]

    def orphans(self):
        """May tasks be left that nobody but the next run ends?"""
        return 'leave' in self.options() and self.mode not in OUTLIVED

    def __str__(self):
        named = self.n <= len(self.run.calls) and not self.mode.startswith('of the')
        call = self.run.calls[self.n - 1] if named else 'of some kind'
        return '%s -j%d, %s%s, call %d (%s) at its %s' % (
            self.run.s.name, self.run.jobs, self.mode, ', killed again' if self.again else '', self.n, call,
            'exit' if self.on_exit else 'entry')

    def at(self):
        """As crash.t --at takes it."""
        return ':'.join([self.mode, str(self.run.jobs), str(self.n), 'exit' if self.on_exit else 'entry'] +
                        ['again'] * self.again)

    def work(self):
        return self.run.attempt(lambda: self.run.point(self))
