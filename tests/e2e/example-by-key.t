#!/bin/bash
# examples/by-key: for each sample the counts of its lanes, and of no others.
. "$srcdir/tests/e2e/example.sh"

# triplets FILE…: what the scripts count, counted by others
triplets()
{
	python3 - "$@" <<'E2'
import collections
import sys

n = collections.Counter()
for name in sys.argv[1:]:
    for line in open(name):
        line = line.strip()
        n.update(line[i:i + 3] for i in range(len(line) - 2))
for t in sorted(n):
    print('%s\t%d' % (t, n[t]))
E2
}

# same: each sample's table is right, and each has one
same()
{
	local sample
	[ "$(ls samples)" = "$(printf '%s\n' "D'Arcy & co.tsv" ash.tsv beech.tsv elm.tsv)" ] || fail 'a table a sample'
	for sample in ash beech elm; do
		triplets reads/${sample}_* | cmp - samples/$sample.tsv || fail "the table of $sample"
	done
	triplets reads/DArcy* | cmp - "samples/D'Arcy & co.tsv" || fail "the table of D'Arcy & co"
}

example by-key
readme
same
[ "$(ls lanes | grep -c control)" = 0 ] || fail 'the control is left out'
run -j4
says 'nothing to do (29 up to date)'

# The order of the rows is that of the lanes of a sample, whatever stands between: nothing is to do.
(sed -n 1p samples.tsv; sed 1d samples.tsv | sort -s -t "$(printf '\t')" -k 1,1) >sorted
mv sorted samples.tsv
run -j4
says 'nothing to do (29 up to date)'
