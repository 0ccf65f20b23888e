#!/usr/bin/env python3
# A signal ends the tasks, leaves nothing half-made, and is what dagrun dies of; a second one kills at once.
import os
import select
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import DAGRUN, PATIENCE, check, equal, run, write  # noqa: E402

SIGNALS = ('INT', 'TERM', 'HUP', 'QUIT')

# A task: writes half of its output, says that it is there and waits. What it does on TERM is what TRAP says.
TASK = '''#!/bin/bash
# task NAME OUT TMP
eval "$TRAP"
echo half >"$2"
echo half >"$3/file"
echo "start $1 $$" >said
read -r go <gate
echo done >>"$2"
echo "end $1 $$" >said
'''

DAGFILE = '''args n
  range = 1..5
map t
  each = n
  out  = made/{arg}
  run  = ./task {arg} {out} {tmp}
merge all
  each = t
  out  = all
  run  = cat {in} > {out}
'''


def begin(floor, trap):
    write('task', TASK, 0o755)
    write('Dagfile', DAGFILE)
    floor.dagrun('-j3', env={'TRAP': trap})


def start(floor, trap):
    begin(floor, trap)
    floor.reach(3, 'three tasks')


def nothing_left():
    """No file of a task that was ended stands anywhere, under whatever name."""
    for where, _, files in os.walk('.'):
        for f in files:
            check(not f.startswith('.dagrun-'), 'a temporary file is left: %s/%s' % (where, f))
            check(not where.startswith('./.dagrun/tmp'), 'a private directory is left: %s/%s' % (where, f))
    check(not os.path.exists('all'), 'all')
    if os.path.exists('made'):
        equal(os.listdir('made'), [], 'outputs')


def gone(pids, what):
    for pid in pids:
        try:
            with open('/proc/%d/stat' % pid) as f:
                check(f.read().rsplit(')', 1)[1].split()[0] == 'Z', '%s: process %d still runs' % (what, pid))
        except FileNotFoundError:
            pass


def complete(floor, before):
    """The same command again makes all that is missing, and no more."""
    floor.dagrun('-j3', env={'TRAP': ''})
    equal(floor.finish('again'), 0, 'exit, again')
    equal(sorted(floor.started), [n for n in '12345' if n not in before], 'what ran again')
    with open('all') as f:
        equal(f.read(), 'half\ndone\n' * 5, 'all')
    floor.dagrun('-j3')
    equal(floor.finish('nothing'), 0, 'exit, third time')
    equal(floor.started, [], 'third time')


def once(floor, name):
    sig = getattr(signal, 'SIG' + name)
    start(floor, '')
    pids = list(floor.running.values())
    floor.signal(sig)
    equal(-floor.end('the end'), sig, 'dies of')
    equal(sorted(floor.started), ['1', '2', '3'], 'nothing more is started')
    check('0 tasks done, 0 failed, 3 stopped, 6 not run' in floor.text(), floor.text())
    gone(pids, 'after ' + name)
    nothing_left()
    complete(floor, '')


def some_done(floor, name):
    """What had ended before is kept."""
    sig = getattr(signal, 'SIG' + name)
    start(floor, '')
    floor.let_go(1)
    floor.until(lambda: len(floor.started) == 4, 'a fourth starts')
    done = floor.ended[0]
    pids = list(floor.running.values())
    floor.signal(sig)
    equal(-floor.end('the end'), sig, 'dies of')
    gone(pids, 'after ' + name)
    equal(os.listdir('made'), [done], 'outputs')
    complete(floor, done)


def stubborn(floor, name):
    """Tasks that are told to end and do not are killed by a second signal."""
    sig = getattr(signal, 'SIG' + name)
    # Each says `end` when it is told, and goes on.
    start(floor, 'for s in INT TERM HUP QUIT; do trap "echo end $1 $$ >said" $s; done; '
                 'read() { while ! builtin read -r go <>gate-never; do :; done; }')
    pids = list(floor.running.values())
    floor.signal(sig)
    check(not floor.until(lambda: len(set(floor.ended)) == 3, 'each task is told to end'), 'it waits for them')
    check(floor.proc.poll() is None, 'it waits for them')
    floor.signal(sig)
    equal(-floor.end('the end'), sig, 'dies of')
    gone(pids, 'after %s twice' % name)
    nothing_left()
    complete(floor, '')


