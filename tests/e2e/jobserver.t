#!/usr/bin/env python3
# dagrun as the client of a jobserver that we play, and as the server of its own: how many tasks run at once, and
# that every byte is back afterwards. Without arguments all tests, else those named.
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import DAGRUN, Pool, alive, check, equal, run, write  # noqa: E402

STYLES = ('pipe', 'fifo')


def dagfile(n, command='./work {arg} {out}'):
    write('Dagfile', 'args n\n  range = 1..%d\n\nmap t\n  each = n\n  out  = made/{arg}\n  run  = %s\n' % (n, command))


def names(n):
    return [str(i) for i in range(1, n + 1)]


def made():
    return sorted((f for f in os.listdir('made') if not f.startswith('.')), key=int) if os.path.exists('made') else []


def succeeds(floor, style):
    pool = Pool(style, 'ABC')
    dagfile(20)
    floor.dagrun(pool=pool)
    floor.reach(4, 'under a pool of 3')
    equal(pool.take(), '', 'tokens while 4 run')
    equal(floor.finish('20 tasks'), 0, 'exit')
    equal(floor.most, 4, 'most at once')
    equal(made(), names(20), 'outputs')
    pool.whole('success')
    equal(floor.text('err').count('jobserver'), 0, 'words about the jobserver')


def takes_what_becomes_free(floor, style):
    pool = Pool(style, 'AB')
    taken = pool.take()
    dagfile(6)
    floor.dagrun(pool=pool)
    # The slot that costs nothing
    floor.reach(1, 'an empty pool')
    pool.put(taken[0])
    floor.reach(2, 'one token came')
    pool.put(taken[1])
    floor.reach(3, 'another came')
    equal(floor.finish('6 tasks'), 0, 'exit')
    equal(floor.most, 3, 'most at once')
    pool.whole('tokens that came')


def gives_back_what_it_needs_no_more(floor, style):
    pool = Pool(style, 'ABC')
    dagfile(5)
    floor.dagrun(pool=pool)
    floor.reach(4, '5 tasks')
    # The first end starts the fifth task with the same token; the others have none to start.
    floor.let_go(1)
    floor.until(lambda: len(floor.started) == 5, 'the fifth')
    floor.let_go(2)
    floor.until(lambda: len(floor.running) == 2, 'two are left')
    got = ''
    while len(got) < 2:
        got += os.read(pool.r, 1).decode()
    equal(pool.take(), '', 'a token that is in use')
    pool.put(got)
    equal(floor.finish('the rest'), 0, 'exit')
    pool.whole('given back early')


def fails(floor, style):
    pool = Pool(style, 'ABC')
    dagfile(20)
    floor.dagrun(pool=pool, env={'FAIL': '1 2 3 4'})
    floor.reach(4, 'before a failure')
    equal(floor.finish('a failure'), 1, 'exit')
    check(len(floor.started) < 12, 'stops starting after a failure: %d started' % len(floor.started))
    pool.whole('a failure')


def keeps_going(floor, style):
    pool = Pool(style, 'ABC')
    dagfile(20)
    floor.dagrun(pool=pool, flags='k' + pool.flags, env={'FAIL': '3 7'})
    floor.reach(4, 'with -k')
    equal(floor.finish('-k'), 1, 'exit')
    equal(floor.most, 4, 'most at once')
    equal(sorted(floor.ended, key=int), [n for n in names(20) if n not in ('3', '7')], 'the others')
    pool.whole('-k')


def cannot_start(floor, style):
    pool = Pool(style, 'ABC')
    dagfile(8, './no-such-program {arg} {out}')
    write('no-such-program', 'x', 0o755)
    os.chmod('no-such-program', 0o644)
    floor.dagrun(pool=pool, flags='k' + pool.flags)
    equal(floor.finish('a program that cannot be started'), 1, 'exit')
    pool.whole('a program that cannot be started')


