# rival.py KIND AUTH NAME: takes tokens of a pool until standard input ends, and then gives back what it holds.
#
# poller: waits with poll, reads one, holds it for a moment. blocker: reads without asking first. hoarder: takes all
# that it can and keeps them. gatherer: wants three at once, and gives back what it has if it does not get another
# soon. watcher: takes none, and tells how long one lay there.
import fcntl
import os
import select
import struct
import sys
import termios
import time

kind, auth, name = sys.argv[1:4]
if auth.startswith('fifo:'):
    r = w = os.open(auth[5:], os.O_RDWR)
else:
    r, w = (int(n) for n in auth.split(','))
said = os.open('said', os.O_WRONLY)
held = []
MOMENT = 5  # ms


def say(word, n):
    os.write(said, b'%s %s%d %d\n' % (word.encode(), name.encode(), n, os.getpid()))


def over(wait):
    """Has standard input ended, or does it within so many ms? It is never written to."""
    return bool(select.select([0], [], [], wait / 1000)[0])


def take():
    """One, or None: another was quicker."""
    try:
        token = os.read(r, 1)
    except BlockingIOError:
        return False
    held.append(token)
    say('start', len(held))
    return True


def give(n):
    while len(held) > n:
        say('end', len(held))
        os.write(w, held.pop())


def ready(wait):
    """Is there a token, as far as one can know? None: it is over."""
    got = select.select([0, r], [], [], None if wait is None else wait / 1000)[0]
    return None if 0 in got else r in got


def poller():
    while ready(None) is not None:
        # Where the pool blocks, one that looks first can still be left waiting: here, as elsewhere, for a moment.
        if take() and over(MOMENT):
            break
        give(0)


def blocker():
    while not over(0):
        take() or over(MOMENT)
        if held and over(MOMENT):
            break
        give(0)


def hoarder():
    while ready(None) is not None:
        take()


def gatherer():
    while ready(None) is not None:
        while len(held) < 3 and ready(50) and take():
            pass
        if over(MOMENT):
            break
        give(0)


def watcher():
    """Looks every millisecond; prints the longest time for which there was one at each look."""
    since = worst = 0
    began = time.monotonic()
    while not over(1):
        now = time.monotonic()
        if struct.unpack('i', fcntl.ioctl(r, termios.FIONREAD, b'1234'))[0] == 0:
            since = 0
        elif not since:
            since = now
        else:
            worst = max(worst, now - since)
    print('a token lay there for %.1f ms at most, in %.1f s' % (worst * 1e3, time.monotonic() - began), flush=True)


{'watcher': watcher, 'poller': poller, 'blocker': blocker, 'hoarder': hoarder, 'gatherer': gatherer}[kind]()
give(0)