def to_the_group(floor):
    """Ctrl-C goes to dagrun's group; tasks are in sessions of their own and are ended by dagrun."""
    start(floor, '')
    for pid in floor.running.values():
        check(os.getsid(pid) != os.getsid(floor.proc.pid), 'a session of its own')
        check(os.getpgid(pid) != os.getpgid(floor.proc.pid), 'a group of its own')
    floor.signal(signal.SIGINT)
    equal(-floor.end('the end'), signal.SIGINT, 'dies of')
    nothing_left()


def with_children(floor):
    """What a task has started ends with it."""
    write('child', '#!/bin/sh\necho "start child$1 $$" >said\nread go <never\n', 0o755)
    os.mkfifo('never')
    begin(floor, './child $1 & exec 7<>never')
    check(not floor.until(lambda: len(floor.running) == 6, 'three tasks and their children'), 'it ended early')
    # dagrun reaps its own children only; these were told to end as they were, and are on their way.
    fds = [os.pidfd_open(pid) for pid in floor.running.values()]
    floor.signal(signal.SIGTERM)
    equal(-floor.end('the end'), signal.SIGTERM, 'dies of')
    for fd in fds:
        check(select.select([fd], [], [], PATIENCE)[0], 'a child still runs')
        os.close(fd)
    nothing_left()


def ignored(floor):
    """nohup: a signal that we were started to ignore ends nothing, and the tasks ignore it too."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        start(floor, '')
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    floor.signal(signal.SIGHUP)
    equal(floor.finish('goes on'), 0, 'exit')
    equal(sorted(floor.started), ['1', '2', '3', '4', '5'], 'all run')


def before_a_retry(floor):
    """Between two tries nothing runs, and nothing is waited for."""
    write('task', '#!/bin/sh\necho "start $1 $$" >said\necho "fail $1 $$" >said\nexit 1\n', 0o755)
    write('Dagfile', DAGFILE.replace('  run  = ./task', '  retries = 9\n  run  = ./task'))
    floor.dagrun('-k', '-j5')
    # Each has been tried twice; the third try comes two seconds after the second.
    check(not floor.until(lambda: len(floor.started) >= 10, 'two tries'), 'it goes on trying')
    floor.signal(signal.SIGINT)
    equal(-floor.end('the end'), signal.SIGINT, 'dies of')
    check(len(floor.started) < 20, 'it goes on trying after the signal: %d' % len(floor.started))
    nothing_left()


def stopped(floor):
    """Ctrl-Z stops dagrun, which goes on when it is told to."""
    start(floor, '')
    floor.signal(signal.SIGTSTP)
    signal.alarm(PATIENCE)
    end = os.waitid(os.P_PID, floor.proc.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    signal.alarm(0)
    equal(end.si_code, os.CLD_STOPPED, 'stops')
    floor.signal(signal.SIGCONT)
    equal(floor.finish('goes on'), 0, 'exit')
    equal(sorted(floor.started), ['1', '2', '3', '4', '5'], 'all run')


def parents(pid):
    """Threads of a process that have children: what each of them blocks, as a bitmap."""
    for thread in os.listdir('/proc/%d/task' % pid):
        at = '/proc/%d/task/%s/' % (pid, thread)
        with open(at + 'children') as f, open(at + 'status') as status:
            if f.read().strip() and int(thread) != pid:
                yield int(next(line for line in status if line.startswith('SigBlk')).split()[1], 16)


def told_to_nobody(floor):
    """The end of a task wakes the thread that waits for it. A SIGCHLD that this one blocked would have to be dropped by another."""
    start(floor, '')
    with open(DAGRUN, 'rb') as f:
        sanitized = b'__asan_init' in f.read()
    # With sanitizers it starts tasks by posix_spawn, which blocks all signals for as long as it takes.
    if os.path.exists('/proc/thread-self/children') and not sanitized:
        blocked = list(parents(floor.proc.pid))
        equal(len(blocked), 3, 'threads that have a task')
        check(not any(b >> signal.SIGCHLD - 1 & 1 for b in blocked), 'they block SIGCHLD: %s' % [hex(b) for b in blocked])
    equal(floor.finish('goes on'), 0, 'exit')


TESTS = [('once ' + s, once, s) for s in SIGNALS]
TESTS += [('some done ' + s, some_done, s) for s in ('INT', 'TERM')]
TESTS += [('stubborn ' + s, stubborn, s) for s in SIGNALS]
TESTS += [('to the group', to_the_group), ('with children', with_children), ('ignored', ignored), ('stopped', stopped),
          ('before a retry', before_a_retry), ('told to nobody', told_to_nobody)]

if __name__ == '__main__':
    sys.exit(run(TESTS))
