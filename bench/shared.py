"""One job of uneven tasks between a make and two dagruns below it, which share its jobserver."""
import os
import random
import shutil

import peers
from common import digest_of, directory, rows, run_peers, sizes
from peers import Edge
from trees import Ideal

SHORTEST, LONGEST = 5, 80  # milliseconds
SLOTS = 4


def recipe(o, name):
    return '%s: ; +@%s --progress=none -s -f %s\n' % (name, o.dagrun, name)


def between(o, cwd, name, edges, order):
    """The first third of the edges is make's, the rest is the dagruns'; `order` of make's goals."""
    third = edges[:len(edges) // 3]
    goals = {'make': ' '.join(e.out for e in third), 'dagruns': 'a b'}
    text = peers.make_text(third, [goals[which] for which in order])
    peers.write(cwd, 'Makefile.' + order[0], text + '.PHONY: a b\n' + recipe(o, 'a') + recipe(o, 'b'))
    return dict(name=name, argv=['make', '-rR', '-s', '-f', 'Makefile.' + order[0], '-j%d' % SLOTS], cwd=cwd)


def shared_group(o, n):
    cwd = directory(o, 'n%d' % n)
    os.mkdir(os.path.join(cwd, 'out'))
    peers.write(cwd, 'in', 'in\n')
    rng = random.Random(4)
    times = [rng.randint(SHORTEST, LONGEST) for _ in range(n)]
    step = os.path.join(o.tools, 'step')
    edges = [Edge('out/%06d' % i, ['in'], '%s log %d out/%06d in' % (step, ms, i)) for i, ms in enumerate(times)]
    middle = n // 3 + (n - n // 3) // 2
    for name, numbers in (('a', range(n // 3, middle)), ('b', range(middle, n))):
        peers.write(cwd, 'times.' + name, ''.join('%06d\t%d\n' % (i, times[i]) for i in numbers))
        peers.write(cwd, name, 'args n\n  tsv = times.%s\n  columns = number ms\n\nmap m\n  each = n\n  in = in\n  out = out/{number}\n'
                    '  run = %s log {ms} {out} {in}\n' % (name, step))
    described = [
        between(o, cwd, 'dagrun', edges, ['dagruns', 'make']),
        between(o, cwd, 'dagruns last', edges, ['make', 'dagruns']),
        peers.make(cwd, edges, [e.out for e in edges], SLOTS),
    ]
    results = run_peers(o, cwd, described, digest_of(cwd, 'out'))
    shutil.rmtree(cwd)
    ideal = Ideal(sum(times) / 1000 / SLOTS, 'work / %d' % SLOTS)
    return {'title': 'N = %d' % n, 'n': n, 'rows': rows(results) + [ideal.row()]}


def shared(o):
    return {'title': 'shared: N tasks of %d to %d ms, a third of them make\'s, the others of two dagruns below it; make -j%d' % (
                SHORTEST, LONGEST, SLOTS),
            'limit': 'work / %d' % SLOTS, 'best_of': ['make'], 'goal': '≤ 1 / 0.97 of make alone', 'per': 'task',
            'groups': [shared_group(o, n) for n in sizes(o, [300], [1000])]}
