#!/usr/bin/env python3
# Power cuts: a file system on a loop device is shut down without its log while dagrun runs in it, at the beginning, in the middle and at the
# end of each task, with what was written synced in part before; it is mounted again, journal-tool tells of another start of the machine, and
# the same command makes what is right. With --durable nothing that had its name is made twice.
#
# power.t [--all] [--points N] [--seed N]: for root, where loop devices can be had. Twelve of the points, or as many as are asked for, by
# chance. Else skipped, with a word.
import argparse
import collections
import os
import random
import shutil
import subprocess
import sys

DAGRUN = os.environ['DAGRUN']
TOOL = os.path.join(os.environ['builddir'], 'tests/journal-tool')
LEAVES, PATIENCE = 8, 120

# Tasks call it at each of their places: mostly it is another that is wanted.
CUTTER = '''#!/bin/sh
[ "$1 $2" != "$CUT" ] || exec "$CUT_THERE" "$@"
'''

# "X" 125, a number of 4 bytes: of ext4 and XFS alike; 2: what is in the log and not on the disk is lost, too.
CUT = '''#!/usr/bin/env python3
import fcntl, os, struct, sys
place, part = os.environ['PLACE'], os.environ['PART']

def fsync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)

def outputs():
    return [os.path.join(d, f) for d, _, fs in os.walk(place) for f in fs if '/.dagrun' not in d + '/' + f]

with open(os.environ['SEEN'], 'w') as f:
    f.write(''.join(os.path.relpath(p, place) + chr(10) for p in outputs() if p.startswith(place + '/m/')))
if part in ('journal', 'both'):
    fsync(place + '/.dagrun/journal')
if part in ('outputs', 'both'):
    for p in outputs():
        fsync(p)
fd = os.open(place, os.O_RDONLY)
fcntl.ioctl(fd, 0x8004587d, struct.pack('I', 2))
'''

DAGFILE = '''args n
  range = 1..%d
map m
  each = n
  in   = in/{arg}
  out  = m/{arg}
  run  =
    echo m{arg} >> "$LOG"
    "$CUTTER" m{arg} begin
    head -c 20000 {in} > {out}
    "$CUTTER" m{arg} middle
    tail -c +20001 {in} >> {out}
    "$CUTTER" m{arg} end
merge all
  each = m
  keep = yes
  out  = all
  run  =
    echo merge >> "$LOG"
    cat {in} > {out}
    "$CUTTER" merge middle
''' % LEAVES


def skip(why):
    print('skipped: ' + why)
    sys.exit(77)


def call(*words, **kw):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, **kw)


class Disk:
    def __init__(self, kind):
        self.kind, self.blank, self.image, self.n = kind, os.path.abspath(kind + '.blank'), None, 0
        self.place = os.path.abspath(kind + '.mnt')
        os.makedirs(self.place, exist_ok=True)
        with open(self.blank, 'w') as f:
            f.truncate((32 if kind == 'ext4' else 320) << 20)
        made = call('mkfs.' + kind, '-q', self.blank)
        if made.returncode:
            raise OSError(made.stdout.decode())

    def fresh(self):
        return self.mount_copy(self.blank)

    def again(self):
        return self.mount_copy(self.image)

    # Another file each time: the device of the last one, and what the kernel knows of its file system, may not have gone yet.
    def mount_copy(self, of):
        last = self.image
        self.n += 1
        self.image = os.path.abspath('%s.%d' % (self.kind, self.n))
        call('cp', '--sparse=always', of, self.image)
        if last:
            os.remove(last)
        return self.mount()

    def mount(self):
        return call('mount', '-o', 'loop', self.image, self.place).returncode == 0

    def umount(self):
        for _ in range(100):
            if call('umount', self.place).returncode == 0:
                return
        raise OSError('cannot unmount ' + self.place)


def content(i):
    return bytes((i * 7 + k * k) % 251 for k in range(500)) * 120


def fill(place):
    os.makedirs(place + '/in')
    for i in range(1, LEAVES + 1):
        with open('%s/in/%d' % (place, i), 'wb') as f:
            f.write(content(i))
    with open(place + '/Dagfile', 'w') as f:
        f.write(DAGFILE)
    # As long as nobody runs: what is about is what dagrun makes.
    os.sync()


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path) as f:
        return f.read().split()


