#!/usr/bin/env python3
# What is left of a run that was killed: nothing. Its tasks are gone, whatever they did to stay; the tokens are back, byte for byte; our fifo
# is gone; and who comes next finds the tasks free only when their processes have ended. The one who sees to it may be killed, too.
#
# Arguments, in any order: a number is the seed of the moments, words are names of tests.
import ctypes
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import DAGRUN, PATIENCE, Failed, Pool, check, equal, run, write  # noqa: E402

SEED = next((int(a) for a in sys.argv[1:] if a.isdigit()), int.from_bytes(os.urandom(4), 'big'))
STYLES = ('pipe', 'fifo')
NAME = 'dag-guardian'


def subreaper():
    """Orphans of those that we start are our children: when we have none any more, nothing is left."""
    PR_SET_CHILD_SUBREAPER = 36
    try:
        return ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    except (AttributeError, OSError):
        return False


def stat(pid):
    """State, parent; nothing of one that is gone."""
    try:
        with open('/proc/%d/stat' % pid, errors='replace') as f:
            fields = f.read().rsplit(')', 1)[1].split()
            return fields[0], int(fields[1])
    except (FileNotFoundError, ProcessLookupError):
        return None, None


def children(pid):
    # Not /proc/PID/task/PID/children, which may leave out some while others end.
    return [int(p) for p in os.listdir('/proc') if p.isdigit() and stat(int(p))[1] == pid]


def name_of(pid):
    try:
        with open('/proc/%d/comm' % pid) as f:
            return f.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ''


def called(pid):
    try:
        with open('/proc/%d/cmdline' % pid) as f:
            return f.read().split('\0')[0]
    except (FileNotFoundError, ProcessLookupError):
        return ''


def running(pids):
    """Those that have not ended; zombies have."""
    return [pid for pid in pids if stat(pid)[0] not in (None, 'Z', 'X')]


def guardian(pid):
    """Of this dagrun; it is there before the first task is, though for a moment without its name."""
    found = [p for p in children(pid) if called(p) in ('', NAME)]
    equal(len(found), 1, 'guardians among %s' % [(p, stat(p)[0], called(p), name_of(p)) for p in children(pid)])
    return found[0]


def everybody(pid):
    """All that has come from pid, as far as it is still connected."""
    found = [pid]
    for p in found:
        found += children(p)
    return found[1:]


