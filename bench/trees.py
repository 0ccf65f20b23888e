"""Works of a map and a merge tree: map and merge, uneven, resume, one more input, peak disk."""
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import measure
import peers
from common import digest_of, directory, missing, rows, run_peers, sizes
from peers import Edge


def levels(leaves, fan_in, command, name):
    """Rounds of edges over leaves by position, as a person writes them; the last makes `total`."""
    out, at = [], 0
    while len(leaves) > 1:
        at += 1
        edges, ups = [], []
        for i in range(0, len(leaves), fan_in):
            part = leaves[i:i + fan_in]
            if len(part) == 1:
                ups.append(part[0])
                continue
            made = 'total' if len(leaves) <= fan_in else '%s/%d-%d' % (name, at, i // fan_in)
            edges.append(Edge(made, part, command(part, made)))
            ups.append(made)
        out.append(edges)
        leaves = ups
    return out


def sorted_inputs(cwd, n, lines):
    rng = random.Random(1)
    os.mkdir(os.path.join(cwd, 'in'))
    os.mkdir(os.path.join(cwd, 'out'))
    os.mkdir(os.path.join(cwd, 'outm'))
    for i in range(1, n + 1):
        peers.write(cwd, 'in/%04d.txt' % i, ''.join('%012d\n' % rng.randrange(10 ** 12) for _ in range(lines)))


def by_hand(n, run, join, fan_in=2, numbers=None):
    numbers = numbers or range(1, n + 1)
    maps = [Edge('out/%04d.out' % i, ['in/%04d.txt' % i], run('in/%04d.txt' % i, 'out/%04d.out' % i)) for i in numbers]
    return [maps] + levels([e.out for e in maps], fan_in, join, 'outm')


def flat(rounds):
    return [e for edges in rounds for e in edges]


def dagfile(run, join, fan_in=2, keep=False):
    return ('args a\n  glob = in/*.txt\n\nmap m\n  each = a\n  out = out/{stem}.out\n  run = %s\n%s\n'
            'merge total\n  each = m\n  fan-in = %d\n%s  out = total\n  run = %s\n' % (
                run, '  keep = yes\n' if keep else '', fan_in, '  keep = yes\n' if keep else '', join))


def merge(o):
    groups = []
    for n in sizes(o, [900]):
        cwd = directory(o, 'n%d' % n)
        sorted_inputs(cwd, n, 200)
        rounds = by_hand(n, lambda a, b: 'sort -o %s %s' % (b, a), lambda a, b: 'sort -m -o %s %s' % (b, ' '.join(a)))
        edges = flat(rounds)
        described = [peers.dagrun(o.dagrun, cwd, dagfile('sort -o {out} {in}', 'sort -m -o {out} {in}'), o.jobs)]
        for how in (peers.make, peers.bmake, peers.ninja, peers.samurai, peers.tup):
            described.append(how(cwd, edges, ['total'], o.jobs))
        described.append(peers.barrier(o.source, cwd, rounds, o.jobs))
        results = run_peers(o, cwd, described, digest_of(cwd, 'total'))
        groups.append({'title': 'N = %d' % n, 'n': n,
                       'rows': rows(results) + missing([d['name'] for d in described], o)})
        shutil.rmtree(cwd)
    return {'title': 'map and merge: N files sorted, then merged by 2 to one', 'best_of': ['make'],
            'goal': '≤ 1.00 × make in wall and CPU', 'per': 'input', 'groups': groups}


def uneven(o):
    """One task in 16 takes thirty times as long; 8 slots, and commands that sleep, so that processors do not matter."""
    n, short, slots, cwd = 160, 50, 8, directory(o, 'uneven')
    sorted_inputs(cwd, n, 1)
    step = os.path.join(o.tools, 'step')
    # At places that no counting by position favours.
    slow = set(random.Random(7).sample(range(1, n + 1), n // 16))

    def run(a, b):
        number = int(os.path.basename(a)[:4])
        return '%s log %d %s %s' % (step, short * 30 if number in slow else short, b, a)

    rounds = by_hand(n, run, lambda a, b: '%s log %d %s %s' % (step, short, b, ' '.join(a)))
    edges = flat(rounds)
    peers.write(cwd, 'times', ''.join('%04d\t%d\n' % (i, short * 30 if i in slow else short)
                                      for i in range(1, n + 1)))
    text = ('args a\n  tsv = times\n  columns = leaf ms\n\nmap m\n  each = a\n  in = in/{leaf}.txt\n  out = out/{leaf}.out\n'
            '  run = %s log {ms} {out} {in}\n\nmerge total\n  each = m\n  fan-in = 2\n  out = total\n'
            '  run = %s log %d {out} {in}\n' % (step, step, short))
    work = sum(short * 30 if i in slow else short for i in range(1, n + 1)) + short * (n - 1)
    first = dict(peers.dagrun(o.dagrun, cwd, text, slots), name='dagrun, first time')
    again = dict(peers.dagrun(o.dagrun, cwd, text, slots), name='dagrun')

    def learn():
        subprocess.run(again['argv'], cwd=cwd, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for name in ('total', 'log'):
            os.unlink(os.path.join(cwd, name))
    again['before'] = learn
    again['argv'] = again['argv'] + ['-B']
    described = [again, first] + [how(cwd, edges, ['total'], slots) for how in (peers.make, peers.ninja, peers.samurai)]
    described.append(peers.barrier(o.source, cwd, rounds, slots))
    results = run_peers(o, cwd, described, digest_of(cwd, 'total'))
    best = Ideal(work / 1000 / slots, 'work / 8')
    shutil.rmtree(cwd)
    return {'title': 'uneven: %d inputs, one in 16 thirty times as long, then merged by 2; -j8' % n, 'limit': 'work / 8',
            'best_of': ['make'], 'goal': '≤ 1.10 × (sum of work / 8)', 'per': 'input',
            'groups': [{'title': 'N = %d' % n, 'n': n,
                        'rows': rows(results) + [best.row()] + missing(['samurai'], o)}]}


class Ideal:
    def __init__(self, seconds, name):
        self.seconds, self.name = seconds, name

    def row(self):
        return {'peer': self.name, 'wall': self.seconds, 'low': self.seconds, 'high': self.seconds, 'word': 'by calculation'}


def read_log(cwd):
    path = os.path.join(cwd, 'log')
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return [line.split() for line in f]


def start(described, cwd):
    if described.get('before'):
        described['before']()
    return subprocess.Popen(described['argv'], cwd=cwd, start_new_session=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def resume(o):
    """Killed with all its children when half of the steps have begun, then run again."""
    n = sizes(o, [900])[0]
    cwd = directory(o, 'resume')
    step = os.path.join(o.tools, 'step')
    sorted_inputs(cwd, n, 5)
    rounds = by_hand(n, lambda a, b: '%s log 1 %s %s' % (step, b, a),
                     lambda a, b: '%s log 1 %s %s' % (step, b, ' '.join(a)))
    edges = flat(rounds)
    keep = set(os.listdir(cwd)) | {'Dagfile', 'Makefile', 'build.ninja'}
    described = [peers.dagrun(o.dagrun, cwd, dagfile('%s log 1 {out} {in}' % step, '%s log 1 {out} {in}' % step), o.jobs),
                 peers.make(cwd, edges, ['total'], o.jobs), peers.ninja(cwd, edges, ['total'], o.jobs),
                 peers.samurai(cwd, edges, ['total'], o.jobs)]
    right, facts = None, []
    for d in [d for d in described if peers.here(d['name'])]:
        repeated, wrong, first = [], 0, []
        for _ in range(max(o.rounds, 1)):
            clean_tree(cwd, keep)
            child = start(d, cwd)
            while len(read_log(cwd)) < len(edges) // 2 and child.poll() is None:
                time.sleep(0.002)
            kill_session(child)
            before = len(read_log(cwd))
            began = time.time_ns()
            child = start(dict(d, before=None), cwd)
            child.wait()
            log = read_log(cwd)
            repeated.append(len(log) - len(edges))
            if len(log) > before:
                first.append((int(log[before][0]) - began) / 1e6)
            made = digest_of(cwd, 'total')() if os.path.exists(os.path.join(cwd, 'total')) else 'nothing'
            right = right or expected(cwd, n)
            wrong += child.returncode != 0 or made != right
        first.sort()
        facts.append([d['name'], '%d of %d' % (wrong, max(o.rounds, 1)), '%d' % max(repeated),
                      '%.0f ms' % first[len(first) // 2] if first else '–'])
    shutil.rmtree(cwd)
    return {'title': 'resume: map and merge of %d, killed (SIGKILL, all of it) at half' % n,
            'goal': 'right, at most j = %d tasks repeated; the first started ≤ 50 ms after the start' % o.jobs,
            'head': ['', 'wrong in the end', 'tasks repeated, at most', 'first task after'], 'facts': facts}


def expected(cwd, n):
    """The digest of all inputs, one behind the other: step only concatenates."""
    with open(os.path.join(cwd, 'expected'), 'wb') as out:
        for i in range(1, n + 1):
            with open(os.path.join(cwd, 'in/%04d.txt' % i), 'rb') as f:
                out.write(f.read())
    return digest_of(cwd, 'expected')()


def kill_session(child):
    """The runner's group; then those with sessions of their own, by what they are at: they belong to this bench."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait()
    # Steps take a millisecond: what is on its way ends by itself.
    time.sleep(0.1)


def clean_tree(cwd, keep):
    for name in os.listdir(cwd):
        path = os.path.join(cwd, name)
        if name not in keep:
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    for name in ('out', 'outm'):
        for file in os.listdir(os.path.join(cwd, name)):
            os.unlink(os.path.join(cwd, name, file))


def one_more(o):
    """An input more in the middle, all intermediates kept: how many merges run."""
    n = sizes(o, [900])[0]
    step = os.path.join(o.tools, 'step')
    facts = []
    for fan_in in (2, 8):
        cells = []
        for how in ('dagrun', 'make', 'ninja'):
            if not peers.here(how):
                cells.append('–')
                continue
            worst, wrong = 0, False
            # Inputs have even numbers, so that there is room for one anywhere.
            for new in (1, n + 1, 2 * n + 1, n // 2 | 1):
                cwd = directory(o, 'onemore')
                sorted_inputs(cwd, 0, 0)
                for i in range(2, 2 * n + 1, 2):
                    peers.write(cwd, 'in/%04d.txt' % i, '%d\n' % i)
                one_more_run(o, how, cwd, step, fan_in)
                os.unlink(os.path.join(cwd, 'log'))
                peers.write(cwd, 'in/%04d.txt' % new, 'new\n')
                one_more_run(o, how, cwd, step, fan_in)
                worst = max(worst, sum(int(line[1]) > 1 for line in read_log(cwd)))
                with open(os.path.join(cwd, 'total')) as f:
                    wrong = wrong or f.read().split() != everything(cwd)
                shutil.rmtree(cwd)
            cells.append('%d%s' % (worst, ', and the result is wrong' if wrong else ''))
        facts.append(['by %d' % fan_in] + cells)
    return {'title': 'one more input: among %d, at the worst of four places; merges that run' % n,
            'goal': '≤ 13 merges by 2, ≤ 5 by 8', 'head': ['', 'dagrun', 'make', 'ninja'], 'facts': facts}


def everything(cwd):
    words = []
    for name in sorted(os.listdir(os.path.join(cwd, 'in'))):
        with open(os.path.join(cwd, 'in', name)) as f:
            words.append(f.read().strip())
    return words


def one_more_run(o, how, cwd, step, fan_in):
    command = '%s log 0 ' % step
    numbers = sorted(int(name[:4]) for name in os.listdir(os.path.join(cwd, 'in')))
    if how == 'dagrun':
        d = peers.dagrun(o.dagrun, cwd, dagfile(command + '{out} {in}', command + '{out} {in}', fan_in, True), o.jobs)
    else:
        edges = flat(by_hand(0, lambda a, b: command + b + ' ' + a, lambda a, b: command + b + ' ' + ' '.join(a),
                             fan_in, numbers))
        d = getattr(peers, how)(cwd, edges, ['total'], o.jobs)
    subprocess.run(d['argv'], cwd=cwd, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


class Watch(threading.Thread):
    """The most bytes that lay in a directory's files but its inputs, looked at every few milliseconds."""

    def __init__(self, cwd):
        super().__init__()
        self.cwd, self.most, self.over = cwd, 0, False

    def run(self):
        while not self.over:
            self.most = max(self.most, sum(self.sizes(name) for name in ('.', 'out', 'outm')))
            time.sleep(0.003)

    def sizes(self, name):
        total = 0
        for entry in os.scandir(os.path.join(self.cwd, name)):
            try:
                if entry.is_file(follow_symlinks=False):
                    total += entry.stat().st_size
            except FileNotFoundError:
                pass
        return total


def disk(o):
    n, kib = sizes(o, [256])[0], 64
    cwd = directory(o, 'disk')
    step = os.path.join(o.tools, 'step')
    sorted_inputs(cwd, 0, 0)
    for i in range(1, n + 1):
        peers.write(cwd, 'in/%04d.txt' % i, '%063d\n' % i * 16 * kib)
    command = '%s log 5 ' % step
    edges = flat(by_hand(n, lambda a, b: command + b + ' ' + a, lambda a, b: command + b + ' ' + ' '.join(a)))
    keep = set(os.listdir(cwd)) | {'Dagfile', 'Makefile', 'build.ninja'}
    facts = []
    described = [peers.dagrun(o.dagrun, cwd, dagfile(command + '{out} {in}', command + '{out} {in}'), o.jobs),
                 peers.make(cwd, edges, ['total'], o.jobs), peers.ninja(cwd, edges, ['total'], o.jobs)]
    for d in [d for d in described if peers.here(d['name'])]:
        clean_tree(cwd, keep)
        watch = Watch(cwd)
        watch.start()
        subprocess.run(d['argv'], cwd=cwd, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        watch.over = True
        watch.join()
        facts.append([d['name'], '%.2f' % (watch.most / (n * kib * 1024))])
    shutil.rmtree(cwd)
    return {'title': 'peak disk: map and merge by 2 of %d files of %d KiB, bytes that do not shrink' % (n, kib),
            'goal': '≤ 2 × the data plus what is running', 'head': ['', 'most bytes at once / bytes of the inputs'],
            'facts': facts}
