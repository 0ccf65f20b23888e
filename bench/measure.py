"""Runs of peers in turns, and what they cost."""
import os
import signal
import statistics
import subprocess
import sys
import time


HANGS = 600  # seconds: no peer takes as long that is worth a comparison


class Result:
    """What one peer took for one work of one size: a sample a run."""

    def __init__(self, peer):
        self.peer = peer
        self.runs = []
        self.word = ''

    def add(self, wall, user, system, kib):
        self.runs.append((wall, user, system, kib))

    def median(self, what=0):
        return statistics.median(run[what] for run in self.runs)

    def spread(self):
        return min(run[0] for run in self.runs), max(run[0] for run in self.runs)


class Timer:
    def __init__(self, tools, scratch):
        self.timed = os.path.join(tools, 'timed')
        self.result = os.path.join(scratch, 'timed')

    def run(self, argv, cwd, stdin=None, ok=(0,)):
        """(seconds, user, system, KiB), or None: it failed."""
        with open(stdin or os.devnull) as source, open(self.result + '.out', 'w') as out:
            p = subprocess.Popen([self.timed, self.result] + argv, cwd=cwd, stdin=source, stdout=out, stderr=out,
                                 process_group=0)
            try:
                p.wait(HANGS)
            except subprocess.TimeoutExpired:
                os.killpg(p.pid, signal.SIGKILL)
                p.wait()
                return None, 'hangs: ended after %d s' % HANGS
        with open(self.result) as f:
            wall, user, system, kib, status = f.read().split()
        if int(status) not in ok:
            with open(self.result + '.out', errors='replace') as out:
                last = out.read().strip().splitlines()[-1:] or ['']
            return None, 'failed with %s: %s' % (status, last[0][:100])
        return (float(wall), float(user), float(system), int(kib)), ''


def say(text):
    print(time.strftime('%H:%M:%S ') + text, file=sys.stderr, flush=True)


def in_turns(peers, rounds, timer, slow):
    """Each of the peers once as a warm-up, whose result is compared with the others', then `rounds` times, in turns.

    A peer has: name, prepare() before each run, argv, cwd, stdin, digest() of what it made. One whose warm-up takes longer
    than `slow` seconds is not run again. Results in the order of the peers.
    """
    results = {peer.name: Result(peer.name) for peer in peers}
    digests = {}
    left = []
    for peer in peers:
        peer.prepare()
        cost, why = timer.run(peer.argv, peer.cwd, peer.stdin)
        if cost is None:
            results[peer.name].word = why
            say('  %s: %s' % (peer.name, why))
            continue
        say('  %s: %.3g s' % (peer.name, cost[0]))
        digests[peer.name] = peer.digest()
        if cost[0] > slow:
            results[peer.name].add(*cost)
            results[peer.name].word = 'once only'
        else:
            left.append(peer)
    agree(digests, results)
    for i in range(rounds):
        if left:
            say('  round %d of %d' % (i + 1, rounds))
        for peer in list(left):
            peer.prepare()
            cost, why = timer.run(peer.argv, peer.cwd, peer.stdin)
            if cost is None or peer.digest() != digests[peer.name]:
                results[peer.name].word = why or 'made something else this time'
                if cost is None:
                    left.remove(peer)
                continue
            results[peer.name].add(*cost)
    return [results[peer.name] for peer in peers]


def agree(digests, results):
    """What most peers made is right; the others are told."""
    values = list(digests.values())
    if not values:
        return
    right = max(values, key=values.count)
    for name, digest in digests.items():
        if digest != right:
            results[name].word = 'its result differs'
            say('%s: its result differs from the others\'' % name)