def ends_by(floor, style, sig):
    pool = Pool(style, 'ABC')
    dagfile(20)
    floor.dagrun(pool=pool)
    floor.reach(4, 'before a signal')
    tasks = list(floor.running.values())
    floor.signal(sig)
    equal(floor.end(sig.name), -sig, 'ended by')
    equal([p for p in tasks if alive(p)], [], 'tasks that are left')
    equal(len(floor.started), 4, 'tasks started')
    equal(made(), [], 'outputs')
    equal([f for f in os.listdir('made') if f.startswith('.')] if os.path.exists('made') else [], [],
          'temporary files')
    pool.whole(sig.name)


def unusable(floor, flags, fds=(), says="'+'", limit=1):
    dagfile(4)
    floor.dagrun(flags=flags, pass_fds=fds)
    floor.reach(1, flags)
    equal(floor.finish(flags), 0, 'exit')
    equal(floor.most, limit, 'most at once')
    err = floor.text()
    equal(sum('jobserver' in line for line in err.splitlines()), 1, 'warnings in %r' % err)
    check(says in err, 'no %s in %r' % (says, err))


def closed(floor):
    # As make 4.3 does for a recipe without '+'
    unusable(floor, ' -j4 --jobserver-auth=3,4')


def files(floor):
    fd = os.open('work', os.O_RDONLY)
    unusable(floor, ' -j4 --jobserver-auth=%d,%d' % (fd, fd), (fd,))
    os.close(fd)


def swapped(floor):
    pool = Pool('pipe', 'ABC')
    unusable(floor, ' -j4 --jobserver-auth=%d,%d' % (pool.w, pool.r), pool.pass_fds)
    pool.whole('swapped', untouched=True)


def two_pipes(floor):
    a, b = Pool('pipe', 'ABC'), Pool('pipe', 'abc')
    unusable(floor, ' -j4 --jobserver-auth=%d,%d' % (a.r, b.w), a.pass_fds + b.pass_fds)
    a.whole('the one', untouched=True)
    b.whole('the other', untouched=True)


def withheld(floor):
    unusable(floor, ' -j4 --jobserver-auth=-2,-2')


def no_fifo(floor):
    unusable(floor, ' -j4 --jobserver-auth=fifo:%s/gone' % os.getcwd(), says='No such file')


def not_a_fifo(floor):
    unusable(floor, ' -j4 --jobserver-auth=fifo:%s/work' % os.getcwd(), says='not a fifo')


def unknown(floor):
    unusable(floor, ' -j4 --jobserver-auth=sem:/x', says='sem:/x')


def last_wins(floor, style):
    pool = Pool(style, 'AB')
    dagfile(6)
    floor.dagrun(pool=pool, flags=' -j4 --jobserver-auth=98,99' + pool.flags)
    floor.reach(3, 'the last one is good')
    equal(floor.finish('the last one is good'), 0, 'exit')
    equal(floor.text().count('jobserver'), 0, 'warnings')
    pool.whole('the last one is good')


def last_is_bad(floor):
    pool = Pool('pipe', 'AB')
    unusable(floor, pool.flags + ' --jobserver-auth=98,99', pool.pass_fds)
    pool.whole('the last one is bad', untouched=True)


def capped(floor, style):
    pool = Pool(style, 'ABCDEFG')
    dagfile(12)
    floor.dagrun('-j3', pool=pool)
    floor.reach(3, '-j3 of 8')
    equal(len(pool.take()), 5, 'tokens left to others')
    pool.put('CDEFG')
    equal(floor.finish('-j3 of 8'), 0, 'exit')
    equal(floor.most, 3, 'most at once')
    pool.whole('-j3 of 8')


def reads_none(floor, style):
    pool = Pool(style, 'ABC')
    dagfile(8)
    floor.dagrun('-n', pool=pool)
    equal(floor.finish('-n'), 0, 'exit of -n')
    equal(floor.started, [], 'tasks of -n')
    pool.whole('-n', untouched=True)
    floor.dagrun(pool=pool)
    equal(floor.finish('all'), 0, 'exit')
    pool.take()
    pool.put('ABC')
    floor.dagrun(pool=pool)
    equal(floor.finish('up to date'), 0, 'exit, up to date')
    equal(floor.started, [], 'tasks, up to date')
    pool.whole('up to date', untouched=True)


