#!/bin/bash
# What the system can refuse, by its own means: a clear word, the right status, nothing lost, and a plain rerun does.
. "$srcdir/tests/e2e/lib.sh"

# small SIZE FILES: a file system of that size, here. Not everybody may mount one.
small()
{
	mkdir small
	if ! mount -t tmpfs -o "size=$1,nr_inodes=$2" none small 2>/dev/null; then
		echo "no file system can be mounted here: not tried"
		return 1
	fi
	trap "cd '$top'; umount -l '$PWD/small'" EXIT
	cd small
}

nothing_partial()
{
	local f
	for f; do
		[ ! -e "$f" ] || fail "part of $f shows"
	done
	[ -z "$(find . -name '.dagrun-*')" ] || fail "left behind: $(find . -name '.dagrun-*')"
}

case_no_space()
{
	small 64k 64 || return 0
	cat >Dagfile <<'E1'
task fits
  out = fits
  run = note fits echo fits > {out}
task big
  in  = fits
  out = dir/big
  run = note big head -c 1000000 /dev/zero > {out}
E1
	run
	[ "$rc" = 1 ] && [ "$did" = 'big fits' ] || fail "exit $rc, ran $did"
	says "$E" "^FAIL dir/big: exit 1; the file system .*/no_space/small is full"
	nothing_partial dir/big
	sed -i s/1000000/1000/ Dagfile
	ran 'big'
	ran ''
}

case_no_inodes()
{
	small 1m 24 || return 0
	cat >Dagfile <<'E1'
args n
  range = 1..20
map many
  each = n
  out  = out/{arg}
  run  = note {arg} touch {out}
E1
	run -j1
	[ "$rc" = 1 ] || fail "exit $rc"
	says "$E" "the file system .*/no_inodes/small is full"
	nothing_partial
	made=$(ls out | wc -l)
	[ "$made" -ge 1 ] || fail 'some have room'
	sed -i s/1..20/1..2/ Dagfile
	ran ''
}

# The journal has no room: what ran waits under its other name for a run that can write.
case_no_space_for_the_journal()
{
	small 64k 64 || return 0
	cat >Dagfile <<'E1'
task first
  out = first
  run = note first echo first > {out}
task second
  in  = first
  out = second
  run = note second; echo second > {out}; head -c 1000000 /dev/zero > fill
task third
  in  = second
  out = third
  run = note third cp {in} {out}
E1
	sed -i 's/> fill/> fill || :/' Dagfile
	# Longer than what is left of the block that the journal ends in.
	printf 'env.LONG = %05000d\n' 0 >>Dagfile
	sed -i 's/^  in  = second$/&\n  uses = '"$(printf 'x%.0s' $(seq 200))"'/' Dagfile
	: >"$(printf 'x%.0s' $(seq 200))"
	run
	case $rc in
	4) says "$E" 'journal.*No space left' ;;
	1) ;; # its last block had room enough
	0) ;;
	*) fail "exit $rc" ;;
	esac
	is first first
	rm fill
	sed -i 's/head -c 1000000/head -c 1/' Dagfile
	run
	[ "$rc" = 0 ] || fail "a plain rerun: exit $rc"
	case " $did " in *' first '*) fail 'what was recorded is done' ;; esac
	is third second
	ran ''
	nothing_partial
}

# Once a record cannot be written nothing new is started, exit 4, and what was recorded before is.
case_journal_cannot_grow()
{
	# The second one's record is longer than files may be.
	long=$(printf 'x%.0s' $(seq 200))
	for i in 0 1 2 3 4 5 6 7 8 9; do
		: >"$i$long"
	done
	cat >Dagfile <<E1
task first
  out = first
  run = note first echo first > {out}
task second
  in   = first
  uses = [0-9]x*
  out  = second
  run  = note second cp {in} {out}
task third
  out = third
  run = note third echo third > {out}
task behind
  in  = second
  out = behind
  run = note behind cp {in} {out}
E1
	uses=$(printf "%s$long " 0 1 2 3 4 5 6 7 8 9)
	sed -i "s/\[0-9\]x\*/$uses/" Dagfile
	rc=0
	: >"$LOG"
	(ulimit -f 2 && exec timeout -s KILL 60 "$DAGRUN" -j1 >"$O" 2>"$E") || rc=$?
	cat "$E" "$LOG"
	[ "$rc" = 4 ] || fail "exit $rc"
	says "$E" 'write .dagrun/journal: File too large'
	[ "$(tr '\n' ' ' <"$LOG")" = 'first second ' ] || fail 'the one whose record it is is the last that starts'
	is first first
	[ ! -e second ] || fail 'it has its name and no record'
	run -j1
	[ "$rc" = 0 ] || fail "a plain rerun: exit $rc"
	[ "$did" = 'behind second third' ] || fail "a plain rerun makes $did"
	ran ''
	nothing_partial
}

