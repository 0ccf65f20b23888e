# For tests that play a make: a pool of tokens whose bytes can be told apart, and tasks that wait to be let go, so
# that how many run at once is counted and not guessed from times. Working directory: empty, the test's own.
import fcntl
import os
import select
import signal
import subprocess
import sys
import time

DAGRUN = os.environ['DAGRUN']
PATIENCE = 60  # seconds that something is waited for that should happen at once


class Failed(Exception):
    pass


def check(holds, what):
    if not holds:
        raise Failed(what)


def equal(got, want, what):
    if got != want:
        raise Failed('%s: %r instead of %r' % (what, got, want))


def write(path, text, mode=0o666):
    if os.path.dirname(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode & 0o755)


class Pool:
    """What a make owns. Its descriptions block, as a make's up to 4.2 do."""

    def __init__(self, style, tokens):
        self.tokens = tokens
        self.pass_fds = ()
        if style == 'fifo':
            self.path = os.path.abspath('pool')
            if not os.path.exists(self.path):
                os.mkfifo(self.path, 0o600)
            self.r = self.w = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
            self.auth = 'fifo:' + self.path
        else:
            self.r, self.w = os.pipe()
            self.pass_fds = (self.r, self.w)
            self.auth = '%d,%d' % self.pass_fds
        self.flags = ' -j%d --jobserver-auth=%s' % (len(tokens) + 1, self.auth)
        self.put(tokens)
        self.was = fcntl.fcntl(self.r, fcntl.F_GETFL)

    def put(self, tokens):
        os.write(self.w, tokens.encode())

    def take(self):
        """All that is there, in its order."""
        got = b''
        while select.select([self.r], [], [], 0)[0]:
            got += os.read(self.r, 1)
        return got.decode()

    def whole(self, what, untouched=False, makes=False):
        """Every byte is back; untouched: and none was ever taken, as the order shows. makes: makes shared it, which
        set flags of what they share."""
        if not makes:
            equal(fcntl.fcntl(self.r, fcntl.F_GETFL), self.was, what + ': flags of what make shares')
        got = self.take()
        if makes:
            # It writes '+', whatever it has read.
            got, want = len(got), len(self.tokens)
        else:
            got, want = got if untouched else ''.join(sorted(got)), self.tokens
        equal(got, want, what + ': tokens afterwards')
        self.put(self.tokens)

    def close(self):
        for fd in {self.r, self.w}:
            os.close(fd)


WORK = '''#!/bin/sh
# work NAME [OUT]: says that it runs, waits to be let go, says that it ends.
echo "start $1 $$" >said
read -r go <gate
case " $FAIL " in *" $1 "*) echo "fail $1 $$" >said; exit 3;; esac
echo "end $1 $$" >said
[ -z "${2-}" ] || echo "$1" >"$2"
'''


