#!/bin/bash
# A run: targets, stages of every kind, what a task gets and what it prints.
. "$srcdir/tests/e2e/lib.sh"

case_targets()
{
	letters
	ran 'up-b' up/b
	ran 'up-a' ./up/a
	ran 'up-c up-d' up
	ran 'merge merge merge' all
	ran '' all up/d
	ran 'last'
	rm last
	ran 'last' "$PWD/../${PWD##*/}//./last"
	run -n --explain="$PWD/last"
	says "$O" '^last: up to date'
	run --log "$PWD/last"
	[ "$rc" = 0 ] || fail '--log of an absolute path'
	ln -s "$PWD" "../${PWD##*/}.link"
	rm last
	(mkdir -p sub && cd sub && ran 'last' -C .. "${PWD%/sub}.link/last" "${PWD%/sub}/up/a")
	rm last
	run "/${PWD##*/}/last"
	[ "$rc" = 2 ] || fail 'an absolute path elsewhere'
	sed "s|out *= last|out = $PWD/last|" Dagfile >other
	grep -q "$PWD/last" other || fail 'no such line'
	ran 'last' -f other "$PWD/last"
	rm last
	run nobody
	[ "$rc" = 2 ] && [ -z "$did" ] || fail 'a target that nobody makes'
	says "$E" nobody
	mkdir -p sub
	(cd sub && ran 'last' -C ..)
	rm last
	(cd sub && ran 'last' -f ../Dagfile ../last)
	rm last
	mv Dagfile other
	ran 'last' -f other
	ran '' -f - <other
	run
	[ "$rc" = 2 ] || fail 'no Dagfile'
	sed '$adefault all' other >Dagfile
	rm last all
	ran 'merge'
	[ ! -e last ] || fail 'default is all that is made'
}

