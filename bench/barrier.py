"""What dagrun replaces: a launcher that starts as many commands as there are slots, waits for all of them, and goes on;
a round of merges begins when the one before it is over.

    barrier.py SLOTS < COMMANDS    a command a line; an empty line ends a round
"""
import subprocess
import sys

slots = int(sys.argv[1])
running = []


def wait():
    while running:
        if running.pop().wait() != 0:
            sys.exit(1)


for line in sys.stdin:
    if line == '\n' or len(running) == slots:
        wait()
    if line != '\n':
        running.append(subprocess.Popen(['/bin/sh', '-c', line.rstrip('\n')]))
wait()
