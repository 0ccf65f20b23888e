#!/bin/bash
# What a task costs in system calls: dagrun's, with all its threads, and its child's until the exec. As the difference of 300 tasks and 100, so that
# the start and the end of a run do not count. The bounds leave room for what depends on who comes first: futex, poll.
. "$srcdir/tests/e2e/lib.sh"

strace -o /dev/null true 2>/dev/null || { echo 'strace cannot be used here'; exit 77; }
# They make calls of their own, and start processes in another way.
if grep -q __asan_init "$DAGRUN"; then
	echo 'built with sanitizers'
	exit 77
fi

# count N KEYS…: calls of a run of N tasks, in $calls, and which, in the file `which`
count()
{
	local n=$1

	shift
	rm -rf run
	mkdir -p run/trace
	printf 'args a\n  range = 1..%d\n\nmap m\n  each = a\n' "$n" >run/Dagfile
	printf '  %s\n' "$@" >>run/Dagfile
	strace -qq -ff -o run/trace/t "$DAGRUN" -s -j2 -C run >out 2>err || fail "$(cat err)"
	awk '
		FNR == 1 { runner = index($0, "\"-j2\""); over = 0 }
		over || !/^[a-z_0-9]+\(/ { next }
		{ sub(/\(.*/, ""); n[$0]++ }
		$0 == "execve" && !runner { over = 1 }
		END { for (call in n) print n[call], call }
	' run/trace/t.* | sort -rn >which
	calls=$(awk '{ n += $1 } END { print n }' which)
}

# at_most WHAT BOUND KEYS…
at_most()
{
	local what=$1 bound=$2 few

	shift 2
	count 100 "$@"
	few=$calls
	count 300 "$@"
	echo "$what: $((calls - few)) calls for 200 tasks"
	[ $((calls - few)) -le $((200 * bound)) ] || fail "$what: $((calls - few)) calls for 200 tasks; of 300: $(tr '\n' ' ' <which)"
}

case_without_outputs()
{
	at_most 'a task without outputs' 20 'run = /bin/true {arg}'
}

case_with_an_output()
{
	at_most 'a task with an output' 31 'in = Dagfile' 'out = out/{arg}' 'run = cp {in} {out}'
}

cases "$@"