class Floor:
    """Where tasks run that call ./work, and one program that starts them."""

    def __init__(self):
        for name in ('said', 'gate'):
            if os.path.exists(name):
                os.unlink(name)
            os.mkfifo(name)
        if not os.path.exists('work'):
            write('work', WORK, 0o755)
        # For both, so that no task waits in open for us, or sees an end of file.
        self.said = os.open('said', os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self.gate = os.open('gate', os.O_RDWR | os.O_CLOEXEC)
        self.proc = None
        self.pending = b''
        self.forget()

    def forget(self):
        self.running = {}  # name: pid
        self.most = 0
        self.started = []
        self.ended = []
        self.gone = 0

    def start(self, argv, flags=None, pass_fds=(), level='1', env=None):
        e = {k: v for k, v in os.environ.items() if k not in ('MAKEFLAGS', 'MAKELEVEL', 'MFLAGS', 'CARGO_MAKEFLAGS')}
        if flags is not None:
            e['MAKEFLAGS'] = flags
            e['MAKELEVEL'] = level
        e.update(env or {})
        self.forget()
        with open('out', 'wb') as out, open('err', 'wb') as err:
            self.proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=e,
                                         pass_fds=pass_fds)
        self.pidfd = os.pidfd_open(self.proc.pid)
        return self.proc

    def dagrun(self, *args, pool=None, flags=None, **more):
        if pool:
            flags = pool.flags if flags is None else flags
            more.setdefault('pass_fds', pool.pass_fds)
        return self.start([DAGRUN, *args], flags, **more)

    def text(self, name='err'):
        with open(name, errors='replace') as f:
            return f.read()

    def _lines(self):
        try:
            self.pending += os.read(self.said, 65536)
        except BlockingIOError:
            return
        *lines, self.pending = self.pending.split(b'\n')
        for line in lines:
            what, name, pid = line.decode().split(' ')
            if what == 'start':
                # One that was slow to heed TERM has got KILL, and could not say that it ended.
                if name in self.running and not alive(self.running[name]):
                    self.ended.append(name)
                    del self.running[name]
                check(name not in self.running, name + ' runs twice at once')
                self.running[name] = int(pid)
                self.started.append(name)
                self.most = max(self.most, len(self.running))
            else:
                del self.running[name]
                if what == 'end':
                    self.ended.append(name)

    def until(self, holds, what):
        """Waits until holds() or the program's end; True: it has ended."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            left = deadline - time.monotonic()
            check(left > 0, '%s: waited in vain, %d run (%s)' % (what, len(self.running), self.running))
            ready = select.select([self.said, self.pidfd], [], [], left)[0]
            self._lines()
            if self.said not in ready and self.pidfd in ready:
                return True
        return False

    def reach(self, n, what):
        """Until n tasks run at once."""
        ended = self.until(lambda: len(self.running) >= n, '%s: %d at once' % (what, n))
        check(not ended, '%s: ended early: %s' % (what, self.text()))
        equal(len(self.running), n, what + ': tasks at once')

    def let_go(self, n):
        """n tasks may end, whichever."""
        self.gone += n
        os.write(self.gate, b'\n' * n)

    def finish(self, what):
        """Lets every task go as it comes; the exit status."""
        while True:
            have = len(self.started)
            self.let_go(have - self.gone)
            if self.until(lambda: len(self.started) > have, what):
                break
        return self.end(what)

    def end(self, what):
        self.until(lambda: False, what)
        rc = self.proc.wait()
        os.close(self.pidfd)
        self._lines()
        return rc

    def signal(self, sig):
        os.kill(self.proc.pid, sig)

    def close(self):
        os.close(self.said)
        os.close(self.gate)


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


def run(tests):
    """Each in a directory of its own; all of them, whatever fails. The test's exit status."""
    top = os.getcwd()
    wanted = sys.argv[1:]
    bad = 0
    for name, fn, *args in tests:
        if wanted and name not in wanted:
            continue
        place = os.path.join(top, name.replace(' ', '-').replace('/', '-'))
        os.mkdir(place)
        os.chdir(place)
        floor = Floor()
        try:
            fn(floor, *args)
            print('ok:', name, flush=True)
        except (Failed, OSError, ValueError, KeyError) as e:
            bad += 1
            print('FAILED: %s: %s: %s' % (name, type(e).__name__, e), flush=True)
            if os.path.exists('err'):
                print(floor.text(), end='', flush=True)
        finally:
            if floor.proc and floor.proc.poll() is None:
                # Whom we started we end, and with it its tasks, which wait for us.
                floor.signal(signal.SIGTERM)
                floor.let_go(100)
                try:
                    floor.proc.wait(20)
                except subprocess.TimeoutExpired:
                    floor.proc.kill()
                    floor.proc.wait()
            floor.close()
        os.chdir(top)
    return 1 if bad else 0


def run_alone(names):
    """The functions among them that are called test_…, which need no Floor, as run does; arguments choose some of them."""
    top, bad = os.getcwd(), 0
    for name, fn in list(names.items()):
        if not name.startswith('test_') or sys.argv[1:] and name[5:] not in sys.argv[1:]:
            continue
        os.mkdir(os.path.join(top, name))
        os.chdir(os.path.join(top, name))
        try:
            fn()
            print('ok:', name[5:], flush=True)
        # Whatever one of them meets with, the others are tried.
        except Exception as e:
            bad = 1
            print('FAILED: %s: %s: %s' % (name[5:], type(e).__name__, e), flush=True)
    return bad
