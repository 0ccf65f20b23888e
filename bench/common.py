"""What the works share."""
import hashlib
import os
import tempfile

import measure
import peers
from peers import Peer


def rows(results):
    """Of a table: what table.py prints."""
    out = []
    for r in results:
        row = {'peer': r.peer, 'word': r.word}
        if r.runs:
            low, high = r.spread()
            row.update(wall=r.median(0), low=low, high=high, user=r.median(1), system=r.median(2), kib=r.median(3))
        out.append(row)
    return out


def missing(names, o):
    return [{'peer': name, 'word': 'not here'} for name in names if not peers.here(name)]


def sizes(o, usual, large=None):
    """Those asked for, or those that the goals speak of, or such as take no more than a minute or two."""
    return o.sizes or (o.large and large) or usual


def too_long(o, groups, n):
    """Peers that would take longer than --most with n tasks, by what they took with the most so far: name: word."""
    out = {}
    for row in groups[-1]['rows'] if groups else []:
        expected = row.get('wall', 0) / groups[-1]['n'] * n
        if expected > o.most:
            out[row['peer']] = 'would take %d s' % expected
        elif row['word'].startswith('would'):
            out[row['peer']] = row['word']
    return out


def directory(o, name):
    path = os.path.join(o.scratch, name)
    os.mkdir(path)
    return path


def cleaner(cwd, keep, aside):
    """Puts aside all but what was there when the work was written. Nothing is removed: ext4 without a journal passes over the
    numbers of files removed within the last minutes one by one, which costs whoever makes files next more than the task itself."""
    def away(name):
        os.rename(os.path.join(cwd, name), os.path.join(tempfile.mkdtemp(dir=aside), name))

    def clean():
        for name in os.listdir(cwd):
            if name not in keep:
                away(name)
        for name in keep:
            if name.startswith('out') and os.listdir(os.path.join(cwd, name)):
                away(name)
                os.mkdir(os.path.join(cwd, name))
    return clean


def digest_of(cwd, name):
    """Of all files in a directory, or of a file: names and contents."""
    def digest():
        h = hashlib.sha256()
        path = os.path.join(cwd, name)
        if os.path.isfile(path):
            with open(path, 'rb') as f:
                return hashlib.sha256(f.read()).hexdigest()
        for file in sorted(os.listdir(path) if os.path.isdir(path) else []):
            if file.startswith('.'):
                continue
            with open(os.path.join(path, file), 'rb') as f:
                h.update(file.encode() + b'\0' + f.read() + b'\0')
        return h.hexdigest()
    return digest


def run_peers(o, cwd, described, digest):
    """Measures peers that are here, and dagrun, with one cleaner and one digest."""
    keep = set(os.listdir(cwd))
    chosen = [d for d in described if peers.here(d['name']) and
              (not o.only or d['name'] not in peers.NEEDS or d['name'] in o.only)]
    ready = [Peer(clean=cleaner(cwd, keep, o.aside), digest=digest, **d) for d in chosen]
    return measure.in_turns(ready, o.rounds, o.timer, o.slow)


def changed(o, **change):
    copy = type(o)(**vars(o))
    for name, value in change.items():
        setattr(copy, name, value)
    return copy
