"""The same work, written for each peer. A work is a list of edges: what is made, of what, by which command."""
import os
import re
import shutil
import subprocess


class Edge:
    """Output (a file; or a mere name, if the command makes none), inputs, and a command of words between single blanks, or,
    with `shell`, for sh -c."""

    def __init__(self, out, ins, command, file=True):
        self.out, self.ins, self.command, self.file = out, ins, command, file


class Peer:
    def __init__(self, name, argv, cwd, stdin=None, before=None, clean=None, digest=None):
        self.name, self.argv, self.cwd, self.stdin = name, argv, cwd, stdin
        self.before, self.clean, self.digest = before, clean, digest

    def prepare(self):
        self.clean()
        if self.before:
            self.before()


def write(cwd, name, text):
    with open(os.path.join(cwd, name), 'w') as f:
        f.write(text)
    return os.path.join(cwd, name)


def version(name):
    """As it tells it; None: it is not here."""
    command = {'bmake': ['bmake', '-V', 'MAKE_VERSION'], 'gnuplot': ['gnuplot', '--version']}.get(name, [name, '--version'])
    if not shutil.which(name):
        return None
    out = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    found = re.search(r'\d[\w.-]*', out.splitlines()[0] if out else '')
    return found.group(0) if found else '?'


MAKE_HEAD = '.SUFFIXES:\n.PHONY: all\n'


def make_text(edges, goals, escape=True):
    lines = [MAKE_HEAD, 'all: ', ' '.join(goals), '\n']
    phony = [e.out for e in edges if not e.file]
    if phony:
        lines.append('.PHONY: %s\n' % ' '.join(phony))
    for e in edges:
        lines.append('%s: %s\n\t@%s\n' % (e.out, ' '.join(e.ins), e.command.replace('$', '$$')))
    return ''.join(lines)


def ninja_text(edges, goals):
    lines = ['rule r\n  command = $c\n']
    for e in edges:
        lines.append('build %s: r %s\n  c = %s\n' % (e.out, ' '.join(e.ins), e.command.replace('$', '$$')))
    lines.append('default %s\n' % ' '.join(goals))
    return ''.join(lines)


def tup_text(edges):
    return ''.join(': %s |> %s |> %s\n' % (' '.join(e.ins), e.command, e.out if e.file else '') for e in edges)


def make(cwd, edges, goals, jobs):
    write(cwd, 'Makefile', make_text(edges, goals))
    return dict(name='make', argv=['make', '-rR', '-s', '-j%d' % jobs], cwd=cwd)


def bmake(cwd, edges, goals, jobs):
    write(cwd, 'Makefile.bsd', make_text(edges, goals))
    return dict(name='bmake', argv=['bmake', '-r', '-s', '-f', 'Makefile.bsd', '-j%d' % jobs], cwd=cwd)


def ninja(cwd, edges, goals, jobs, name='ninja'):
    write(cwd, 'build.ninja', ninja_text(edges, goals))
    argv = ['ninja', '--quiet'] if name == 'ninja' else ['samu']
    return dict(name=name, argv=argv + ['-j%d' % jobs], cwd=cwd)


def samurai(cwd, edges, goals, jobs):
    return ninja(cwd, edges, goals, jobs, 'samurai')


def tup(cwd, edges, goals, jobs):
    def before():
        write(cwd, 'Tupfile', tup_text(edges))
        subprocess.run(['tup', 'init', '--no-sync'], cwd=cwd, check=True, stdout=subprocess.DEVNULL)
    return dict(name='tup', argv=['tup', '--quiet', '-j%d' % jobs], cwd=cwd, before=before)


def commands(cwd, edges):
    return write(cwd, 'commands', ''.join(e.command + '\n' for e in edges))


def parallel(cwd, edges, goals, jobs):
    return dict(name='parallel', argv=['parallel', '-j%d' % jobs], cwd=cwd, stdin=commands(cwd, edges))


def xargs(cwd, edges, shell, jobs):
    if shell:
        argv, lines = ['xargs', '-d', '\n', '-n1', '-P%d' % jobs, '/bin/sh', '-c'], [e.command for e in edges]
    else:
        program = edges[0].command.split(' ')[0]
        argv, lines = ['xargs', '-L1', '-P%d' % jobs, program], [e.command.split(' ', 1)[1] for e in edges]
    return dict(name='xargs', argv=argv, cwd=cwd, stdin=write(cwd, 'arguments', '\n'.join(lines) + '\n'))


def starter(tools, cwd, edges, shell, jobs, how):
    name = {'spawn': 'posix_spawn loop', 'vfork': 'vfork threads'}[how]
    argv = [os.path.join(tools, 'starter'), how, str(jobs), 'shell' if shell else 'direct']
    return dict(name=name, argv=argv, cwd=cwd, stdin=commands(cwd, edges))


def barrier(source, cwd, rounds, jobs):
    text = '\n'.join(''.join(e.command + '\n' for e in edges) for edges in rounds)
    argv = ['python3', os.path.join(source, 'barrier.py'), str(jobs)]
    return dict(name='barriers', argv=argv, cwd=cwd, stdin=write(cwd, 'rounds', text))


def dagrun(program, cwd, text, jobs, *more):
    write(cwd, 'Dagfile', text)
    return dict(name='dagrun', argv=[program, '-j%d' % jobs, '--progress=none', '-s'] + list(more), cwd=cwd)


NEEDS = {'make': 'make', 'bmake': 'bmake', 'ninja': 'ninja', 'samurai': 'samu', 'tup': 'tup', 'xargs': 'xargs',
         'parallel': 'parallel', 'barriers': 'python3'}


def here(name):
    return name not in NEEDS or shutil.which(NEEDS[name]) is not None
