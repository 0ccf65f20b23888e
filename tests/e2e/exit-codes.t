#!/bin/bash
# Every exit code of the manual, each with what provokes it.
. "$srcdir/tests/e2e/lib.sh"

good()
{
	echo one >in
	cat >Dagfile <<'E1'
task copy
  in  = ./in
  out = out
  run = note copy; cat {in} > {out}
E1
}

# refused WORDS [ARGUMENT…]: exit 2, before anything runs, and all of the words are said.
refused()
{
	local words=$1
	shift
	run "$@"
	[ "$rc" = 2 ] || fail "exit $rc instead of 2"
	[ -z "$did" ] || fail "ran $did"
	for word in $words; do
		grep -qF -e "$word" "$E" || fail "'$word' is not said"
	done
	[ ! -s "$O" ] || fail 'standard output is for what was asked for'
}

case_0()
{
	good
	ran copy
	ran ''
	ran '' -q
	ran '' -n
	ran '' --version
	says "$O" '^dagrun [0-9]'
	ran '' --help
	says "$O" '--fan-in' '--max-failures'
}

case_1()
{
	good
	run -q
	[ "$rc" = 1 ] || fail '-q when something is stale'
	sed -i 's/note copy/note copy; exit 9/' Dagfile
	run
	[ "$rc" = 1 ] || fail 'a task that failed'
	run -k
	[ "$rc" = 1 ] || fail 'and with -k'
	sed -i 's/exit 9/kill -9 $$/' Dagfile
	run
	[ "$rc" = 1 ] || fail 'one that was killed'
}

case_2_usage()
{
	refused 'Dagfile'
	good
	refused '--no-such-option' --no-such-option
	refused '--fan-in' --fan-in 2
	refused 'nobody' nobody
	refused 'no-such-file' -f no-such-file
	refused 'no-such-directory' -C no-such-directory
	refused '-j' -j0
}

case_2_dagfile()
{
	echo x >in
	cat >Dagfile <<'E1'
merge all
  each   = nobody
  fan_in = 2
  out    = all
  run    = cat {in} > {out}
tsk x
task y
  out = ../y
  run = echo {colour} > {out}
E1
	refused 'Dagfile:3:3 fan-in Dagfile:2: nobody Dagfile:6:1 tsk Dagfile:9: colour ^'
}

