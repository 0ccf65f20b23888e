#!/bin/bash
# What is up to date is left alone, and what has changed is redone with all that depends on it and no more.
. "$srcdir/tests/e2e/lib.sh"

case_nothing_twice()
{
	letters
	ran "$everything"
	is last $'TEXT A\nTEXT B\nTEXT C\nTEXT D\n.!'
	ran ''
	says "$E" 'nothing to do'
	[ ! -s "$O" ] || fail 'standard output is for what was asked for'
	ran '' -j1 up last all
	[ "$(ls up | wc -l)" = 4 ] || fail "only outputs stand in up: $(ls -A up)"
	no_leftovers
}

case_changed_input()
{
	letters
	ran "$everything"
	echo "other b" >in/b.txt
	ran 'last merge merge up-b'
	is all $'TEXT A\nOTHER B\nTEXT C\nTEXT D'
	ran ''
	# An older date is a change as a newer one is.
	echo "elder d" >in/d.txt
	touch -d 2001-01-01 in/d.txt
	ran 'last merge merge up-d'
	ran ''
}

case_changed_command()
{
	letters
	ran "$everything"
	sed -i 's/note merge cat/note merge cat -n/' Dagfile
	ran 'last merge merge merge'
	ran ''
	sed -i 's/tr a-z A-Z/tr a-z B-ZA/' Dagfile
	ran "$everything"
	ran ''
	# Neither its order nor its comments nor what does not make the output matter.
	sed -i 's/^task last/# nothing\ntask last\n  retries = 1\n  timeout = 1m/' Dagfile
	ran ''
}

case_uses()
{
	letters
	ran "$everything"
	touch -d 2001-01-01 words
	ran ''
	touch words
	ran ''
	echo 'more words' >words
	ran 'up-a up-b up-c up-d' up
	run
	[ "$rc" = 0 ] || fail 'what depends on them'
	ran ''
}

