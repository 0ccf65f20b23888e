#!/usr/bin/env python3
# Real programs above, below and beside dagrun: make, remake, cargo, gcc's link-time optimisation, bmake, Python. Each
# shares the one pool or leaves it alone; the tokens before and after, and the most at once of those that tell us. What
# is not installed is said and left out. Without arguments all, else those named.
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from players import Pool, counted, have, make_version, tell, write_count  # noqa: E402
from harness import DAGRUN, check, equal, run, write  # noqa: E402


def line(floor, what, before, after, jobs):
    check(floor.most <= jobs, '%s: %d at once' % (what, floor.most))
    equal(after, before, what + ': tokens')
    tell(what, before, after, floor.most or None, jobs)


def missing(*programs):
    p = have(*programs)
    if p:
        print('skipped: no ' + p)
    return p


def ends(floor, what):
    equal(floor.finish(what), 0, '%s: exit (%s)' % (what, floor.text()))


def dagfile(n, run='./work {arg} {out}', name='Dagfile'):
    write(name, 'args n\n  range = 1..%d\n\nmap t\n  each = n\n  out  = %s.d/{arg}\n  run  = %s\n' % (n, name, run))


def above(floor, program):
    """It owns the pool; its own recipes and our tasks are four together."""
    if missing(program):
        return
    what = program + ' -j4: recipes of its, tasks of ours'
    write_count()
    dagfile(8)
    write('Makefile', 'all: after\nbefore: ; +@./count $@\nR := r1 r2 r3 r4 r5\n$(R): before ; @./work $@\n'
                      'dag: before ; +@%s\nafter: $(R) dag ; +@./count $@\n' % DAGRUN)
    floor.start([program, '-j4'])
    floor.reach(4, what)
    ends(floor, what)
    equal(len(floor.ended), 13, what + ': done')
    check('INTERNAL' not in floor.text(), floor.text())
    line(floor, what, counted('before'), counted('after'), 4)


def below(floor, program):
    """Ours is the pool; three of them run two recipes each."""
    if missing(program):
        return
    what = 'dagrun -j4: tasks that are ' + program
    write('sub.mk', 'all: a$(N) b$(N)\na$(N) b$(N): ; @./work $@\n')
    dagfile(3, program + ' -f sub.mk N={arg} && : > {out}')
    floor.dagrun('-j4')
    floor.reach(4, what)
    ends(floor, what)
    equal(len(floor.ended), 6, what + ': recipes')
    # It would say so if a token were missing or too many at the end.
    check('jobserver' not in floor.text(), floor.text())
    line(floor, what, None, None, 4)


def nested(floor):
    what = 'make, dagrun, make, dagrun, all of one pool'
    pool = Pool('pipe', 'ABC')
    write('top.mk', 'all: ; +@%s -f top.dag\n' % DAGRUN)
    dagfile(2, 'make -s -f sub.mk N={arg} && : > {out}', 'top.dag')
    write('sub.mk', 'all: r$(N) low\nr$(N): ; @./work $@\nlow: ; +@%s -f low$(N).dag\n' % DAGRUN)
    for i in (1, 2):
        dagfile(4, './work d%d.{arg} {out}' % i, 'low%d.dag' % i)
    floor.start(['make', '-f', 'top.mk'], flags=pool.flags, pass_fds=pool.pass_fds)
    floor.reach(4, what)
    ends(floor, what)
    pool.whole(what, makes=True)
    line(floor, what, 3, 3, 4)


def crate(name, build=None):
    """One without dependencies."""
    write(name + '/Cargo.toml', '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2021"\n' % name)
    write(name + '/src/main.rs', 'fn main() {}\n')
    if build:
        write(name + '/build.rs', build)


def cargo_env():
    """Where cargo is, as HOME is the test's own."""
    home = os.environ.get('CARGO_HOME') or os.path.dirname(os.path.dirname(shutil.which('cargo') or '//'))
    env = {'CARGO_HOME': os.path.abspath('cargo-home'), 'CARGO_NET_OFFLINE': 'true'}
    rustup = os.path.join(os.path.dirname(home), '.rustup')
    if os.path.isdir(rustup):
        env.setdefault('RUSTUP_HOME', os.environ.get('RUSTUP_HOME', rustup))
    works = subprocess.run(['cargo', '--version'], env={**os.environ, **env}, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL).returncode == 0
    if not works:
        print('skipped: cargo does not run here')
    return env if works else None