case_2_plan()
{
	plan()
	{
		cat >Dagfile
		refused "$@"
	}
	plan 'a b' <<'E1'
task one
  in  = b
  out = a
  run = cp {in} {out}
task two
  in  = a
  out = b
  run = cp {in} {out}
E1
	plan 'one two same' <<'E1'
task one
  out = same
  run = note one touch {out}
task two
  out = ./same
  run = note two touch {out}
E1
	mkdir d
	ln -s d link
	plan 'd/same link/same' <<'E1'
task one
  out = d/same
  run = note one touch {out}
task two
  out = link/same
  run = note two touch {out}
E1
	plan 'missing-1 missing-2' <<'E1'
task one
  in  = missing-1
  out = one
  run = note one cp {in} {out}
task two
  uses = missing-2
  out  = two
  run  = note two touch {out}
task three
  out = three
  run = note three touch {out}
E1
	plan 'no-program' <<'E1'
task one
  out = one
  run = ./no-program > {out}
E1
	: >mine
	plan 'mine' <<'E1'
task one
  in  = mine
  out = mine
  run = note one cp {in} {out}
E1
	plan 'none' <<'E1'
args none
  glob = none/*
map one
  each = none
  out  = one/{name}
  run  = note one cp {in} {out}
E1
	plan '/elsewhere' <<'E1'
args n
  list = /elsewhere/x ../x
map one
  each = n
  out  = {arg}
  run  = note one touch {out}
E1
	plan '..' <<'E1'
args n
  list = x ../x
map one
  each = n
  out  = {arg}
  run  = note one touch {out}
E1
	plan 'in-rows' <<'E1'
args n
  command = echo in-rows >&2; exit 1
map one
  each = n
  run  = note one
E1
	# A directory stands where a file is to be.
	mkdir directory
	plan 'directory' <<'E1'
task one
  out = directory
  run = note one touch {out}
E1
	refused 'directory' -B
	# Outputs that nobody has a record of
	: >there
	plan '1 --adopt -B there' <<'E1'
task one
  out = there
  run = note one touch {out}
E1
}

case_2_unreadable()
{
	good
	chmod 0 in
	unprivileged || { echo 'nobody can be made a user here: not tried'; return 0; }
	refused 'in'
	chmod 600 in
	mkdir d
	sed -i 's|out = out|out = d/out|' Dagfile
	chmod 500 d
	refused 'd'
}

case_3()
{
	good
	ran copy
	cp .dagrun/journal journal

	# Somebody else's file of that name is left alone.
	echo 'Dear diary' >.dagrun/journal
	run
	[ "$rc" = 3 ] && [ -z "$did" ] || fail 'not ours'
	is .dagrun/journal 'Dear diary'

	# So is a newer version's: its number stands behind the 16 bytes of the magic.
	cp journal .dagrun/journal
	printf '\377' | dd of=.dagrun/journal bs=1 seek=16 conv=notrunc 2>/dev/null
	cp .dagrun/journal newer
	run -B
	[ "$rc" = 3 ] && [ -z "$did" ] || fail 'newer'
	says "$E" 'newer'
	cmp newer .dagrun/journal || fail 'a newer journal is left alone'
	cp journal .dagrun/journal
	ran ''

	# A lock that is not given back, as that of a compaction that hangs.
	cat >hold <<'E1'
import fcntl
import struct
import sys
with open('.dagrun/lock', 'r+b') as f:
    fcntl.fcntl(f, fcntl.F_OFD_SETLKW, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 1, 0))
    print('locked', flush=True)
    sys.stdin.readline()
E1
	mkfifo go
	coproc python3 hold
	read -r locked <&"${COPROC[0]}"
	[ "$locked" = locked ] || fail 'the test itself'
	run -B --wait 1
	[ "$rc" = 3 ] && [ -z "$did" ] || fail 'a lock'
	exec 9>&"${COPROC[1]}"
	echo go >&9
	# Waited for as long as that takes: it is given up meanwhile.
	ran copy -B --wait 60
}

# The system refuses: no descriptors; no room for the journal.
case_4()
{
	good
	for n in 4 6 8; do
		rc=0
		(
			# What we were started with, a lock or a make's pool, takes none of them.
			exec >"$O" 2>"$E" 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
			ulimit -n $n
			exec "$DAGRUN"
		) || rc=$?
		cat "$E"
		[ "$rc" = 4 ] || fail "$n descriptors: exit $rc"
		[ -s "$E" ] || fail "$n descriptors: nothing is said"
	done
	[ ! -e out ] || fail 'nothing was made'
	ran copy
	echo more >>in
	said=$(
		rc=0
		(
			ulimit -f 0
			exec "$DAGRUN" 2>&1
		) || rc=$?
		echo "exit $rc"
	)
	echo "$said"
	case $said in *journal*$'\n''exit 4') ;; *) fail 'no room for the journal' ;; esac
	is out one
	ran copy
	is out $'one\nmore'
}

case_signal()
{
	good
	mkfifo said never
	sed -i 's/note copy/echo started > said; read x <> .\/never/' Dagfile
	for sig in INT TERM HUP QUIT; do
		# In the background, bash has its children ignore INT and QUIT.
		python3 -c 'import os, signal, sys
for s in (signal.SIGINT, signal.SIGQUIT):
    signal.signal(s, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$DAGRUN" 2>"$E" &
		read -r started <said
		kill -$sig $!
		rc=0
		wait $! || rc=$?
		[ "$rc" = $((128 + $(kill -l $sig))) ] || fail "$sig: $rc"
		[ ! -e out ] || fail 'an output'
		no_leftovers
	done
}

cases "$@"
