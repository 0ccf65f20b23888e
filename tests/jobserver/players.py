# Who else is at a jobserver's table: pools as each make makes them, and rivals that take tokens as badly as they can.
import fcntl
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'e2e'))
import harness  # noqa: E402

STYLES = ('pipe', 'pipe-nonblocking', 'fifo')


class Pool(harness.Pool):
    """Also a pipe that does not block, as make 4.3's and later."""

    def __init__(self, style, tokens):
        super().__init__('fifo' if style == 'fifo' else 'pipe', tokens)
        if style == 'pipe-nonblocking':
            self.was |= os.O_NONBLOCK
            fcntl.fcntl(self.r, fcntl.F_SETFL, self.was)


class Rival:
    """A process at the same pool. It says `start` and `end` of a token that it holds where tasks do, so that the floor
    counts it, and gives all back at close()."""

    def __init__(self, kind, pool, name='rival'):
        self.p = subprocess.Popen([sys.executable, os.path.join(HERE, 'rival.py'), kind, pool.auth, name],
                                  stdin=subprocess.PIPE, pass_fds=pool.pass_fds)

    def close(self):
        self.p.stdin.close()
        return self.p.wait(harness.PATIENCE)


# Tells how many tokens are in the pool that MAKEFLAGS names, and leaves them there.
COUNT = '''#!%s
import os, re, sys
words = os.environ.get('MAKEFLAGS', '').split()
auth = [w.split('=', 1)[1] for w in words if re.match('--jobserver-(auth|fds)=', w)]
auth = auth[0] if ',' in auth[0] else auth[-1]
path = auth[5:] if auth.startswith('fifo:') else None
r, w = (path, path) if path else ['/proc/self/fd/' + n for n in auth.split(',')]
r = os.open(r, os.O_RDWR | os.O_NONBLOCK if path else os.O_RDONLY | os.O_NONBLOCK)
got = b''
try:
    while True:
        byte = os.read(r, 1)
        if not byte:
            break
        got += byte
except BlockingIOError:
    pass
os.write(os.open(w, os.O_WRONLY), got)
print(len(got), file=open(sys.argv[1], 'w'))
''' % sys.executable


def write_count():
    harness.write('count', COUNT, 0o755)


def counted(name):
    with open(name) as f:
        return int(f.read())


def tell(what, before, after, most, jobs):
    """A line of the table. None: nobody outside can count them."""
    before, after, most = ('-' if n is None else n for n in (before, after, most))
    print('%-55s | before %2s | after %2s | most at once %2s of %2d' % (what, before, after, most, jobs))


def have(*programs):
    """The first of them that is missing, or None."""
    return next((p for p in programs if not shutil.which(p)), None)


def make_version():
    text = subprocess.run(['make', '--version'], stdout=subprocess.PIPE, universal_newlines=True).stdout
    return tuple(int(n) for n in text.split('\n')[0].split()[-1].split('.')[:2])
