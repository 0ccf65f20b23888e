#!/bin/bash
# mk/dagrun.mk: make asks dagrun every time, and redoes what depends on a file only if the file has changed.
set -eu

fail()
{
	echo "FAILED: $*"
	exit 1
}

cat >Dagfile <<'E1'
args letters
  glob = in/*.txt

map upper
  each = letters
  out  = part/{stem}.up
  run  = tr a-z A-Z < {in} > {out}

merge total
  each   = upper
  fan-in = all
  out    = total.tsv
  run    = cat {in} > {out}

task first
  in  = total
  out = first.tsv
  run = sed -n 1p {in} > {out}
E1

# A default goal before and after: the rule must not become it.
cat >Makefile <<E1
include dagrun.mk
all: report first-report
report: total.tsv ; cp total.tsv report && echo report >> done
first-report: first.tsv ; cp first.tsv first-report && echo first-report >> done
\$(eval \$(call dagrun,Dagfile,total.tsv first.tsv))
E1

export DAGRUN
# run ARGUMENT…: make, with what it redid in \$did and its exit status in \$rc
run()
{
	: >done
	rc=0
	make -I "$srcdir/mk" "$@" >out 2>&1 || rc=$?
	did=$(sort done | tr '\n' ' ')
	echo "--- make $*: $rc, redone: $did"
	cat out
}

mkdir in
echo one >in/1.txt
echo two >in/2.txt

run
[ "$rc" = 0 ] || fail 'the first make'
[ "$did" = 'first-report report ' ] || fail 'the first make makes all'
[ "$(cat report)" = $'ONE\nTWO' ] || fail 'the right content'
[ "$(grep -c -- '-f Dagfile total.tsv first.tsv' out)" = 1 ] || fail 'both targets are made by one run'

run
[ "$rc$did" = 0 ] || fail 'nothing changed, so nothing is redone'
grep -q -- '-f Dagfile' out || fail 'dagrun is asked all the same'
run -j4
[ "$rc$did" = 0 ] || fail 'nothing is redone under -j either'
run -q
[ "$rc$did" = 0 ] || fail '-q: up to date'
run -n
[ "$rc$did" = 0 ] && ! grep -q 'cp total.tsv' out || fail '-n: nothing would be redone'

# The second input reaches total.tsv, but not first.tsv, whose task runs and makes the same again.
echo zwei >in/2.txt
run -n
[ "$rc$did" = 0 ] && [ "$(cat total.tsv)" = $'ONE\nTWO' ] || fail '-n changes nothing'
run -q
[ "$rc" = 1 ] && [ -z "$did" ] && [ "$(cat total.tsv)" = $'ONE\nTWO' ] || fail '-q: stale, and stays so'
run -j4
[ "$rc" = 0 ] || fail 'make after a change'
case $did in *report*) ;; *) fail 'what depends on a changed file is redone' ;; esac
[ "$(cat report)" = $'ONE\nZWEI' ] || fail 'with the new content'
run
[ "$rc$did" = 0 ] || fail 'and is redone once only'

# A file that is gone is made again.
rm total.tsv
run
[ "$rc" = 0 ] && [ -s total.tsv ] || fail 'a lost target is made again'

# -t: taken as done, by dagrun too.
echo drei >in/2.txt
run -t
[ "$rc" = 0 ] && [ "$(cat total.tsv)" = $'ONE\nZWEI' ] || fail '-t runs nothing'
run
[ "$rc$did" = 0 ] || fail 'after -t nothing is to do'

# A failure stops make, and is told by its exit status.
sed -i 's/tr a-z A-Z/false/' Dagfile
run
[ "$rc" = 2 ] && [ -z "$did" ] || fail 'a failed task is a failed rule'
[ -s total.tsv ] || fail 'make does not delete the target'
sed -i 's/false/tr a-z A-Z/' Dagfile

# A Dagfile elsewhere; names are relative to where make runs. One target, blanks around the arguments.
mkdir sub
mv Dagfile in sub
cat >Makefile <<E1
include dagrun.mk
report: sub/total.tsv ; cp sub/total.tsv report && echo report >> done
\$(eval \$(call dagrun, sub/Dagfile, sub/total.tsv))
E1
run
[ "$rc" = 0 ] && [ "$did" = 'report ' ] && [ "$(cat report)" = $'ONE\nDREI' ] || fail 'a Dagfile in a directory'
run
[ "$rc$did" = 0 ] || fail 'nothing to do there either'

# Many rules instead of one, and several Dagfiles; what they make is seen and removed.
mkdir other
cat >other/Dagfile <<'E1'
let word = word

task w
  out = w.txt
  run = echo {word} > {out}
E1
cat >Makefile <<E1
include dagrun.mk
all: report first-report words
report: sub/total.tsv ; cp sub/total.tsv report && echo report >> done
first-report: sub/first.tsv ; cp sub/first.tsv first-report && echo first-report >> done
words: other/w.txt ; cp other/w.txt words && echo words >> done
\$(eval \$(call dagrun,sub/Dagfile,sub/total.tsv))
\$(eval \$(call dagrun,sub/Dagfile,sub/first.tsv))
\$(eval \$(call dagrun,other/Dagfile,other/w.txt))
clean: dagrun-clean ; rm -f report first-report words
E1
rm -f sub/total.tsv sub/first.tsv sub/part/*
run -j4
[ "$rc" = 0 ] && [ "$(cat words)" = word ] && [ "$(cat first-report)" = ONE ] || fail 'many rules'
run -j4
[ "$rc$did" = 0 ] || fail 'many rules: nothing to do'

run -s dagrun-graph DAGRUN_GRAPH=dot
[ "$rc$did" = 0 ] && [ "$(grep -c '^digraph' out)" = 2 ] || fail 'dagrun-graph shows both'
run dagrun-graph
[ "$rc$did" = 0 ] && grep -q total.tsv out || fail 'dagrun-graph without a format'
run -n clean
[ "$rc" = 0 ] && [ -s sub/total.tsv ] && [ -s report ] || fail 'make -n clean removes nothing'
run clean
[ "$rc" = 0 ] && [ ! -e sub/total.tsv ] && [ ! -e sub/first.tsv ] && [ ! -e other/w.txt ] && [ ! -e report ] || fail clean
[ -e sub/in/1.txt ] && [ -e sub/Dagfile ] || fail 'clean leaves what nobody made'
run -j4
[ "$rc" = 0 ] && [ "$did" = 'first-report report words ' ] || fail 'after clean all is made again'
run -B other/w.txt DAGRUNFLAGS=word=else
[ "$rc" = 0 ] && [ "$(cat other/w.txt)" = else ] || fail DAGRUNFLAGS