def point(disk, cut, part, durable, earlier):
    """What is wrong with what comes of it, or None."""
    env = dict(os.environ, LOG=os.path.abspath('log'), CUTTER=os.path.abspath('cutter'), CUT_THERE=os.path.abspath('cut'), CUT=cut,
               PART=part, PLACE=disk.place, SEEN=os.path.abspath('seen'))
    options = ['--durable'] if durable else []
    changes = int(cut[1]) if cut[1].isdigit() else 3

    for name in ('log', 'seen'):
        if os.path.exists(name):
            os.remove(name)
    if not disk.fresh():
        return 'cannot mount'
    try:
        fill(disk.place)
        if earlier:
            # Once before, with another input for the task that is cut off, and all of that on the disk, which the journal says or not.
            with open('%s/in/%d' % (disk.place, changes), 'wb') as f:
                f.write(b'old' * 20000)
            call(DAGRUN, '-j2', '-s', *(['--durable'] if earlier == 'known' else []), cwd=disk.place,
                 env=dict(env, CUT='x x'))
            os.sync()
            with open('%s/in/%d' % (disk.place, changes), 'wb') as f:
                f.write(content(changes))
            os.sync()
        first = call(DAGRUN, '-j2', *options, cwd=disk.place, env=env)
        if not os.path.exists('seen'):
            return 'the cut did not come: ' + first.stdout.decode(errors='replace')
    finally:
        disk.umount()
    if not disk.again():
        return 'cannot mount again'
    try:
        if os.path.exists(disk.place + '/.dagrun/journal'):
            call(TOOL, 'reboot', cwd=disk.place)
        named = {'m' + os.path.basename(p) for p in lines('seen')}
        if os.path.exists('log'):
            os.remove('log')
        second = call(DAGRUN, '-j2', *options, cwd=disk.place, env=dict(env, CUT='x x'))
        said = 'first: %s\nthen: %s' % (first.stdout.decode(errors='replace'), second.stdout.decode(errors='replace'))
        if second.returncode:
            return 'exit %d\n%s' % (second.returncode, said)
        with open(disk.place + '/all', 'rb') as f:
            if f.read() != b''.join(content(i) for i in range(1, LEAVES + 1)):
                return 'another result\n' + said
        twice = named & set(lines('log'))
        if durable and not earlier and twice:
            return 'made twice: %s\n%s' % (' '.join(sorted(twice)), said)
        left = [p for d, _, fs in os.walk(disk.place) for p in fs if p.startswith('.dagrun-')]
        if left:
            return 'left: %s\n%s' % (left, said)
        third = call(DAGRUN, '-j2', cwd=disk.place, env=dict(env, CUT='x x'))
        if b'nothing to do' not in third.stdout:
            return 'the third: %s\n%s' % (third.stdout.decode(errors='replace'), said)
    finally:
        disk.umount()
    return None


def points():
    cuts = ['m%d %s' % (i, when) for i in range(1, LEAVES + 1) for when in ('begin', 'middle', 'end')] + ['merge middle']
    return [(cut, part, durable, earlier) for cut in cuts for part in ('none', 'journal', 'outputs', 'both')
            for durable in (False, True) for earlier in (None, 'unknown', 'known')]


def main():
    if os.geteuid():
        skip('only root can mount')
    for name, text in ('cutter', CUTTER), ('cut', CUT):
        with open(name, 'w') as f:
            f.write(text)
        os.chmod(name, 0o755)
    options = argparse.ArgumentParser()
    options.add_argument('--all', action='store_true')
    options.add_argument('--points', type=int, default=12)
    options.add_argument('--seed', type=int, default=1)
    options = options.parse_args()
    todo = points()
    if not options.all:
        todo = random.Random(options.seed).sample(todo, min(options.points, len(todo)))
    results = collections.OrderedDict()
    for kind in ('ext4', 'xfs'):
        if not shutil.which('mkfs.' + kind):
            print('%s: there is no mkfs.%s' % (kind, kind))
            continue
        try:
            disk = Disk(kind)
            if not disk.fresh():
                raise OSError('no loop device')
            disk.umount()
        except OSError as why:
            print('%s: %s' % (kind, why))
            continue
        for p in todo:
            wrong = point(disk, *p)
            cell = results.setdefault((kind, p[2], p[3]), [0, 0])
            cell[0] += 1
            if wrong:
                cell[1] += 1
                print('FAILED: %s, %s: %s' % (kind, ' '.join(map(str, p)), wrong), flush=True)
    if not results:
        skip('no file system can be mounted here')
    for (kind, durable, earlier), (tried, bad) in sorted(results.items(), key=str):
        print('%-4s %-9s earlier run: %-7s %4d cuts, %d violations' % (
            kind, '--durable' if durable else '', earlier or 'none', tried, bad))
    tried, bad = (sum(cell[i] for cell in results.values()) for i in range(2))
    print('%d power cuts, %d violations' % (tried, bad))
    sys.exit(1 if bad else 0)


main()
