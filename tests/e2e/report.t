#!/usr/bin/env python3
# What is written of a run, for looking at it afterwards and while it is on.
import json
import os
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
import page
from harness import check, equal, run

DAGRUN = os.environ['DAGRUN']


def dagrun(*args, expect=0):
    p = subprocess.run([DAGRUN, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                       env={**os.environ, 'LC_ALL': 'C.UTF-8'})
    equal(p.returncode, expect, '%s: exit status: %s' % (args, p.stderr.decode(errors='replace')))
    return p.stderr.decode(errors='surrogateescape')


def dagfile(text):
    with open('Dagfile', 'w') as f:
        f.write(text)


ODD = ['plain', 'a b', '</script><b>&"x\'', '<!--', 'new\nline', 'bad\udcff', 'ü', '日本', '-->', ']]>', 'none\uffff']


def odd_plan():
    os.mkdir('in')
    for name in ODD:
        if '/' in name:
            os.makedirs(os.path.dirname('in/' + name))
        with open(os.fsencode('in/' + name), 'w') as f:
            f.write('x')
    dagfile('''
args files
  glob = in/* in/*/*
map copy
  each = files
  out  = out/{in}
  run  = cp {in} {out}
task last
  in  = copy
  out = "last <&>.txt"
  run = cat {in} > {out}
''')
    return sorted([b'last <&>.txt'] + [b'out/in/' + os.fsencode(x) for x in ODD])


COUNT = '''
args numbers
  range = 1..12
map count
  each    = numbers
  out     = counts/{arg}
  retries = 1
  slots   = 2
  run     =
    echo this is {arg}
    if [ {arg} = 5 ]; then echo 'bad <input>' >&2; exit 3; fi
    if [ {arg} = 6 ]; then kill -9 $$; fi
    echo {arg} > {out}
merge total
  each    = count
  fan-in  = 3
  shape   = rounds
  missing = ok
  out     = total
  run     = cat {in} > {out}
'''


def spans(trace):
    """Bars by track, in order; none of them reaches into the next."""
    tracks = {}
    for e in trace:
        check(e['ph'] in 'XMiC' and e['pid'] == 1 and e['ts'] >= 0, e)
        if e['ph'] == 'X':
            tracks.setdefault(e['tid'], []).append(e)
    for track in tracks.values():
        track.sort(key=lambda e: e['ts'])
        for a, b in zip(track, track[1:]):
            check(a['ts'] + a['dur'] <= b['ts'], 'two at once in a slot: %s %s' % (a, b))
    return tracks


def load(path):
    with open(path, encoding='utf-8', errors='surrogateescape') as f:
        return json.load(f)


def test_trace(floor):
    dagfile(COUNT)
    dagrun('-kj4', '--trace', 'run.json', expect=1)
    trace = load('run.json')
    tracks = spans(trace)
    check(set(tracks) <= {1, 2, 3, 4}, tracks.keys())
    names = {(e['tid'], e['args']['name']) for e in trace if e['name'] == 'thread_name'}
    equal(names, {(t, 'slot %d' % t) for t in tracks}, 'names of tracks')
    bars = [e for t in tracks.values() for e in t]
    equal(len(bars), 12 + 2 + 4 + 1 + 1, 'tries')
    equal({e['cat'] for e in bars}, {'count', 'total'}, 'categories')
    five = sorted((e for e in bars if e['name'] == 'counts/5'), key=lambda e: e['ts'])
    equal([(e['args']['result'], e['args']['exit'], e['args']['try'], e['args']['slots']) for e in five],
          [('retried', 3, 1, 2), ('failed', 3, 2, 2)], 'counts/5')
    check(five[1]['ts'] - five[0]['ts'] >= 1000000, 'the pause between two tries')
    six = [e for e in bars if e['name'] == 'counts/6']
    equal([e['args']['signal'] for e in six], ['SIGKILL'] * 2, 'counts/6')
    done = next(e for e in bars if e['name'] == 'counts/1')['args']
    equal((done['result'], done['exit'], done['try']), ('done', 0, 1), 'counts/1')
    check(done['peak_memory_bytes'] > 0 and 'why' not in done, done)
    marks = sorted(e['name'] for e in trace if e['ph'] == 'i')
    equal(marks, ['failed: exit 3', 'failed: killed by SIGKILL (out of memory?)', 'retried: exit 3',
                  'retried: killed by SIGKILL (out of memory?)'], 'marks')
    used = [e['args']['slots'] for e in trace if e['ph'] == 'C']
    check(used[0] == used[-1] == 0 and 4 in used and max(used) == 4, used)


def test_trace_of_nothing(floor):
    dagfile(COUNT.replace('exit 3', 'true').replace('kill -9 $$', 'true'))
    dagrun('--trace', 'a.json')
    said = dagrun('--trace', 'a.json')
    check('nothing to do' in said, said)
    equal([e['ph'] for e in load('a.json') if e['ph'] not in 'MC'], [], 'what ran')
    with open('b.json', 'w') as f:
        f.write('kept')
    for flag in ('-n', '-q', '-t'):
        said = dagrun(flag, '--trace', 'b.json')
        check('nothing is run, so b.json is not written' in said, said)
    with open('b.json') as f:
        equal(f.read(), 'kept', 'b.json')


def test_trace_of_names(floor):
    want = odd_plan()
    dagrun('--trace', 'run.json')
    got = sorted(os.fsencode(e['name']) for e in load('run.json') if e['ph'] == 'X')
    equal(got, want, 'names')


def test_unwritable(floor):
    dagfile(COUNT)
    os.mkdir('directory')
    for option in ('--trace', '--report'):
        for path in ('nowhere/x', 'directory', 'Dagfile/x', '', '-'):
            said = dagrun(option, path, expect=2)
            check(option in said, said)
    check('one file' in dagrun('--trace', 'x', '--report', 'x', expect=2), 'the same file twice')
    # What could have been written is as it was
    dagrun('--trace', 'run.json', '--report', 'directory', expect=2)
    dagrun('--report', 'run.html', '--trace', 'directory', expect=2)
    check(not os.path.exists('counts'), 'something ran')
    # A run that does not begin leaves none
    dagfile('map count\n  out = x\n  run = true\n')
    dagrun('--trace', 'run.json', '--report', 'run.html', expect=2)
    equal(sorted(os.listdir('.')), ['.dagrun', 'Dagfile', 'directory', 'gate', 'said', 'work'], 'files')
    for other in ('--status', '--failed', '--graph', '--export=json', '--clean', '--log', '--forget'):
        dagrun(other, '--trace', 'run.json', 'x', expect=2)
        dagrun(other, '--report', 'run.html', 'x', expect=2)


def read_tries(p):
    """By name, what the script of a report sees of each task's tries."""
    run, names = p.data['run'], page.names(p.data['tree']['names'])
    columns = {c: page.column(run[c]) for c in ('task', 'slot', 'start', 'took', 'result', 'how', 'status', 'tries', 'peak')}
    equal({len(c) for c in columns.values()}, {run['n']}, 'lengths')
    tries = {}
    for i, task in enumerate(columns['task']):
        t = {c: v[i] for c, v in columns.items()}
        check(t['start'] >= 0 and t['took'] >= 0 and t['start'] + t['took'] <= run['time'], t)
        t['result'] = run['results'][t['result']]
        tries.setdefault(names[task], []).append(t)
    return tries


def no_temporaries():
    equal([f for f in os.listdir('.') if 'dagrun-' in f], [], 'temporary files')


SECTIONS = ['Summary', 'Failures', 'The tree', 'Slots over time', 'Utilisation', 'The critical path', 'Slowest tasks', 'Stages']


def test_report(floor):
    dagfile(COUNT)
    dagrun('-kj4', '--report', 'run.html', expect=1)
    no_temporaries()
    p = page.read('run.html')
    text = ' '.join(p.texts)
    for section in SECTIONS:
        check(section in p.texts, section)
    check('total: failed' in p.texts, 'the title')
    check('18 tasks: 16 done, 2 failed' in text and '20, of which 2 failed and were repeated' in text, text)
    check('exit 3' in text and 'killed by SIGKILL' in text and 'try 2 of 2' in text, text)
    check('bad <input>' in text and 'this is 6' in text, 'the last lines')
    check('if [ 5 = 5 ]; then' in text, 'the command')
    tries = read_tries(p)
    equal([(t['result'], t['how'], t['status'], t['tries']) for t in tries['counts/5']],
          [('failed, tried again', 0, 3, 1), ('failed', 0, 3, 2)], 'counts/5')
    equal([(t['how'], t['status']) for t in tries['counts/6']], [(1, 9)] * 2, 'counts/6')
    equal(len(tries), 18, 'tasks')
    stages = {row['stage']: row for row in p.table('stage', 'p50')}
    equal((stages['count']['done'], stages['count']['failed'], stages['count']['tries repeated']), ('10', '2', '2'), 'count')
    equal(stages['total']['done'], '6', 'total')
    path = p.table('task', 'slack')
    equal(path[-1]['task'], 'total', 'the end of the path')
    check(path[0]['task'].startswith('counts/') and len(path) == 4, path)
    equal(len(p.table('task', 'median of its stage')), 18, 'slowest')
    uses = p.table('slots were', 'share')
    equal([u['slots were'] for u in uses], ['busy', 'in between', 'short of tokens', 'short of inputs', 'tail'], 'uses')
    check(abs(sum(float(u['share'].rstrip(' %')) for u in uses) - 100) < 1, uses)
    equal(sum(int(row['tries']) for row in p.table('slot', 'busy')), 20, 'slots')
    check(os.path.getsize('run.html') < 60000, 'its size')


def test_report_of_nothing(floor):
    dagfile(COUNT.replace('exit 3', 'true').replace('kill -9 $$', 'true'))
    os.mkdir('pages')
    os.symlink('pages/run.html', 'link.html')
    for name in ('run.html', 'link.html'):
        dagrun('--report', name)
        p = page.read(name)
    check('total: nothing to do' in p.texts, p.texts[:5])
    check('18 tasks: 18 up to date' in ' '.join(p.texts), 'the summary')
    equal(p.data['run']['n'], 0, 'tries')
    for flag in ('-n', '-q', '-t'):
        said = dagrun(flag, '--report', 'other.html')
        check('nothing is run, so other.html is not written' in said, said)
    check(not os.path.exists('other.html'), 'other.html is there')


def test_report_of_names(floor):
    odd_plan()
    with open('Dagfile') as f:
        text = f.read()
    dagfile(text.replace('cp {in} {out}', 'sh -c \'echo "$1"; exit 1\' x {in} {out}'))
    dagrun('-k', '--report', 'run.html', expect=1)
    p = page.read('run.html')
    equal(len(read_tries(p)), len(ODD), 'tasks')
    check('</script><b>&"x\'' in ' '.join(p.texts), 'the name')
    check('bad\\xff' in ' '.join(p.texts) and 'new\\nline' in ' '.join(p.texts), 'names')


def test_report_while_it_runs(floor):
    dagfile('''
args numbers
  range = 1..6
map count
  each = numbers
  out  = counts/{arg}
  run  = ./work {arg} {out}
''')
    floor.dagrun('-j2', '--report', 'run.html')
    floor.reach(2, 'at first')
    # It was there before the tasks were started.
    p = page.read('run.html')
    check(any(t.endswith(': running') for t in p.texts), p.texts[:5])
    check('this page is written again now and then' in ' '.join(p.texts), 'the state')
    floor.let_go(1)
    floor.until(lambda: len(floor.started) == 3, 'the third')
    floor.signal(signal.SIGINT)
    equal(floor.end('the end'), -signal.SIGINT, 'exit status')
    no_temporaries()
    p = page.read('run.html')
    check('stopped by SIGINT' in p.texts, p.texts)
    equal(sorted(t['result'] for tries in read_tries(p).values() for t in tries), ['done', 'stopped', 'stopped'], 'results')
    check('Nothing has failed.' in p.texts, 'what was stopped did not fail')


def test_report_of_many_failures(floor):
    dagfile('''
args numbers
  range = 1..203
map count
  each = numbers
  run  =
    printf '\\\\d\\t\\001<i>\\377\\n' {arg}
    false
''')
    dagrun('-kj8', '--report', 'run.html', expect=1)
    p = page.read('run.html')
    text = ' '.join(p.texts)
    check('3 more have failed; dagrun --failed tells all.' in text, text[-3000:])
    equal(p.tags.count('h3'), 200, 'failures')
    equal(text.count('\\d\t\\x01<i>\\xff'), 200, 'what they printed')
    equal(text.count("printf '\\\\d\\t\\001<i>\\377\\n'"), 200, 'their commands')


def test_report_to_a_device(floor):
    dagfile('args a\n  list = 1 2\nmap m\n  each = a\n  out = o/{arg}\n  run = touch {out}\n')
    os.mkfifo('pipe')
    fd = os.open('pipe', os.O_RDWR)
    p = subprocess.Popen([DAGRUN, '--report', 'pipe', '--progress=none'], stdin=subprocess.DEVNULL)
    text = b''
    while not text.endswith(b'</html>\n'):
        text += os.read(fd, 65536)
    equal(p.wait(60), 0, 'exit status')
    os.close(fd)
    equal(len(read_tries(page.Page(text.decode()))), 2, 'tasks')


def test_trace_interrupted(floor):
    dagfile('''
args numbers
  range = 1..6
map count
  each = numbers
  out  = counts/{arg}
  run  = ./work {arg} {out}
''')
    floor.dagrun('-j2', '--trace', 'run.json')
    floor.reach(2, 'at first')
    floor.let_go(1)
    floor.until(lambda: len(floor.started) == 3, 'the third')
    floor.signal(signal.SIGINT)
    equal(floor.end('the end'), -signal.SIGINT, 'exit status')
    trace = load('run.json')
    results = sorted(e['args']['result'] for t in spans(trace).values() for e in t)
    equal(results, ['done', 'stopped', 'stopped'], 'results')


def test_trace_of_a_start_that_fails(floor):
    dagfile('args a\n  list = 1 2\nmap m\n  each = a\n  out = o/{arg}\n  run = ./not-there {arg} {out}\n')
    open('not-there', 'w').close()
    dagrun('-k', '-j1', '--trace', 'run.json', expect=1)
    marks = [e for e in load('run.json') if e['ph'] == 'i']
    equal(len(marks), 2, 'marks')
    check(all(m['name'].startswith('failed: o/') and m['s'] == 'p' for m in marks), marks)
    # With a thread for each slot that is known a moment after the start.
    dagrun('-k', '-j2', '--trace', 'run.json', expect=1)
    events = load('run.json')
    marks = [e for e in events if e['ph'] == 'i']
    equal(len(marks), 2, 'marks')
    check(all(m['name'].startswith('failed: could not start ./not-there') for m in marks), marks)
    equal(sorted(e['name'] for e in events if e['ph'] == 'X'), ['o/1', 'o/2'], 'tasks')


def read_graph(*args):
    p = subprocess.run([DAGRUN, '--graph=html', *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=120)
    equal(p.returncode, 0, 'exit status')
    return p.stdout, page.Page(p.stdout.decode())


def test_graph(floor):
    dagfile(COUNT)
    dagrun('-kj4', expect=1)
    text, p = read_graph()
    check(len(text) < 40000, '%d bytes' % len(text))
    tree = p.data['tree']
    equal([(r['stage'], r['round'], r['n']) for r in tree['rows']],
          [('total', 3, 1), ('total', 2, 1), ('total', 1, 4), ('count', 0, 12)], 'rows')
    equal(tree['n'], 18, 'tasks')
    names = page.names(tree['names'])
    equal(names[0], 'total', 'the first')
    equal(names[6:], ['counts/%d' % i for i in range(1, 13)], 'counts')
    states = [tree['states'][s] for s in page.column(tree['state'])]
    equal([n for n, s in zip(names, states) if s == 'failed'], ['counts/5', 'counts/6'], 'failed')
    equal(page.column(tree['from'])[6:], list(range(12)), 'places')
    equal(page.column(tree['width']), [12, 9, 3, 3, 3, 3] + [1] * 12, 'widths')
    equal(p.table('row', 'failed')[-1]['failed'], '2', 'the table')
    check('svg' in p.tags, 'the picture')


def test_graph_of_names(floor):
    want = odd_plan()
    p = read_graph()[1]
    names = page.names(p.data['tree']['names'])
    back = sorted(os.fsencode(n).replace(b'\\n', b'\n').replace(b'\\xff', b'\xff') for n in names)
    # What is no character is shown as none.
    equal(back, sorted(n.replace(b'\xef\xbf\xbf', b'\xef\xbf\xbd') for n in want), 'names')


def test_graph_of_much(floor):
    dagfile(COUNT.replace('1..12', '1..50000'))
    text, p = read_graph()
    check(len(text) < 1000000, '%d bytes' % len(text))
    equal(len(page.names(p.data['tree']['names'])), p.data['tree']['n'], 'names')


sys.exit(run([(name[5:], fn) for name, fn in list(globals().items()) if name.startswith('test_')]))
