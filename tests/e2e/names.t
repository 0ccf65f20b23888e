#!/usr/bin/env python3
# Names of every kind, as files and as values, through map and merge, with and without a shell.
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import DAGRUN, check, equal, run  # noqa: E402

NAMES = [
    b'plain', b'a b', b' lead', b'trail ', b"it's", b'say "so"', b"'", b'"', b'$HOME', b'$(id)', b'`id`',
    b'two\nlines', b'end\n', b'\nbegin', b'tab\t', b'*', b'?', b'[a-z]', b'{in}', b'{out}', b'{', b'{}',
    b'{1..3}', b'a,b', b'-n', b'-rf x', b'--', b'--help', b'~', b'#hash', b'semi;colon', b'a|b', b'a&b',
    b'!', b'\\', b'back\\slash', b'\\n', b'a=b', b'%s', b'(x)', b'<', b'>', b'\xff\xfe', b'caf\xc3\xa9',
    b'caf\xe9', b'\x01\x7f\x1b[31m', b'...', b'..x', b'a..', b':', b'@', b'+', b'x' * 255,
    b'\xc3\xa9' * 127 + b'y', b'\n' * 255,
]


def write(path, content):
    if os.path.dirname(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as f:
        f.write(content)


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def dagrun(*args, rc=0):
    p = subprocess.run([DAGRUN.encode(), *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    with open('err', 'wb') as f:
        f.write(p.stdout)
    equal(p.returncode, rc, 'exit of dagrun %r' % (args,))
    return p.stdout


def nothing_to_do(*args):
    check(b'nothing to do' in dagrun(*args), 'nothing is to do a second time')


def listing(directory):
    return sorted(os.listdir(directory.encode()))


def as_files(floor, run_map, run_merge, fan_in):
    """One file each, that holds its name: mapped to one of the same name, and merged in the names' order."""
    for name in NAMES:
        if name.startswith(b'.'):
            continue  # asked for below
        write(b'in/' + name, name + b'\0')
    write(b'Dagfile', (b'args f\n  glob = in/*\nmap same\n  each = f\n  out  = out/{name}\n  run  = %s\n'
                       b'merge all\n  each = same\n  fan-in = %s\n  out = all\n  run = %s\n') % (run_map, fan_in, run_merge))
    dagrun(b'-j2')
    names = sorted(n for n in NAMES if not n.startswith(b'.'))
    equal(listing('out'), names, 'names of outputs')
    for name in names:
        equal(read(b'out/' + name), name + b'\0', 'what %r holds' % name)
    equal(read(b'all').split(b'\0')[:-1], names, 'the merged whole')
    nothing_to_do()
    # Each can be asked for by its name, and just that one is made again.
    for name in (b'two\nlines', b'{in}', b'\xff\xfe', b'-n', b'x' * 255):
        os.unlink(b'out/' + name)
        dagrun(b'out/' + name)
        equal(read(b'out/' + name), name + b'\0', '%r, asked for' % name)
    dagrun()
    nothing_to_do()


def leading(floor, command):
    """Names that begin with '-' or '.' where no directory stands before them."""
    names = [b'-n', b'-rf x', b'--', b'--help', b'-', b'-\xff']
    for name in names:
        write(name, name + b'\0')
    os.mkdir('hidden')
    write(b'hidden/.a b', b'.a b\0')
    write(b'Dagfile', b'args d\n  glob = -*\nargs h\n  glob = hidden/.*\n'
          b'map dash\n  each = d\n  out  = {in}+\n  run  = %s\n'
          b'map dot\n  each = h\n  out = {name}\n  run = %s\n' % (command, command))
    dagrun()
    for name in names:
        equal(read(name + b'+'), name + b'\0', '%r' % name)
    equal(read(b'.a b'), b'.a b\0', 'a dot file that was asked for')
    nothing_to_do()


# A line is a value; with a newline in it, none.
VALUES = [v for v in NAMES if b'\n' not in v] + [b'.', b'..', b'a%', b'\xf0\x9f\x90\xb3']


def as_values(floor, command):
    values = [v for v in VALUES if len(v) < 255]
    write(b'values', b'\n'.join(values) + b'\n')
    write(b'Dagfile', b'args v\n  lines = values\nmap each\n  each = v\n  out  = out/v{arg}\n  run  = %s\n' % command)
    dagrun(b'-j2')
    for v in values:
        equal(read(b'out/v' + v), v + b'\0', 'value %r' % v)
    equal(listing('out'), sorted(b'v' + v for v in values), 'outputs')
    nothing_to_do()


def without_outputs(floor, command):
    """Rows that make no file are remembered each for itself."""
    write(b'values', b'\n'.join(VALUES) + b'\n')
    write(b'Dagfile', b'args v\n  lines = values\nmap each\n  each = v\n  run  = %s\n' % command)
    dagrun()
    equal(sorted(read(b'log').split(b'\0')[:-1]), sorted(VALUES), 'rows that ran')
    nothing_to_do()


def shown(floor):
    """What a terminal gets to see of them has no control characters, and nothing else breaks a line."""
    for name in (b'two\nlines', b'\x1b[31mred', b'\xff'):
        write(b'in/' + name, b'')
    write(b'Dagfile', b'args f\n  glob = in/*\nmap bad\n  each = f\n  out = out/{name}\n  run = false {in}\n')
    said = dagrun(b'-k', b'-j1', rc=1)
    check(b'\x1b' not in said and b'\xff' not in said, 'names are escaped: %r' % said)
    check(not any(line.startswith(b'lines') for line in said.split(b'\n')), 'a newline is escaped: %r' % said)
    check(said.count(b'FAIL') == 3, 'three failures: %r' % said)


def same_at_255(floor):
    """Long names that differ in their last byte only, in their first, in their middle: none is taken for another."""
    names = [b'x' * before + digit + b'x' * (254 - before) for before in (0, 127, 254) for digit in (b'1', b'2')]
    for name in names:
        write(b'in/' + name, name)
    write(b'Dagfile', b'args f\n  glob = in/*\nmap same\n  each = f\n  out = out/{name}\n  run = cat {in} > {out}\n')
    dagrun(b'-j4')
    for name in names:
        equal(read(b'out/' + name), name, name.decode())
    nothing_to_do()


def parts_of_names(floor, command):
    """A name as a value, whatever it holds; and what -n prints is a script for bash."""
    names = sorted(n for n in NAMES if not n.startswith(b'.'))
    for name in names:
        write(b'in/' + name, b'')
    write(b'Dagfile', b'args f\n  glob = in/*\nmap named\n  each = f\n  out  = out/{name}\n  run  = %s\n' % command)
    script = dagrun(b'-n')
    dagrun(b'-j2')
    for name in names:
        equal(read(b'out/' + name), name + b'\0', 'name %r' % name)
        os.unlink(b'out/' + name)
    subprocess.run(['bash', '-e'], input=script, check=True)
    equal(listing('out'), names, 'what the script makes')
    for name in names:
        equal(read(b'out/' + name), name + b'\0', 'name %r, by the script' % name)


TESTS = [
    ('files without a shell', as_files, b'cp {in} {out}', b'cat {in} > {out}', b'2'),
    ('files with a shell', as_files, b'cat {in} | cat > {out}', b'{ cat {in}; } > {out}', b'3'),
    ('all at once', as_files, b'cat < {in} > {out}', b'cat {in} > {out}', b'all'),
    ('all at once with a shell', as_files, b'x=1; cat < {in} > {out}',
     b'for f in {in}; do cat "$f"; done > {out}', b'all'),
    ('leading without a shell', leading, b'cp {in} {out}'),
    ('leading with a shell', leading, b'true; cp {in} {out}'),
    ('values without a shell', as_values, b"env printf '%s\\0' {arg} > {out}"),
    ('values with a shell', as_values, b'''true; printf '%s\\0' {arg} > {out}'''),
    ('names without a shell', parts_of_names, b"env printf '%s\\0' {in.name} > {out}"),
    ('names with a shell', parts_of_names, b"true; x={in.name}; printf '%s\\0' \"$x\" > {out}"),
    ('without outputs', without_outputs, b'''printf '%s\\0' {arg} >> log'''),
    ('shown', shown), ('255 bytes', same_at_255),
]

if __name__ == '__main__':
    sys.exit(run(TESTS))
