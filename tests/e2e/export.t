#!/usr/bin/env python3
# A plan that is exported runs in plain make and plain ninja, and makes the same bytes as dagrun, and as a model of a few lines that
# knows what the stages mean. What a tool cannot say is told by name.
import json
import os
import random
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
from harness import DAGRUN, check, run_alone, write  # noqa: E402

# What both tools can have in a name
ODD = "ab7 .-_#$%:=&@+,!~^'\"`(<>[]{}*?üß"


def run(argv, expect=0, **more):
    p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                       env={**os.environ, 'LC_ALL': 'C.UTF-8'}, **more)
    check(expect is None or p.returncode == expect,
          '%s: exit %d\n%s' % (argv, p.returncode, (p.stdout + p.stderr).decode(errors='replace')[-3000:]))
    return p


def tree(path='.'):
    """Every file with what is in it, but for the state and the tools' own."""
    found = {}
    for where, dirs, files in os.walk(path):
        dirs[:] = [d for d in dirs if d != '.dagrun']
        for name in files:
            if name in ('Makefile', 'build.ninja', '.ninja_log', '.ninja_deps'):
                continue
            at = os.path.join(where, name)
            with open(at, 'rb') as f:
                found[os.path.relpath(at, path)] = f.read()
    return found


def export(tool, *args):
    name = {'make': 'Makefile', 'ninja': 'build.ninja'}[tool]
    p = run([DAGRUN, '--export=' + tool, *args])
    write(name, p.stdout)
    return p


MAKE = ['make', '-s', '-j2']
NINJA = ['ninja', '-j2']


def json_run():
    """What --export=json says, followed to the letter."""
    plan = json.loads(run([DAGRUN, '--export=json']).stdout)
    check(plan['version'] == 1 and plan['kind'] == 'export', plan['kind'])
    done = set()
    for i, t in enumerate(plan['tasks']):
        for f in t['in'] + t['uses']:
            made_by = plan['files'][f]['made_by']
            check(made_by is None or made_by in done, 'tasks are not in order')
        done.add(i)
        for f in t['out']:
            where = os.path.dirname(os.fsencode(plan['files'][f]['path']))
            if where:
                os.makedirs(where, exist_ok=True)
            if plan['files'][f]['directory']:
                os.mkdir(os.fsencode(plan['files'][f]['path']))
        if 'tmp' in t:
            os.makedirs(t['tmp'])
            for x in t['lists']:
                write(x['file'], os.fsencode(x['text']))
        fds = {0: '/dev/null'}
        opened = []
        kinds = {'read': 'rb', 'write': 'wb', 'append': 'ab'}
        for r in t.get('redirects', []):
            fds[r['fd']] = fds.get(r['dup'], r['dup']) if 'dup' in r else open(os.fsencode(r['file']), kinds[r['mode']])
            if 'file' in r:
                opened.append(fds[r['fd']])
        streams = {'stdin': subprocess.DEVNULL if fds[0] == '/dev/null' else fds[0]}
        streams.update({name: fds[n] for n, name in ((1, 'stdout'), (2, 'stderr')) if n in fds})
        env = dict(os.environ)
        env.update(x.split('=', 1) for x in t.get('env', []))
        subprocess.run([os.fsencode(a) for a in t['argv']], env=env, check=True, timeout=60, **streams)
        for f in opened:
            f.close()
        if 'tmp' in t:
            shutil.rmtree(t['tmp'])


# The property