def ended(pid):
    """Waits until this process, which need not be our child, has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    check(select.select([fd], [], [], PATIENCE)[0], 'process %d (%s) does not end' % (pid, name_of(pid)))
    os.close(fd)


def kill(floor):
    floor.proc.kill()
    floor.proc.wait()


def nobody_left(what):
    """Until we have no children: whoever was left to us has ended."""
    until = time.monotonic() + PATIENCE
    while True:
        left = children(os.getpid())
        if not left:
            return
        for pid in left:
            fd = os.pidfd_open(pid)
            ready = select.select([fd], [], [], max(0, until - time.monotonic()))[0]
            os.close(fd)
            if not ready:
                names = ['%d (%s)' % (p, name_of(p)) for p in left]
                for p in left:
                    os.kill(p, signal.SIGKILL)
                raise Failed('%s: still run: %s' % (what, ' '.join(names)))
            os.waitpid(pid, 0)


def dagfile(n, command='./work {arg} {out}', more=''):
    write('Dagfile', 'args n\n  range = 1..%d\n\nmap t\n  each = n\n  out  = made/{arg}\n%s  run  = %s\n' % (n, more, command))


# Everything that a task may do to stay.
STAYS = '''#!/bin/bash
# stays NAME OUT
trap '' TERM INT HUP
setsid ./sits &
timeout 100 ./sits &
(exec env -i "$PWD/sits") &
(trap '' TERM; ./sits) &
./sits & ./sits & ./sits &
read -r a <sat; read -r b <sat; read -r c <sat; read -r d <sat; read -r e <sat; read -r f <sat; read -r g <sat
echo "start $1 $$" >said
while :; do read -r go <gate && break; done
'''

SITS = '''#!/bin/bash
echo sits >sat
exec sleep 1000
'''


def stubborn(floor):
    if os.path.exists('sat'):
        os.unlink('sat')
    os.mkfifo('sat')
    floor.sat = os.open('sat', os.O_RDWR | os.O_CLOEXEC)
    write('stays', STAYS, 0o755)
    write('sits', SITS, 0o755)


def tokens_back(floor, style):
    pool = Pool(style, 'ABC')
    dagfile(20)
    floor.dagrun(pool=pool)
    floor.reach(4, 'before the end')
    tasks = list(floor.running.values())
    watcher = guardian(floor.proc.pid)
    kill(floor)
    nobody_left('after the kill')
    equal(running(tasks + [watcher]), [], 'processes')
    equal(os.listdir('made') if os.path.exists('made') else [], [f for f in os.listdir('made')], 'outputs')
    pool.whole('killed')


def leaves_nobody(floor, style):
    """Also those that ignore TERM, have left their group or session, or have thrown their environment away."""
    stubborn(floor)
    pool = Pool(style, 'ABC')
    dagfile(8, './stays {arg} {out}')
    floor.dagrun(pool=pool)
    floor.reach(4, 'tasks that stay')
    all_of_them = everybody(floor.proc.pid)
    check(len(all_of_them) >= 4 * 8, 'only %d processes' % len(all_of_them))
    kill(floor)
    nobody_left('after the kill')
    equal(running(all_of_them), [], 'processes')
    pool.whole('killed')


def serves(floor):
    """Our own pool goes, too, and with it its directory."""
    os.mkdir('tmp')
    dagfile(9)
    floor.dagrun('-j3', env={'TMPDIR': os.path.abspath('tmp')})
    floor.reach(3, '-j3')
    equal(len(os.listdir('tmp')), 1, 'directories of the pool')
    kill(floor)
    nobody_left('after the kill')
    equal(os.listdir('tmp'), [], 'left in TMPDIR')


def at_moments(floor, style):
    """At moments of a run whose tasks come and go quickly."""
    chance = random.Random('%d %s' % (SEED, style))
    pool = Pool(style, 'ABCDEFG')
    os.mkdir('tmp')
    write('Dagfile', 'args n\n  range = 1..60\n\nmap t\n  each = n\n  run  = ./short {arg}\n')
    write('short', '#!/bin/sh\nexec sleep 0.00$(($1 % 10))\n', 0o755)
    began = time.monotonic()
    floor.dagrun('-B', pool=pool, env={'TMPDIR': os.path.abspath('tmp')})
    equal(floor.end('a whole run'), 0, 'exit')
    takes = time.monotonic() - began
    cut = 0
    n = 250 if os.environ.get('JOBSERVER_ALL') else 20
    for i in range(n):
        moment = chance.random() * takes
        floor.dagrun('-B', pool=pool, env={'TMPDIR': os.path.abspath('tmp')})
        if not select.select([floor.pidfd], [], [], moment)[0]:
            cut += 1
        kill(floor)
        nobody_left('killed after %.4f s' % moment)
        pool.whole('killed after %.4f s' % moment)
        equal(os.listdir('tmp'), [], 'left in TMPDIR')
    print('%d of %d runs were cut short' % (cut, n))


def under_make(floor):
    """make ends by itself, with an ordinary error, and has its tokens."""
    dagfile(20)
    write('Makefile', 'all: b a\na:\n\t+%s\nb:\n\t@./work b\n' % DAGRUN)
    floor.start(['make', '-j4'])
    floor.reach(4, 'under make')
    mine = [p for p in children(floor.proc.pid) for p in [p] + children(p) if name_of(p) == 'dagrun']
    equal(len(mine), 1, 'dagruns')
    os.kill(mine[0], signal.SIGKILL)
    for name, pid in floor.running.items():
        if name != 'b':
            ended(pid)
    # The recipe beside it goes on to its end.
    rest = floor.running
    floor.running = {'b': rest['b']}
    floor.let_go(1)
    equal(floor.end('make'), 2, 'exit of make: ' + floor.text())
    check('INTERNAL' not in floor.text() and 'jobserver' not in floor.text(), floor.text())
    check('Killed' in floor.text() or 'Error 137' in floor.text(), floor.text())
    nobody_left('after make')
    equal(running(rest.values()), [], 'tasks')


def make_is_killed(floor):
    """dagrun goes on with what it has of the pool, and ends well."""
    dagfile(20)
    write('Makefile', 'a:\n\t+%s\n' % DAGRUN)
    floor.start(['make', '-j4'])
    floor.reach(4, 'under make')
    mine, = [p for p in children(floor.proc.pid) for p in [p] + children(p) if name_of(p) == 'dagrun']
    kill(floor)
    floor.pidfd = os.pidfd_open(mine)
    have = -1
    while len(floor.started) > have:
        have = len(floor.started)
        floor.let_go(have - floor.gone)
        floor.until(lambda: len(floor.started) > have, 'without make')
    equal(os.waitstatus_to_exitcode(os.waitpid(mine, 0)[1]), 0, 'exit: ' + floor.text())
    equal(len(os.listdir('made')), 20, 'outputs')
    nobody_left('without make')


def shell_function(floor):
    """What make reads of a dagrun ends with it, also when it was killed."""
    write('Dagfile', 'task t\n  run = ./work x\n')
    write('Makefile', 'X := $(shell %s -Bs 2>&1)\nall: ; @echo "<$(X)>"\n' % DAGRUN)
    floor.start(['make'])
    floor.reach(1, 'in $(shell)')
    equal(floor.finish('make'), 0, 'exit')
    equal(floor.text('out'), '<>\n', 'what it said')
    floor.start(['make'])
    floor.reach(1, 'in $(shell)')
    mine = [p for p in everybody(floor.proc.pid) if name_of(p) == 'dagrun']
    os.kill(mine[0], signal.SIGKILL)
    equal(floor.end('make'), 0, 'exit')
    nobody_left('after make')


# Ends by TERM, after its words.
ORDERLY = '''#!/bin/bash
trap 'echo "end $1 $$" >said; exit 0' TERM
echo "start $1 $$" >said
read -r go <gate
echo "end $1 $$" >said
: >"$2"
'''


def claims(floor):
    """The next run waits for what the killed one was making until that has ended. The floor would not stand a task that runs twice at once."""
    write('orderly', ORDERLY, 0o755)
    dagfile(3, './orderly {arg} {out}')
    floor.dagrun('-j3')
    floor.reach(3, 'before the kill')
    kill(floor)
    was = floor.running
    floor.dagrun('-j3')
    floor.running = was
    floor.started = []
    floor.until(lambda: len(floor.ended) >= 3 and len(floor.running) == 3, 'all run again')
    equal(floor.finish('the next run'), 0, 'exit')
    equal(sorted(floor.started), ['1', '2', '3'], 'what ran again')
    nobody_left('at the end')


def guardian_dies(floor, style):
    """Another one takes its place."""
    pool = Pool(style, 'ABC')
    dagfile(20)
    floor.dagrun(pool=pool)
    floor.reach(4, 'before its death')
    for _ in range(3):
        first = guardian(floor.proc.pid)
        os.kill(first, signal.SIGKILL)
        ended(first)
        # Whoever starts the next task need not be the thread that is told of it; and then there is none for a moment.
        while not any(called(p) == NAME for p in children(floor.proc.pid) if p != first):
            more = len(floor.started) + 1
            floor.let_go(1)
            floor.until(lambda: len(floor.started) == more, 'one more task')
    kill(floor)
    nobody_left('after the kill')
    pool.whole('killed')
    # And a whole run in which it dies.
    floor.dagrun(pool=pool)
    floor.reach(4, 'the next run')
    os.kill(guardian(floor.proc.pid), signal.SIGKILL)
    equal(floor.finish('the next run'), 0, 'exit')
    equal(floor.text().count('KILL'), 0, floor.text())
    pool.whole('the next run')


def guardian_is_stopped(floor, style):
    """Nobody waits for one that does not move."""
    pool = Pool(style, 'ABC')
    dagfile(6)
    floor.dagrun(pool=pool)
    floor.reach(4, 'before')
    os.kill(guardian(floor.proc.pid), signal.SIGSTOP)
    equal(floor.finish('with a guardian that is stopped'), 0, 'exit')
    pool.whole('with a guardian that is stopped')


def signals_do_not_reach_it(floor):
    dagfile(3)
    floor.dagrun('-j3')
    floor.reach(3, 'before')
    watcher = guardian(floor.proc.pid)
    for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGPIPE):
        os.kill(watcher, sig)
    equal(guardian(floor.proc.pid), watcher, 'it')
    equal(floor.finish('signals'), 0, 'exit')


def is_not_called_dagrun(floor):
    dagfile(1)
    floor.dagrun()
    floor.reach(1, 'a task')
    with open('/proc/%d/cmdline' % guardian(floor.proc.pid), 'rb') as f:
        check(b'dagrun' not in f.read(), 'its command line')
    with open('/proc/%d/environ' % guardian(floor.proc.pid), 'rb') as f:
        equal(f.read(), b'', 'its environment')
    equal(floor.finish('a task'), 0, 'exit')


def finds_orphans_gone(floor, left):
    """A run has begun, whose tasks tell who of `left` they have found alive."""
    floor.until(lambda: len(floor.started) == 3, 'the next run')
    # Zombies answer to kill -0; they are ours to wait for.
    seen = floor.text('seen').split('\n')[:-1] if os.path.exists('seen') else []
    equal(running([int(s.split()[2]) for s in seen]), [], 'orphans that the next run has left alone')
    equal(running(left), [], 'orphans')
    equal(floor.finish('the next run'), 0, 'exit')
    nobody_left('at the end')


def tell_of(left):
    write('stays', '#!/bin/sh\nfor p in %s; do kill -0 $p 2>/dev/null && echo "alive $1 $p" >>seen; done\nexec ./work "$@"\n' %
          ' '.join(str(p) for p in left), 0o755)


def three_that_stay(floor):
    """A run of three tasks whose processes are told to the next run's: its guardian, and they."""
    stubborn(floor)
    dagfile(3, './stays {arg} {out} && : >{out}')
    floor.dagrun('-j3')
    floor.reach(3, 'before')
    watcher = guardian(floor.proc.pid)
    left = [p for p in everybody(floor.proc.pid) if p != watcher]
    tell_of(left)
    return watcher, left


