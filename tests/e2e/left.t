#!/bin/bash
# What lies under the temporary name of an output, of a run that nobody knows of any more, is gone before the command starts; also where its
# directory has so many names that it is not listed.
. "$srcdir/tests/e2e/lib.sh"

# tasks COMMAND: three
tasks()
{
	printf 'args a\n  list = 1 2 3\n\nmap m\n  each = a\n  out = out/{arg}\n  run = %s\n' "$1" >Dagfile
}

# left NAMES TASK…: something of these tasks lies in a directory with so many other names
left()
{
	local i
	mkdir out
	tasks 'echo {arg} {out} >>names; exit 1'
	run -s -k
	[ "$(wc -l <names)" = 3 ] || fail "names: $(cat names)"
	rm -r .dagrun
	for ((i = 0; i < $1; i++)); do
		: >"out/other-$i"
	done
	shift
	for i; do
		echo left >"$(sed -n "s/^$i //p" names)"
	done
	tasks 'test ! -e {out} && echo {arg} > {out}'
	run -s
	[ "$rc" = 0 ] || fail 'what was left was there'
	for i in 1 2 3; do
		is "out/$i" "$i"
	done
	! ls -a out | grep '^\.dagrun-' || fail 'it is still there'
}

case_nothing() { left 0; }
case_of_the_first() { left 0 1; }
case_of_another() { left 0 3; }
case_of_all() { left 0 1 2 3; }
case_among_many() { left 200 1 2 3; }

cases "$@"
