"""Results as Markdown, and as a picture."""
import os
import platform
import re
import shutil
import subprocess

import peers


def machine(o, scratch):
    with open('/proc/cpuinfo') as f:
        found = re.search(r'^model name\s*:\s*(.*)', f.read(), re.M)
    with open('/proc/meminfo') as f:
        memory = int(re.search(r'MemTotal:\s*(\d+)', f.read()).group(1))
    system = '?'
    if os.path.exists('/etc/os-release'):
        with open('/etc/os-release') as f:
            system = re.search(r'^PRETTY_NAME="?([^"\n]*)', f.read(), re.M).group(1)
    kind = subprocess.run(['stat', '-f', '-c', '%T', scratch], capture_output=True, text=True).stdout.strip()
    names = sorted(set(peers.NEEDS.values()) - {'python3'})
    versions = ['%s %s' % (name, peers.version(name)) for name in names if peers.version(name)]
    return {
        'processor': '%s, %d in use' % (found.group(1) if found else platform.machine(), len(os.sched_getaffinity(0))),
        'memory': '%.0f GiB' % (memory / 1024 / 1024),
        'system': '%s, Linux %s, %s' % (system, platform.release().split('-')[0], kind),
        'dagrun': subprocess.run([o.dagrun, '--version'], capture_output=True, text=True).stdout.split('\n')[0],
        'peers': ', '.join(versions),
        'slots': '-j%d; %d runs of each in turns, after a warm-up' % (o.jobs, o.rounds),
    }


def seconds(t):
    return '%.3f s' % t if t < 1 else '%.2f s' % t if t < 100 else '%.0f s' % t


def ratio(row, other):
    return '%.2f' % (row['wall'] / other['wall']) if other else '–'


def group_table(group, section):
    rows = {row['peer']: row for row in group['rows'] if 'wall' in row}
    limit = rows.get(section.get('limit'))
    peers_here = [rows[name] for name in section['best_of'] if name in rows and 'wall' in rows[name] and
                  'differs' not in rows[name]['word']]
    best = min(peers_here, key=lambda row: row['wall']) if peers_here else None
    lines = ['%s%s\n' % (group['title'], '; the best peer is %s' % best['peer'] if best else ''),
             '| | median | min – max | µs a %s | user | system | peak | / limit | / best |' % section['per'],
             '|---|---|---|---|---|---|---|---|---|']
    for row in sorted(rows.values(), key=lambda row: row['wall']):
        name = '**%s**' % row['peer'] if row['peer'] == 'dagrun' else row['peer']
        word = ' (%s)' % row['word'] if row['word'] else ''
        cpu = ['%.2f s' % row['user'], '%.2f s' % row['system'], '%.0f MB' % (row['kib'] / 1024)] if 'kib' in row else [''] * 3
        lines.append('| %s%s | %s | %s – %s | %.1f | %s | %s | %s |' % (
            name, word, seconds(row['wall']), seconds(row['low']), seconds(row['high']),
            row['wall'] / group['n'] * 1e6, ' | '.join(cpu), ratio(row, limit), ratio(row, best)))
    lines.append('')
    gone = ['%s: %s' % (row['peer'], row['word']) for row in group['rows'] if 'wall' not in row]
    if gone:
        lines += ['Without ' + '; '.join(gone) + '.', '']
    return '\n'.join(lines)


def section(name, result):
    lines = ['## %s' % result['title'], '']
    if result.get('goal'):
        lines += ['To reach: %s.' % result['goal'], '']
    for group in result.get('groups', []):
        lines.append(group_table(group, result))
    if 'facts' in result:
        lines.append('| ' + ' | '.join(result['head']) + ' |')
        lines.append('|' + '---|' * len(result['head']))
        lines += ['| ' + ' | '.join(row) + ' |' for row in result['facts']]
        lines.append('')
    return '\n'.join(lines)


def write(out, results, order):
    lines = ['# Results', '', 'Made by `make bench`; [README.md](README.md) says how to read it. Ratios count: the machine is shared.', '']
    lines += ['| | |', '|---|---|'] + ['| %s | %s |' % item for item in results['machine'].items()] + ['']
    if plot(out, results):
        lines += ['![cost against N](cost.svg)', '']
    lines += [section(name, results[name]) for name in order if name in results]
    with open(os.path.join(out, 'RESULTS.md'), 'w') as f:
        f.write('\n'.join(lines).rstrip() + '\n')


def series(result):
    """By peer: (N, seconds)."""
    out = {}
    for group in result.get('groups', []):
        for row in group['rows']:
            if 'wall' in row:
                out.setdefault(row['peer'], []).append((group['n'], row['wall']))
    return out


def plot(out, results):
    """Seconds against N, both logarithmic, so that what is linear is a straight line; a field for each work of several sizes."""
    fields = [name for name in ('spawn', 'map', 'shell', 'noop') if len(results.get(name, {}).get('groups', [])) > 1]
    if not fields or not shutil.which('gnuplot'):
        return False
    script = ['set terminal svg size %d,420 dynamic font "sans,11" background "white"' % (430 * len(fields)),
              'set output "%s"' % os.path.join(out, 'cost.svg'), 'set multiplot layout 1,%d' % len(fields),
              'set logscale xy', 'set key left top', 'set xlabel "N"', 'set ylabel "seconds"', 'set grid']
    for name in fields:
        lines = series(results[name])
        script.append('set title "%s"' % results[name]['title'].split(':')[0])
        plots = ['$%s%d with linespoints lw %d title "%s"' % (name, i, 3 if peer == 'dagrun' else 1, peer)
                 for i, peer in enumerate(lines)]
        for i, points in enumerate(lines.values()):
            script += ['$%s%d << E' % (name, i)] + ['%d %g' % p for p in sorted(points)] + ['E']
        script.append('plot ' + ', '.join(plots))
    subprocess.run(['gnuplot'], input='\n'.join(script) + '\n', text=True, check=True)
    return True
