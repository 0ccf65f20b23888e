#!/usr/bin/env python3
# Two dagruns in one directory, in one make -j4: together never more than four tasks, and what both want is made
# once.
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import DAGRUN, check, equal, run, write  # noqa: E402

DAGFILE = '''args n
  range = 1..9

map both
  each = n
  out  = both/{arg}
  run  = ./work b{arg} {out}

map left
  each = both
  out  = left/{stem}
  run  = ./work l{in.stem} {out}

map right
  each = both
  out  = right/{stem}
  run  = ./work r{in.stem} {out}

task l
  in  = left
  out = l.txt
  run = cat {in} > {out}

task r
  in  = right
  out = r.txt
  run = cat {in} > {out}
'''

# What the maps make goes when it has been read, by all.
PASSING = '''args n
  range = 1..9

map m
  each = n
  keep = no
  out  = m/{arg}
  run  = ./work m{arg} {out}

merge all
  each = m
  out  = all
  run  = cat {in} > {out}

map over
  each = m
  out  = over/{arg}
  run  =
    cat {in} > {out}
    ./work o{arg}
'''


def makefile(*goals):
    write('Makefile', 'all: %s\n%s' % (
        ' '.join('g%d' % i for i in range(len(goals))),
        ''.join('g%d: ; +@%s %s\n' % (i, DAGRUN, g) for i, g in enumerate(goals))))


def names(*letters):
    return sorted(c + str(i) for c in letters for i in range(1, 10))


def content(path):
    with open(path) as f:
        return f.read().split()


def overlapping(floor, jobs):
    write('Dagfile', DAGFILE)
    makefile('l.txt', 'r.txt')
    floor.start(['make', '-j%d' % jobs])
    floor.reach(jobs, 'two of them')
    equal(floor.finish('two of them'), 0, 'exit')
    equal(floor.most, jobs, 'most at once')
    equal(sorted(floor.started), names('b', 'l', 'r'), 'tasks that ran')
    equal(content('l.txt'), names('l'), 'l.txt')
    equal(content('r.txt'), names('r'), 'r.txt')
    floor.start(['make', '-j%d' % jobs])
    equal(floor.finish('again'), 0, 'exit, again')
    equal(floor.started, [], 'tasks, again')


def the_same(floor):
    write('Dagfile', DAGFILE)
    makefile('l.txt', 'l.txt', 'both')
    floor.start(['make', '-j4'])
    floor.reach(4, 'the same thrice')
    equal(floor.finish('the same thrice'), 0, 'exit')
    equal(floor.most, 4, 'most at once')
    equal(sorted(floor.started), names('b', 'l'), 'tasks that ran')


def one_fails(floor):
    write('Dagfile', DAGFILE)
    makefile('l.txt', 'r.txt')
    floor.start(['make', '-k', '-j4'], env={'FAIL': 'l4'})
    floor.reach(4, 'one fails')
    equal(floor.finish('one fails'), 2, 'exit')
    equal(floor.most, 4, 'most at once')
    check(not os.path.exists('l.txt'), 'l.txt')
    equal(content('r.txt'), names('r'), 'r.txt')
    equal(sorted(floor.ended), [n for n in names('b', 'l', 'r') if n != 'l4'], 'tasks that ended well')


def with_make(floor):
    """And recipes of make beside them."""
    write('Dagfile', DAGFILE)
    makefile('l.txt', 'r.txt')
    with open('Makefile', 'a') as f:
        f.write('M := $(addprefix m,1 2 3 4 5 6)\nall: $(M)\n$(M): ; @./work $@\n')
    floor.start(['make', '-j4'])
    floor.reach(4, 'make beside two of them')
    equal(floor.finish('make beside two of them'), 0, 'exit')
    equal(floor.most, 4, 'most at once')
    equal(sorted(floor.started), sorted(names('b', 'l', 'r') + ['m%d' % i for i in range(1, 7)]), 'what ran')


def passing(floor, *goals):
    write('Dagfile', PASSING)
    makefile(*goals)
    floor.start(['make', '-j4'])
    floor.reach(4, 'with intermediates')
    equal(floor.finish('with intermediates'), 0, 'exit')
    equal(sorted(floor.started), names('m', 'o') if 'over' in goals else names('m'), 'tasks that ran')
    if 'all' in goals:
        equal(sorted(content('all')), names('m'), 'all')
    equal(os.listdir('m'), [], 'what all have read')
    if 'all' in goals:
        equal(os.listdir('.dagrun/parts/all'), [], 'inner nodes')
    floor.start(['make', '-j4'])
    equal(floor.finish('again'), 0, 'exit, again')
    equal(floor.started, [], 'tasks, again')


def read_on(floor):
    """What was read of the journal for one task, which the other run had, is not forgotten for the next."""
    write('Dagfile', """task p
  out = p
  run = ./work p {out}

task q
  in  = p
  out = q
  run = echo q >> ran; cat {in} > {out}

task own
  out = own
  run = ./work own {out}
""")
    with open('Makefile', 'w') as f:
        f.write('all: one two\none: ; +@%s -s q\ntwo: ; +@read go <begin; %s -s own q\n' % (DAGRUN, DAGRUN))
    os.mkfifo('begin')
    floor.start(['make', '-j4'])
    floor.until(lambda: 'p' in floor.running, 'the one')
    with open('begin', 'w') as f:
        f.write('go\n')
    # The other has asked for p by now, or does so in this moment.
    floor.until(lambda: 'own' in floor.running, 'the other')
    floor.let_go(2)
    equal(floor.finish('both'), 0, 'exit')
    equal(content('ran'), ['q'], 'how often q was made')


TESTS = [('passing the same', passing, 'all', 'all'), ('passing different', passing, 'all', 'over'),
         ('passing thrice', passing, 'over', 'all', 'over'), ('overlapping 4', overlapping, 4), ('overlapping 2', overlapping, 2), ('overlapping 1', overlapping, 1),
         ('the-same', the_same), ('one-fails', one_fails), ('with-make', with_make),
         ('read-on', read_on)]

if __name__ == '__main__':
    sys.exit(run(TESTS))
