#!/bin/bash
# What a task costs in instructions, by callgrind: of the plan of tasks that are yet to run, and of those that are up to date. The bounds
# are half as much again as was measured (doc/performance.md), so that noise of compilers passes and a loop over all tasks in
# each of them does not; and twice the tasks may cost twice as much, not four times.
set -eu

command -v valgrind >/dev/null || { echo 'valgrind is not here'; exit 77; }
# Sanitizers do not run under valgrind, and their checks are instructions, too.
if grep -q __asan_init "$DAGRUN"; then
	echo 'built with sanitizers'
	exit 77
fi

fail()
{
	echo "FAILED: $*"
	exit 1
}

# cost ARGUMENT…: instructions of dagrun, in $ir
cost()
{
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$DAGRUN" "$@" >out 2>err || fail "dagrun $*: $(tail -n 3 err)"
	ir=$(sed -n 's/^.*I *refs: *//p' err | tr -d ,)
	[ -n "$ir" ] || fail "no count of instructions: $(cat err)"
}

# plan FILE N: what -n of it costs beyond an empty plan
plan()
{
	cost -n -f "$1"
	echo "$1: $ir instructions, $((ir / $2)) a task"
}

# grows WHAT SMALL LARGE: twice the size costs twice as much
grows()
{
	[ $(($3 * 10)) -le $(($2 * 23)) ] || fail "$1: $2 instructions for some, $3 for twice as many"
}

# below WHAT INSTRUCTIONS TASKS BOUND
below()
{
	[ "$2" -le $(($3 * $4)) ] || fail "$1: $(($2 / $3)) instructions a task, more than $4"
}

# Rows, and a merge of all of them by 8
tree()
{
	printf 'args a\n  range = 1..%d\n\nmap m\n  each = a\n  out = out/{arg}\n  run = cp Dagfile {out}\n\n' "$1"
	printf 'merge t\n  each = m\n  fan-in = 8\n  out = total\n  run = cat {in} > {out}\n'
}

# Maps over each other
chain()
{
	printf 'args a\n  list = x\n\nmap m0\n  each = a\n  out = o0\n  run = cp Dagfile {out}\n'
	awk -v n="$1" 'BEGIN { for (i = 1; i < n; i++) printf "\nmap m%d\n  each = m%d\n  out = o%d\n  run = echo {arg} > {out}\n", i, i - 1, i }'
}

# noop DIRECTORY N: a file of each of N files, all up to date
noop()
{
	mkdir "$1" "$1/in" "$1/out"
	(cd "$1/in" && seq -f '%06.0f.txt' "$2" | xargs touch)
	(cd "$1/out" && seq -f '%06.0f.txt' "$2" | xargs touch)
	printf 'args a\n  glob = in/*.txt\n\nmap m\n  each = a\n  out = out/{name}\n  run = cp {in} {out}\n' >"$1/Dagfile"
	"$DAGRUN" -s -t -C "$1" || fail "dagrun -t: $?"
	cost -C "$1"
	grep -q "$2 up to date" out err || fail "not up to date: $(cat out err)"
	echo "$1: $ir instructions, $((ir / $2)) a task"
}

tree 10000 >tree-1
tree 20000 >tree-2
plan tree-1 11429
small=$ir
plan tree-2 22858
grows 'a plan' "$small" "$ir"
below 'a plan' "$ir" 22858 12000

chain 1000 >chain-1
chain 2000 >chain-2
plan chain-1 1000
small=$ir
plan chain-2 2000
grows 'a chain' "$small" "$ir"
below 'a chain' "$ir" 2000 60000

noop one 10000
small=$ir
noop two 20000
grows 'finding nothing to do' "$small" "$ir"
below 'finding nothing to do' "$ir" 20000 20000