# However much a task prints, in lines or in none, and whatever becomes of it then.
case_prints_much()
{
	cat >Dagfile <<'E1'
task lines
  out = lines
  run =
    head -c 30000000 /dev/zero | tr '\0' '\n'
    touch {out}
task line
  out = line
  run =
    head -c 30000000 /dev/zero | tr '\0' x
    touch {out}
task fails
  out = fails
  run =
    head -c 30000000 /dev/zero | tr '\0' x
    exit 3
E1
	python3 - "$DAGRUN" <<'E1' || fail 'memory'
import os
import resource
import subprocess
import sys

rc = subprocess.call([sys.argv[1], '-j3', '-k'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
with open(sys.argv[1], 'rb') as f:
    small = b'__asan_init' not in f.read()
print('exit %d, at most %d kB' % (rc, most))
sys.exit(rc != 1 or (small and most > 20000))
E1
	[ -e lines ] && [ -e line ] && [ ! -e fails ] || fail 'what is made'
	nothing_partial
}

# Few descriptors: fewer run at a time.
case_few_descriptors()
{
	cat >Dagfile <<'E1'
args n
  range = 1..30
map many
  each = n
  out  = out/{arg}
  run  = note {arg} echo {arg} > {out}
E1
	rc=0
	(ulimit -n 32 && exec timeout -s KILL 60 "$DAGRUN" -j16 >"$O" 2>"$E") || rc=$?
	cat "$E"
	[ "$rc" = 0 ] || fail "exit $rc"
	[ "$(ls out | wc -l)" = 30 ] || fail 'all of them'
	nothing_partial
	ran ''
}

# As long as a descriptor is there for what each task prints, all that may run at once do: each waits until all have begun.
case_descriptors_for_all()
{
	cat >Dagfile <<'E1'
args n
  range = 1..99
task go
  run = sh -c 'for i in $(seq 99); do read -r x; done <>begun; for i in $(seq 99); do echo; done >go'
map many
  each = n
  run  = sh -c 'echo >begun; exec <>go; read -r x'
E1
	mkfifo begun go
	rc=0
	(
		exec >"$O" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
		ulimit -n 150
		exec timeout -s KILL 60 "$DAGRUN" -j100
	) || rc=$?
	cat "$O"
	[ "$rc" = 0 ] || fail "exit $rc"
}

# Said once: the journal is written anew, without what is damaged.
case_damaged_journal()
{
	local at size
	for i in 1 2 3 4 5 6; do
		printf 'task t%s\n  out = out/%s\n  run = note %s touch {out}\n' $i $i $i
	done >Dagfile
	ran '1 2 3 4 5 6'
	size=$(stat -c %s .dagrun/journal)
	at=$((size / 2))
	printf 'damage' | dd of=.dagrun/journal bs=1 seek=$at conv=notrunc 2>/dev/null
	# Who only looks leaves it as it is.
	cp .dagrun/journal before
	run -n
	cmp before .dagrun/journal || fail 'a dry run changed the journal'
	run -B
	[ "$rc" = 0 ] || fail "exit $rc"
	says "$E" 'bytes? of the journal'
	ran ''
	! grep -q 'of the journal' "$E" || fail 'it is said once more'
	# The same where there is nothing to do: what has no beginning costs nothing.
	printf 'damage' >>.dagrun/journal
	ran ''
	says "$E" '6 bytes of the journal'
	ran ''
	! grep -q 'of the journal' "$E" || fail 'it is said once more'
}

# Few processes: fewer run at a time, down to one beside us and the guardian, without threads; and where there is not even one for a task,
# that is said.
case_few_processes()
{
	cat >Dagfile <<'E1'
args n
  range = 1..30
map many
  each = n
  out  = out/{arg}
  run  = touch {out}
E1
	local room
	for room in 8 4 3; do
		unprivileged $room || { echo 'who has other processes, too, cannot tell how many there may be: not tried'; return 0; }
		run -j16
		[ "$rc" = 0 ] || fail "exit $rc with room for $room"
		[ "$(ls out | wc -l)" = 30 ] || fail 'all of them'
		nothing_partial
		ran ''
		rm -r out .dagrun
	done
	unprivileged 1
	# Who looks for leaks needs a process for that.
	export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
	run -j16
	[ "$rc" = 4 ] || fail "none can be started: exit $rc"
	says "$E" 'Resource temporarily unavailable'
	[ ! -e out/1 ] || fail 'nothing was made'
	nothing_partial
}

# A limit on the size of files is the task's to hit.
case_file_size()
{
	cat >Dagfile <<'E1'
task big
  out = big
  run = note big head -c 10000000 /dev/zero > {out}
E1
	rc=0
	(ulimit -f 1000 && exec timeout -s KILL 60 "$DAGRUN" >"$O" 2>"$E") || rc=$?
	cat "$E"
	[ "$rc" = 1 ] || fail "exit $rc"
	says "$E" '^FAIL big: '
	nothing_partial big
	ran big
}

# Names as long as a name can be.
case_long_names()
{
	name=$(printf 'n%.0s' $(seq 255))
	cat >Dagfile <<E1
args n
  list = $name
map long
  each = n
  out  = out/{arg}
  run  = note long echo {arg} > {out}
map longer
  each = long
  out  = again/{name}
  run  = note longer cp {in} {out}
E1
	ran 'long longer'
	is "again/$name" "$name"
	sed -i 's/note long echo/note long printf "%s\\n"/' Dagfile
	ran 'long'
	ran ''
	nothing_partial
	sed -i "s/list = n/list = nn/" Dagfile
	run
	[ "$rc" != 0 ] || fail 'one byte more is too long'
	says "$E" 'has a name of more than 255 bytes'
}

# What may not be written to or read is said before anything runs, all of it.
case_permissions()
{
	mkdir in no
	echo a >in/a
	echo b >in/b
	cat >Dagfile <<'E1'
args files
  glob = in/*
map copy
  each = files
  out  = no/{name}
  run  = note copy cp {in} {out}
E1
	chmod 0 in/a in/b
	chmod 555 no
	unprivileged || { echo 'nobody can be made a user here: not tried'; return 0; }
	run
	[ "$rc" = 2 ] && [ -z "$did" ] || fail "exit $rc, ran $did"
	says "$E" "in/a' cannot be read" "in/b' cannot be read" "no/.*cannot be written"
	chmod 644 in/a in/b
	chmod 755 no
	ran 'copy copy'
}

cases "$@"