case_fresh_content()
{
	mkdir in
	echo a >in/a
	echo b >in/b
	cat >Dagfile <<'E1'
args files
  glob = in/*
map content
  each  = files
  fresh = content
  out   = content/{name}
  run   = note content-{in.name} cat {in} > {out}
map time
  each  = files
  fresh = time
  out   = time/{name}
  run   = note time-{in.name} cat {in} > {out}
E1
	ran 'content-a content-b time-a time-b'
	touch in/a in/b
	ran 'time-a time-b'
	ran ''
	touch -d 2001-01-01 in/a
	run --explain -n
	says "$O" 'time/a: in/a: time .* → 2001-01-01'
	! grep -q content/ "$O" || fail 'the same content'
	echo c >in/b
	ran 'content-b time-a time-b' --explain
	says "$E" 'content/b: in/b: time .* → '
	is content/b c
	echo longer >in/b
	ran 'content-b time-b' --explain
	says "$E" 'content/b: in/b: size 2 → 7'
	ran ''
	# What was recorded before has no hash yet, and goes by its time.
	sed -i 's/fresh = time/fresh = content/' Dagfile
	ran ''
	touch in/a
	ran 'time-a'
	touch in/a
	ran ''
}

case_programs_are_used()
{
	printf '#!/bin/sh\nexec tr a-z A-Z\n' >to-upper
	printf '#!/bin/sh\necho show >>"$LOG"\nexec cat "$1"\n' >show
	chmod +x to-upper show
	mkdir in
	echo a >in/a
	cat >Dagfile <<'E1'
args files
  glob = in/*
map direct
  each = files
  out  = direct/{name}
  run  = ./show {in} > {out}
map piped
  each = files
  out  = piped/{name}
  run  = note piped; ./show {in} | ./to-upper > {out}
E1
	ran 'piped show show'
	is piped/a A
	touch to-upper show
	ran ''
	echo '# changed' >>to-upper
	ran 'piped show'
	echo '# changed' >>show
	ran 'piped show show'
	ran ''
}

case_env_and_let()
{
	letters
	ran "$everything"
	sed -i 's/env.ENDING = ./env.ENDING = ;/' Dagfile
	ran 'last'
	is last $'TEXT A\nTEXT B\nTEXT C\nTEXT D\n;!'
	ran 'last' 'suffix=?'
	is last $'TEXT A\nTEXT B\nTEXT C\nTEXT D\n;?'
	ran '' 'suffix=?'
	ran 'last'
	sed -i 's/let suffix = !/let suffix = ?/' Dagfile
	ran 'last'
	# What is in the environment beside it does not count, at the margin it holds for every stage.
	ENDING=x OTHER=y ran ''
	sed -i '1i env.OTHER = y' Dagfile
	ran "$everything"
	ran ''
}

case_list_changes()
{
	cat >Dagfile <<'E1'
args names
  list = a b c d
map each
  each = names
  out  = each/{arg}
  run  = note {arg} env printf '%s\n' {arg} > {out}
merge all
  each = each
  keep = yes
  out  = all
  run  = note merge cat {in} > {out}
E1
	ran 'a b c d merge merge merge'
	sed -i 's/a b c d/a b c d e/' Dagfile
	# What was the whole is an inner node now, and e is carried up to the top.
	ran 'e merge merge'
	is all $'a\nb\nc\nd\ne'
	sed -i 's/a b c d e/a b c d/' Dagfile
	ran 'merge'
	is all $'a\nb\nc\nd'
	[ -e each/e ] || fail 'outputs that no row makes any more are left alone'
	sed -i 's/a b c d/x b c d/' Dagfile
	ran 'merge merge x'
	is all $'x\nb\nc\nd'
	ran ''
}

case_order_of_the_list()
{
	cat >Dagfile <<'E1'
args names
  lines = names
map each
  each = names
  out  = each/{arg}
  run  = note {arg} env printf '%s\n' {arg} > {out}
merge set
  each  = each
  order = any
  out   = set
  run   = note set cat {in} > {out}
merge list
  each  = each
  order = input
  out   = list
  run   = note list cat {in} > {out}
E1
	printf '%s\n' b e d a c >names
	ran 'a b c d e list list list list set set set set'
	is set $'a\nb\nc\nd\ne'
	is list $'b\ne\nd\na\nc'
	printf '%s\n' e c a d b >names
	# A reclaimed inner node is as good as there.
	ran 'list list list list'
	is set $'a\nb\nc\nd\ne'
	is list $'e\nc\na\nd\nb'
	ran '' set
	printf '%s\n' f e c a d b >names
	run set
	[ "$rc" = 0 ] || fail 'one more'
	is set $'a\nb\nc\nd\ne\nf'
}

case_globs_follow_the_directory()
{
	letters
	ran "$everything"
	echo 'text bb' >in/bb.txt
	run
	[ "$rc" = 0 ] || fail 'a new file'
	case " $did " in *' up-a '* | *' up-b '* | *' up-d '*) fail "what was there is done: $did" ;; esac
	is all $'TEXT A\nTEXT B\nTEXT BB\nTEXT C\nTEXT D'
	rm in/a.txt
	run
	[ "$rc" = 0 ] || fail 'a file less'
	case " $did " in *' up-'*) fail "nothing new in the map: $did" ;; esac
	is all $'TEXT B\nTEXT BB\nTEXT C\nTEXT D'
	ran ''
}

case_tasks_without_outputs()
{
	echo 1 >in
	cat >Dagfile <<'E1'
args who
  list = one two
task hello
  in  = ./in
  run = note hello cat {in}
map greet
  each = who
  run  = note greet-{arg}
E1
	ran 'greet-one greet-two hello'
	is "$O" 1
	ran ''
	[ ! -s "$O" ] || fail 'what ran before is not printed again'
	echo 2 >in
	ran 'hello'
	is "$O" 2
	sed -i 's/one two/one two three/' Dagfile
	ran 'greet-three'
	sed -i 's/run  = note greet-/run  = note Greet-/' Dagfile
	ran 'Greet-two' greet:two
	ran 'Greet-one Greet-three'
	ran ''
}

case_always()
{
	letters
	ran "$everything"
	ran "$everything" -B
	ran ''
	ran 'up-a up-b up-c up-d' -B up
	run
	[ "$rc" = 0 ] || fail 'what depends on them'
	ran ''
}

# What -n prints, pasted into a shell, makes the same.
case_dry_run()
{
	mkdir in
	printf 'a\n' >"in/it's"
	printf 'b\n' >'in/$HOME "x"'
	printf 'c\n' >in/$'two\nlines'
	cat >Dagfile <<'E1'
let value = it's "$HOME" \\n
args files
  glob = in/*
map direct
  each = files
  out  = {name}
  run  = note direct cat {in} > {out}
map shell
  each = direct
  out  = {in.name}.2
  run  =
    note shell
    cat {in} | sed "s/^/'$(echo x)' /" > {out}
    echo {value} >> {out}
merge all
  each   = shell
  fan-in = all
  out    = all
  run    = note merge; cat {in} > {out}
E1
	run -n
	[ "$rc" = 0 ] && [ -z "$did" ] || fail '-n'
	[ "$(ls -A)" = $'Dagfile\nin' ] || fail "-n makes nothing, not even its state: $(ls -A)"
	cp "$O" script
	mkdir by-hand
	cp -R in by-hand
	(cd by-hand && bash -e ../script) || fail 'the commands of -n'
	pasted=$(sort "$LOG" | tr '\n' ' ')
	: >"$LOG"
	mv by-hand script "$top/bin"
	ran "${pasted% }"
	for f in "it's" '$HOME "x"' $'two\nlines'; do
		cmp "$f" "$top/bin/by-hand/$f" && cmp "$f.2" "$top/bin/by-hand/$f.2" || fail "$f"
	done
	cmp all "$top/bin/by-hand/all" || fail all
	run -n
	[ "$rc" = 0 ] && [ ! -s "$O" ] || fail '-n when nothing is to do'
}

case_question()
{
	letters
	run -q
	[ "$rc$did" = 1 ] || fail '-q: nothing is made yet'
	[ ! -s "$O" ] && [ ! -s "$E" ] || fail '-q is silent'
	[ ! -e all ] || fail '-q makes nothing'
	ran "$everything"
	run -q
	[ "$rc$did" = 0 ] || fail '-q: up to date'
	[ ! -s "$O" ] || fail '-q is silent'
	echo more >>in/c.txt
	run -q
	[ "$rc$did" = 1 ] || fail '-q: stale'
	run -q up/a
	[ "$rc$did" = 0 ] || fail '-q: that target is up to date'
}

case_explain()
{
	letters
	ran "$everything" --explain
	[ "$(grep -c '^\(last\|all\|up/.\): ' "$E")" -ge 6 ] || fail 'a line for each task'
	echo longer and longer >in/b.txt
	run --explain -n
	[ "$rc$did" = 0 ] || fail 'with -n nothing runs'
	says "$O" 'up/b: in/b.txt: size 7 → 18$' 'all: .*/.* is made again' 'last: all is made again'
	! grep -q 'up/[acd]: ' "$O" || fail 'no word on what is up to date'
	ran 'last merge merge up-b' --explain
	says "$E" 'up/b: in/b.txt: size 7 → 18$'
	touch -d '2001-02-03 04:05:06' in/a.txt
	run -n --explain=up/a
	says "$O" 'up/a: in/a.txt: time .*2001-02-03'
	ran 'up-a' up
	sed -i 's/a-z A-Z/a-z B-ZA/' Dagfile
	run -n --explain=up/c
	says "$O" 'up/c: .*command'
	[ "$(wc -l <"$O")" = 1 ] || fail 'one target, one line'
	ran "$everything"
	echo words words >words
	run -n --explain
	[ "$(grep -c 'up/.: words: size 6 → 12$' "$O")" = 4 ] || fail 'uses'
	ran 'up-a up-b up-c up-d' up
	rm up/d
	run -n --explain up
	says "$O" 'up/d: up/d is not there'
	printf 'task two\n  out = one\n  out.b = sub/two\n  run = touch {out} {out.b}\n' >>Dagfile
	run -n --explain=sub/two
	[ "$(cat "$O")" = 'one: not made yet' ] || fail 'by the name of another output'
	run -n --explain=sub/three
	[ "$rc" = 2 ] || fail "exit $rc for what is not there"
	run -n --explain=in/a.txt
	[ "$rc" = 2 ] || fail "exit $rc for an input"
}

