#!/bin/bash
# examples/logs: a day more or another costs its month and its year; the tables are those of the whole.
. "$srcdir/tests/e2e/example.sh"

# same: each table is what its days come to
same()
{
	local table
	[ "$(ls months)" = "$(ls logs | cut -d - -f 1,2 | sort -u | sed 's/$/.tsv/')" ] || fail 'a table a month'
	[ "$(ls years)" = "$(ls logs | cut -d - -f 1 | sort -u | sed 's/$/.tsv/')" ] || fail 'a table a year'
	for table in months/* years/*; do
		cat logs/"$(basename "$table" .tsv)"-* | grep -v ' [45]..$' | cut -d ' ' -f 2 | sort | uniq -c |
			awk '{ print $2 "\t" $1 }' | cmp - "$table" || fail "$table"
	done
}

example logs
readme
same
run -j4
says 'nothing to do'