def both_die(floor):
    """The next run ends what they left before it starts anything, even if the kernel is not done with the guardian when that run begins."""
    watcher, left = three_that_stay(floor)
    floor.proc.send_signal(signal.SIGSTOP)
    os.kill(watcher, signal.SIGKILL)
    kill(floor)
    equal(running(left), left, 'orphans that have gone already')
    floor.dagrun('-j3')
    finds_orphans_gone(floor, left)


def dies_beside(floor):
    """A run that lives when the next one looks, and is then killed with its guardian: that one ends what they left before it takes over."""
    watcher, left = three_that_stay(floor)
    os.kill(watcher, signal.SIGSTOP)
    kill(floor)
    runs = os.listdir('.dagrun/runs')
    floor.dagrun('-j3')
    while set(os.listdir('.dagrun/runs')) <= set(runs):
        equal(floor.proc.poll(), None, 'the next run: ' + floor.text())
        time.sleep(.001)
    equal(running(left), left, 'orphans while their guardian is stopped')
    os.kill(watcher, signal.SIGKILL)
    finds_orphans_gone(floor, left)


def ends_all(floor, sig):
    """INT ends the same as a KILL does; that is dagrun's own work."""
    stubborn(floor)
    dagfile(3, './stays {arg} {out}')
    floor.dagrun('-j3')
    floor.reach(3, 'before')
    left = everybody(floor.proc.pid)
    floor.signal(sig)
    # To all it says TERM, which they ignore; the second one kills.
    floor.signal(sig)
    equal(-floor.end('the end'), sig, 'dies of')
    equal(running(left), [], 'processes')
    nobody_left('at the end')


