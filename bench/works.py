"""The works that are a table of peers: spawn, map, no-op, map and merge. The others are in trees.py and plans.py."""
import os
import shutil
import subprocess

import measure
import peers
import plans
import shared
import trees
from common import changed, digest_of, directory, missing, rows, run_peers, sizes, too_long
from peers import Edge, Peer


def all_peers(o, cwd, text, edges, shell):
    """Edges that do not depend on each other, and the Dagfile that says the same."""
    goals = [e.out for e in edges]
    return [
        peers.dagrun(o.dagrun, cwd, text, o.jobs),
        peers.starter(o.tools, cwd, edges, shell, o.jobs, 'vfork'),
        peers.starter(o.tools, cwd, edges, shell, o.jobs, 'spawn'),
        peers.make(cwd, edges, goals, o.jobs),
        peers.bmake(cwd, edges, goals, o.jobs),
        peers.xargs(cwd, edges, shell, o.jobs),
        peers.ninja(cwd, edges, goals, o.jobs),
        peers.samurai(cwd, edges, goals, o.jobs),
        peers.parallel(cwd, edges, goals, o.jobs),
        peers.tup(cwd, edges, goals, o.jobs),
        peers.barrier(o.source, cwd, [edges], o.jobs),
    ]


# Spawn: tasks that make nothing.

def count_marks(cwd):
    def digest():
        if not os.path.exists(os.path.join(cwd, 'marks')):
            return 'none'
        with open(os.path.join(cwd, 'marks')) as f:
            return str(sorted(f.read().split()))
    return digest


def spawn_peers(o, cwd, n, program):
    edges = [Edge('t%d' % i, [], '%s %d' % (program, i), file=False) for i in range(1, n + 1)]
    text = 'args a\n  range = 1..%d\n\nmap m\n  each = a\n  run = %s {arg}\n' % (n, program)
    return all_peers(o, cwd, text, edges, False)


def spawn(o):
    groups = []
    # That each peer starts every command once is seen with a command that leaves a mark.
    cwd = directory(o, 'check')
    mark = os.path.join(cwd, 'mark')
    peers.write(cwd, 'mark', '#!/bin/sh\necho "$1" >>%s/marks\n' % cwd)
    os.chmod(mark, 0o755)
    # tup, which lets no command write what it was not told of, is checked by the works that have outputs.
    once = changed(o, rounds=0)
    described = [d for d in spawn_peers(o, cwd, 60, mark) if d['name'] != 'tup']
    checked = {r.peer: r.word for r in run_peers(once, cwd, described, count_marks(cwd))}
    for n in sizes(o, [1000, 3000], [1000, 10000, 100000]):
        measure.say('spawn, N = %d' % n)
        cwd = directory(o, 'n%d' % n)
        out = {name: word for name, word in checked.items() if word}
        out.update(too_long(o, groups, n))
        described = [d for d in spawn_peers(o, cwd, n, '/bin/true') if d['name'] not in out]
        results = run_peers(o, cwd, described, lambda: '')
        left = [{'peer': name, 'word': word} for name, word in out.items()]
        groups.append({'title': 'N = %d' % n, 'n': n, 'rows': rows(results) + left + missing(peers.NEEDS, o)})
    return {'title': 'spawn: N independent tasks of /bin/true', 'limit': 'vfork threads', 'best_of': BEST_SPAWN,
            'goal': '≤ 0.85 × the best peer, ≤ 1.10 × the vfork threads', 'per': 'task', 'groups': groups}


# The limit is no peer: it neither knows a graph nor writes anything down.
BEST_SPAWN = ['posix_spawn loop', 'make', 'bmake', 'xargs', 'ninja', 'samurai', 'parallel', 'tup', 'barriers']


# Map: a file of each file.

def make_inputs(cwd, n):
    os.mkdir(os.path.join(cwd, 'in'))
    os.mkdir(os.path.join(cwd, 'out'))
    for i in range(1, n + 1):
        peers.write(cwd, 'in/%07d.txt' % i, 'line %d\n' % i)


def map_group(o, n, shell):
    measure.say('%s, N = %d' % ('shell' if shell else 'map', n))
    cwd = directory(o, 'n%d%s' % (n, 'shell' if shell else ''))
    make_inputs(cwd, n)
    # What needs a shell is the `&&`; the redirections alone, dagrun would do itself.
    form = 'cat %s > %s && :' if shell else 'cp %s %s'
    edges = [Edge('out/%07d.out' % i, ['in/%07d.txt' % i], form % ('in/%07d.txt' % i, 'out/%07d.out' % i))
             for i in range(1, n + 1)]
    text = '%sargs a\n  glob = in/*.txt\n\nmap m\n  each = a\n  out = out/{stem}.out\n  run = %s\n' % (
        'shell = /bin/sh -ec\n\n' if shell else '', form % ('{in}', '{out}'))
    described = all_peers(o, cwd, text, edges, shell)
    results = run_peers(o, cwd, described, digest_of(cwd, 'out'))
    return {'title': 'N = %d' % n, 'n': n, 'rows': rows(results) + missing(peers.NEEDS, o)}


