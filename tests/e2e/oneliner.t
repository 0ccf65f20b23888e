#!/bin/bash
# Stages without a Dagfile.
. "$srcdir/tests/e2e/lib.sh"

# Keep some running; what has finished is never run again.
case_arguments()
{
	ran "$(seq 1 99 | sort | tr '\n' ' ' | sed 's/ $//')" -j4 --map 'note {arg} python3 -S -c pass {arg}' \
		--each range:1..99
	ran '' -j4 --map 'note {arg} python3 -S -c pass {arg}' --each range:1..99
	says "$E" 'nothing to do'
	ran '100 101' -j4 --map 'note {arg} python3 -S -c pass {arg}' --each range:1..101
}

case_only_failures_again()
{
	: >bad-3
	run -j4 -k --map 'note {arg} test ! -e bad-{arg}' --each range:1..5
	[ "$rc" = 1 ] && [ "$did" = '1 2 3 4 5' ] || fail 'one of five fails'
	rm bad-3
	ran 3 -j4 -k --map 'note {arg} test ! -e bad-{arg}' --each range:1..5
}

# Map, then merge until one is left.
case_map_and_merge()
{
	mkdir in
	for i in 1 2 3 4 5; do
		seq "$i" 7 1000 | gzip >in/$i.gz
	done
	set -- -j4 --map 'note map; zcat {in} | sort > {out}' --each 'in/*.gz' --out 'part/{stem}.txt' \
		--merge 'note merge sort -m -o {out} {in}' --out all.txt
	ran 'map map map map map merge merge merge merge' "$@"
	zcat in/* | sort | cmp - all.txt || fail 'the content'
	[ "$(ls part)" = $'1.txt\n2.txt\n3.txt\n4.txt\n5.txt' ] || fail 'the parts'
	ran '' "$@"
	echo 0 | gzip >in/3.gz
	run "$@"
	[ "$rc" = 0 ] || fail 'a changed input'
	case $did in 'map merge'*) ;; *) fail "one is mapped again: $did" ;; esac
	zcat in/* | sort | cmp - all.txt || fail 'the content after a change'
}

case_each()
{
	printf 'one\ntwo words\n' >lines
	mkdir in
	: >in/a.x >in/b.x >in/c.y
	ran 'a b' --map 'note {arg}' --each 'list:a b'
	ran 'one two words' --map 'note {arg}' --each lines:lines
	ran '1 2 3' --map 'note {arg}' --each 'command:seq 3'
	ran 'a b' --map 'note {in.stem}' --each 'glob:in/*.x'
	ran 'in/c.y' --map 'note {in}' --each 'in/*.y'
	ran '08 09 10' --map 'note {arg}' --each range:08..10
	printf 'x\ny\n' | ran 'x y' --map 'note {arg}' --each lines:-
}

case_keys()
{
	echo 1 >in
	echo 2 >also
	set -- --task 'note task; cat {in} also > {out}' --in ./in --uses also --out both --retries 1 --timeout 1m
	ran task "$@"
	is both $'1\n2'
	ran '' "$@"
	echo 3 >also
	ran task "$@"
	is both $'1\n3'
	ran '0-1 0-2 merge' --map 'note 0-{arg} env echo {arg} > {out}' --each range:1..2 --out '{arg}.n' --keep no \
		--merge 'note merge; cat {in} > {out}' --out sum --fan-in all --slots 2
	is sum $'1\n2'
}

case_wrong()
{
	run --each range:1..3
	[ "$rc" = 2 ] || fail '--each of nothing'
	run --map 'echo {nothing}' --each range:1..3
	[ "$rc" = 2 ] && says "$E" nothing || fail 'an unknown placeholder'
	run --map 'echo {arg}' --each range:x
	[ "$rc" = 2 ] || fail 'no range'
	run --map 'echo {arg}' --each range:1..3 --slots none
	[ "$rc" = 2 ] || fail 'no number'
	run --map '{arg}' --each 'list:true'
	[ "$rc" = 2 ] && says "$E" 'bash -c' || fail 'a command that is only a value'
	[ ! -e .dagrun/journal ] || [ -z "$did" ] || fail 'nothing ran'
}

cases "$@"
