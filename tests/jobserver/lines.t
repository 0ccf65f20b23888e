#!/usr/bin/env python3
# One case for each way in which a jobserver is met, with the tokens in the pool before and after it, and the most
# tasks at once. Of what tests/e2e/jobserver.t, make-flags.t and signals.t hold in detail, some is here in short, for
# the table. Without arguments all cases, else those named.
import os
import select
import signal
import statistics
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import players  # noqa: E402
from players import Pool, Rival, counted, have, make_version, tell, write_count  # noqa: E402
from harness import DAGRUN, alive, check, equal, run, write  # noqa: E402

QUICK = '''#!/bin/sh
echo "start $1 $$" >said
echo "end $1 $$" >said
[ -z "${2-}" ] || echo "$1" >"$2"
'''


def dagfile(n, command='./work {arg} {out}', name='Dagfile', more=''):
    write(name, 'args n\n  range = 1..%d\n\nmap t\n  each = n\n  out  = %s.d/{arg}\n%s  run  = %s\n' % (
        n, name, more, command))


def quick(n, **more):
    write('quick', QUICK, 0o755)
    dagfile(n, './quick {arg} {out}', **more)


def done(floor, what, n_before, n_after, jobs, exact=True):
    """The line of the table. Never more at once than there may be, and exactly so many where all could run."""
    check(floor.most == jobs if exact else floor.most <= jobs, '%s: %d at once instead of %d' % (what, floor.most, jobs))
    equal(n_after, n_before, what + ': tokens')
    tell(what, n_before, n_after, floor.most, jobs)


def finish(floor, what, status=0):
    equal(floor.finish(what), status, '%s: exit (%s)' % (what, floor.text()))


def with_pool(floor, what, pool, jobs, *args, status=0, n=20, whole=None, **more):
    """20 tasks of ours, all of which could run at once."""
    dagfile(n)
    floor.dagrun(*args, pool=pool, **more)
    floor.reach(jobs, what)
    finish(floor, what, status)
    pool.whole(what, **(whole or {}))
    done(floor, what, len(pool.tokens), len(pool.tokens), jobs)


# make itself

def made_by_make(floor, what, recipes, args, jobs, tokens):
    write_count()
    write('Makefile', 'all: after\nbefore: ; +@./count $@\n%s: before\nafter: %s ; +@./count $@\n%s\n' % (
        ' '.join(r for r, _ in recipes), ' '.join(r for r, _ in recipes),
        '\n'.join('%s: ; %s' % recipe for recipe in recipes)))
    floor.start(['make', *args])
    floor.reach(jobs, what)
    finish(floor, what)
    check('INTERNAL' not in floor.text(), floor.text())
    equal(counted('before'), tokens, what + ': tokens before')
    done(floor, what, tokens, counted('after'), jobs)


def make_and_twenty(floor):
    dagfile(20)
    made_by_make(floor, 'make -j4 and 20 tasks', [('all-of-it', '+@' + DAGRUN)], ['-j4'], 4, 3)


def two_dagruns(floor):
    dagfile(12, './work a{arg} {out}', 'A')
    dagfile(12, './work b{arg} {out}', 'B')
    recipes = [(f, '+@%s -f %s' % (DAGRUN, f.upper())) for f in 'ab']
    made_by_make(floor, 'two dagruns in one make -j6', recipes, ['-j6'], 6, 5)


def no_plus(floor):
    dagfile(4)
    made_by_make(floor, "make -j4, no '+'", [('all-of-it', '@' + DAGRUN)], ['-j4'], 1, 3)
    if make_version() < (4, 4):
        equal(floor.text().count("'+'"), 1, 'warnings')


# What MAKEFLAGS says

def behind_the_variables(floor):
    pool = Pool('pipe', 'ABC')
    flags = pool.flags + ' -- --jobserver-auth=fifo:%s/gone' % os.getcwd()
    with_pool(floor, 'an auth after --, where one stands before', pool, 4, flags=flags)


