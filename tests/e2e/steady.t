#!/bin/bash
# The tree of a merge stays when its list changes: what an edit redoes is the way up from it, and no more.
. "$srcdir/tests/e2e/lib.sh"

merges()
{
	grep -c merge "$LOG" || true
}

# files N: in/0010 … in steps of ten, so that there is room between any two.
files()
{
	mkdir -p in
	for i in $(seq "$1"); do
		printf '%05d\n' $((i * 10)) >"in/$(printf %05d $((i * 10)))"
	done
}

# all_there FILE: the lines of all inputs, in order.
all_there()
{
	cat in/* | cmp - "$1" || fail "$1 is not what the inputs are"
}

nine_hundred()
{
	files 900
	cat >Dagfile <<E1
args files
  glob = in/*
merge all
  each   = files
  fan-in = $1
  keep   = yes
  out    = all
  run    = note merge cat {in} > {out}
E1
	run -j4
	[ "$rc" = 0 ] || fail 'from nothing'
	all_there all
}

# edit_each MOST: edits one by one, none of which redoes more than MOST merges; their sum is in $sum, of 8.
edit_each()
{
	local at n
	sum=0
	for at in 00001 04445 08999 09999; do
		echo $at >in/$at
		run -j4
		[ "$rc" = 0 ] || fail "insert $at"
		n=$(merges)
		[ "$n" -le "$1" ] || fail "insert $at: $n merges"
		sum=$((sum + n))
		all_there all
	done
	for at in 00010 03330 08888 09000; do
		[ -e in/$at ] || at=08880
		rm in/$at
		run -j4
		[ "$rc" = 0 ] || fail "delete $at"
		n=$(merges)
		[ "$n" -le "$1" ] || fail "delete $at: $n merges"
		sum=$((sum + n))
		all_there all
	done
	ran ''
}

case_edits_by_two()
{
	nine_hundred 2
	[ "$(merges)" = 899 ] || fail "$(merges) merges from nothing"
	edit_each 20
	[ "$sum" -le $((13 * 8)) ] || fail "$sum merges for 8 edits"
}

case_edits_by_eight()
{
	nine_hundred 8
	[ "$(merges)" -le 150 ] || fail "$(merges) merges from nothing"
	edit_each 8
	[ "$sum" -le $((5 * 8)) ] || fail "$sum merges for 8 edits"
}

# A run that is killed after some of what an edit makes again is gone on with: the same tree, each merge once.
case_interrupted()
{
	files 200
	cat >Dagfile <<'E1'
args files
  glob = in/*
merge all
  each = files
  keep = yes
  out  = all
  run  =
    note merge
    cat {in} > {out}
    [ ! -e deadly ] || [ "$(wc -l < "$LOG")" -lt 20 ] || { rm deadly; kill -9 $PPID; }
E1
	run -j1
	[ "$rc" = 0 ] || fail 'from nothing'
	for i in $(seq 1000 1040); do
		printf '%05d\n' "$i" >"in/0$i"
	done
	dagrun_wants=$("$DAGRUN" -n 2>/dev/null | grep -c . || true)
	touch deadly
	run -j1
	[ "$rc" != 0 ] || fail 'it was to be killed'
	first=$(merges)
	[ "$first" -ge 20 ] || fail "only $first merges"
	run -j1
	[ "$rc" = 0 ] || fail 'going on'
	second=$(merges)
	[ $((first + second)) -le $((dagrun_wants + 1)) ] ||
		fail "$first and $second merges, where $dagrun_wants were to be done"
	[ "$first" -lt "$dagrun_wants" ] || fail 'it was not interrupted'
	all_there all
	ran ''
}

# Looking changes nothing, and shows the tree that a run then makes.
case_looking_writes_nothing()
{
	files 50
	printf 'args f\n  glob = in/*\nmerge all\n  each = f\n  keep = yes\n  out = all\n  run = note merge cat {in} > {out}\n' >Dagfile
	"$DAGRUN" -n >/dev/null 2>&1
	"$DAGRUN" --graph=json >/dev/null
	[ ! -e .dagrun ] || fail 'a look made a state'
	run
	echo 5 >in/00205
	cp .dagrun/journal before
	"$DAGRUN" -n >wants 2>/dev/null
	"$DAGRUN" --graph=dot >dot
	"$DAGRUN" --graph >/dev/null
	"$DAGRUN" --status >/dev/null 2>&1
	cmp before .dagrun/journal || fail 'a look wrote'
	run
	[ "$(merges)" = "$(grep -c . wants)" ] || fail "$(merges) merges instead of $(grep -c . wants)"
	"$DAGRUN" --graph=dot >after
	[ "$(grep -c ' -> ' dot)" = "$(grep -c ' -> ' after)" ] || fail 'another tree than shown'
	# Orphans are what the edit left behind, and nothing of the tree.
	parts=$(ls .dagrun/parts/all | wc -l)
	"$DAGRUN" --clean --orphans >/dev/null 2>&1
	left=$(ls .dagrun/parts/all | wc -l)
	[ "$left" = 49 ] || fail "$left inner nodes are left of $parts, where the tree has 49"
	ran ''
}

# Without its record, or with a damaged one, the tree is a new one, and the result the same.
case_record_lost()
{
	files 60
	printf 'args f\n  glob = in/*\nmerge all\n  each = f\n  keep = yes\n  out = all\n  run = note merge cat {in} > {out}\n' >Dagfile
	run
	for i in 15 25 35; do
		echo $i >in/000$i
		run
	done
	python3 - <<'E1'
import struct
b = bytearray(open('.dagrun/journal', 'rb').read())
at, kinds = 24, []
while at < len(b):
    length, kind = struct.unpack_from('<IH', b, at + 8)
    kinds.append(kind)
    if kind == 7:
        b[at + 20] ^= 1
    at += 16 + length
assert kinds.count(7) == 4, kinds
open('.dagrun/journal', 'wb').write(b)
E1
	run
	[ "$rc" = 0 ] || fail 'without the records'
	all_there all
	ran ''
}

# A tree a value, a set, and two Dagfiles in one directory: each has its own.
case_each_its_own()
{
	mkdir in
	for k in a b c; do
		for i in $(seq 10 10 200); do
			echo "$k $i" >"in/$k-$(printf %03d "$i")"
		done
	done
	cat >Dagfile <<'E1'
args f
  glob    = in/*
  where   = {arg} ~ in/(.)-(.*)
  columns = key n
merge each
  each = f
  by   = key
  keep = yes
  out  = {key}.txt
  run  = note {key} cat {in} > {out}
merge set
  each  = f
  order = any
  keep  = yes
  out   = set
  run   = note set cat {in} > {out}
E1
	sed 's/out  = {key}.txt/out  = other-{key}.txt/; s/= set$/= other-set/' Dagfile >Other
	sed -i 's/{key}.txt/{key}.txt\n  part = parts-each/; s/out   = other-set/&\n  part = parts-set/' Other
	run
	[ "$rc" = 0 ] || fail 'from nothing'
	run -f Other
	[ "$rc" = 0 ] || fail 'another Dagfile'
	echo 'b 15' >in/b-015
	for file in Dagfile Other; do
		run -f $file
		[ "$rc" = 0 ] || fail "$file: one more"
		[ "$(grep -c '^a$\|^c$' "$LOG")" = 0 ] || fail "$file: another tree was touched"
		n=$(grep -c '^b$' "$LOG")
		[ "$n" -le 8 ] || fail "$file: $n merges of 20"
		n=$(grep -c '^set$' "$LOG")
		[ "$n" -le 10 ] || fail "$file: $n merges of 60"
	done
	cat in/b-* | cmp - b.txt
	cat in/* | cmp - set
	cat in/* | cmp - other-set
	ran ''
	ran '' -f Other
}

# What was above an input that went stays, where nodes stay; whoever pays for it is told, and how to be rid of it.
case_nodes_that_left()
{
	local bytes
	files 16
	printf 'args f\n  glob = in/*\nmerge all\n  each = f\n  keep = yes\n  out = all\n  run = note merge cat {in} > {out}\n' >Dagfile
	run
	! grep -q 'inner node' "$E" || fail 'all are in the tree'
	rm in/00050
	run
	bytes=$(grep -o '[0-9]* B' "$E" | cut -d' ' -f1)
	says "$E" '^dagrun: [234] inner nodes of merges \([0-9]+ B\) are in no tree any more, and stay: --clean --orphans removes them$'
	ran ''
	! grep -q 'inner node' "$E" || fail 'each time'
	[ "$(cat .dagrun/parts/all/* | wc -c)" -gt "$bytes" ] || fail 'more than there is'
	# The same inputs again, and nothing was lost but what is of no use to them.
	echo 00050 >in/00050
	run
	[ "$(merges)" -le 4 ] || fail "$(merges) merges"
	"$DAGRUN" --clean --orphans >"$O"
	[ -s "$O" ] || fail 'nothing was removed'
	[ "$(ls .dagrun/parts/all | wc -l)" = 14 ] || fail "$(ls .dagrun/parts/all | wc -l) nodes of 14"
	rm in/00160
	mv .dagrun/parts/all "$top/bin/aside"
	run
	! grep -q 'inner node' "$E" || fail 'they are not there'
	all_there all
}

# They make the same file: one of them has seen each change, the other one all of them at once. Both go on from one tree.
case_two_dagfiles_make_one_file()
{
	files 16
	printf 'args f\n  glob = in/*\nmerge all\n  each = f\n  keep = no\n  out = all\n  run = note merge cat {in} > {out}\n' >Dagfile
	sed 's/args f/args other/; s/each = f/each = other/' Dagfile >Other
	run
	ran '' -f Other
	for i in 00155 00156 00157 00158 00159; do
		echo new >in/$i
		rm "in/$(ls in | sed -n '9p')"
		run
		[ "$rc" = 0 ] || fail "a change: $rc"
	done
	ran '' -f Other
	ran ''
	all_there all
	echo new >in/00018
	run -f Other
	ran ''
	ran '' -f Other
	! grep -q 'another Dagfile' "$E" || fail 'they agree'
	# By another command each has it its own way, and that is said.
	sed -i 's/cat {in}/cat -- {in}/' Other
	run -f Other
	run
	says "$E" '^dagrun: all(/[0-9.]+)? and [0-9]+ more were last made by another Dagfile here, .* each makes them again'
	run -f Other
	says "$E" 'last made by another Dagfile here'
	ran '' -f Other
	! grep -q 'another Dagfile' "$E" || fail 'it is its own now'
}

# One level of the inner nodes stays, about as much as the inputs; a changed input makes again what is below its node
# there, and all above.
case_keep_level()
{
	local n
	files 200
	printf 'args f\n  glob = in/*\nmerge all\n  each = f\n  keep = level\n  part = parts\n  out = all\n  run = note merge cat {in} > {out}\n' >Dagfile
	run
	[ "$rc" = 0 ] || fail 'from nothing'
	[ "$(cat parts/* | wc -c)" = "$(cat in/* | wc -c)" ] || fail 'what stays is not the inputs once'
	n=$(ls parts | wc -l)
	[ "$n" -ge 8 ] && [ "$n" -le 32 ] || fail "$n nodes stay"
	ran ''
	for i in 00100 00990 01990; do
		echo changed >in/$i
		run
		[ "$rc" = 0 ] || fail "$i changed"
		[ "$(merges)" -le 40 ] || fail "$(merges) merges"
		all_there all
		[ "$(cat parts/* | wc -c)" = "$(cat in/* | wc -c)" ] || fail 'what stays is not the inputs once, again'
	done
	for i in 00105 00995 02005; do
		echo new >in/$i
		run
		[ "$rc" = 0 ] || fail "$i is new"
		[ "$(merges)" -le 60 ] || fail "$(merges) merges"
		all_there all
	done
	sed -i 's/keep = level/keep = no/' Dagfile
	ran ''
	"$DAGRUN" --clean --orphans >/dev/null 2>&1
	[ -z "$(ls parts)" ] || fail "keep = no: $(ls parts)"
	sed -i 's/keep = no/keep = level/' Dagfile
	ran ''
}

cases "$@"
