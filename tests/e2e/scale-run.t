#!/bin/bash
# 10^5 tasks run with 64 slots: takes a minute or more, so it is `make check-scale` that runs it.
set -eu

fail()
{
	echo "FAILED: $*"
	exit 1
}

n=100000
printf 'args a\n  range = 1..%d\n\nmap m\n  each = a\n  run = /bin/true {arg}\n' "$n" >Dagfile
"$DAGRUN" -s -j64 || fail "dagrun has ended with $?"
"$DAGRUN" 2>&1 | grep -q "$n up to date" || fail 'they are not all up to date'
"$DAGRUN" -q || fail "dagrun -q has ended with $?"