case_several_outputs_and_includes()
{
	mkdir in
	echo a >in/a
	echo b >in/b
	echo 'include rest/more' >Dagfile
	mkdir rest
	cat >rest/more <<'E1'
args files
  glob = in/*
map split
  each      = files
  out       = out/{name}.text
  out.count = out/{name}.count
  run       =
    note split-{in.name}
    cat {in} > {out}
    wc -c < {in} > {out.count}
map pairs
  each     = split
  in.text  = out/{arg.name}.text
  in.count = out/{arg.name}.count
  out      = out/{arg.name}.pair
  run      = note pair cat {in.count} {in.text} > {out}
task both
  in.text  = split
  in.pairs = pairs
  out      = both
  run      = note both; cat {in.text} {in.pairs} > {out}
E1
	ran 'both pair pair split-a split-b'
	is both $'a\nb\n2\na\n2\nb'
	rm out/a.count
	ran 'split-a' out/a.text
	[ -e out/a.count ] || fail 'all that is declared is made'
	run
	[ "$rc" = 0 ] || fail 'what depends on it'
	echo longer >in/b
	ran 'both pair split-b'
	is both $'a\nlonger\n2\na\n7\nlonger'
	ran ''
}

# Two tasks that print in turns; each is shown in one piece.
case_a_task_at_a_time()
{
	mkfifo to-a to-b
	cat >Dagfile <<'E1'
task a
  run =
    exec 3<> to-a 4<> to-b
    for i in 1 2 3; do echo a$i; echo err-a$i >&2; echo go >&4; read x <&3; done
task b
  run =
    exec 3<> to-a 4<> to-b
    for i in 1 2 3; do read x <&4; echo b$i; echo err-b$i >&2; echo go >&3; done
E1
	ran '' -j2
	case $(cat "$O") in
	$'a1\na2\na3\nb1\nb2\nb3' | $'b1\nb2\nb3\na1\na2\na3') ;;
	*) fail 'standard output: a task at a time, and nothing else' ;;
	esac
	case $(grep '^err-' "$E") in
	$'err-a1\nerr-a2\nerr-a3\nerr-b1\nerr-b2\nerr-b3') ;;
	$'err-b1\nerr-b2\nerr-b3\nerr-a1\nerr-a2\nerr-a3') ;;
	*) fail 'standard error: a task at a time' ;;
	esac
}

# Much output, and the last of it without a newline.
case_large_output()
{
	cat >Dagfile <<'E1'
task large
  run = seq 200000; printf end
E1
	ran ''
	{ seq 200000; printf end; } | cmp - "$O" || fail 'all of it is shown'
}

case_private_directory()
{
	cat >Dagfile <<'E1'
task good
  out = good
  run =
    echo {tmp} > {out}
    [ -d {tmp} ]
    [ {tmp} -ef "$TMPDIR" ]
    mkdir -p {tmp}/deep/er; touch {tmp}/deep/er/file "$TMPDIR/file"; chmod 500 {tmp}/deep
task bad
  run = echo {tmp} > bad-dir; touch {tmp}/file; exit 1
task elsewhere
  run = cd / && touch "$TMPDIR/x"
E1
	run -k
	[ "$rc" = 1 ] || fail 'one fails'
	says "$E" '^FAIL bad'
	[ -e good ] || fail 'good'
	[ ! -e "$(cat good)" ] && [ ! -e "$(cat bad-dir)" ] || fail 'gone afterwards'
	no_leftovers
}

# Its end is its exit, not its pipe's.
case_daemon()
{
	cat >Dagfile <<'E1'
task daemon
  out = pid
  run =
    sleep 60 &
    echo $! > {out}
    echo started
E1
	SECONDS=0
	ran ''
	[ "$SECONDS" -lt 20 ] || fail 'it waited for the daemon'
	is "$O" started
	kill "$(cat pid)" 2>/dev/null || :
}

case_what_a_task_gets()
{
	cat >Dagfile <<'E1'
task stdin
  out = stdin
  run = cat > {out}
task append
  out = append
  run = note append env echo more >> {out}
E1
	echo input | ran 'append'
	[ -e stdin ] && [ ! -s stdin ] || fail 'standard input is empty'
	is append more
	ran 'append' -B append
	is append more
}

# Started with standard descriptors closed, it takes none of its files for them.
case_closed_descriptors()
{
	letters
	echo 'task speaks' >>Dagfile
	echo '  run = echo to out; echo to err >&2' >>Dagfile
	: >"$LOG"
	rc=0
	"$DAGRUN" -j2 <&- >&- 2>&- || rc=$?
	[ "$rc" = 0 ] || fail "exit $rc"
	[ "$(sort "$LOG" | tr '\n' ' ')" = "$everything " ] || fail 'what ran'
	is last $'TEXT A\nTEXT B\nTEXT C\nTEXT D\n.!'
	! grep -q 'to out\|to err' last all words .dagrun/journal || fail 'a file was taken for standard output'
	ran ''
	says "$E" 'nothing to do'
}

case_full_output()
{
	[ -c /dev/full ] || { echo 'no /dev/full'; return; }
	letters
	rc=0
	"$DAGRUN" -n >/dev/full || rc=$?
	[ "$rc" = 4 ] || fail "what was asked for could not be written: exit $rc"
	# What tasks print is theirs, and made is made.
	echo 'task speaks' >>Dagfile
	echo '  run = echo to out' >>Dagfile
	"$DAGRUN" >/dev/full || fail 'nobody listens to a task'
	ran ''
}

case_log()
{
	cat >Dagfile <<'E1'
task good
  run = echo said by good
task bad
  run = echo said by bad >&2; exit 1
E1
	run -k
	[ "$rc" = 1 ] || fail 'one fails'
	cat .dagrun/log* .dagrun/log/* >log 2>/dev/null || :
	says log 'said by good' 'said by bad'
}

# One input is put through the command all the same; three are merged at once.
case_merges()
{
	mkdir in
	cat >Dagfile <<'E1'
args f
  glob = in/*
map each
  each = f
  out  = deep/er/{name}
  run  = cat {in} > {out}
merge by-2
  each = each
  out  = by-2
  run  = note by-2; cat {in} | sed 's/$/./' > {out}
merge by-3
  each   = each
  fan-in = 3
  out    = by-3
  run    = note by-3; cat {in} | sed 's/$/./' > {out}
merge by-all
  each   = each
  fan-in = all
  out    = by-all
  run    = note by-all; cat {in} | sed 's/$/./' > {out}
E1
	run
	[ "$rc" = 2 ] || fail 'no rows'
	echo a >in/a
	ran 'by-2 by-3 by-all'
	is by-2 a.
	is by-3 a.
	is by-all a.
	for i in b c d e; do
		echo $i >in/$i
	done
	ran 'by-2 by-2 by-2 by-2 by-3 by-3 by-3 by-all'
	is by-2 $'a...\nb...\nc..\nd..\ne..'
	is by-3 $'a..\nb..\nc..\nd..\ne..'
	is by-all $'a.\nb.\nc.\nd.\ne.'
	ran ''
}

case_graph()
{
	letters
	ran '' --graph=dot
	if command -v dot >/dev/null; then
		dot -Tsvg <"$O" >"$O.svg" || fail 'dot cannot read it'
	fi
	says "$O" 'digraph' 'last'
	ran '' --graph=text
	says "$O" 'up' 'all' 'last'
	[ "$(ls -A)" = $'Dagfile\nin\nwords' ] || fail 'a look leaves nothing'
	ran "$everything"
	ran '' --graph=text
	ran '' --graph=dot --full
}

case_odd_directory()
{
	mkdir $'it\'s an "odd"\n*$HOME'
	cd it*
	letters
	ran "$everything"
	is last $'TEXT A\nTEXT B\nTEXT C\nTEXT D\n.!'
	cat >>Dagfile <<'E1'
task private
  out = private
  run = note private; echo x > {tmp}/x; echo y > "$TMPDIR/y"; cat {tmp}/y "$TMPDIR/x" > {out}
E1
	ran private
	is private $'y\nx'
	cd ..
	ran "${everything/up-a/private up-a}" -B -C it*
	ran '' -f it*/Dagfile
}

# On a terminal there are colours, but for those who want none.
case_colour()
{
	# A bare chroot has no terminals to give.
	script -qec true /dev/null </dev/null >/dev/null 2>&1 || { echo 'no terminal can be had here'; return 0; }
	cat >Dagfile <<'E1'
task one
  out = one
  run = echo 1 > {out}
E1
	NO_COLOR='' TERM=xterm script -qec "$DAGRUN --graph" /dev/null </dev/null >"$O"
	grep -q $'\033\\[[0-9]*m' "$O" || fail 'colours on a terminal'
	NO_COLOR=1 TERM=xterm script -qec "$DAGRUN --graph" /dev/null </dev/null >"$O"
	! grep -q $'\033\\[' "$O" || fail 'NO_COLOR'
	NO_COLOR='' TERM=dumb script -qec "$DAGRUN --graph" /dev/null </dev/null >"$O"
	! grep -q $'\033\\[' "$O" || fail 'TERM=dumb'
}

case_closed_pipe()
{
	# Who stops reading ends it, without a word.
	set +o pipefail
	"$DAGRUN" -n --map 'echo {arg}' --each range:1..99999 2>"$E" | sed -n 1q
	[ ! -s "$E" ] || fail 'a pipe that nobody reads'
}

cases "$@"
