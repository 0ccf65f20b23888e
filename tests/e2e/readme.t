#!/bin/bash
# The first page of the README, on the files of examples/moby-dick: its Dagfile is one, and its commands print what it says.
. "$srcdir/tests/e2e/example.sh"

example moby-dick
cp -f "$srcdir/README.md" README.md
awk '/^```$/ { within = !within; next } within && /^# Dagfile$/ { found = 1 } found && within { print } found && !within { exit }' \
	README.md >Dagfile
[ "$(grep -c '^[a-z]' Dagfile)" = 3 ] || fail 'the README has no Dagfile of three blocks'
readme --loose