def only_behind_the_variables(floor):
    pool = Pool('fifo', 'ABC')
    with_pool(floor, 'an auth only after --', pool, 4, flags=' -j4 -- --jobserver-auth=' + pool.auth)


def malformed(floor):
    pool = Pool('pipe', 'ABC')
    with_pool(floor, 'a malformed auth behind a good one', pool, 4, flags=pool.flags + ' --jobserver-auth=3,x')


def blank_in_the_path(floor):
    os.mkdir('a b')
    here = os.getcwd()
    os.chdir('a b')
    pool = Pool('fifo', 'ABC')
    os.chdir(here)
    with_pool(floor, "a fifo with a blank in its path", pool, 4,
              flags=' -j4 --jobserver-auth=' + pool.auth.replace(' ', '\\ '))


def unreadable(floor):
    if os.geteuid() == 0:
        return
    pool = Pool('fifo', 'ABC')
    os.chmod('pool', 0)
    with_pool(floor, 'a fifo that may not be read', pool, 1, whole={'untouched': True}, n=4)


def one(floor):
    with_pool(floor, '-j1 under a pool', Pool('pipe', 'ABC'), 1, '-j1', n=4, whole={'untouched': True})


def processors(floor):
    n = len(os.sched_getaffinity(0))
    dagfile(3 * n)
    floor.dagrun('-j')
    floor.reach(n, '-j')
    finish(floor, '-j')
    done(floor, '-j: as many as there are processors', None, None, n)


def bytes_return(floor, style):
    with_pool(floor, '7 distinct bytes, ' + style, Pool(style, 'ABCDEFG'), 8)


def up_to_date(floor):
    pool = Pool('pipe', 'ABC')
    with_pool(floor, 'before', pool, 4)
    floor.dagrun(pool=pool)
    finish(floor, 'all up to date')
    pool.take()
    pool.put('ABC')
    floor.dagrun(pool=pool)
    finish(floor, 'all up to date')
    pool.whole('all up to date', untouched=True)
    done(floor, 'all up to date: no read', 3, 3, 0)


def fails(floor, keep):
    pool = Pool('pipe', 'ABC')
    with_pool(floor, 'a task fails' + (', -k' if keep else ''), pool, 4, status=1, env={'FAIL': '2 4'},
              flags=('k' if keep else '') + pool.flags)


# Signals; signals.t has random moments, kill.t SIGKILL

def signalled(floor, twice):
    what = 'INT' + (' twice, tasks that ignore it' if twice else '')
    pool = Pool('pipe', 'ABC')
    write('stubborn', '#!/bin/sh\ntrap "echo end $1 $$ >said" INT TERM\necho "start $1 $$" >said\n'
                      'while ! read -r go <>never; do :; done\n', 0o755)
    os.mkfifo('never')
    dagfile(9, './stubborn {arg} {out}' if twice else './work {arg} {out}')
    floor.dagrun(pool=pool)
    floor.reach(4, what)
    tasks = list(floor.running.values())
    floor.signal(signal.SIGINT)
    if twice:
        check(not floor.until(lambda: len(set(floor.ended)) == 4, 'all are told'), 'it does not wait')
        floor.signal(signal.SIGINT)
    equal(floor.end(what), -signal.SIGINT, 'ended by')
    equal([p for p in tasks if alive(p)], [], 'tasks that are left')
    pool.whole(what)
    done(floor, what, 3, 3, 4)


# Below each other

