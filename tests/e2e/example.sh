# For the tests of examples.
set -eu

fail()
{
	echo "FAILED: $*"
	exit 1
}

# example NAME: what follows is in a copy of it.
example()
{
	cp -R "$srcdir/examples/$1" "$TMPDIR/$1"
	chmod -R u+w "$TMPDIR/$1"
	cd "$TMPDIR/$1"
	rm -rf .dagrun
}

# readme [--loose]: what the README shows is so.
readme()
{
	python3 "$srcdir/tests/e2e/readme.py" "$@" README.md || fail 'the README'
}

# run ARGUMENT…: dagrun, which is to succeed, with what it printed in ../out and ../err.
run()
{
	local rc=0
	timeout -s KILL 120 "$DAGRUN" "$@" >../out 2>../err || rc=$?
	echo "--- dagrun $*: $rc"
	cat ../out ../err
	[ "$rc" = 0 ] || fail "dagrun $*: exit $rc"
}

# says TEXT: dagrun has just said that.
says()
{
	grep -qF -e "$1" ../err || fail "'$1' is not said"
}
