#!/bin/bash
# An output that comes out as it was is left as it is, and what depends on it stays up to date: in the same run, too.
. "$srcdir/tests/e2e/lib.sh"

# stamp FILE…: what would change if they were replaced.
stamp()
{
	stat -c '%n %i %Y %y %s' "$@"
}

case_touched_input()
{
	letters
	ran "$everything"
	before=$(stamp up/* all last)
	touch in/b.txt
	ran 'up-b'
	says "$E" '^dagrun: 1 task done, 0 failed, 7 up to date'
	[ "$(stamp up/* all last)" = "$before" ] || fail "replaced: $(stamp up/* all last)"
	ran ''
	no_leftovers
}

case_another_command()
{
	letters
	ran "$everything"
	sed -i "s/tr a-z A-Z/tr '[:lower:]' '[:upper:]'/" Dagfile
	ran 'up-a up-b up-c up-d'
	ran ''
	sed -i 's/note merge cat/note merge cat --/' Dagfile
	ran 'merge merge merge'
	ran ''
}

# Inner nodes are gone: nothing is made again that turns out not to be needed.
case_reclaimed_nodes()
{
	letters
	sed -i 's/keep = yes/keep = no/' Dagfile
	ran "$everything"
	touch in/b.txt
	ran 'up-b'
	ran ''
	# Of the same size and yet another: now the rest is.
	echo 'text X' >in/b.txt
	ran 'last merge merge merge up-b'
	is all $'TEXT A\nTEXT X\nTEXT C\nTEXT D'
	ran ''
	# One comes out as it was, the other one does not.
	touch in/d.txt
	echo 'text Y' >in/b.txt
	ran 'last merge merge merge up-b up-d'
	is all $'TEXT A\nTEXT Y\nTEXT C\nTEXT D'
	ran ''
	echo 'a longer text' >in/c.txt
	ran 'last merge merge merge up-c'
	is all $'TEXT A\nTEXT Y\nA LONGER TEXT\nTEXT D'
	ran ''
	[ -z "$(find .dagrun/parts -type f)" ] || fail "inner nodes: $(find .dagrun/parts -type f)"
	no_leftovers
}

# shared DAGFILE READER…: files put into capitals, which go when the readers, which have a task each, have read them.
shared()
{
	local file=$1 reader
	shift
	cat >"$file" <<'E1'
args texts
  glob = in/*
map up
  each = texts
  out  = up/{name}
  keep = no
  run  = note up-{in.name} tr a-z A-Z < {in} > {out}
E1
	for reader; do
		printf 'task %s\n  in  = up\n  out = %s\n  run = note %s cat {in} > {out}\n' $reader $reader $reader >>"$file"
	done
}

# What was reclaimed is made again for the sake of one that reads it: for the others it is what it was.
case_generations()
{
	mkdir in
	echo a >in/a
	echo b >in/b
	shared Dagfile one two
	ran 'one two up-a up-b'
	[ -z "$(ls up)" ] || fail "not reclaimed: $(ls up)"
	sed -i 's/note one cat/note one cat --/' Dagfile
	ran 'one up-a up-b'
	ran ''
	[ -z "$(ls up)" ] || fail "not reclaimed: $(ls up)"
	sed -i 's/note two cat/note two cat --/' Dagfile
	ran 'two up-a up-b'
	touch in/a
	ran 'up-a'
	ran ''
	[ -z "$(ls up)" ] || fail "not reclaimed: $(ls up)"
	# Its bytes are others each time: then both read it.
	sed -i 's/tr a-z A-Z < {in}/sh -c "date +%N"/' Dagfile
	ran 'one two up-a up-b'
	sed -i 's/note one cat --/note one cat/' Dagfile
	ran 'one two up-a up-b'
	ran ''
	no_leftovers
}

# One turns out to be up to date, as what it reads is gone and need not be made again; then another one needs that after all, and it comes
# out otherwise. A third, which is to run in any case, reads what the first has made.
case_made_again_otherwise()
{
	echo x >x
	echo y1 >y
	echo z >z
	echo 1 >salt
	cat >Dagfile <<-'END'
		args one
		  list = 1
		map shared
		  each = one
		  in   = z
		  out  = shared
		  keep = no
		  run  = note shared cat {in} salt > {out}
		task same
		  in  = x
		  out = sizes
		  run = note same wc -c {in} > {out}
		task other
		  in  = y
		  out = other.y
		  run = note other cp {in} {out}
		task later
		  in  = other
		  out = later.y
		  run = note later cp {in} {out}
		task first
		  in  = shared same
		  out = 1st
		  run = note first cat {in} > {out}
		task second
		  in  = shared later
		  out = 2nd
		  run = note second cat {in} > {out}
		task third
		  in  = first
		  out = 3rd
		  run = note third cat {in} > {out}
	END
	ran 'first later other same second shared third'
	touch x
	echo y2 >y
	echo 2 >salt
	sed -i 's/note third cat/note third cat --/' Dagfile
	ran 'first later other same second shared third'
	is 3rd $'z\n2\n2 x'
	ran ''
	# And where it comes out as it was, only what must be is made.
	touch x
	echo y3 >y
	sed -i 's/note third cat --/note third cat -u/' Dagfile
	ran 'later other same second shared third'
	ran ''
	no_leftovers
}

# Two Dagfiles that share it need not make it again in turns for ever.
case_generations_of_two_dagfiles()
{
	mkdir in
	echo a >in/a
	shared Dagfile one
	shared Other two
	ran 'one up-a'
	ran 'two up-a' -f Other
	ran ''
	ran '' -f Other
	sed -i 's/note two cat/note two cat --/' Other
	ran 'two up-a' -f Other
	ran ''
	ran '' -f Other
	echo b >in/a
	ran 'one up-a'
	ran 'two up-a' -f Other
	ran ''
	ran '' -f Other
	is two B
}

# One of the outputs that stay is gone. The task runs for the sake of one that reads the other output; those that read this one see that it
# is another, in the same run.
case_lost_beside_another()
{
	mkdir in
	for i in a b c d; do echo $i >in/$i; done
	cat >Dagfile <<-'END'
		args r
		  list = a b c d
		map m
		  each    = r
		  in      = in/{arg}
		  out     = m/{arg}
		  out.two = t/{arg}
		  run     =
		    cp {in} {out}
		    echo x >{out.two}
		merge all
		  each   = m
		  fan-in = all
		  out    = all
		  run    = cat {in} > {out}
		merge pairs
		  each  = m.two
		  shape = rounds
		  out   = pairs
		  run   = cat {in} > {out}
	END
	"$DAGRUN" -s -j1 || fail 'the first run'
	rm t/d
	echo C >in/c
	"$DAGRUN" -s -j1 || fail 'the second run'
	is all $'a\nb\nC\nd'
	"$DAGRUN" -q || fail "not all was made: $("$DAGRUN" -n --explain 2>&1)"
}

case_one_of_several_outputs()
{
	echo 'first second' >in
	cat >Dagfile <<'E1'
task split
  in   = ./in
  out  = one
  out.other = two
  run  = note split; read -r a b <{in}; echo "$a" >{out}; echo "$b" >{out.other}
task of-one
  in  = one
  out = of-one
  run = note of-one cp {in} {out}
task of-two
  in  = two
  out = of-two
  run = note of-two cp {in} {out}
E1
	ran 'of-one of-two split'
	echo 'first 2nd' >in
	before=$(stamp one of-one)
	ran 'of-two split'
	is of-two 2nd
	[ "$(stamp one of-one)" = "$before" ] || fail 'the one that did not change'
	echo 'first 3rd' >in
	ran 'of-two split'
	ran ''
	no_leftovers
}

case_directories()
{
	echo x >in
	cat >Dagfile <<'E1'
task unpack
  in  = ./in
  out = tree/
  run = note unpack; mkdir -p {out}/sub; cp {in} {out}/sub/x; ln -s sub/x {out}/link; : >{out}/empty
task list
  in  = tree/
  out = listing
  run = note list; ls -R {in} >{out}
E1
	ran 'list unpack'
	touch in
	before=$(stamp tree tree/sub/x listing)
	ran 'unpack'
	[ "$(stamp tree tree/sub/x listing)" = "$before" ] || fail 'a directory that came out as it was'
	ran ''
	echo y >in
	ran 'list unpack'
	is tree/sub/x y
	chmod +x in
	touch in
	ran 'list unpack'
	[ -x tree/sub/x ] || fail 'permissions'
	sed -i 's/: >{out}/: >{out}\/another; : >{out}/' Dagfile
	ran 'list unpack'
	[ -e tree/another ] || fail 'a file more'
	ran ''
	no_leftovers
}

case_permissions()
{
	echo x >in
	cat >Dagfile <<'E1'
task program
  in  = ./in
  out = program
  run = note program; cp {in} {out}; chmod 644 {out}
E1
	ran 'program'
	sed -i 's/644/755/' Dagfile
	ran 'program'
	[ -x program ] || fail 'the same bytes, and executable now'
	ran ''
}

# Links are not what they lead to.
case_links()
{
	echo x >in
	cat >Dagfile <<'E1'
task copy
  in  = ./in
  out = out
  run = note copy cp {in} {out}
E1
	ran 'copy'
	sed -i 's/cp {in}/ln -s in/' Dagfile
	ran 'copy'
	[ -L out ] || fail 'a link took the place of a file'
	ran ''
	sed -i 's/ln -s in/cp in/' Dagfile
	ran 'copy'
	[ -f out ] && [ ! -L out ] || fail 'a file took the place of a link'
}

# More than is compared in one go, and another task's start does not wait for it.
case_large()
{
	echo 80000000 >in
	cat >Dagfile <<'E1'
task large
  in  = ./in
  out = large
  run = note large truncate -s 80000000 {out}
task changes
  in  = ./in
  out = changed
  run =
    note changes truncate -s 80000000 {out}
    date +%N | dd of={out} bs=1 seek=79999990 conv=notrunc 2>&1
task reads
  in  = large
  out = size
  run = note reads wc -c <{in} >{out}
E1
	ran 'changes large reads'
	before=$(stamp large)
	was=$(tail -c 20 changed | cksum)
	touch in
	ran 'changes large'
	[ "$(stamp large)" = "$before" ] || fail 'the same'
	[ "$(tail -c 20 changed | cksum)" != "$was" ] || fail 'only its last bytes are others'
	ran ''
	no_leftovers
}

# What stands is compared whoever made it.
case_by_hand()
{
	letters
	ran "$everything"
	rm -r .dagrun
	before=$(stamp up/* all last)
	ran "$everything" -B
	[ "$(stamp up/* all last)" = "$before" ] || fail "replaced: $(stamp up/* all last)"
	ran ''
	echo 'by hand' >up/b
	ran 'up-b' -B up/b
	is up/b 'TEXT B'
	# And so it is again what the others were made from, but for its time: they are made, and come out as they were.
	run
	[ "$rc" = 0 ] || fail 'what depends on it'
	case $did in *last*) fail "beyond what came out as it was: $did" ;; esac
	ran ''
}

# Some of those that might have been up to date are not tried at all.
case_failure()
{
	letters
	sed -i 's/note up-{in.stem} tr/note up-{in.stem}; [ {in.stem} != b -o ! -e fail ]; tr/' Dagfile
	ran "$everything"
	touch in/a.txt in/b.txt fail
	run -k
	[ "$rc" = 1 ] && [ "$did" = 'up-a up-b' ] || fail "exit $rc, ran $did"
	rm fail
	ran 'up-b'
	ran ''
	no_leftovers
}

case_tells_programs()
{
	letters
	ran "$everything"
	touch in/b.txt
	run --progress=json
	[ "$rc" = 0 ] || fail "exit $rc"
	says "$E" '"event":"end".*"task":"all".*"result":"up_to_date"'
	says "$E" '"event":"finish".*"to_do":1,"done":1,.*"not_run":0,"up_to_date":7'
}

cases "$@"