def make_dagrun_make_dagrun(floor):
    pool = Pool('pipe', 'ABC')
    write('top.mk', 'all: ; +@%s -f top.dag\n' % DAGRUN)
    write('top.dag', 'args n\n  range = 1..2\n\nmap t\n  each = n\n  out  = top.d/{arg}\n'
                     '  run  = make -s -f sub.mk N={arg} && : > {out}\n')
    write('sub.mk', 'all: r$(N).1 r$(N).2 low\nr$(N).1 r$(N).2: ; @./work $@\nlow: ; +@%s -f low$(N).dag\n' % DAGRUN)
    for i in (1, 2):
        dagfile(5, './work d%d.{arg} {out}' % i, 'low%d.dag' % i)
    what = 'make, dagrun, make, dagrun'
    floor.start(['make', '-f', 'top.mk'], flags=pool.flags, pass_fds=pool.pass_fds)
    floor.reach(4, what)
    finish(floor, what)
    equal(len(floor.ended), 14, 'tasks and recipes')
    pool.whole(what, makes=True)
    done(floor, what, 3, 3, 4)


# Rivals: nobody has more than there is, and nobody waits for ever

def rival(floor, kind, style):
    what = 'a rival: %s, %s' % (kind, style)
    pool = Pool(style, 'ABCDE')
    quick(150)
    other = Rival(kind, pool)
    floor.dagrun(pool=pool)
    equal(floor.end(what), 0, 'exit: ' + floor.text())
    equal(other.close(), 0, 'the rival: exit')
    floor._lines()
    equal(len([n for n in floor.ended if not n.startswith('rival')]), 150, 'tasks')
    pool.whole(what)
    done(floor, what, 5, 5, 6, exact=False)


def slots_against_a_gatherer(floor):
    what = 'tasks of 3 slots, and another who wants 3'
    pool = Pool('pipe', 'ABC')
    quick(20, more='  slots = 3\n')
    other = Rival('gatherer', pool)
    floor.dagrun(pool=pool)
    equal(floor.end(what), 0, 'exit: ' + floor.text())
    other.close()
    pool.whole(what)
    done(floor, what, 3, 3, 4, exact=False)


# In time

def ticks(pid):
    with open('/proc/%d/stat' % pid) as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return int(fields[11]) + int(fields[12])


def no_spin(floor, what, *args):
    """It may start nothing more for now: then it sleeps. Of half a second in which nothing happens it uses next to
    nothing, however busy the machine is."""
    pool = Pool('pipe-nonblocking', 'ABC')
    if not args:
        pool.take()
    dagfile(3)
    floor.dagrun(*args, pool=pool)
    floor.reach(1, what)
    was = ticks(floor.proc.pid)
    check(not select.select([floor.said], [], [], .5)[0], what + ': another task starts')
    used = (ticks(floor.proc.pid) - was) / os.sysconf('SC_CLK_TCK')
    check(used <= .1, '%s: %.2f s of processor in half a second' % (what, used))
    if not args:
        pool.put('ABC')
    finish(floor, what)
    pool.whole(what)
    done(floor, what, 3, 3, 4, exact=False)


def token_comes(floor):
    """How long a token that comes lies there while a task is ready: told, not asserted."""
    what = 'a long task, and tokens that come one by one'
    pool = Pool('pipe', ''.join(map(chr, range(ord('0'), ord('0') + 40))))
    tokens = pool.take()
    dagfile(41)
    floor.dagrun(pool=pool)
    floor.reach(1, what)
    took = []
    for token in tokens:
        n = len(floor.started)
        began = time.monotonic()
        pool.put(token)
        floor.until(lambda: len(floor.started) > n, what)
        took.append((time.monotonic() - began) * 1e3)
    finish(floor, what)
    pool.whole(what)
    print('from a token put there to the word of the task that it starts: %.1f ms (median), %.1f ms (worst)' % (
        statistics.median(took), max(took)))
    done(floor, what, 40, 40, 41)


# What children do

