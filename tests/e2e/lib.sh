# For tests that are a list of cases: functions called case_NAME, each run by `cases` in a directory of its own
# and on its own, so that one that fails hides no other. Arguments of the test, if any, choose cases.
set -eu

top=$PWD
mkdir "$top/bin"
PATH=$top/bin:$PATH

# note WORD COMMAND…: leaves the word in the case's log, then is the command. Found by PATH, so no stage depends
# on it by itself.
cat >"$top/bin/note" <<'E1'
#!/bin/sh
printf '%s\n' "$1" >>"$LOG"
shift
[ $# = 0 ] || exec "$@"
E1
chmod +x "$top/bin/note"

fail()
{
	echo "FAILED: $case: $*"
	exit 1
}

# run ARGUMENT…: dagrun, with what the tasks left in the log (sorted) in $did, its status in $rc, what it printed
# in $O and $E. A run that takes long hangs.
run()
{
	: >"$LOG"
	rc=0
	timeout -s KILL 60 "$DAGRUN" "$@" >"$O" 2>"$E" || rc=$?
	did=$(sort "$LOG" | tr '\n' ' ')
	did=${did% }
	echo "--- dagrun $*: $rc, ran: $did"
	cat "$O" "$E"
}

# ran WORDS [ARGUMENT…]: dagrun succeeds, and just these tasks run, in whatever order.
ran()
{
	local want=$1
	shift
	run "$@"
	[ "$rc" = 0 ] || fail "dagrun $*: exit $rc"
	[ "$did" = "$want" ] || fail "dagrun $*: ran '$did' instead of '$want'"
}

# is FILE TEXT
is()
{
	[ -e "$1" ] || fail "$1 is not there"
	[ "$(cat "$1")" = "$2" ] || fail "$1: '$(cat "$1")' instead of '$2'"
}

# says FILE PATTERN…: each (an extended regular expression) stands in a line of the file.
says()
{
	local file=$1 pattern
	shift
	for pattern; do
		grep -Eq -e "$pattern" "$file" || fail "'$pattern' is not said"
	done
}

# Nothing of a run that has ended may stand beside its outputs or in the state but what is to stay.
no_leftovers()
{
	local left
	left=$(find . -name '.dagrun-*')
	[ -z "$left" ] || fail "left behind: $left"
	[ ! -d .dagrun/tmp ] || [ -z "$(ls -A .dagrun/tmp)" ] || fail "left behind: $(find .dagrun/tmp)"
}

# unprivileged [N]: from here on dagrun is run by one whom the system refuses what it refuses users, in the case's directory, which is his; with
# N: and no more processes and threads at once. The superuser becomes a user that has no others; anybody else is such a user, and
# has others. False: that cannot be done here.
unprivileged()
{
	local uid=$((50000 + $$ % 10000))

	[ "$(id -u)" = 0 ] || { [ $# = 0 ]; return; }
	cat >"$top/bin/as-user" <<'E1'
#!/usr/bin/env python3
import os, resource, sys
uid, limit = map(int, sys.argv[1:3])
os.setgroups([])
os.setgid(uid)
os.setuid(uid)
if limit:
    resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
os.execv(sys.argv[3], sys.argv[3:])
E1
	chmod 755 "$top/bin/as-user"
	chmod 711 "$top"
	chown -R "$uid" . 2>/dev/null || return 1
	"$top/bin/as-user" "$uid" 0 /bin/sh -c 'cd "$1" && : >try && rm try' sh "$PWD" 2>/dev/null || return 1
	[ -e "$top/bin/dagrun" ] || cp "$DAGRUN" "$top/bin/dagrun" || return 1
	: >"$LOG"
	chmod 666 "$LOG"
	mkdir -p "$top/tmp"
	chmod 1777 "$top/tmp"
	export TMPDIR=$top/tmp HOME=$top/tmp
	printf '#!/bin/sh\nexec "%s" %s "$@"\n' "$top/bin/as-user" "$uid ${1:-0} $top/bin/dagrun" >"$top/bin/dagrun-$uid-${1:-0}"
	chmod 755 "$top/bin/dagrun-$uid-${1:-0}"
	DAGRUN=$top/bin/dagrun-$uid-${1:-0}
}

# A job: four files, each in capitals, two merged at a time, and a task on the whole.
letters()
{
	mkdir in
	for i in a b c d; do
		echo "text $i" >in/$i.txt
	done
	cat >Dagfile <<'E1'
let suffix = !
args texts
  glob = in/*.txt

map up
  each = texts
  out  = up/{stem}
  uses = words
  run  = note up-{in.stem} tr a-z A-Z < {in} > {out}

merge all
  each = up
  keep = yes
  out  = all
  run  = note merge cat {in} > {out}

task last
  in         = all
  out        = last
  env.ENDING = .
  run        =
    note last
    { cat {in}; echo "$ENDING"{suffix}; } > {out}
E1
	echo words >words
	everything='last merge merge merge up-a up-b up-c up-d'
}

cases()
{
	local name rc bad=0
	for name in $(compgen -A function case_); do
		case=${name#case_}
		case " $* " in '  ' | *" $case "*) ;; *) continue ;; esac
		mkdir "$top/$case"
		cd "$top/$case"
		LOG=$top/$case.log O=$top/$case.out E=$top/$case.err
		export LOG
		set +e
		(set -e; "$name") >"$top/$case.said" 2>&1
		rc=$?
		set -e
		if [ "$rc" = 0 ]; then
			echo "ok: $case"
		else
			bad=1
			cat "$top/$case.said"
			echo "FAILED: $case ($rc)"
		fi
	done
	exit $bad
}
