#!/bin/bash
# examples/rounds: the merge by 8 is what a single sort makes; what was read is gone; with keep = yes a file more
# costs its way to the top.
. "$srcdir/tests/e2e/example.sh"

example rounds
readme
sort data/* | cmp - all.txt || fail 'the numbers of 101 files, sorted'
[ "$(wc -l <all.txt)" = 101000 ] || fail 'all of them'
[ -z "$(find sorted .dagrun/parts -type f)" ] || fail 'what was merged is gone'
run -j8
says 'nothing to do (221 up to date)'

cd ..
rm -rf rounds
example rounds
sed -i 's/keep = no/keep = yes/; s/fan-in = 8/&\n  keep = yes/' Dagfile
run -j8
[ "$(ls sorted | wc -l)" = 100 ] || fail 'what was sorted stays'
sed -i s/100/101/ Dagfile
run -j8
says '6 tasks done, 0 failed, 215 up to date'
sort data/* | cmp - all.txt || fail 'one file more, with keep = yes'