def times_out(floor):
    """A task that has run out of time has ended when nothing is left of it."""
    write('task', '#!/bin/bash\nsetsid sleep 1000 &\necho $! >>pids\ntimeout 1000 sleep 1000 &\necho $! >>pids\nsleep 1000\n', 0o755)
    write('Dagfile', 'task t\n  timeout = 0.3s\n  run = ./task\n')
    floor.dagrun()
    equal(floor.end('timeout'), 1, 'exit')
    equal(running([int(p) for p in floor.text('pids').split()]), [], 'processes')
    nobody_left('at the end')


def daemons_live(floor):
    """What a task has left behind that ended well is nobody's to end."""
    write('leaves', '#!/bin/bash\nsetsid sleep 1000 </dev/null >/dev/null 2>&1 &\necho $! >pid\n', 0o755)
    write('Dagfile', 'task a\n  run = ./leaves; : >{out}\n  out = a\ntask b\n  in = a\n  run = ./work b\n')
    floor.dagrun()
    floor.reach(1, 'the second task')
    kill(floor)
    ended_one = int(floor.text('pid'))
    for p in everybody(floor.proc.pid):
        ended(p)
    while [p for p in children(os.getpid()) if p != ended_one]:
        os.waitpid(next(p for p in children(os.getpid()) if p != ended_one), 0)
    check(running([ended_one]), 'the daemon')
    os.kill(ended_one, signal.SIGKILL)
    nobody_left('at the end')


