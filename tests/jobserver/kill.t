#!/usr/bin/env python3
# dagrun gets SIGKILL at the entry and at the exit of its first 1,000 system calls, as the client of pools of each kind
# and as the server of its own: the tokens are back byte for byte, and no process and no fifo is left. Where its
# guardian is killed, dagrun goes on. Also with tasks that left their group or session, or do not heed TERM. How long
# it took is told. Without options some of the calls; --all: all. --seed N.
import argparse
import os
import random
import select
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), 'crash')]
STOPPER = os.path.join(os.environ['builddir'], 'tests/crash/stopper')
os.environ.setdefault('CRASH_STOPPER', STOPPER)
import oracle  # noqa: E402
from players import STYLES, Pool  # noqa: E402
from harness import DAGRUN, PATIENCE, check, equal, write  # noqa: E402

TOKENS = 'ABCD'
CALLS = 1000
SAMPLE = 48
QUICK = '''args n
  range = 1..40

map t
  each = n
  out  = made/{arg}
  run  = touch {out}
'''

# Each waits for what never comes: as it is, deaf, in a group of its own, in a session of its own, and as one's orphan.
STUBBORN = '''args n
  list = plain deaf group session orphan

map t
  each = n
  run  = bash ./stubborn {arg}
'''
SCRIPT = '''exec 9<>never
wait_here='echo "$$" >said; read -r x <&9'
case $1 in
plain) eval "$wait_here" ;;
deaf) trap '' TERM INT HUP QUIT; eval "$wait_here" ;;
group) timeout 1000 bash -c "$wait_here" ;;
session) setsid bash -c "trap '' TERM; $wait_here"; read -r x <&9 ;;
orphan) (setsid bash -c "$wait_here" &); read -r x <&9 ;;
esac
'''


def fresh():
    subprocess.check_call(['rm', '-rf', 'made', '.dagrun', 'tmp', 'report'])
    os.mkdir('tmp')


def command(pool):
    return [DAGRUN, *([] if pool else ['-j5'])]


def env_of(pool):
    env = {k: v for k, v in os.environ.items() if k not in ('MAKEFLAGS', 'MAKELEVEL')}
    env['TMPDIR'] = os.path.abspath('tmp')
    env['ASAN_OPTIONS'] = env.get('ASAN_OPTIONS', '') + ':detect_leaks=0'
    if pool:
        env.update(MAKEFLAGS=pool.flags, MAKELEVEL='1')
    return env


def stopper(options, pool):
    """What came to pass, in words."""
    with open('err', 'wb') as err:
        subprocess.run([STOPPER, '-o', 'report', *options, *command(pool)], env=env_of(pool), check=True,
                       stdin=subprocess.DEVNULL, stdout=err, stderr=err, pass_fds=pool.pass_fds if pool else (),
                       timeout=PATIENCE)
    with open('report') as f:
        return f.read().split()


def after(what, pool):
    equal(oracle.nobody_left(0), 0, what + ': processes that are left')
    if pool:
        pool.whole(what)
    equal(os.listdir('tmp'), [], what + ': left in TMPDIR')


def points(chance, n_calls, every):
    last = min(CALLS, n_calls)
    if every:
        return [(n, x) for n in range(1, last + 1) for x in (False, True)]
    return [(1 + int((i + chance.random()) * last / SAMPLE), i % 2 == 1) for i in range(SAMPLE)]


def at_calls(chance, every, pools, n_calls):
    write('Dagfile', QUICK)
    gone = []
    cut = 0
    for i, (n, on_exit) in enumerate(points(chance, n_calls, every)):
        pool = pools[i // 2 % len(pools)]
        whom = 'guardian' if i % 4 == 3 else 'first'
        what = '%s killed at the %s of call %d' % (whom, 'exit' if on_exit else 'entry', n)
        fresh()
        word = stopper(['-n', str(n), *(['-x'] if on_exit else []), '-k', whom], pool)
        what += ' (%s)' % (word[2] if word[0] == 'killed' else 'never made')
        status = word[4] if word[0] == 'killed' else word[1]
        if whom == 'guardian' or word[0] == 'ended':
            equal(status, '0', what + ': exit')
            equal(len(os.listdir('made')), 40, what + ': made')
        else:
            cut += 1
            gone.append(float(word[5].split('=')[1]))
        after(what, pool)
    print('%d points, %d cut short: tokens before %d, after %d; all gone after %.0f ms at most' % (
        i + 1, cut, len(TOKENS), len(TOKENS), max(gone)))


def below(pid):
    """Who lives below it and is no guardian, as names."""
    for tid in os.listdir('/proc/%d/task' % pid):
        with open('/proc/%d/task/%s/children' % (pid, tid)) as f:
            kids = f.read().split()
        for kid in map(int, kids):
            try:
                with open('/proc/%d/stat' % kid) as f:
                    name, rest = f.read().split('(', 1)[1].rsplit(')', 1)
                if rest.split()[0] not in 'ZX' and name != 'dag-guardian':
                    yield name
                yield from below(kid)
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has ended meanwhile


def tokens_last(pool):
    """Who finds a token finds a processor: when the first one is back, all tasks have ended."""
    check(select.select([pool.r], [], [], PATIENCE)[0], 'no token comes back')
    equal(list(below(os.getpid())), [], 'tasks beside tokens that are back')


def stubborn(pools):
    """How long the last of them lived after dagrun."""
    for name in ('never', 'said'):
        os.mkfifo(name)
    said = os.open('said', os.O_RDWR)
    write('Dagfile', STUBBORN)
    write('stubborn', SCRIPT)
    gone = []
    for pool in pools:
        fresh()
        with open('err', 'wb') as err:
            p = subprocess.Popen(command(pool), env=env_of(pool), stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                                 pass_fds=pool.pass_fds if pool else ())
        words = b''
        while words.count(b'\n') < 5:
            check(select.select([said], [], [], PATIENCE)[0], 'not all five start: %r' % words)
            words += os.read(said, 4096)
        p.kill()
        p.wait()
        began = time.monotonic()
        if pool:
            tokens_last(pool)
        equal(oracle.nobody_left(PATIENCE), 0, 'stubborn tasks that are left')
        gone.append((time.monotonic() - began) * 1e3)
        after('stubborn tasks', pool)
    print('stubborn tasks: tokens before %d, after %d; all gone after %.0f ms' % (len(TOKENS), len(TOKENS), max(gone)))


def main():
    if not oracle.subreaper() or not os.path.exists('/proc/self/task/%d/children' % os.getpid()):
        print('skipped: orphans cannot be found here')
        return 77
    p = argparse.ArgumentParser()
    p.add_argument('--all', action='store_true')
    p.add_argument('--seed', type=int, default=int.from_bytes(os.urandom(4), 'big'))
    o = p.parse_args()
    print('seed %d' % o.seed, flush=True)
    write('Dagfile', QUICK)
    fresh()
    word = stopper([], None)
    if word[-1] == 'guardian=0':
        print('skipped: this dagrun has no guardian')
        return 77
    pools = [Pool(style, TOKENS) for style in STYLES] + [None]
    at_calls(random.Random(o.seed), o.all, pools, int(word[2].split('=')[1]))
    stubborn(pools)
    return 0


if __name__ == '__main__':
    sys.exit(main())
