#!/usr/bin/env python3
# Pictures of a plan: each is what its format wants it to be, as large as it may be, and says what there is.
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

sys.dont_write_bytecode = True
from harness import DAGRUN, check, run_alone  # noqa: E402

ODD = ['plain', 'a b', 'x<y>&"z\'', 'back\\slash', 'ü', '日本', 'bar|semi;', '#hash', '`tick`', 'bad\udcff', 'new\nline', 'none\uffff']


def dagrun(*args, expect=0):
    p = subprocess.run([DAGRUN, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                       env={**os.environ, 'LC_ALL': 'C.UTF-8'})
    check(p.returncode == expect, '%s: exit %d: %s' % (args, p.returncode, p.stderr.decode(errors='replace')))
    return p.stdout


def dagfile(text):
    with open('Dagfile', 'w') as f:
        f.write(text)


def leaves(n, fan_in=2):
    dagfile('''
args numbers
  range = 1..%d
map count
  each = numbers
  out  = counts/{arg}
  run  = sh -c '[ "$1" != 5 ] && echo "$1" > "$2"' x {arg} {out}
merge total
  each   = count
  fan-in = %d
  out    = total
  run    = cat {in} > {out}
''' % (n, fan_in))


SVG = '{http://www.w3.org/2000/svg}'


def svg(most, **more):
    """Well-formed, complete in itself, and of the size that it may have."""
    text = dagrun('--graph=svg', **more)
    root = ET.fromstring(text)
    check(root.tag == SVG + 'svg', root.tag)
    check(len(text) <= most, 'svg has %d bytes' % len(text))
    ids = set()
    for e in root.iter():
        check(e.tag.startswith(SVG), e.tag)
        check(e.tag[len(SVG):] in ('svg', 'title', 'desc', 'style', 'rect', 'text', 'g', 'path'), e.tag)
        for key, value in e.attrib.items():
            check(not key.startswith('on') and 'href' not in key and 'url(' not in value, '%s=%s' % (key, value))
        if e.tag == SVG + 'style':
            check('@import' not in e.text and 'url' not in e.text and '//' not in e.text, e.text)
    left = re.sub(rb'xmlns="http://www.w3.org/2000/svg"', b'', text)
    check(b'http' not in left and b'<!' not in left and b'<?' not in left, 'it refers to something')
    return root


def texts(root):
    return [e.text for e in root.iter(SVG + 'text')]


def test_svg_sizes():
    for n, fan_in, most in ((900, 2, 15000), (900, 8, 15000), (100000, 2, 30000), (100000, 8, 30000), (1, 2, 4000)):
        leaves(n, fan_in)
        t = texts(svg(most))
        check('count' in t and '0/%d' % n in t, t)
        check(any(x.startswith('longest path: ') for x in t), t)


def test_svg_of_a_run():
    leaves(20, 4)
    subprocess.run([DAGRUN, '-kj2'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    root = svg(15000)
    t = texts(root)
    check('count' in t and '19/20' in t and 'total round 1' in t and '5/6' in t and 'up to date' in t, t)
    check('1 failed' in t and 'failed: counts/5' in [e.text for e in root.iter(SVG + 'title')], t)
    check([t['task'] for t in json.loads(dagrun('--graph=json'))['tasks'] if t['state'] == 'failed'] == ['counts/5'], 'failed')
    check('1 failed' in dagrun('--graph=mermaid').decode(), 'mermaid')


def test_svg_while_it_runs():
    for name in ('gate', 'said'):
        os.mkfifo(name)
    dagfile('''
args numbers
  range = 1..6
map count
  each = numbers
  out  = counts/{arg}
  run  = sh -c 'echo "$1" > said; read x < gate; echo > "$2"' x {arg} {out}
''')
    said, gate = os.open('said', os.O_RDWR), os.open('gate', os.O_RDWR)
    p = subprocess.Popen([DAGRUN, '-j2'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        have = b''
        while have.count(b'\n') < 2:
            have += os.read(said, 100)
        states = []
        # What the run says of itself is a little behind.
        for _ in range(100):
            states = sorted(t['state'] for t in json.loads(dagrun('--graph=json'))['tasks'])
            if states.count('running') == 2:
                break
        check(states == ['running'] * 2 + ['waiting'] * 4, states)
        check('running' in texts(svg(15000)), 'the legend')
    finally:
        os.write(gate, b'\n' * 6)
        p.wait(60)
    check(p.returncode == 0, 'the run: exit %d' % p.returncode)


def test_svg_of_nothing_and_of_much():
    dagfile('args a\n  list = x\nmap m\n  each = a\n  out = {arg}\n  run = touch {out}\n')
    svg(4000)
    dagfile(''.join('task t%d\n  out = o%d\n  run = touch {out}\n' % (i, i) for i in range(300)))
    root = svg(300000)
    check(len(texts(root)) > 600, 'rows are missing')


def odd_plan():
    os.mkdir('in')
    for name in ODD:
        with open(os.fsencode('in/' + name), 'w') as f:
            f.write('x')
    dagfile('''
args files
  glob = in/*
map copy
  each = files
  out  = out/{name}
  run  = cp {in} {out}
task last
  in  = copy
  out = "last <&>.txt"
  run = cat {in} > {out}
''')


def test_odd_names():
    odd_plan()
    check('last <&>.txt' in texts(svg(15000)), 'the title')
    text = dagrun('--graph=mermaid').decode()
    check('copy' in text and '12 files' in text, text)
    d = json.loads(dagrun('--graph=json'))
    names = sorted(os.fsencode(f['path']) for f in d['files'])
    want = sorted([b'last <&>.txt'] + [os.fsencode(x + y) for x in ('in/', 'out/') for y in ODD])
    check(names == want, names)


def test_mermaid():
    leaves(900)
    text = dagrun('--graph=mermaid').decode()
    lines = [x.strip() for x in text.splitlines()]
    check(lines[0] == 'flowchart LR', lines[0])
    check('s0 -- 900 --> s1' in lines, text)
    check('s1["total<br>10 rounds<br>0 of 899 done"]:::waiting' in lines, text)
    check(text.count('-->') == 1, text)
    # Beyond what Mermaid draws
    dagfile(''.join('task t%d-%s\n  in = %s\n  out = o%d\n  run = touch {out}\n' %
                    (i, 'x' * 30, ' '.join('o%d' % k for k in range(max(0, i - 9), i)) or '/dev/null', i) for i in range(400)))
    text = dagrun('--graph=mermaid').decode()
    check(text.count('-->') < 500, '%d edges' % text.count('-->'))
    check(len(text) < 50000, '%d characters' % len(text))
    check(re.search(r'rest\["and \d+ more stages, \d+ more edges"\]', text), text[-600:])


def test_json():
    leaves(9, 3)
    d = json.loads(dagrun('--graph=json'))
    check(d['version'] == 1 and d['kind'] == 'graph', d)
    check([s['stage'] for s in d['stages']] == ['count', 'total'], d['stages'])
    check(d['stages'][1] == {'stage': 'total', 'kind': 'merge', 'trees': 1, 'rounds': 2, 'leaves': 9}, d['stages'])
    tasks, files = d['tasks'], d['files']
    check(len(tasks) == 13 and all(t['state'] == 'waiting' for t in tasks), tasks)
    for i, t in enumerate(tasks):
        for f in t['out']:
            check(files[f]['made_by'] == i, files[f])
    root = tasks[d['targets'][0]]
    check([files[f]['path'] for f in root['out']] == ['total'] and root['round'] == 2, root)

    def below(t):
        made = [files[f]['made_by'] for f in t['in']]
        return [t] + [x for m in made if m is not None for x in below(tasks[m])]
    check(len(below(root)) == 13, 'not all hangs together')
    # Only what is wanted
    d = json.loads(dagrun('--graph=json', 'counts/3'))
    check([t['task'] for t in d['tasks']] == ['counts/3'] and [f['path'] for f in d['files']] == ['counts/3'], d)


def test_dot():
    if not any(os.access(os.path.join(p, 'dot'), os.X_OK) for p in os.environ['PATH'].split(':')):
        print('no dot: skipped')
        return
    for n in (5, 900):
        leaves(n)
        p = subprocess.run(['dot', '-Tsvg'], input=dagrun('--graph=dot'), stdout=subprocess.PIPE, timeout=60, check=True)
        check(b'</svg>' in p.stdout, 'dot draws nothing')
        ET.fromstring(p.stdout)
    os.mkdir('odd')
    os.chdir('odd')
    odd_plan()
    subprocess.run(['dot', '-Tsvg'], input=dagrun('--graph=dot'), stdout=subprocess.DEVNULL, timeout=60, check=True)


def test_format_unknown():
    leaves(2)
    dagrun('--graph=png', expect=2)


sys.exit(run_alone(globals()))