def nested(floor):
    """A dagrun whose task is a dagrun: killed above, all below goes; killed below, only that."""
    os.mkdir('in')
    pool = Pool('pipe', 'ABC')
    write('in/Dagfile', 'args n\n  range = 1..8\n\nmap t\n  each = n\n  out  = made/{arg}\n'
                        '  run  = cd .. && ./work in{arg} && : > in/{out}\n')
    write('Dagfile', 'task deep\n  out = deep\n  run = %s -C in > {out}\n' % DAGRUN)
    floor.dagrun(pool=pool)
    floor.reach(4, 'nested')
    kill(floor)
    nobody_left('killed above')
    pool.whole('killed above')
    floor.dagrun(pool=pool)
    floor.reach(4, 'nested')
    below = [p for p in everybody(floor.proc.pid) if name_of(p) == 'dagrun']
    equal(len(below), 1, 'dagruns below')
    os.kill(below[0], signal.SIGKILL)
    equal(floor.end('killed below'), 1, 'exit')
    nobody_left('killed below')
    pool.whole('killed below')


def first_process(floor):
    """In a container: what others have left behind is waited for."""
    probe = subprocess.run(['unshare', '-Upfr', '--mount-proc', 'true'], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) \
        if shutil.which('unshare') else None
    if not probe or probe.returncode:
        print('skipped: no namespaces for us')
        return
    write('orphans', '#!/bin/bash\nfor i in 1 2 3 4 5; do (setsid true & ); done\n./work o\n', 0o755)
    write('zombies', '#!/bin/bash\nwhile grep -l "^State:.Z" /proc/[0-9]*/status; do read -t 0.01 x <>never; done >>seen\n: >$1\n', 0o755)
    os.mkfifo('never')
    write('Dagfile', 'task a\n  out = a\n  run = ./orphans && : >{out}\ntask b\n  in = a\n  out = b\n  run = ./zombies {out}\n')
    floor.start(['unshare', '-Upfr', '--mount-proc', DAGRUN, '-j2'])
    floor.reach(1, 'the first task')
    equal(floor.finish('as the first process'), 0, 'exit: ' + floor.text())
    nobody_left('at the end')


TESTS = []
for _s in STYLES:
    TESTS += [('%s %s' % (fn.__name__, _s), fn, _s) for fn in (tokens_back, leaves_nobody, at_moments, guardian_dies, guardian_is_stopped)]
TESTS += [(fn.__name__, fn) for fn in (serves, under_make, make_is_killed, shell_function, claims, signals_do_not_reach_it, is_not_called_dagrun,
                                       both_die, dies_beside,
                                       times_out, daemons_live, nested, first_process)]
TESTS += [('ends_all ' + s.name, ends_all, s) for s in (signal.SIGINT, signal.SIGTERM)]

if __name__ == '__main__':
    if not subreaper():
        print('cannot be the one whom orphans go to')
        sys.exit(77)
    print('seed %d' % SEED)
    sys.argv[1:] = [a for a in sys.argv[1:] if not a.isdigit()]
    sys.exit(run(TESTS))
