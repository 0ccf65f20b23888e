#!/bin/bash
# Outputs that are directories: exchanged as a whole, whatever happens at whatever moment.
. "$srcdir/tests/e2e/lib.sh"

# The sanitizer of leaks does not work under strace.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"

directories()
{
	cat >Dagfile <<'E1'
args n
  range = 1..2
map m
  each = n
  out = m/{arg}/
  uses = what
  run = cat what > {out}/file; mkdir {out}/sub; cat what > {out}/sub/$(cat what)
merge all
  each = m
  out = all/
  run = cp -R {in} {out}
E1
	echo a >what
	"$DAGRUN" -s || fail 'the first run'
	echo b >what
}

# Each of the two is of one making.
whole()
{
	local d v

	for d in m/1 m/2; do
		v=$(cat $d/file) || fail "$1: $d is not whole"
		[ "$(ls $d)" = $'file\nsub' ] && [ "$(ls $d/sub)" = "$v" ] || fail "$1: $d is not whole"
	done
}

resumed()
{
	run -s
	[ "$rc" = 0 ] || fail "$1: resumed: exit $rc"
	whole "$1"
	is all/2/sub/b b
	no_leftovers
	run -q
	[ "$rc" = 0 ] || fail "$1: it stays stale"
}

# Killed at each call that gives, takes or removes names.
case_killed()
{
	local call n

	strace -o /dev/null true 2>/dev/null || { echo 'strace cannot be used here'; return 0; }
	for call in renameat2 renameat unlinkat mkdirat; do
		for n in 1 2 3 4 5 6; do
			rm -rf Dagfile what m all .dagrun
			directories
			timeout -s KILL 60 strace -o /dev/null -e "inject=$call:signal=KILL:when=$n" "$DAGRUN" -s -j1 >/dev/null 2>&1 || :
			whole "killed at $call $n"
			resumed "killed at $call $n"
		done
	done
}

# Where the kernel or the file system knows no exchange.
case_no_exchange()
{
	local n

	strace -o /dev/null true 2>/dev/null || { echo 'strace cannot be used here'; return 0; }
	directories
	strace -o /dev/null -e inject=renameat2:error=EINVAL "$DAGRUN" -s -j1 || fail 'without an exchange'
	resumed 'without an exchange'
	# Between the two steps there is nothing; what was made is there all the same.
	for n in 4 5 6 7 8; do
		rm -rf Dagfile what m all .dagrun
		directories
		strace -o /dev/null -e inject=renameat2:error=EINVAL -e "inject=renameat:signal=KILL:when=$n" \
			"$DAGRUN" -s -j1 >/dev/null 2>&1 || :
		resumed "killed at renameat $n without an exchange"
	done
}

cases