def one_task_reads_none(floor, style):
    pool = Pool(style, 'ABC')
    dagfile(1)
    floor.dagrun(pool=pool)
    equal(floor.finish('one task'), 0, 'exit')
    pool.whole('one task', untouched=True)


SUBMAKE = '''L := $(addprefix l$(N).,1 2 3 4 5)
all: $(L)
$(L): ; @./work $@
'''


def makes_below(floor, pool, jobs, *args, **more):
    """Each task is a make -j whose recipes count; each make's first recipe runs in its task's slot."""
    write('sub.mk', SUBMAKE)
    dagfile(3, 'make -s -f sub.mk N={arg} && : > {out}')
    floor.dagrun(*args, pool=pool, **more)
    floor.reach(jobs, 'makes below')
    equal(floor.finish('makes below'), 0, 'exit')
    equal(floor.most, jobs, 'most at once')
    equal(len(floor.ended), 15, 'recipes of the makes')
    err = floor.text()
    check('jobserver' not in err and 'warning' not in err, err)


def passes_on(floor, style):
    if style == 'fifo':
        # Up to 4.3 make ends when it is told of a fifo.
        have = os.popen('make --version').read().split('\n')[0].split()[-1]
        if tuple(int(n) for n in have.split('.')[:2]) < (4, 4):
            return
    pool = Pool(style, 'ABC')
    makes_below(floor, pool, 4)
    pool.whole('makes below', makes=True)


def serves(floor):
    os.mkdir('tmp')
    dagfile(9)
    floor.dagrun('-j3', env={'TMPDIR': os.path.abspath('tmp')})
    floor.reach(3, '-j3')
    equal(floor.finish('-j3'), 0, 'exit')
    equal(floor.most, 3, 'most at once')
    equal(os.listdir('tmp'), [], 'left in TMPDIR')


def serves_makes(floor):
    os.mkdir('tmp')
    makes_below(floor, None, 4, '-j4', env={'TMPDIR': os.path.abspath('tmp')})
    equal(os.listdir('tmp'), [], 'left in TMPDIR')


def serves_both_addresses(floor):
    os.mkdir('tmp')
    write('Dagfile', 'task t\n  out = flags\n  run =\n    printenv MAKEFLAGS > {out}\n'
                     '    [ -p /dev/fd/100 ] && [ /dev/fd/100 -ef /dev/fd/101 ]\n'
                     '    [ /dev/fd/100 -ef "${MAKEFLAGS##*fifo:}" ]\n')
    floor.dagrun('-j4', env={'TMPDIR': os.path.abspath('tmp')})
    equal(floor.finish('a look at MAKEFLAGS'), 0, 'exit: ' + floor.text())
    words = floor.text('flags').split()
    equal(words[:3], ['-j4', '--jobserver-auth=100,101', '--'], 'MAKEFLAGS')
    check(words[3].startswith('--jobserver-auth=fifo:' + os.path.abspath('tmp')), words[3])
    equal(os.listdir('tmp'), [], 'left in TMPDIR')


def serves_until(floor, sig):
    os.mkdir('tmp')
    dagfile(9)
    floor.dagrun('-j3', env={'TMPDIR': os.path.abspath('tmp')})
    floor.reach(3, '-j3')
    tasks = list(floor.running.values())
    floor.signal(sig)
    equal(floor.end(sig.name), -sig, 'ended by')
    equal([p for p in tasks if alive(p)], [], 'tasks that are left')
    equal(os.listdir('tmp'), [], 'left in TMPDIR')


