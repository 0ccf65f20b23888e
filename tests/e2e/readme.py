#!/usr/bin/env python3
# readme.py [--loose] README: runs the lines that it shows, in their order, here, and compares what they print with what it
# says they print. A command is a line of a block that begins with "$ "; what is below it, up to the next, is what
# it prints, to standard output or error. A duration stands for any, "…" for the rest of a line or, alone on a
# line, for any lines; with --loose, a number for any too. A block whose first line is no command is not looked at.
import os
import re
import subprocess
import sys

# What stands for any of its kind
DURATION = r'\d+(?:\.\d+)?(?:ms|s)\b'
NUMBER = r'\d+'
REST = '…'


def blocks(text):
    for block in re.findall(r'^```\n(.*?)^```$', text, re.M | re.S):
        if block.startswith('$ '):
            yield block


def steps(block):
    for step in re.split(r'^\$ ', block, flags=re.M)[1:]:
        command, _, expected = step.partition('\n')
        yield command, expected.rstrip('\n')


def pattern(expected, kinds):
    lines = []
    for line in expected.splitlines():
        if line == REST:
            lines.append('(?:.*\n)*')
            continue
        for word in re.split('(%s)' % '|'.join(kinds), line):
            kind = [k for k in kinds if re.fullmatch(k, word)]
            lines.append(('.*' if kind[0] == REST else kind[0]) if kind else re.escape(word))
        lines.append('\n')
    return ''.join(lines)


def run(command):
    env = dict(os.environ, LC_ALL='C.UTF-8', PATH=os.path.dirname(os.environ['DAGRUN']) + ':' + os.environ['PATH'])
    del env['DAGRUN']
    print('$', command)
    out = subprocess.run(['bash', '-c', command], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT).stdout.decode('utf-8', 'replace')
    print(out, end='', flush=True)
    # How often a run tells where it is depends on how long it takes; what one that was killed has finished, on when that was.
    out = re.sub(r'^dagrun: (\d+%, |\d+ outputs? that (was|were) finished when a run died ).*\n', '', out, flags=re.M)
    return re.sub(r' *$', '', out, flags=re.M)


def main():
    kinds = [DURATION, REST]
    if sys.argv[1] == '--loose':
        kinds.append(NUMBER)
    with open(sys.argv[-1], encoding='utf-8') as f:
        text = f.read()
    bad = n = 0
    for block in blocks(text):
        for command, expected in steps(block):
            n += 1
            if not re.fullmatch(pattern(expected, kinds), run(command)):
                bad = 1
                print('FAILED: the README says that this is printed:\n%s' % expected)
    if not n:
        bad = 1
        print('FAILED: the README shows no command')
    sys.exit(bad)


if __name__ == '__main__':
    main()