def cargo_below(floor):
    env = None if missing('cargo', 'cc') else cargo_env()
    if env is None:
        return
    what = 'dagrun in a pool: tasks that are cargo build'
    pool = Pool('pipe', 'ABC')
    for i in (1, 2, 3):
        crate('c%d' % i)
    dagfile(3, 'cargo build -q --offline --manifest-path c{arg}/Cargo.toml && : > {out}')
    floor.dagrun(pool=pool, env=env)
    equal(floor.end(what), 0, 'exit: ' + floor.text())
    for i in (1, 2, 3):
        check(os.path.exists('c%d/target/debug/c%d' % (i, i)), 'crate %d' % i)
    pool.whole(what)
    line(floor, what, 3, 3, 4)


def cargo_above(floor):
    """A build script has the pool in CARGO_MAKEFLAGS alone."""
    env = None if missing('cargo', 'cc') else cargo_env()
    if env is None:
        return
    what = 'cargo build -j3: a build script that runs dagrun'
    here = os.getcwd()
    crate('top', 'fn main() { assert!(std::process::Command::new("%s").args(["-C", "%s"])'
                 '.env_remove("MAKEFLAGS").status().unwrap().success()) }\n' % (DAGRUN, here))
    dagfile(9)
    floor.start(['cargo', 'build', '-q', '--offline', '-j3', '--manifest-path', 'top/Cargo.toml'], env=env)
    floor.reach(3, what)
    ends(floor, what)
    equal(len(floor.ended), 9, what + ': tasks')
    line(floor, what, None, None, 3)


def lto(floor):
    """gcc up to 12 takes the first address only, and nproc processes of its own where it does not like it."""
    if missing('gcc', 'make'):
        return
    what = 'dagrun -j3: gcc -flto=jobserver'
    for i in range(4):
        write('f%d.c' % i, 'int f%d(int x) { return x * %d; }\n' % (i, i))
    write('main.c', ''.join('int f%d(int);\n' % i for i in range(4)) + 'int main(void) { return %s; }\n' % ' + '.join(
        'f%d(0)' % i for i in range(4)))
    dagfile(3, 'gcc -O1 -flto=jobserver -flto-partition=max -o {out} main.c f0.c f1.c f2.c f3.c')
    floor.dagrun('-j3')
    equal(floor.end(what), 0, 'exit: ' + floor.text())
    check('warning' not in floor.text(), floor.text())
    for i in (1, 2, 3):
        equal(subprocess.call(['./Dagfile.d/%d' % i]), 0, what + ': the program')
    check('jobserver' not in floor.text(), floor.text())
    line(floor, what, None, None, 3)


def bystander(floor):
    """bmake ends when it sees --jobserver: a stage hides it; what is beside it shares the pool."""
    if missing('bmake'):
        return
    what = 'dagrun in a pool: bmake, the jobserver hidden from it'
    pool = Pool('pipe', 'ABC')
    write('sub.mk', 'all: a$(N)\na$(N): ; @./work b$(N)\n')
    write('Dagfile', 'args n\n  range = 1..3\n\nmap hidden\n  each = n\n  out = h/{arg}\n  jobserver = none\n'
                     '  run = bmake -f sub.mk N={arg} > {out}\n\nmap t\n  each = n\n  out = t/{arg}\n'
                     '  run = ./work t{arg} {out}\n')
    floor.dagrun(pool=pool)
    floor.reach(4, what)
    ends(floor, what)
    equal(len(floor.ended), 6, what + ': tasks')
    pool.whole(what)
    line(floor, what, 3, 3, 4)


def python_closes(floor):
    """A task that starts its children without the descriptors that MAKEFLAGS names: a make below it finds none, or the
    fifo, and says so at most."""
    what = 'dagrun -j4: Python with close_fds, make below it'
    write('sub.mk', 'all: a$(N) b$(N)\na$(N) b$(N): ; @./work $@\n')
    write('closes.py', 'import subprocess, sys\nsubprocess.run(["make", "-s", "-f", "sub.mk", "N=" + sys.argv[1]], '
                       'close_fds=True, check=True)\n')
    dagfile(3, sys.executable + ' closes.py {arg} && : > {out}')
    floor.dagrun('-j4')
    floor.reach(3 if make_version() < (4, 4) else 4, what)
    ends(floor, what)
    line(floor, what, None, None, 4)


TESTS = [('make above', above, 'make'), ('remake above', above, 'remake'), ('make below', below, 'make'),
         ('remake below', below, 'remake'), ('nested', nested), ('cargo below', cargo_below),
         ('cargo above', cargo_above), ('lto', lto), ('bmake', bystander), ('python', python_closes)]

if __name__ == '__main__':
    sys.exit(77 if have('make') else run(TESTS))