def daemon(floor):
    """It has closed what make gave it, as a daemon does; had it another copy, make, which in the end reads until
    nobody can write any more, would wait for it."""
    what = 'a task that leaves a daemon'
    write_count()
    os.mkfifo('never')
    write('leave', '#!/bin/sh\n'
                   'setsid sh -c \'echo "start daemon $$" >said; read -r x <never\' </dev/null 3<&- 4<&- &\n', 0o755)
    write('Dagfile', 'task t\n  run = ./leave\n')
    write('Makefile', 'all: ; +@%s && ./count after\n' % DAGRUN)
    floor.start(['make', '-j4'])
    equal(floor.end(what), 0, 'exit: ' + floor.text())
    floor.reach(1, what)
    for pid in floor.running.values():
        os.kill(pid, signal.SIGKILL)
    done(floor, what + ': make ends', 3, counted('after'), 1)


def big_outputs(floor):
    what = 'make -O, two dagruns, tasks that print 1 MB'
    write('print', '#!/bin/sh\necho "start $1 $$" >said\n'
                   'awk -v n="$1" \'BEGIN { for (i = 0; i < 20000; i++) print n " " i " " '
                   '"########################################" }\'\necho "end $1 $$" >said\n', 0o755)
    for f in 'AB':
        dagfile(3, "./print %s{arg} && : > {out}" % f, f)
    write('Makefile', 'all: a b\na: ; +@%s -f A\nb: ; +@%s -f B\n' % (DAGRUN, DAGRUN))
    floor.start(['make', '-O', '-j4'])
    equal(floor.end(what), 0, 'exit: ' + floor.text())
    check('INTERNAL' not in floor.text(), floor.text())
    last, seen = None, set()
    for line in floor.text('out').split('\n'):
        if line.endswith('####'):
            name, i = line.split()[:2]
            check(name == last or name not in seen, 'the output of %s is in pieces' % name)
            check(name == last or i == '0', 'the output of %s begins with line %s' % (name, i))
            last = name
            seen.add(name)
    equal(len(seen), 6, 'outputs')
    done(floor, what, None, None, 4, exact=False)


def many(floor):
    what = '-j70000'
    dagfile(30)
    floor.dagrun('-j70000')
    floor.reach(30, what)
    finish(floor, what)
    done(floor, what + ', 30 tasks', None, None, 30)


def ten_thousand(floor):
    """Tokens come and go all the time: never above what there is."""
    what = '10,000 tasks'
    pool = Pool('pipe', 'ABCDE')
    n = 10000 if os.environ.get('JOBSERVER_ALL') else 1000
    quick(n)
    other = Rival('poller', pool)
    third = Rival('gatherer', pool, 'third')
    watcher = Rival('watcher', pool)
    floor.dagrun(pool=pool)
    equal(floor.end(what), 0, 'exit: ' + floor.text())
    for r in (other, third, watcher):
        r.close()
    pool.whole(what)
    done(floor, '%d tasks, two rivals' % n, 5, 5, 6, exact=False)


TESTS = [
    ('make', make_and_twenty), ('two', two_dagruns), ('no-plus', no_plus), ('behind', behind_the_variables),
    ('only-behind', only_behind_the_variables), ('malformed', malformed), ('blank', blank_in_the_path),
    ('unreadable', unreadable), ('one', one), ('processors', processors)]
TESTS += [('bytes ' + s, bytes_return, s) for s in players.STYLES]
TESTS += [('up-to-date', up_to_date), ('fails', fails, False), ('fails -k', fails, True), ('INT', signalled, False),
          ('INT twice', signalled, True), ('nested', make_dagrun_make_dagrun)]
TESTS += [('rival %s %s' % (k, s), rival, k, s) for k in ('poller', 'blocker', 'gatherer') for s in players.STYLES]
TESTS += [('hoarder', rival, 'hoarder', 'pipe'), ('slots', slots_against_a_gatherer),
          ('no-spin', no_spin, 'every token is elsewhere'),
          ('no-spin -l', no_spin, '-l 0.01', '-l', '0.01'),
          ('token', token_comes), ('daemon', daemon), ('big', big_outputs), ('many', many), ('10000', ten_thousand)]

if __name__ == '__main__':
    sys.exit(77 if have('make') else run(TESTS))
