#!/bin/bash
# examples/make: one -j for what make and both dagruns start; what both tables need is made once; each change costs
# what depends on it.
. "$srcdir/tests/e2e/example.sh"

# make finds dagrun.mk, which is not installed here, and dagrun as the README has it.
mkdir bin
PATH=$PWD/bin:${DAGRUN%/*}:$PATH
real=$(command -v make)
printf '#!/bin/sh\nexec "%s" -I "%s/mk" "$@"\n' "$real" "$srcdir" >bin/make
chmod +x bin/make
unset CC

# The README's commands say dagrun and cc, not by which path.
example make
readme
cd ..
rm -rf make

# What make and dagrun start leaves lines in ../ran: + when it begins, - when it ends.
logged()
{
	printf '#!/bin/sh\necho "+ %s" >>"%s/ran"\n%s "$@"\nrc=$?\necho "-" >>"%s/ran"\nexit $rc\n' \
		"$1" "$TMPDIR" "$2" "$TMPDIR"
}
logged tr "$(command -v tr)" >bin/tr
logged report ./report.real >bin/report.logged
chmod +x bin/*

example make
mv report report.real
cp ../bin/report.logged report
logged tally ./tally.real >tally.logged
chmod +x tally.logged
sed -i 's|^\t$(CC).*|\t$(CC) -O2 -o tally.real $< \&\& cp -p tally.logged $@ \&\& touch $@|' Makefile

# makes N WORDS…: make -jN succeeds and has run these programs so often each, and never more than N at once.
makes()
{
	local jobs=$1 rc=0 did
	shift
	: >../ran
	timeout -s KILL 120 make -j"$jobs" >../out 2>&1 || rc=$?
	did=$(awk '$1 == "+" { print $2 }' ../ran | sort | uniq -c | awk '{ printf "%s%s %s", s, $2, $1; s = " " }')
	echo "--- make -j$jobs: $rc, ran: $did"
	cat ../out
	[ $rc = 0 ] || fail "make -j$jobs: $rc"
	[ "$did" = "$*" ] || fail "it ran '$did' instead of '$*'"
	awk -v most="$jobs" '{ n += $1 "1" } n > max { max = n } END { print "most at once: " max + 0; exit max > most }' \
		../ran || fail "more than $jobs at once"
}

makes 3 report 1 tally 22 tr 8
cp report.txt ../report.first
makes 3
echo Whale >>texts/030-chapter.txt
makes 2 report 1 tally 6 tr 1
! cmp -s report.txt ../report.first || fail 'a word more is in the report'
make clean
makes 1 report 1 tally 22 tr 8
rm letters.tsv
makes 3 report 1 tally 1