class Model:
    """A random Dagfile, and what it should make."""

    def __init__(self, r):
        self.r = r
        self.text = ['let sep = "; $x\'', 'env.MARK = m$1\'s', '']
        self.files = {}
        self.stages = []  # name, outputs in order, path → bytes
        self.inputs()
        for i in range(r.randint(2, 6)):
            self.stage(i)

    def name(self):
        return 'n' + ''.join(self.r.choice(ODD) for _ in range(self.r.randint(1, 6))) + 'e'

    def inputs(self):
        self.names = sorted({self.name() for _ in range(self.r.randint(1, 12))}, key=lambda x: x.encode())
        for n in self.names:
            self.files['in/' + n] = ('%s\n' % self.r.random()).encode() * self.r.randint(0, 3)
        self.n_numbers = self.r.randint(1, 9)
        self.text += ['args files', '  glob = in/*', '', 'args numbers', '  range = 1..%d' % self.n_numbers, '']
        rows = sorted({(self.r.choice('xyz'), self.r.randint(1, 9)) for _ in range(self.r.randint(1, 12))}, key=lambda _: self.r.random())
        self.rows = rows
        self.files['table.tsv'] = b'key\tvalue\n' + b''.join(b'%s\t%d\n' % (k.encode(), v) for k, v in rows)
        self.text += ['args table', '  tsv = table.tsv', '']

    def add(self, name, lines, outputs):
        self.text += lines + ['']
        self.stages.append((name, outputs))
        self.files.update(outputs)

    def stage(self, i):
        kinds = [self.map_files, self.map_numbers, self.by_key, self.directories]
        if self.stages:
            kinds += [self.map_stage, self.merge, self.merge, self.task]
        self.r.choice(kinds)('s%d' % i)

    def map_files(self, s):
        out = {'%s/%s.%s' % (s, n, s): b'<' + self.files['in/' + n].replace(b'0', b'o') + b'>' for n in self.names}
        self.add(s, ['map ' + s, '  each = files', '  out  = %s/{name}.%s' % (s, s), '  run  =',
                     '    printf "<" > {out}', '    tr 0 o < {in} | cat >> {out} # {x}', "    printf '>' >> {out}"], out)

    def map_numbers(self, s):
        out = {}
        for k in range(1, self.n_numbers + 1):
            out['%s/%d' % (s, k)] = ('%d"; $x\' m$1\'s\n' % k).encode()
        self.add(s, ['map ' + s, '  each = numbers', '  out  = %s/{arg}' % s, '  run  =', '    echo {arg}{sep} "$MARK" > {tmp}/x',
                     '    cat {tmp}/x > {out}'], out)

    def by_key(self, s):
        """A map over the table, and a tree for each key."""
        out = {'%s/%s-%d' % (s, k, v): b'%d,' % v for k, v in self.rows}
        self.add(s, ['map ' + s, '  each = table', '  out  = %s/{key}-{value}' % s, '  run  = printf %s, {value} > {out}'], out)
        fan, shape = self.r.choice([2, 3]), self.r.choice(['steady', 'rounds'])
        keys = list(dict.fromkeys(k for k, _ in self.rows))
        self.add(s + 'm', ['merge %sm' % s, '  each   = ' + s, '  by     = key', '  fan-in = %d' % fan, '  shape  = ' + shape,
                        '  out    = %sm/{key}' % s,
                           "  run    = { printf '('; cat {in}; printf ')'; } > {out}"],
                 {'%sm/%s' % (s, k): self.merged([b'%d,' % v for kk, v in self.rows if kk == k], fan, shape) for k in keys})

    def directories(self, s):
        """A map whose outputs are directories, and one that reads them."""
        numbers = range(1, self.n_numbers + 1)
        self.files.update({'%s/%d/%s' % (s, k, n): b'%d%s\n' % (k, n.encode()) for k in numbers for n in ('a', 'b c')})
        self.text += ['map ' + s, '  each = numbers', '  out  = %s/{arg}/' % s, '  run  =', '    echo {arg}a > {out}/a',
                      "    echo {arg}'b c' > {out}/'b c'", '']
        self.add(s + 'm', ['map %sm' % s, '  each = ' + s, '  out  = %sm/{name}' % s, "  run  = cat {in}/a {in}/'b c' > {out}"],
                 {'%sm/%d' % (s, k): b'%da\n%db c\n' % (k, k) for k in numbers})

    def map_stage(self, s):
        before, outputs = self.r.choice(self.stages)
        out, other = {}, {}
        for path, data in outputs.items():
            base = os.path.basename(path)
            out['%s/%s' % (s, base)] = data + data
            other['%s-n/%s.n' % (s, base)] = b'%d\n' % len(data)
        self.files.update(other)
        self.stages.append((s + '.n', other))
        self.add(s, ['map ' + s, '  each  = ' + before, '  out   = %s/{name}' % s, '  out.n = %s-n/{name}.n' % s, '  run   =',
                     '    cat {in} {in} > {out}', '    wc -c < {in} > {out.n}'], out)

    @staticmethod
    def merged(level, fan, shape='steady'):
        width = fan or max(len(level), 2)

        def join(g):
            return b'(' + b''.join(g) + b')'

        def parts(n):
            return [level[-(-i * len(level) // n):-(-(i + 1) * len(level) // n)] for i in range(n)]

        if shape == 'steady' and len(level) > width:
            n = 1
            if width == 2:
                while n * 2 < len(level):
                    n *= 2
            else:
                # Looser by an eighth where that costs no round.
                most = 1
                while most * width < len(level):
                    most *= width
                n = -(-len(level) // width) if len(level) <= 2 * width else min(-(-len(level) * 8 // (7 * width)), most)
            level = [join(g) if len(g) > 1 else g[0] for g in parts(n)]
            while len(level) > 1:
                level = [join(g) for g in parts(-(-len(level) // width))]
            return level[0]
        while True:
            groups = [level[i:i + width] for i in range(0, len(level), width)]
            level = [g[0] if len(g) == 1 and len(level) > 1 else join(g) for g in groups]
            if len(level) == 1:
                return level[0]

    def merge(self, s):
        before, outputs = self.r.choice(self.stages)
        fan, shape = self.r.choice([2, 2, 3, 4, 8, 0]), self.r.choice(['steady', 'rounds'])
        self.add(s, ['merge ' + s, '  each   = ' + before, '  fan-in = %s' % (fan or 'all'), '  shape  = ' + shape,
                           '  out    = "%s all"' % s,
                     "  run    = { printf '('; cat {in}; printf ')'; } > {out}"], {s + ' all': self.merged(list(outputs.values()), fan, shape)})

    def task(self, s):
        chosen = self.r.sample(self.stages, self.r.randint(1, min(3, len(self.stages))))
        data = b''.join(d for _, outputs in chosen for d in outputs.values())
        self.add(s, ['task ' + s, '  in  = ' + ' '.join(name for name, _ in chosen), '  out = %s.end' % s,
                     '  run = ' + self.r.choice(['cat {in}', 'xargs -0 cat < {in:list0}', "tr '\\n' '\\0' < {in:list} | xargs -0 cat"]) +
                     ' > {out} 2>&1'], {s + '.end': data})


def place(model, where):
    os.mkdir(where)
    os.chdir(where)
    for path, data in model.files.items():
        if path.startswith('in/') or path == 'table.tsv':
            write(path, data)
    write('Dagfile', '\n'.join(model.text))
    return {**model.files, 'Dagfile': '\n'.join(model.text).encode()}


def same(got, want, what):
    for path in sorted(set(got) | set(want)):
        check(got.get(path) == want.get(path), '%s: %r is %r instead of %r' % (what, path, got.get(path), want.get(path)))


def test_random_pipelines():
    seed = int(os.environ.get('DAGRUN_TEST_SEED', '1'))
    here = os.getcwd()
    for k in range(seed, seed + int(os.environ.get('DAGRUN_TEST_PIPELINES', '12'))):
        model = Model(random.Random(k))
        try:
            want = place(model, os.path.join(here, '%d' % k))
            targets = [name for name, _ in model.stages if '.' not in name]
            run([DAGRUN, '-sj2', *targets])
            same(tree(), want, 'dagrun')
            place(model, os.path.join(here, '%d-make' % k))
            export('make', *targets)
            run(MAKE)
            same(tree(), want, 'make')
            check(b'Nothing to be done' in run(['make']).stdout, 'make does it again')
            place(model, os.path.join(here, '%d-ninja' % k))
            export('ninja', *targets)
            run(NINJA)
            same(tree(), want, 'ninja')
            check(b'no work to do' in run(NINJA).stdout, 'ninja does it again')
            place(model, os.path.join(here, '%d-json' % k))
            json_run()
        except Failed as e:
            raise Failed('seed %d: %s\n%s' % (k, e, '\n'.join(model.text)))


# Cases

def small():
    write('in/a', 'a\n')
    write('in/b', 'b\n')
    write('Dagfile', '''
args files
  glob = in/*
map copy
  each = files
  out  = out/{name}
  run  = sh -c 'cat "$1" && echo "$1" >> log' x {in} > {out}
task all
  in  = copy
  out = all
  run = cat {in} > {out}
task say
  in  = all
  run = sh -c 'echo said >> log'
''')


def log():
    with open('log') as f:
        words = sorted(f.read().split())
    os.unlink('log')
    return words


def test_changes_are_followed():
    for tool, argv in (('make', MAKE), ('ninja', NINJA)):
        os.mkdir(tool)
        os.chdir(tool)
        small()
        p = export(tool)
        check(p.stderr == b'', p.stderr)
        run(argv)
        check(log() == ['in/a', 'in/b', 'said'], tool)
        run(argv)
        check(not os.path.exists('log'), tool + ' does it again')
        write('in/b', 'other\n')
        os.utime('in/b', (4e9, 4e9))
        run(argv)
        check('in/b' in log() and tree()['all'] == b'a\nother\n', tool + ' does not see a change')
        os.chdir('..')


def test_a_failure_leaves_nothing():
    for tool, argv in (('make', MAKE), ('ninja', NINJA)):
        os.mkdir(tool)
        os.chdir(tool)
        write('Dagfile', 'task t\n  out = d/t\n  run =\n    echo half > {out}\n    exit 3\n')
        export(tool)
        run(argv, expect=2 if tool == 'make' else 1)
        check(set(tree()) == {'Dagfile'}, tree())
        write('Dagfile', 'task t\n  out = d/t\n  run = true\n')
        export(tool)
        check(run(argv, expect=None).returncode != 0, 'an output that was not made is overlooked')
        os.chdir('..')


def test_output_older_than_its_input():
    for tool, argv in (('make', MAKE), ('ninja', NINJA)):
        os.mkdir(tool)
        os.chdir(tool)
        write('src', 'x')
        os.utime('src', (1e9, 1e9))
        write('Dagfile', 'task t\n  in = src\n  out = t\n  run = sh -c \'touch -d @900000000 "$1"\' x {out}\n')
        export(tool)
        run(argv)
        out = run(argv).stdout
        check(b'no work' in out if tool == 'ninja' else not out, 'again and again')
        os.chdir('..')


def test_what_cannot_be_carried_is_named():
    write('in/plain', '')
    write('in/new\nline', '')
    write('Dagfile', 'args f\n  glob = in/*\nmap m\n  each = f\n  out = out/{name}\n  run = cp {in} {out}\n')
    for tool in ('make', 'ninja'):
        p = run([DAGRUN, '--export=' + tool], expect=2)
        check(p.stdout == b'', 'half an export')
        check(b'in/new\\nline: %s cannot have a newline in a name' % tool.encode() in p.stderr, p.stderr)
        check(b'plain' not in p.stderr, p.stderr)
    plan = json.loads(run([DAGRUN, '--export=json']).stdout)
    check('in/new\nline' in [f['path'] for f in plan['files']], 'json carries it')
    # What only make cannot
    os.unlink('in/new\nline')
    for name in ('a;b', 'a|b', 'a\tb', 'end ', 'x(y)', 'a\\#b'):
        write('in/' + name, 'x')
    p = run([DAGRUN, '--export=make'], expect=2)
    check(p.stderr.count(b'make ') >= 12, p.stderr)
    export('ninja')
    run(NINJA)
    check(sorted(os.listdir('out')) == sorted(os.listdir('in')), os.listdir('out'))


def test_what_is_done_otherwise_is_named():
    write('Dagfile', 'args n\n  range = 1..3\nmap m\n  each = n\n  slots = 2\n  retries = 1\n  timeout = 5m\n'
          '  out = o/{arg}\n  run = touch {out}\nmerge all\n  each = m\n  out = all\n  run = cat {in} > {out}\n')
    p = export('make')
    for word in ('slots', 'retries', 'timeout'):
        check(('not carried: %s' % word).encode() in p.stderr and ('# not carried: %s' % word).encode() in p.stdout, p.stderr)
        check(b'(m)' in p.stderr, p.stderr)
    check(b'keep = no' in p.stderr and b'(all)' in p.stderr, p.stderr)
    check(run([DAGRUN, '-s', '--export=make']).stderr == b'', '-s')


def test_a_file_called_all():
    small()
    export('make')
    run(['make', 'all-all'])
    check(tree()['all'] == b'a\nb\n', tree())


def test_values_may_be_anything():
    """A name may have no newline; a value may, and whatever else an argument can."""
    values = ['a\nb', '\n', 'c\r', "'", '"$HOME" `id` \\', '$$ $(x) ${y} #', '-n', '\t ', 'ü\udcff', '%s\\n', '\n\n']
    write('values', b'\0'.join(os.fsencode(v) for v in values) + b'\0')
    write('-minus', 'minus\n')
    write('Dagfile', '''
env.VALUE = "x'y  $(z) #\\a
let two = a\\ b
args v
  lines0 = values
map m
  each = v
  env.ROW = {arg}
  out  = -out/{index}
  run  =
    printf '%s\\n' {arg} "$ROW" "$VALUE" {two} \\
        'second line' > {out}
map direct
  each = v
  out  = direct/{index}
  run  = printf %s|%s {arg} {tmp} > {out}
task minus
  in  = ./-minus
  out = minus
  run = cat {in} > {out}
'''.replace("%s|%s {arg} {tmp}", "'%s|' {arg}"))
    run([DAGRUN, '-s'])
    want = tree()
    check(len(want) == 2 * len(values) + 4, want)
    check(want['direct/1'] == b'a\nb|' and b'ROW' not in want['-out/1'] and want['-out/1'].count(b'a\nb\n') == 2, want)
    for tool, argv in (('make', MAKE), ('ninja', NINJA), ('json', None)):
        for path in want:
            if path not in ('values', '-minus', 'Dagfile'):
                os.unlink(path)
        if argv:
            export(tool)
            run(argv)
        else:
            json_run()
        same(tree(), want, tool)


def test_stages_in_any_order():
    write('in', 'x\n')
    write('Dagfile', 'task b\n  in = a\n  out = ob\n  run = cat {in} {in} > {out}\ntask a\n  in = in\n  out = oa\n  run = cp {in} {out}\n')
    for tool, argv in (('make', MAKE), ('ninja', NINJA)):
        export(tool)
        run(argv)
        check(tree().pop('ob') == b'x\nx\n', tool)
        os.unlink('ob')
        os.unlink('oa')
    json_run()
    check(tree().pop('ob') == b'x\nx\n', 'json')


def test_format_unknown():
    small()
    check(b'make, ninja or json' in run([DAGRUN, '--export=cmake'], expect=2).stderr, 'formats')


if not shutil.which('make') or not shutil.which('ninja'):
    print('no make, or no ninja')
    sys.exit(77)
sys.exit(run_alone(globals()))
