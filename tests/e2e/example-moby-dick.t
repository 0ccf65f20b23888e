#!/bin/bash
# examples/moby-dick: the table is the one that coreutils make; done work is not done again; a changed chapter
# costs what depends on it.
set -eu

fail()
{
	echo "FAILED: $*"
	exit 1
}

cp -R "$srcdir/examples/moby-dick" book
chmod -R u+w book
cd book
rm -rf .dagrun counts total.tsv

# Each task leaves a line in ../runs: its own count of what ran, whatever dagrun says.
for program in count-words add-counts; do
	mv "$program" "$program.real"
	printf '#!/bin/sh\necho %s >>%s/runs\nexec ./%s.real "$@"\n' "$program" "$TMPDIR" "$program" >"$program"
	chmod +x "$program"
done

# run ARGUMENT…: dagrun, with how many programs of either kind it ran in $counted and $added
run()
{
	: >"$TMPDIR/runs"
	rc=0
	"$DAGRUN" "$@" >"$TMPDIR/out" 2>"$TMPDIR/err" || rc=$?
	counted=$(grep -c count-words "$TMPDIR/runs" || :)
	added=$(grep -c add-counts "$TMPDIR/runs" || :)
	echo "--- dagrun $*: $rc, counted $counted, added $added"
	cat "$TMPDIR/out" "$TMPDIR/err"
	[ "$rc" = 0 ] || fail "dagrun $*"
}

same_as_coreutils()
{
	cat texts/* | tr -cs A-Za-z '\n' | tr A-Z a-z | grep . | sort | uniq -c | awk '{ print $2 "\t" $1 }' |
		cmp - total.tsv || fail "$1"
}

run -j4 top
[ "$counted" = 138 ] && [ "$added" = 137 ] || fail 'a map over 138 files and 137 merges'
same_as_coreutils 'the table is the one that coreutils make'
[ "$(sed -n 1p "$TMPDIR/out")" = $'the\t14430' ] || fail 'the task prints the most frequent word first'
[ "$(ls counts | wc -l)" = 138 ] || fail 'the counts of the chapters stay'

run -j4 top
[ "$counted$added" = 00 ] || fail 'a second run does nothing'
! grep -q . "$TMPDIR/out" || fail 'nor is the top printed again'
run -q top

echo 'The whale, the whale!' >>texts/042-chapter.txt
run -j4 top
[ "$counted" = 1 ] || fail 'one chapter is counted again'
[ "$added" -ge 1 ] && [ "$added" -le 8 ] || fail 'at most the merges on its way to the top'
same_as_coreutils 'the table after a change'

# A word less in the middle, a chapter less at the end.
sed -i 's/whale//' texts/001-chapter.txt
rm texts/136-epilogue.txt
run -j4 top
[ "$counted" = 1 ] || fail 'a chapter less is not a chapter to count'
same_as_coreutils 'the table after a chapter has gone'

# The program is an input like any other.
echo '# nothing' >>add-counts
run -j4 top
[ "$counted" = 0 ] && [ "$added" = 136 ] || fail 'a changed program is run again on everything'
same_as_coreutils 'the table of the changed program'

# The demo, in a directory of its own, twice.
cd ..
for time in first second; do
	DAGRUN=$DAGRUN "$srcdir/examples/moby-dick/demo" "$TMPDIR/demo" >demo.$time 2>&1 || fail "the $time demo"
	cat demo.$time
	grep -q 'nothing is left to do' demo.$time || fail 'the demo tells what it does'
	[ "$(grep -c '^the	' demo.$time)" = $([ $time = first ] && echo 2 || echo 1) ] ||
		fail "the $time demo prints the top words when they are made"
done
