#!/usr/bin/env python3
# INT, TERM, HUP and QUIT at 200 random moments, some twice: the tokens are back byte for byte, no process is left, no
# fifo, no temporary file, and dagrun dies of that signal. An argument is the seed.
import os
import random
import select
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), 'crash')]
os.environ.setdefault('CRASH_STOPPER', '')
import oracle  # noqa: E402
from players import STYLES, Pool  # noqa: E402
from harness import DAGRUN, PATIENCE, check, equal, write  # noqa: E402

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
TOKENS = 'ABC'
DAGFILE = '''args n
  range = 1..12

map t
  each = n
  out  = made/{arg}
  run  = sh -c 'echo half > "$0"; sh -c :; echo whole > "$0"' {out}
'''


def start(pool, env):
    flags = pool.flags if pool else None
    e = {k: v for k, v in env.items() if k not in ('MAKEFLAGS', 'MAKELEVEL')}
    if flags:
        e.update(MAKEFLAGS=flags, MAKELEVEL='1')
    with open('err', 'wb') as err:
        return subprocess.Popen([DAGRUN, *([] if pool else ['-j4'])], stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                                env=e, pass_fds=pool.pass_fds if pool else ())


def wait(p, seconds):
    """Has it ended until then?"""
    fd = os.pidfd_open(p.pid)
    ended = select.select([fd], [], [], seconds)[0]
    os.close(fd)
    return bool(ended)


def fresh():
    subprocess.check_call(['rm', '-rf', 'made', '.dagrun', 'tmp'])
    os.mkdir('tmp')


def moment(i, when, pool, env):
    """True: the run was cut short."""
    fresh()
    sig = SIGNALS[i % len(SIGNALS)]
    p = start(pool, env)
    if not wait(p, when):
        # Not by send_signal, which looks first whether it has ended, and would take its status from wait().
        os.kill(p.pid, sig)
        if i % 5 == 0:
            os.kill(p.pid, sig)
    check(wait(p, PATIENCE), 'it does not end')
    status = p.wait()
    check(status in (0, -sig), '%s: exit %d' % (sig.name, status))
    equal(oracle.nobody_left(PATIENCE), 0, 'processes that are left')
    if pool:
        pool.whole('%s after %.1f ms' % (sig.name, when * 1e3))
    equal(os.listdir('tmp'), [], 'left in TMPDIR')
    for name in os.listdir('made') if os.path.exists('made') else []:
        check(not name.startswith('.'), 'left behind: ' + name)
        with open('made/' + name) as f:
            equal(f.read(), 'whole\n', name)
    return status != 0


def main():
    if not oracle.subreaper():
        print('skipped: orphans cannot be found here')
        return 77
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else int.from_bytes(os.urandom(4), 'big')
    print('seed %d' % seed, flush=True)
    chance = random.Random(seed)
    write('Dagfile', DAGFILE)
    env = dict(os.environ, TMPDIR=os.path.abspath('tmp'))
    fresh()
    began = time.monotonic()
    equal(start(None, env).wait(), 0, 'a whole run')
    takes = time.monotonic() - began
    cut = 0
    pools = [Pool(style, TOKENS) for style in STYLES] + [None]
    for i in range(200):
        cut += moment(i, chance.random() * takes, pools[i // len(SIGNALS) % len(pools)], env)
    print('200 moments, %d runs were cut short; tokens before %d, after %d' % (cut, len(TOKENS), len(TOKENS)))
    return 0


if __name__ == '__main__':
    sys.exit(main())
