#!/usr/bin/env python3
# What is asked from beside: --status, --failed, --log, --clean, --forget, and JSON held against doc/json.md.
# Arguments: words that choose tests.
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from harness import DAGRUN, PATIENCE, Failed, check, equal, run_alone, write  # noqa: E402

DOC = os.path.join(os.environ['srcdir'], 'doc', 'json.md')


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def dagrun(*args, rc=0, text=True):
    """Runs it to its end; its standard output."""
    p = subprocess.run([DAGRUN, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    if rc is not None:
        equal(p.returncode, rc, 'exit status of %s (it said %r)' % (args, p.stderr))
    dagrun.said = p.stderr.decode(errors='surrogateescape')
    return p.stdout.decode(errors='surrogateescape') if text else p.stdout


def ask(*args, rc=0):
    """The same, as JSON; every document is held against the manual."""
    document = json.loads(dagrun(*args, '--json', rc=rc, text=False))
    check_fields(document)
    return document


def start(*args):
    return subprocess.Popen([DAGRUN, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)


def wait_for(what, fn):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        got = fn()
        if got:
            return got
        time.sleep(0.01)
    raise Failed('waited in vain for ' + what)


def guardian(pid):
    """Of this dagrun, or None."""
    for p in filter(str.isdigit, os.listdir('/proc')):
        try:
            stat = read('/proc/%s/stat' % p)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b'guardian' in stat and int(stat.rsplit(b')', 1)[1].split()[1]) == pid:
            return int(p)
    return None


# The manual: for each section its tables, in order, as sets of fields.

def tables():
    found, section, table = {}, None, None
    for line in open(DOC, encoding='utf-8'):
        if line.startswith('## '):
            section, table = line[3:].strip(), None
            found[section] = []
        field = re.match(r'\| `([a-z_]+)` \|(.*)', line)
        if field and section:
            if table is None:
                table = {}
                found[section].append(table)
            table[field.group(1)] = field.group(2)
        elif not line.startswith('|'):
            table = None
    return found


MANUAL = tables()
SEEN = {}


def same_fields(obj, fields, what, optional=()):
    extra, missing = set(obj) - set(fields), set(fields) - set(obj) - set(optional)
    check(not extra, '%s: %s not in doc/json.md' % (what, sorted(extra)))
    check(not missing, '%s: %s missing' % (what, sorted(missing)))
    SEEN.setdefault(what, set()).update(obj)


def check_task(t, kind):
    fields = MANUAL['log'][1]
    if t['state'] in ('running', 'waiting'):
        equal(sorted(set(fields) & set(t)), sorted(['task', 'stage', 'command', 'command_changed', 'state', 'running', 'output']),
              'a task without a record')
        return
    same_fields(t, fields, 'a task', ['output' if kind == 'failed' else 'last_lines'])
    check(t['state'] in ('done', 'failed', 'cancelled'), t)
    check((t['exit'] is None) != (t['signal'] is None), t)
    check(re.fullmatch('[0-9a-f]{16}', t['run']), t)


def check_fields(d):
    kind = d['kind']
    equal(d['version'], 1, 'version')
    if kind == 'status':
        top, run, counts = MANUAL['status']
        same_fields(d, top, 'status')
        for r in d['runs']:
            same_fields(r, run, 'a run')
            for c in [r['tasks']] + [s['tasks'] for s in r['stages']]:
                same_fields(c, counts, 'counts')
                equal(c['wanted'], sum(c.values()) - c['wanted'], 'what the counts come to')
            for t in r['running']:
                equal(set(t), {'task', 'stage', 'since', 'try', 'slot', 'pid'}, 'a running task')
        if d['now']:
            for c in [d['now']['tasks']] + [s['tasks'] for s in d['now']['stages']]:
                equal(c['wanted'], c['up_to_date'] + c['stale'], 'what the counts come to')
    elif kind in ('failed', 'log'):
        same_fields(d, MANUAL[kind][0], kind)
        for t in d['tasks']:
            check_task(t, kind)
    else:
        equal(kind, 'plan', 'kind')
        same_fields(d, MANUAL['plan'][0], 'plan')
        for t in d['tasks']:
            same_fields(t, MANUAL['plan'][1], 'a planned task')


LETTERS = '''args texts
  glob = in/*
map up
  each = texts
  out  = up/{name}
  run  =
    echo made {in.name}
    tr a-z A-Z < {in} > {out}
merge all
  each = up
  out  = all
  run  = cat {in} > {out}
'''


def letters(more='', names='abcd'):
    for n in names:
        write('in/' + n, 'text %s\n' % n)
    write('Dagfile', LETTERS + more)


# Tests.

def test_nothing_yet():
    write('Dagfile', LETTERS + '  keep = yes\n')
    letters()
    check('no run is known' in dagrun('--status'), 'no run')
    d = ask('--status')
    equal((d['runs'], d['failed']), ([], 0), 'no run')
    equal(d['now']['tasks'], {'wanted': 7, 'up_to_date': 0, 'stale': 7}, 'now')
    equal(ask('--failed')['tasks'], [], 'no failure')
    equal([t['state'] for t in ask('--log', 'up/a')['tasks']], ['waiting'], 'log')
    dagrun('--log', 'nobody', rc=2)
    check("no record of 'nobody'" in dagrun.said, dagrun.said)
    check(not os.path.exists('.dagrun'), 'a look makes nothing')


def test_afterwards():
    letters()
    dagrun()
    d = ask('--status')
    equal(d['runs'][0]['state'], 'ended', 'state')
    equal(d['runs'][0]['tasks'],
          {'wanted': 7, 'up_to_date': 0, 'done': 7, 'failed': 0, 'running': 0, 'waiting': 0}, 'counts')
    equal(d['now']['tasks'], {'wanted': 7, 'up_to_date': 7, 'stale': 0}, 'now')
    check('7 of 7 done' in dagrun('--status'), 'text')
    write('in/a', 'longer text\n')
    equal({s['stage']: s['tasks']['stale'] for s in ask('--status')['now']['stages']}, {'up': 1, 'all': 3}, 'now')
    dagrun('up/a')
    equal([(r['tasks']['wanted'], r['tasks']['done']) for r in ask('--status')['runs']], [(1, 1)], 'only the last')


def test_log():
    letters('''
map words
  each = texts
  run  = echo {arg}; echo error >&2; test {in.name} != b
''')
    dagrun('-k', rc=1)
    t, = ask('--log', 'words:in/a')['tasks']
    equal((t['state'], t['exit'], t['output'], t['tries']), ('done', 0, 'in/a\nerror\n', 1), 'log')
    check(t['began'] <= t['ended'] and t['peak_memory'] > 0, t)
    equal((t['command'], t['command_changed']), ('echo in/a; echo error >&2; test a != b', False), 'command')
    equal(sorted(t['task'] for t in ask('--log', 'up')['tasks']), ['up/a', 'up/b', 'up/c', 'up/d'], 'a stage')
    several = [t['task'] for t in ask('--log', 'all', 'up/b')['tasks']]
    equal((sorted(several), several[-1]), (['all', 'all/1.1', 'all/1.2', 'up/b'], 'all'), 'several')
    t, = ask('--log', 'words:in/b')['tasks']
    equal((t['state'], t['how'], t['exit']), ('failed', 'exit', 1), 'failed')
    text = dagrun('--log', 'words:in/a')
    check(text.startswith('==> words:in/a: done\n') and text.endswith('\nin/a\nerror\n'), text)
    equal(dagrun('--log', '-s', 'words:in/a'), 'in/a\nerror\n', 'only what it printed')
    write('Dagfile', read('Dagfile').replace(b'tr a-z', b'tr  a-z'))
    equal(ask('--log', 'up/a')['tasks'][0]['command_changed'], True, 'another command')
    os.mkdir('sub')
    equal(json.loads(subprocess.run([DAGRUN, '-f', '../Dagfile', '--log', '../up/a', '--json'], cwd='sub', check=True,
                                    capture_output=True).stdout)['tasks'][0]['task'], 'up/a', 'from below')
    shutil.rmtree('.dagrun/log')
    equal(ask('--log', 'words:in/a')['tasks'][0]['output'], None, 'no log')
    check('any more' in dagrun('--log', 'words:in/a'), 'no log')


def test_any_bytes():
    name = b'gr\xfc\xdf \xe2\x82\xac\n"\\'
    write(b'in/' + name, 'x')
    write('Dagfile', '''args texts
  glob = in/*
map show
  each = texts
  run  = printf '%s|\\377\\303\\274\\355\\240\\200\\033[0m' {in.name}; false
''')
    dagrun(rc=1)
    t, = ask('--failed', rc=1)['tasks']
    equal(os.fsencode(t['task']), b'show:in/' + name, 'name')
    t, = ask('--log', 'show')['tasks']
    equal(os.fsencode(t['output']), name + b'|\xff\xc3\xbc\xed\xa0\x80\x1b[0m', 'output')
    equal(os.fsencode(ask('-n')['tasks'][0]['inputs'][0]), b'in/' + name, 'input')
    text = dagrun('--failed', rc=1)
    check('\x1b' not in text and '\\x1b' in text, 'shown escaped')
    # Longer than any buffer, so that characters are cut between its pieces.
    write('Dagfile', 'task long\n  run = for i in {1..30000}; do printf "xéü€🙂\\377"; done\n')
    dagrun()
    t, = ask('--log', 'long')['tasks']
    equal(os.fsencode(t['output']), ('xéü€🙂'.encode() + b'\xff') * 30000, 'long output')


def test_failed():
    write('Dagfile', '''args n
  list = exit signal timeout missing none fine
map t
  each    = n
  timeout = 1
  out     = {arg}
  run     =
    for i in {1..30}; do echo line $i; done
    case {arg} in
    exit) exit 137;;
    signal) kill -SEGV $$;;
    timeout) sleep 100;;
    missing) exit 0;;
    none) nonesuch;;
    fine) echo fine > {out};;
    esac
''')
    dagrun('-k', '-j6', rc=1)
    tasks = {t['task']: t for t in ask('--failed', rc=1)['tasks']}
    equal(sorted(tasks), ['exit', 'missing', 'none', 'signal', 'timeout'], 'which')
    equal({n: t['how'] for n, t in tasks.items()}, {'exit': 'exit', 'signal': 'signal', 'timeout': 'timeout',
                                                    'missing': 'unpublished', 'none': 'exit'}, 'how')
    equal((tasks['exit']['exit'], tasks['signal']['signal'], tasks['none']['exit']), (137, 'SIGSEGV', 127), 'what')
    equal(tasks['exit']['last_lines'], ['line %d' % i for i in range(21, 31)], 'last lines')
    text = dagrun('--failed', rc=1)
    for words in ('FAIL exit: exit 137 (killed: out of memory?), try 1', 'FAIL timeout: timed out after',
                  'FAIL signal: killed by SIGSEGV', '  | line 30'):
        check(words in text, '%r is not in %r' % (words, text))
    equal(ask('--status')['failed'], 5, 'in the status')
    # Of some, and of none such: the error alone.
    equal(sorted(t['task'] for t in ask('--failed', 'signal', 'fine', 'none', rc=1)['tasks']), ['none', 'signal'], 'targets')
    equal(len(ask('--failed', 't', rc=1)['tasks']), 5, 'a stage')
    equal(dagrun('--failed', 'fine'), '', 'one that did not')
    for asked in ('--failed', '--status', '--log'):
        for args in ((asked, 'nosuch'), (asked, 'signal', 'nosuch'), (asked, '--json', 'nosuch')):
            equal(dagrun(*args, rc=2), '', ' '.join(args))
            check(len(dagrun.said.splitlines()) == 1 and "'nosuch'" in dagrun.said, dagrun.said)
    os.rename('Dagfile', 'elsewhere')
    for asked in ('--failed', '--status'):
        equal(dagrun(asked, 'nosuch', rc=2), '', asked + ' without a Dagfile')
        check("'nosuch'" in dagrun.said, dagrun.said)
    dagrun('--status', 'signal')
    check('FAIL signal' in dagrun('--failed', 'signal', rc=1), 'without a Dagfile')
    os.rename('elsewhere', 'Dagfile')
    # What is made meanwhile failed no more, nor what nobody plans any more.
    write('Dagfile', read('Dagfile').replace(b'exit 137', b'echo > {out}').replace(b'missing none', b'none'))
    dagrun('exit')
    equal(sorted(t['task'] for t in ask('--failed', rc=1)['tasks']), ['none', 'signal', 'timeout'], 'which')


def test_while_it_runs():
    os.mkfifo('go')
    write('Dagfile', '''args n
  range = 1..3
map first
  each = n
  out  = first/{arg}
  run  = echo {arg} > {out}
task slow
  uses = first
  out  = slow
  run  = echo said; cat go > {out}
''')
    p = start('-j2')
    try:
        d = wait_for('the last task', lambda: (lambda d: d['runs'] and d['runs'][0]['running'] and
                                               d['runs'][0]['tasks']['running'] == 1 and
                                               d['runs'][0]['running'][0]['pid'] and
                                               d['runs'][0]['tasks']['done'] == 3 and d)(ask('--status')))
        r = d['runs'][0]
        equal((d['now'], r['state'], r['pid'], r['slots']), (None, 'running', p.pid, 2), 'a run')
        equal([(t['task'], t['stage'], t['try']) for t in r['running']], [('slow', 'slow', 1)], 'running')
        text = dagrun('--status')
        check(re.match(r'running for .* \(process %d, 2 slots\): 3 of 4 done, 1 running\n' % p.pid, text), text)
        check('  slow for ' in text, text)
        t, = ask('--log', 'slow')['tasks']
        equal((t['state'], t['running']['pid']), ('running', r['running'][0]['pid']), 'log of what runs')
        check('running, try 1' in dagrun('--log', 'slow'), 'log of what runs')
        wait_for('what it has said', lambda: dagrun('--log', '-s', 'slow') == 'said\n')
        equal([t['output'] for t in ask('--log', 'slow')['tasks']], ['said\n'], 'so far')
        equal(ask('--failed')['tasks'], [], 'none')
        dagrun('--clean', '--all', rc=3)
        check('another dagrun' in dagrun.said, dagrun.said)
        dagfile = read('Dagfile')
        equal(dagrun('--status', 'nosuch', rc=2), '', 'of what there is not')
        check(dagrun('--status', 'slow').startswith('running for '), 'of what there is')
        write('Dagfile', 'nonsense\n')
        equal([r['state'] for r in ask('--status')['runs']], ['running'], 'while somebody edits')
        write('Dagfile', dagfile)
        p.send_signal(signal.SIGINT)
        equal(p.wait(PATIENCE), -signal.SIGINT, 'its end')
    finally:
        p.kill()
        p.wait()
    d = ask('--status')
    equal([(r['state'], r['signal'], r['tasks']['done'], r['tasks']['waiting']) for r in d['runs']],
          [('ended', 'SIGINT', 3, 1)], 'stopped')
    check(d['now'] is not None, 'now')
    equal(ask('--failed')['tasks'], [], 'what was stopped did not fail')
    equal([t['state'] for t in ask('--log', 'slow')['tasks']], ['cancelled'], 'log of what was stopped')
    # And one that is killed.
    p = start('-j2')
    wait_for('the task', lambda: any(r['running'] for r in ask('--status')['runs']))
    # Its guardian holds what it held until the tasks have ended: that is not the run.
    watcher = guardian(p.pid)
    if watcher:
        os.kill(watcher, signal.SIGSTOP)
    p.kill()
    p.wait()
    try:
        equal([r['state'] for r in ask('--status')['runs']], ['died'], 'its death')
        check('died' in dagrun('--status'), 'text')
        equal([t['state'] for t in ask('--log', 'slow')['tasks']], ['cancelled'], 'log of what it ran')
    finally:
        if watcher:
            os.kill(watcher, signal.SIGCONT)
    wait_for('its end', lambda: not watcher or not os.path.exists('/proc/%d' % watcher))
    equal(len(os.listdir('.dagrun/runs')), 1, 'old ones go')


def test_ten_thousand():
    n = 10000
    write('Dagfile', 'args n\n  range = 1..%d\nmap t\n  each = n\n  run = echo {arg}\n' % n)
    p = start('-j4', '-s')
    looks, last = 0, -1
    try:
        while p.poll() is None:
            d = ask('--status')
            for r in d['runs']:
                if r['state'] == 'running':
                    check(r['tasks']['done'] >= last and r['tasks']['wanted'] == n and r['tasks']['running'] <= 4, r)
                    last = r['tasks']['done']
                    looks += 1
            if last > 0:
                t, = ask('--log', 't:1')['tasks']
                check(t['state'] in ('done', 'running', 'waiting'), t)
                if t['state'] == 'done':
                    equal(t['output'], '1\n', 'output')
            equal(ask('--failed')['tasks'], [], 'none')
        equal(p.wait(), 0, 'its end')
    finally:
        p.kill()
        p.wait()
    check(looks >= 3, 'only %d looks' % looks)
    equal([(r['state'], r['tasks']['done']) for r in ask('--status')['runs']], [('ended', n)], 'in the end')
    equal(sorted(int(t['output']) for t in ask('--log', 't')['tasks']), list(range(1, n + 1)), 'all logs')


def test_no_command_is_run():
    write('Dagfile', '''args rows
  command = echo run >> ran; cat list
map up
  each = rows
  out  = out/{arg}
  run  = echo {arg} > {out}; echo printed {arg}
''')
    write('list', 'a\nb\n')
    dagrun()
    os.remove('ran')
    d = ask('--status')
    equal((d['now'], d['runs'][0]['tasks']['done']), (None, 2), 'status')
    check('is not run for --status' in dagrun('--status') + dagrun.said, 'says why')
    t, = ask('--log', 'out/a')['tasks']
    equal((t['output'], t['command'], t['stage']), ('printed a\n', None, None), 'log')
    ask('--failed')
    dagrun('--log', 'up', rc=2)
    check('is not run for --log' in dagrun.said, dagrun.said)
    dagrun('--clean', '--orphans', rc=2)
    check('is not run for --clean' in dagrun.said, dagrun.said)
    equal(dagrun('--clean', 'out/a'), 'out/a\n', 'clean')
    dagrun('--clean', '--all')
    equal(os.listdir('out'), [], 'clean')
    check(not os.path.exists('ran'), 'the command was run')


def test_clean():
    letters('''
map two
  each      = texts
  out       = two/{name}
  out.other = two/{name}.other
  run       = cp {in} {out}; cp {in} {out.other}
''')
    dagrun()
    write('up/mine', 'not made by dagrun\n')
    write('up/b', 'changed\n')
    before = sorted(os.listdir('up'))
    equal(sorted(dagrun('--clean', '-n', 'up').split()), ['up/a', 'up/c', 'up/d'], 'what would go')
    equal(sorted(os.listdir('up')), before, 'nothing goes')
    equal(dagrun('--clean', 'up/a'), 'up/a\n', 'one')
    dagrun('--clean', 'up')
    check('up/b was changed since it was made, and stays' in dagrun.said, dagrun.said)
    equal(sorted(os.listdir('up')), ['b', 'mine'], 'one is left')
    equal(dagrun('--clean', 'two/a.other'), 'two/a.other\n', 'one of two')
    check(os.path.exists('two/a'), 'the other')
    equal(sorted(dagrun('--clean', 'two:in/b').split()), ['two/b', 'two/b.other'], 'both')
    dagrun('--clean', '--all')
    equal((sorted(os.listdir('up')), os.listdir('two'), os.path.exists('all')), (['b', 'mine'], [], False), 'all')
    dagrun('--clean', 'nobody', rc=2)
    for wrong in (['--clean'], ['--clean', '--all', '--orphans'], ['--clean', '--all', 'x'], ['--all'], ['--orphans'],
                  ['--clean', '--all', '--json'], ['--clean', '--all', '--status'], ['--json'], ['--log'], ['--forget']):
        dagrun(*wrong, rc=2)
    # What was removed is made again, but for what somebody has changed.
    dagrun()
    equal((read('all'), read('up/b')), (b'TEXT A\nchanged\nTEXT C\nTEXT D\n', b'changed\n'), 'made again')


def test_clean_directories():
    write('Dagfile', '''args n
  list = a b
map d
  each = n
  out  = {arg}/
  run  = mkdir {out}/deep; echo {arg} > {out}/deep/file
''')
    dagrun()
    write('b/deep/mine', 'not made by dagrun\n')
    check('a' in dagrun('--clean', '-n', '--all'), 'what would go')
    check(os.path.exists('a/deep/file'), 'nothing goes')
    dagrun('--clean', '--all')
    check('b was changed' in dagrun.said or 'b/ was changed' in dagrun.said, dagrun.said)
    equal((os.path.exists('a'), sorted(os.listdir('b/deep'))), (False, ['file', 'mine']), 'one is left')


def test_orphans():
    letters('default all\nmap more\n  each = texts\n  out = more/{name}\n  run = cp {in} {out}\n')
    dagrun('all', 'more')
    dagrun('--clean', '--orphans')
    equal(sorted(os.listdir('more')), list('abcd'), 'not by default, but planned')
    os.remove('in/b')
    write('up/d', 'changed\n')
    os.remove('in/d')
    equal(sorted(dagrun('--clean', '--orphans', '-n').split()), ['more/b', 'more/d', 'up/b'], 'what would go')
    check('up/d was changed' in dagrun.said, dagrun.said)
    dagrun('--clean', '--orphans')
    equal((sorted(os.listdir('up')), sorted(os.listdir('more'))), (['a', 'c', 'd'], ['a', 'c']), 'gone')
    equal(dagrun('--clean', '--orphans'), '', 'once')
    write('in/b', 'text b\n')
    dagrun()
    equal(read('all'), b'TEXT A\nTEXT B\nTEXT C\n', 'made again')
    os.remove('Dagfile')
    dagrun('--clean', '--orphans', rc=2)


def test_forget():
    letters()
    dagrun()
    equal(ask('-n')['tasks'], [], 'nothing to do')
    dagrun('--forget', 'up/a')
    check('1 record dropped' in dagrun.said, dagrun.said)
    check('up/a' in [t['task'] for t in ask('-n')['tasks']], 'made again')
    equal(read('up/a'), b'TEXT A\n', 'the file stays')
    dagrun()
    equal(ask('-n')['tasks'], [], 'nothing to do')
    dagrun('--forget', 'up')
    check('4 records dropped' in dagrun.said, dagrun.said)
    dagrun('--forget', 'nobody', rc=2)


def test_plan():
    letters()
    dagrun('up')
    write('in/a', 'longer text\n')
    tasks = {t['task']: t for t in ask('-n')['tasks']}
    equal((tasks['up/a']['why'], tasks['all']['why']), ('input-changed', 'never-made'), 'why')
    check('size 7 → 12' in tasks['up/a']['reason'], tasks['up/a'])
    equal((tasks['up/a']['inputs'], tasks['up/a']['outputs']), (['in/a'], ['up/a']), 'files')
    check(tasks['up/a']['last_seconds'] is not None and tasks['all']['last_seconds'] is None, 'last time')
    equal([t['why'] for t in ask('-n', '--explain=up/b')['tasks']], [None], 'one that is up to date')
    dagrun('-n', '--explain=nobody', '--json', rc=2)


def test_progress():
    letters('map bad\n  each = texts\n  run = echo oops; echo error >&2; exit 3\n')
    p = subprocess.run([DAGRUN, '-k', '-j2', '--progress=json'], capture_output=True, timeout=PATIENCE)
    equal(p.returncode, 1, 'exit')
    events = [json.loads(line) for line in p.stderr.splitlines() if line.startswith(b'{')]
    fields, seen = MANUAL['progress'][0], set()
    for e in events:
        mine = {f for f, where in fields.items()
                if re.search(r'\b(all|%s)\b' % e['event'], where.split('|')[0])}
        equal(set(e), mine, 'fields of ' + e['event'])
        seen.add(e['event'])
    equal(seen - {'state'}, {'begin', 'start', 'end', 'message', 'finish'}, 'events')
    equal((events[0]['event'], events[0]['to_do'], events[0]['slots']), ('begin', 11, 2), 'begin')
    starts = [e['task'] for e in events if e['event'] == 'start']
    ends = {e['task']: e['result'] for e in events if e['event'] == 'end'}
    equal(sorted(starts), sorted(ends), 'each that begins ends')
    equal(sorted(t for t, r in ends.items() if r == 'failed'), ['bad:in/' + n for n in 'abcd'], 'failed')
    finish = [e for e in events if e['event'] == 'finish']
    equal([(e['done'], e['failed'], e['not_run']) for e in finish], [(7, 4, 0)], 'finish')
    check(any('FAIL bad:in/a: exit 3' in e['text'] for e in events if e['event'] == 'message'), 'messages')
    # Long enough for a word on how it goes, and more output than is kept in one piece.
    write('Dagfile', 'task long\n  run = head -c 300000 /dev/zero | tr "\\0" x >&2; sleep 1.2\n')
    p = subprocess.run([DAGRUN, '--progress=json'], capture_output=True, timeout=PATIENCE)
    events = [json.loads(line) for line in p.stderr.splitlines() if line.startswith(b'{')]
    states = [e for e in events if e['event'] == 'state']
    check(states, 'states')
    for e in states:
        equal(set(e), {f for f, where in fields.items() if re.search(r'\b(all|state)\b', where.split('|')[0])}, 'state')
    equal(''.join(e['text'] for e in events if e['event'] == 'message').count('x'), 300000, 'what it printed')


def test_one_liners():
    dagrun('--map', 'echo {arg}', '--each', 'range:1..3')
    d = ask('--status')
    equal((d['now'], [r['tasks']['done'] for r in d['runs']]), (None, [3]), 'without a Dagfile')
    t, = ask('--log', 'map:2')['tasks']
    equal(t['output'], '2\n', 'log')
    equal(ask('--map', 'echo {arg}', '--each', 'range:1..3', '--status')['now']['tasks']['up_to_date'], 3, 'with its words')


def test_other_state():
    letters()
    dagrun()
    write('.dagrun/journal', b'something else')
    for question in (['--status'], ['--failed'], ['--log', 'up/a'], ['--clean', '--all'], ['--forget', 'up/a']):
        dagrun(*question, rc=3)
    equal(read('.dagrun/journal'), b'something else', 'left alone')
    check(os.path.exists('all'), 'nothing removed')
    write('Dagfile', 'nonsense\n')
    dagrun('--log', 'up/a', rc=2)
    os.remove('.dagrun/journal')
    check('the last run ended' in dagrun('--status', rc=2), 'what is known')
    check('Dagfile:1' in dagrun.said, dagrun.said)


sys.exit(run_alone(globals()))