def hides(floor, style):
    """From one stage, in whose place another make would be; the others have it."""
    pool = Pool(style, 'ABC')
    write('sub.mk', 'all: a b\na b: ; @echo $@\n')
    write('Dagfile', """task seen
  out = seen
  run = printenv MAKEFLAGS > {out}

task unseen
  out = unseen
  jobserver = none
  run =
    printenv MAKEFLAGS > {out}
    ! [ -e /dev/fd/%d ] && ! [ -e /dev/fd/%d ]
    make -s -f sub.mk >> {out} 2>&1
    make -s -j2 -f sub.mk >> {out} 2>&1
""" % (pool.r, pool.w))
    floor.dagrun(pool=pool, flags='k' + pool.flags + ' -- A=b')
    equal(floor.finish('both'), 0, 'exit: ' + floor.text())
    equal(floor.text('seen'), 'k' + pool.flags + ' -- A=b\n', 'what the others have')
    # Those of -j2 come in any order.
    lines = floor.text('unseen').split('\n')[:-1]
    equal(lines[:3] + sorted(lines[3:]), ['k -- A=b', 'a', 'b', 'a', 'b'], 'what is not seen')
    pool.whole('one was hidden')


def flags_as_new(floor):
    """What a task does to the flags of its descriptors, as a make 4.3 does, no other finds."""
    write('flags.py', 'import fcntl, os, re, sys\n'
                      'fd = int(re.search(r"jobserver-auth=(\\d+),", os.environ["MAKEFLAGS"]).group(1))\n'
                      'was = fcntl.fcntl(fd, fcntl.F_GETFL)\n'
                      'fcntl.fcntl(fd, fcntl.F_SETFL, was | os.O_NONBLOCK)\n'
                      'sys.exit("changed before" if was & os.O_NONBLOCK else 0)\n')
    write('Dagfile', 'args n\n  range = 1..8\n\nmap t\n  each = n\n  run  = %s flags.py\n' % sys.executable)
    floor.dagrun('-j2')
    equal(floor.finish('flags'), 0, floor.text('err'))


def flags_beside_what_is_left(floor):
    """Nor what one that a task has left behind does to them, while the next task runs in its slot."""
    write('flags.py', 'import fcntl, os, re, sys\n'
                      'fd = int(re.search(r"jobserver-auth=(\\d+),", os.environ["MAKEFLAGS"]).group(1))\n'
                      'if sys.argv[1] == "left":\n'
                      '    open("next", "w").close()\n'
                      '    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK)\n'
                      '    open("set", "w").close()\n'
                      'else:\n'
                      '    open("next").read()\n'
                      '    open("set").read()\n'
                      '    sys.exit("changed meanwhile" if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK else 0)\n')
    os.mkfifo('next')
    os.mkfifo('set')
    write('Dagfile', 'task first\n  out = made\n  run = %s flags.py left & : > {out}\n\n'
                     'task second\n  in = first\n  run = %s flags.py next {in}\n' % (sys.executable, sys.executable))
    floor.dagrun('-j2')
    equal(floor.finish('flags'), 0, floor.text('err'))


def bmakes(floor):
    """It ends when it sees a word that begins with --jobserver."""
    if os.system('command -v bmake >/dev/null'):
        return
    write('sub.mk', 'all: a b\na b: ; @echo $@\n')
    write('Dagfile', 'task t\n  out = t\n  jobserver = none\n  run = bmake -f sub.mk > {out}\n')
    floor.dagrun('-j4')
    equal(floor.finish('bmake'), 0, 'exit: ' + floor.text())
    equal(floor.text('t'), 'a\nb\n', 'what it printed')


LOSES = '''args n
  list = a b

map t
  each = n
  out  = made/{arg}
  run  = ./work {arg} {out}

task odd
  in  = t
  out = odd
  run = bash -c %s

map u
  each = n
  uses = odd
  out  = made/then-{arg}
  run  = ./work then-{arg} {out}
'''


def sets_right(floor, script, says):
    """A task that does not give back what it took, or more than that: those after it have the pool as it was."""
    write('Dagfile', LOSES % ("'%s; : > odd-done' > {out}" % script))
    floor.dagrun('-j2')
    floor.reach(2, 'before it')
    floor.let_go(2)
    floor.until(lambda: os.path.exists('odd-done'), 'the one in between')
    floor.reach(2, 'after it')
    equal(floor.finish('all'), 0, 'exit: ' + floor.text())
    equal(floor.most, 2, 'most at once')
    err = floor.text().splitlines()
    equal([line for line in err if 'jobserver' in line], ['dagrun: ' + says], 'what was told')