case_adopt()
{
	letters
	mkdir up
	for i in a b c d; do
		echo "BY HAND $i" >up/$i
	done
	ran '' -t up
	ran '' up
	is up/a 'BY HAND a'
	ran 'last merge merge merge'
	echo changed >in/a.txt
	ran '' --adopt
	ran ''
	is up/a 'BY HAND a'
	echo again >in/a.txt
	ran 'last merge merge up-a'
}

case_outputs_without_a_record()
{
	letters
	mkdir up
	echo 'not ours' >up/a
	echo 'not ours' >up/d
	run
	[ "$rc" = 2 ] && [ -z "$did" ] || fail 'refused before anything runs'
	says "$E" '2 outputs' '--adopt' '-B' 'up/a'
	is up/a 'not ours'
	cp -R . "$top/bin/second"
	ran "$everything" -B
	is up/a 'TEXT A'
	ran ''
	cd "$top/bin/second"
	ran '' --adopt
	ran 'last merge merge merge up-b up-c'
	is all $'not ours\nTEXT B\nTEXT C\nnot ours'
	ran ''
}

case_output_changed_by_hand()
{
	letters
	ran "$everything"
	echo 'by hand' >up/b
	run -n --explain=up/b
	says "$O" '^up/b: up/b was changed since it was made: size 7 → 8; it is kept as it is'
	ran 'last merge merge'
	says "$E" '1 output was changed since it was made, and is kept as it is: up/b \(-B'
	is up/b 'by hand'
	is all $'TEXT A\nby hand\nTEXT C\nTEXT D'
	ran ''
	is up/b 'by hand'
	ran 'up-b' -B up/b
	is up/b 'TEXT B'
	ran 'last merge merge'
	is all $'TEXT A\nTEXT B\nTEXT C\nTEXT D'
	echo 'by hand' >last
	ran ''
	is last 'by hand'
	touch up/*
	ran 'merge merge'
	says "$E" '4 outputs were changed since they were made, and are kept as they are: up/a, up/b, up/c and 1 more \(-B'
	ran "$everything" -B
	is last $'TEXT A\nTEXT B\nTEXT C\nTEXT D\n.!'
}

# What a run that was killed had begun is not there when it is begun again, also where a run that knew nothing of it
# has been there meanwhile.
case_begun_by_a_killed_run()
{
	cat >Dagfile <<'E1'
task one
  out = here/one
  run = touch {out}
task two
  out = there/two
  run =
    echo text >> {out}
    [ -e go ] || kill -KILL $PPID
E1
	run two
	[ "$rc" = 137 ] || fail 'it was to be killed'
	ran '' one
	: >go
	ran '' two
	is there/two text
	no_leftovers
}

# What a killed run has begun goes, too, where nothing is made any more.
case_begun_and_not_wanted()
{
	cat >Dagfile <<-'END'
		args n
		  list = 1 2 3 4
		map copy
		  each = n
		  in   = {arg}
		  out  = copy/{arg}
		  run  = cp {in} {out}
		merge all
		  each   = copy
		  fan-in = 2
		  out    = all
		  run    =
		    echo {in} > {out}
		    echo {in} > {tmp}/x
		    [ -e go ] || kill -KILL $PPID
	END
	touch 1 2 3 4
	run -j1
	[ "$rc" = 137 ] || fail "exit $rc"
	[ -n "$(find .dagrun -name '.dagrun-*')" ] || fail 'nothing was begun'
	[ -n "$(ls -A .dagrun/tmp)" ] || fail 'nothing temporary was begun'
	touch go
	sed -i 's/fan-in = 2/fan-in = all/' Dagfile
	run
	[ "$rc" = 0 ] || fail "exit $rc"
	no_leftovers
}

# keep = no: what is missing because it was reclaimed is as good as there.
case_reclaimed()
{
	letters
	sed -i 's/keep = yes/keep = no/' Dagfile
	ran "$everything"
	[ -z "$(find .dagrun/parts -type f)" ] || fail "inner nodes: $(find .dagrun/parts -type f)"
	ran ''
	echo "other b" >in/b.txt
	ran 'last merge merge merge up-b'
	ran ''
	sed -i 's|out  = up/{stem}|&\n  keep = no|' Dagfile
	ran ''
	[ -e up/a ] || echo 'reclaimed at once'
	echo "other c" >in/c.txt
	run
	[ "$rc" = 0 ] || fail 'a change below what was reclaimed'
	is all $'TEXT A\nOTHER B\nOTHER C\nTEXT D'
	ran ''
}

cases "$@"
