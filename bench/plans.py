"""Works without peers: how long a start and a plan take, what waiting costs, how many system calls a task takes."""
import collections
import os
import re
import shutil
import subprocess
import time

import measure
import peers
from common import directory, sizes


def timed(o, cwd, argv, rounds):
    """Medians of (seconds, KiB)."""
    runs = []
    for _ in range(rounds):
        cost, why = o.timer.run(argv, cwd)
        if cost is None:
            return None, why
        runs.append(cost)
    runs.sort()
    return runs[len(runs) // 2], ''


def start(o):
    """The program's own start, a Dagfile of one task, and the first of 2,000."""
    cwd = directory(o, 'start')
    rounds = max(o.rounds, 1) * 5
    facts = []

    def add(what, argv, goal):
        cost, why = timed(o, cwd, argv, rounds)
        facts.append([what, '%.1f ms' % (cost[0] * 1e3) if cost else why, goal])

    add('dagrun --version', [o.dagrun, '--version'], '≤ 5 ms')
    peers.write(cwd, 'Dagfile', 'task t\n  in = Dagfile\n  out = copy\n  run = cp {in} {out}\n')
    subprocess.run([o.dagrun, '-s'], cwd=cwd, check=True)
    add('one task, up to date', [o.dagrun, '-s'], '≤ 5 ms')
    n, step = 2000, os.path.join(o.tools, 'step')
    peers.write(cwd, 'Dagfile', 'args a\n  range = 1..%d\n\nmap m\n  each = a\n  in = Dagfile\n  out = out/{arg}\n'
                '  run = %s log 0 {out} {in}\n' % (n, step))
    firsts = []
    for _ in range(max(o.rounds, 1)):
        for name in ('log', '.dagrun', 'out'):
            path = os.path.join(cwd, name)
            if os.path.exists(path):
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        began = time.time_ns()
        child = subprocess.Popen([o.dagrun, '-s', '-j%d' % o.jobs], cwd=cwd, stdin=subprocess.DEVNULL)
        while not os.path.exists(os.path.join(cwd, 'log')):
            if child.poll() is not None:
                break
            time.sleep(0.001)
        child.terminate()
        child.wait()
        with open(os.path.join(cwd, 'log')) as f:
            firsts.append((int(f.readline().split()[0]) - began) / 1e6)
    firsts.sort()
    facts.append(['first of 2,000 tasks has begun', '%.1f ms' % firsts[len(firsts) // 2], '≤ 20 ms'])
    return {'title': 'start', 'head': ['', 'median', 'to reach'], 'facts': facts}


def products(n):
    side = max(int(n ** 0.5), 1)
    return ('args x\n  range = 1..%d\n\nargs y\n  range = 1..%d\n\nargs cell\n  product = x y\n\nmap m\n  each = cell\n'
            '  out = out/{x}/{y}\n  run = cp Dagfile {out}\n' % (side, side)), side * side


def merges(n):
    return ('args a\n  range = 1..%d\n\nmap m\n  each = a\n  out = out/{arg}\n  run = cp Dagfile {out}\n\n'
            'merge t\n  each = m\n  fan-in = 8\n  out = total\n  run = cat {in} > {out}\n' % n), n + n // 7


def chains(n):
    lines = ['args a\n  list = x\n\nmap m0\n  each = a\n  out = o0\n  run = cp Dagfile {out}\n']
    for i in range(1, n):
        lines.append('map m%d\n  each = m%d\n  out = o%d\n  run = cp {in} {out}\n' % (i, i - 1, i))
    return '\n'.join(lines), n


def wides(n):
    return ('args a\n  range = 1..%d\n\nmap m\n  each = a\n  out = out/{arg}\n  run = cp Dagfile {out}\n\n'
            'task t\n  in = m\n  out = total\n  run = wc -l {in:list} > {out}\n' % n), n + 1


SHAPES = [('product of two ranges', products, 1000000), ('merge by 8', merges, 1000000),
          ('chain of maps', chains, 100000), ('one task of N inputs', wides, 100000)]


def plan(o):
    """dagrun -n: everything up to the first start. At a tenth as well: a cost that grows linearly is the same a task."""
    facts = []
    for name, text, largest in SHAPES:
        for n in sizes(o, [largest // 10, largest]):
            measure.say('plan: %s, N = %d' % (name, n))
            cwd = directory(o, 'plan')
            dagfile, tasks = text(n)
            peers.write(cwd, 'Dagfile', dagfile)
            cost, why = timed(o, cwd, [o.dagrun, '-n'], min(max(o.rounds, 1), 3))
            facts.append([name, '{:,}'.format(tasks)] + (
                ['%.2f s' % cost[0], '%.2f µs' % (cost[0] / tasks * 1e6), '%.0f MB' % (cost[3] / 1024),
                 '%.0f' % (cost[3] * 1024 / tasks)] if cost else [why, '', '', '']))
            shutil.rmtree(cwd)
    return {'title': 'plan: dagrun -n, nothing made yet', 'goal': 'the same a task at ten times the size',
            'head': ['', 'tasks', 'time', 'a task', 'peak memory', 'bytes a task'], 'facts': facts}


def idle(o):
    """Two seconds of waiting for a child."""
    cwd = directory(o, 'idle')
    peers.write(cwd, 'Dagfile', 'task t\n  run = sleep 20\n')
    child = subprocess.Popen([o.dagrun], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    time.sleep(1)
    before = waits(child.pid)
    time.sleep(4)
    after = waits(child.pid)
    child.terminate()
    child.wait()
    return {'title': 'idle: waiting for a child, not on a terminal', 'goal': 'no wake-ups; CPU below 0.1 %',
            'head': ['', 'in 4 seconds'],
            'facts': [['wake-ups', str(after[0] - before[0])], ['CPU', '%.2f %%' % ((after[1] - before[1]) / 4 * 100)]]}


def waits(pid):
    """(voluntary switches of all threads, seconds of processor)"""
    switches = 0
    for task in os.listdir('/proc/%d/task' % pid):
        with open('/proc/%d/task/%s/status' % (pid, task)) as f:
            switches += int(re.search(r'^voluntary_ctxt_switches:\s*(\d+)', f.read(), re.M).group(1))
    with open('/proc/%d/schedstat' % pid) as f:
        return switches, int(f.read().split()[0]) / 1e9


def count_calls(o, cwd, argv):
    """System calls of the program and its threads, and those of its children until their exec."""
    trace = os.path.join(cwd, 'trace')
    os.mkdir(trace)
    subprocess.run(['strace', '-qq', '-ff', '-o', os.path.join(trace, 't')] + argv, cwd=cwd, check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    ours, childrens = collections.Counter(), collections.Counter()
    for name in os.listdir(trace):
        with open(os.path.join(trace, name), errors='replace') as f:
            # Numbers of processes begin anew at some time: the runner's need not be the least.
            first = f.readline()
            runner = first.startswith('execve(') and '["%s"' % argv[0] in first
            f.seek(0)
            seen = collections.Counter()
            for line in f:
                call = line.split('(', 1)[0]
                if not re.fullmatch(r'\w+', call):
                    continue
                seen[call] += 1
                if call == 'execve' and not runner:
                    break
            (childrens if seen['execve'] and not runner else ours).update(seen)
    shutil.rmtree(trace)
    return ours, childrens


def a_task(few, many, n):
    return {call: (many[call] - few[call]) / n for call in many}


def listed(each):
    often = sorted((c for c in each if each[c] >= 0.05), key=lambda c: -each[c])
    return ', '.join('%s %.1f' % (c, each[c]) for c in often)


def calls(o):
    """What a task of spawn and one of map take, as the difference of 300 and 100 of them."""
    if not shutil.which('strace'):
        return {'title': 'system calls', 'head': ['', ''], 'facts': [['strace', 'not here']]}
    facts = []
    for name, key in (('spawn', '  run = /bin/true {arg}\n'),
                      ('map', '  in = Dagfile\n  out = out/{arg}\n  run = cp {in} {out}\n')):
        seen = []
        for n in (100, 300):
            cwd = directory(o, 'calls-%s-%d' % (name, n))
            peers.write(cwd, 'Dagfile', 'args a\n  range = 1..%d\n\nmap m\n  each = a\n%s' % (n, key))
            seen.append(count_calls(o, cwd, [o.dagrun, '-s', '-j%d' % o.jobs]))
        ours, childrens = (a_task(few, many, 200) for few, many in zip(*seen))
        facts.append([name, '%.1f' % sum(ours.values()), listed(ours), '%.1f' % sum(childrens.values()), listed(childrens)])
    for name, how in (('posix_spawn loop', 'spawn'), ('make', 'make')):
        seen = []
        for n in (100, 300):
            cwd = directory(o, 'peer-%s-%d' % (how, n))
            edges = [peers.Edge('t%d' % i, [], '/bin/true %d' % i, file=False) for i in range(n)]
            d = (peers.make(cwd, edges, [e.out for e in edges], o.jobs) if how == 'make' else
                 peers.starter(o.tools, cwd, edges, False, o.jobs, how))
            argv = d['argv'] if how == 'make' else ['sh', '-c', 'exec "$@" < commands', 'sh'] + d['argv']
            seen.append(count_calls(o, cwd, argv))
        ours, childrens = (a_task(few, many, 200) for few, many in zip(*seen))
        facts.append([name + ', spawn', '%.1f' % sum(ours.values()), '', '%.1f' % sum(childrens.values()), ''])
    return {'title': 'system calls a task', 'goal': '≤ 20 of the runner',
            'head': ['', 'of the runner', '', 'of its child before the exec', ''], 'facts': facts}
