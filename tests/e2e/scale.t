#!/bin/bash
# Plans of a size that shows what recurses, what is quadratic and what keeps too much: on a stack of 1 MiB, and in as much memory as the
# figure of doc/performance.md allows, with the program itself and its libraries. Under sanitizers a sample of each.
set -eu

fail()
{
	echo "FAILED: $*"
	exit 1
}

leaves=1000000 maps=100000 wide=100000 memory=310000
if grep -q __asan_init "$DAGRUN"; then
	# These reserve terabytes of addresses, and take their own part of the stack.
	leaves=20000 maps=2000 wide=20000 memory=unlimited
fi

# shown FILE LEAST MOST: -n shows so many commands
shown()
{
	n=$( (ulimit -s 1024 -v "$memory"; "$DAGRUN" -n -f "$1") | grep -c '^c') || fail "$1: dagrun -n has failed"
	[ "$n" -ge "$2" ] && [ "$n" -le "$3" ] || fail "$1: $n commands instead of $2 to $3"
	echo "$1: $n commands"
}

# A tree over so many leaves; how many nodes it has, its shape says
{
	printf 'args a\n  range = 1..%d\n\nmap m\n  each = a\n  out = out/{arg}\n  run = cp Dagfile {out}\n\n' "$leaves"
	printf 'merge t\n  each = m\n  fan-in = 8\n  out = total\n  run = cat {in} > {out}\n'
} >tree
shown tree $((leaves + leaves / 8)) $((leaves + leaves / 4))

# Each map over the one before; {arg} comes from the very first
{
	printf 'args a\n  list = x\n\nmap m0\n  each = a\n  out = o0\n  run = cp Dagfile {out}\n'
	awk -v n="$maps" 'BEGIN { for (i = 1; i < n; i++) printf "\nmap m%d\n  each = m%d\n  out = o%d\n  run = cat {in} {arg} > {out}\n", i, i - 1, i }'
} >chain
memory=unlimited
shown chain "$maps" "$maps"

# One task that reads what all the others make
{
	printf 'args a\n  range = 1..%d\n\nmap m\n  each = a\n  out = out/{arg}\n  run = cp Dagfile {out}\n\n' "$wide"
	printf 'task t\n  in = m\n  out = total\n  run = cat {in:list} > {out}\n'
} >wide
shown wide $((wide + 1)) $((wide + 1))
