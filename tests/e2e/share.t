#!/bin/bash
# Others that work in the same directory: who is waited for, and what happens where nobody can be told of.
. "$srcdir/tests/e2e/lib.sh"

case_waits_and_says_for_whom()
{
	cat >Dagfile <<'E1'
task slow
  out = slow
  run =
    echo started >begun
    read -r line <go
    note slow
    echo slow > {out}
task next
  in  = slow
  out = next
  run = note next cp {in} {out}
E1
	mkfifo go begun waits
	: >"$LOG"
	exec 8<>waits
	"$DAGRUN" slow 2>first &
	first=$!
	read -r line <begun
	"$DAGRUN" 2>&8 &
	second=$!
	# Until it is said.
	until [[ $line == *"waiting for another dagrun (process $first), which makes slow" ]]; do
		read -r line <&8
	done
	echo now >go
	wait $first || fail "the first: $(cat first)"
	wait $second || fail 'the second'
	[ "$(sort "$LOG" | tr '\n' ' ')" = 'next slow ' ] || fail "made: $(cat "$LOG")"
	is next slow
}

case_without_locks()
{
	"$builddir/tests/no-locks" /bin/true || exit 0 # cannot be had here
	letters
	real=$DAGRUN
	printf '#!/bin/sh\nexec "%s/tests/no-locks" "%s" "$@"\n' "$builddir" "$real" >"$top/bin/unlocked"
	chmod +x "$top/bin/unlocked"
	DAGRUN=$top/bin/unlocked
	ran "$everything"
	says "$E" 'the file system of .dagrun knows no locks: no other dagrun may run here at the same time'
	echo "other b" >in/b.txt
	ran 'last merge merge up-b'
	ran ''
	DAGRUN=$real
	ran ''
	no_leftovers
}

cases "$@"