def puts_back(floor):
    sets_right(floor, 'head -c 1 <&100 >/dev/null',
               "1 of the jobserver's 1 tokens did not come back and was put back: kept by odd")


def takes_out(floor):
    sets_right(floor, 'printf +++++ >&101', '5 tokens too many came back to the jobserver and were taken out: from odd')


def sweeps(floor):
    """What a run that was killed left behind goes with the next."""
    tmp = os.path.abspath('tmp')
    os.makedirs(tmp + '/dagrun-jobserver-abcdef')
    os.mkfifo(tmp + '/dagrun-jobserver-abcdef/pool')
    os.mkdir(tmp + '/dagrun-jobserver-mine')
    write(tmp + '/dagrun-jobserver-mine/file', '')
    dagfile(2)
    floor.dagrun('-j3', env={'TMPDIR': tmp})
    equal(floor.finish('-j3'), 0, 'exit')
    equal(os.listdir(tmp), ['dagrun-jobserver-mine'], 'left in TMPDIR')


def one_at_a_time(floor):
    # A make that passes no pool
    dagfile(3)
    floor.dagrun(flags='')
    floor.reach(1, 'a make without -j')
    equal(floor.finish('a make without -j'), 0, 'exit')
    equal(floor.most, 1, 'most at once')
    equal(floor.text().count('jobserver'), 0, 'warnings')


def below_a_dagrun(floor):
    """A dagrun whose task is a dagrun in a directory of its own: one pool."""
    os.mkdir('in')
    write('in/Dagfile', 'args n\n  range = 1..8\n\nmap t\n  each = n\n  out  = made/{arg}\n'
                        '  run  = cd .. && sh work in{arg} && : > in/{out}\n')
    write('Dagfile', 'args n\n  range = 1..8\n\nmap t\n  each = n\n  out  = made/{arg}\n  run  = ./work {arg} {out}\n'
                     '\ntask deep\n  out = deep\n  run = %s -C in > {out}\n' % DAGRUN)
    floor.dagrun('-j4')
    floor.reach(4, 'nested')
    equal(floor.finish('nested'), 0, 'exit')
    equal(floor.most, 4, 'most at once')
    equal(len(floor.ended), 16, 'tasks of both')


def below_one_at_a_time(floor):
    """Where one task runs at a time, what it starts does not take the processors either."""
    write('in/Dagfile', 'args n\n  range = 1..4\n\nmap t\n  each = n\n  run = cd .. && ./work {arg}\n')
    write('Dagfile', 'task deep\n  run = %s -C in\n' % DAGRUN)
    floor.dagrun('-j1')
    floor.reach(1, 'below -j1')
    equal(floor.finish('below -j1'), 0, 'exit')
    equal(floor.most, 1, 'most at once')
    equal(len(floor.ended), 4, 'tasks')


TESTS = []
for _s in STYLES:
    TESTS += [('%s %s' % (name, _s), fn, _s) for name, fn in (
        ('success', succeeds), ('freed', takes_what_becomes_free), ('early', gives_back_what_it_needs_no_more),
        ('failure', fails), ('keep-going', keeps_going), ('no-start', cannot_start), ('last-wins', last_wins),
        ('cap', capped), ('reads-none', reads_none), ('one-task', one_task_reads_none), ('makes', passes_on), ('hides', hides))]
    TESTS += [('%s %s' % (_sig.name, _s), ends_by, _s, _sig)
              for _sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)]
TESTS += [(fn.__name__, fn) for fn in (
    closed, files, swapped, two_pipes, withheld, no_fifo, not_a_fifo, unknown, last_is_bad, serves, serves_makes,
    serves_both_addresses, flags_as_new,
    flags_beside_what_is_left, bmakes, puts_back, takes_out, sweeps, one_at_a_time, below_a_dagrun,
    below_one_at_a_time)]
TESTS += [('serves ' + _sig.name, serves_until, _sig) for _sig in (signal.SIGINT, signal.SIGTERM)]

if __name__ == '__main__':
    sys.exit(run(TESTS))