def map_direct(o):
    groups = [map_group(o, n, False) for n in sizes(o, [1000, 2000], [1000, 10000])]
    return {'title': 'map: N files, `cp IN OUT` each', 'limit': 'vfork threads', 'best_of': BEST_SPAWN,
            'goal': '≤ 0.85 × the best peer, ahead of the one-thread loop', 'per': 'task', 'groups': groups}


def map_shell(o):
    groups = [map_group(o, n, True) for n in sizes(o, [500, 1000], [1000, 3000])]
    return {'title': 'map through sh: N files, `cat IN > OUT && :` each', 'limit': 'vfork threads',
            'best_of': BEST_SPAWN, 'goal': '≤ 0.85 × the best peer with the same shell', 'per': 'task', 'groups': groups}


# No-op: everything is up to date.

def murmur(data):
    """MurmurHash64A as ninja's log of version 5 has it, of a command."""
    m, mask = 0xc6a4a7935bd1e995, 0xffffffffffffffff
    h = 0xdecafbaddecafbad ^ (len(data) * m & mask)
    whole = len(data) & ~7
    for i in range(0, whole, 8):
        k = int.from_bytes(data[i:i + 8], 'little') * m & mask
        k = (k ^ k >> 47) * m & mask
        h = (h ^ k) * m & mask
    if len(data) & 7:
        h = (h ^ int.from_bytes(data[whole:], 'little')) * m & mask
    h = (h ^ h >> 47) * m & mask
    return h ^ h >> 47


def ninja_log(cwd, edges):
    """As if ninja had made all of it: its log would take it minutes to earn."""
    with open(os.path.join(cwd, '.ninja_log'), 'w') as f:
        f.write('# ninja log v5\n')
        for e in edges:
            mtime = os.stat(os.path.join(cwd, e.out)).st_mtime_ns
            f.write('0\t1\t%d\t%s\t%x\n' % (mtime, e.out, murmur(e.command.encode())))


def noop_group(o, n):
    measure.say('noop, N = %d' % n)
    cwd = directory(o, 'n%d' % n)
    for name in ('in', 'out'):
        os.mkdir(os.path.join(cwd, name))
        at = os.open(os.path.join(cwd, name), os.O_RDONLY)
        for i in range(1, n + 1):
            os.close(os.open('%07d.txt' % i, os.O_CREAT | os.O_WRONLY, dir_fd=at))
        os.close(at)
    edges = [Edge('out/%07d.txt' % i, ['in/%07d.txt' % i], 'cp in/%07d.txt out/%07d.txt' % (i, i)) for i in range(1, n + 1)]
    goals = [e.out for e in edges]
    text = 'args a\n  glob = in/*.txt\n\nmap m\n  each = a\n  out = out/{name}\n  run = cp {in} {out}\n'
    described = [peers.dagrun(o.dagrun, cwd, text, o.jobs)]
    for threads in (2, 1):
        described.append(dict(name='stats, %d thread%s' % (threads, 's' if threads > 1 else ''), cwd=cwd, argv=[
            os.path.join(o.tools, 'looker'), str(threads), str(n), 'in', '%07lu.txt', 'out', '%07lu.txt']))
    described += [peers.make(cwd, edges, goals, o.jobs), peers.bmake(cwd, edges, goals, o.jobs),
                  peers.ninja(cwd, edges, goals, o.jobs), peers.samurai(cwd, edges, goals, o.jobs)]
    ninja_log(cwd, edges)
    subprocess.run([o.dagrun, '-t', '-s'], cwd=cwd, check=True, stdin=subprocess.DEVNULL)
    chosen = [d for d in described if peers.here(d['name']) and
              (not o.only or d['name'] == 'dagrun' or 'stats' in d['name'] or d['name'] in o.only)]
    # No output may be made again: they are empty, and their times would change.
    newest = max(os.stat(os.path.join(cwd, e.out)).st_mtime_ns for e in edges)
    ready = [Peer(clean=lambda: None, digest=lambda: str(
        newest == max(os.stat(os.path.join(cwd, e.out)).st_mtime_ns for e in edges)), **d) for d in chosen]
    results = measure.in_turns(ready, o.rounds, o.timer, o.slow)
    shutil.rmtree(cwd)
    left = [{'peer': 'tup', 'word': 'would have to make them all first'}]
    return {'title': 'N = %d' % n, 'n': n, 'rows': rows(results) + left + missing(['samurai'], o)}


def noop(o):
    groups = [noop_group(o, n) for n in sizes(o, [10000, 100000], [10000, 100000, 1000000])]
    return {'title': 'no-op: N outputs of N inputs, all up to date', 'limit': 'stats, 2 threads',
            'best_of': ['make', 'bmake', 'ninja', 'samurai', 'tup'],
            'goal': '≤ 1.6 × the stats on two threads at 10⁶, ≤ 0.60 × samurai', 'per': 'task', 'groups': groups}


WORKS = [
    ('start', plans.start),
    ('spawn', spawn),
    ('map', map_direct),
    ('shell', map_shell),
    ('noop', noop),
    ('merge', trees.merge),
    ('uneven', trees.uneven),
    ('shared', shared.shared),
    ('resume', trees.resume),
    ('onemore', trees.one_more),
    ('disk', trees.disk),
    ('plan', plans.plan),
    ('idle', plans.idle),
    ('calls', plans.calls),
]
