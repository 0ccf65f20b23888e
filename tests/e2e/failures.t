#!/bin/bash
# Tasks that fail, take too long, or do not make what they were to make: what goes on, what is told, what is left.
. "$srcdir/tests/e2e/lib.sh"

# Three of which the second fails, and one over them.
failing()
{
	cat >Dagfile <<'E1'
args names
  list = a b c
map each
  each = names
  out  = each/{arg}
  run  =
    note {arg}
    [ ! -e bad-{arg} ]
    echo {arg} > {out}
merge all
  each   = each
  fan-in = all
  out    = all
  run    = note merge cat {in} > {out}
E1
}

case_keep_going()
{
	failing
	: >bad-b
	run -j1
	[ "$rc" = 1 ] && [ "$did" = 'a b' ] || fail 'without -k the first failure is the end'
	run -j1 -k
	[ "$rc" = 1 ] && [ "$did" = 'b c' ] || fail 'with -k what does not depend on it goes on'
	[ ! -e all ] && [ ! -e each/b ] || fail 'what depends on a failure is not made'
	run -q all
	[ "$rc" = 1 ] || fail 'it stays stale'
	rm bad-b
	ran 'b merge'
	is all $'a\nb\nc'
	no_leftovers
}

case_ignore()
{
	failing
	: >bad-b
	ran 'a b c' -i each
	says "$E" 'each/b.*exit 1'
	says "$E" '2 tasks done, 1 failed'
	[ ! -e each/b ] || fail 'a failed task makes no output'
	rm bad-b
	ran 'b merge'
	is all $'a\nb\nc'
	no_leftovers
}

# Of several the first may have left the screen.
case_log()
{
	failing
	: >bad-b
	run -k
	! grep -q "is in .dagrun" "$E" || fail "one failure is on the screen"
	echo 'echo lost; exit 3' >noisy
	run -k -j1 --map 'sh noisy {arg}' --each list:'x y'
	log=$(sed -n 's/^dagrun: what tasks printed is in //p' "$E")
	grep -q lost "$log" || fail 'the log is named, and there'
}

# A task that did without what failed is not done for good.
case_ignore_is_no_success()
{
	cat >Dagfile <<'E1'
args names
  list = a b
map made
  each = names
  out  = made/{arg}
  run  =
    note {arg}
    [ -e go ]
    echo {arg} > {out}
map over
  each = made
  out  = over/{arg}
  run  =
    note over
    cat {in} > {out} || :
E1
	ran 'a b over over' -i
	ran 'a b over over' -i
	run -k
	[ "$rc" = 1 ] && [ "$did" = 'a b' ] || fail 'what failed is still to be made'
	: >go
	ran 'a b over over'
	is over/b b
	ran ''
}

# It would wait for itself.
case_task_that_calls_for_itself()
{
	cat >Dagfile <<'E1'
task own
  out = own
  run =
    note own
    "$DAGRUN" own
    touch {out}
task other
  out = other
  run = note other; touch {out}
task outer
  out = outer
  run = "$DAGRUN" other; mkdir -p a; echo 'task outer' > a/Dagfile; echo '  run = note inner' >> a/Dagfile; "$DAGRUN" -C a; touch {out}
E1
	run own
	[ "$rc" = 1 ] && [ "$did" = own ] || fail 'the inner one fails, and with it the outer one'
	says "$E" 'own is being made by the task'
	ran 'inner other' outer
	no_leftovers
}

case_silent()
{
	failing
	: >bad-b
	run -s -k
	[ "$rc" = 1 ] || fail 'a failure'
	says "$E" 'each/b'
	! grep -q 'each/[ac]' "$E" || fail 'failures only'
	rm bad-b
	ran 'b merge' -s
	[ ! -s "$O" ] && [ ! -s "$E" ] || fail 'nothing to say'
	ran '' -s
	[ ! -s "$O" ] && [ ! -s "$E" ] || fail 'nothing to say again'
}

case_max_failures()
{
	cat >Dagfile <<'E1'
args n
  range = 1..6
map each
  each = n
  run  = note {arg} false
E1
	run -j1
	[ "$rc" = 1 ] && [ "$did" = '1' ] || fail 'one'
	run -j1 --max-failures 3
	[ "$rc" = 1 ] && [ "$did" = '1 2 3' ] || fail 'three'
	run -j1 -k
	[ "$rc" = 1 ] && [ "$did" = '1 2 3 4 5 6' ] || fail 'no limit'
	run -j1 -k --max-failures=2
	[ "$rc" = 1 ] && [ "$did" = '1 2' ] || fail 'with -k a limit if one is given'
}

case_retries()
{
	cat >Dagfile <<'E1'
task second-time
  out     = second
  retries = 2
  run     =
    note second-{attempt}
    echo {attempt} >> {out}
    echo x >> count
    [ $(wc -l < count) = 2 ]
task never
  retries = 1
  out     = never
  run     =
    note never-{attempt}
    echo half > {out}
    exit 3
E1
	run -j2 -k
	[ "$rc" = 1 ] && [ "$did" = 'never-1 never-2 second-1 second-2' ] || fail 'tries'
	is second 2
	[ ! -e never ] || fail 'a failed task makes no output'
	says "$E" 'never.*exit 3.*try 2 of 2'
	ran '' second-time
	no_leftovers
}

case_timeout()
{
	mkfifo never
	cat >Dagfile <<'E1'
task slow
  timeout = 1s
  out     = slow
  run     =
    echo half > {out}
    echo said so far
    trap 'note ended; exit 7' TERM
    read x <> ./never
E1
	run
	[ "$rc" = 1 ] && [ "$did" = ended ] || fail 'TERM ends it'
	[ ! -e slow ] || fail 'half an output'
	says "$E" 'slow: timed out after 1' 'said so far'
	no_leftovers
}

# TERM is not heeded: KILL, ten seconds later.
case_timeout_ignored()
{
	mkfifo never
	cat >Dagfile <<'E1'
task deaf
  timeout = 1s
  out     = deaf
  run     =
    trap 'note told' TERM
    echo half > {out}
    exec 3<> never
    while :; do read x <&3 || :; done
E1
	SECONDS=0
	run
	[ "$rc" = 1 ] && [ "$did" = told ] || fail 'it is told once'
	[ "$SECONDS" -ge 10 ] && [ "$SECONDS" -lt 30 ] || fail "killed after $SECONDS s"
	says "$E" 'deaf: timed out'
	no_leftovers
}

case_failure_report()
{
	mkdir in
	echo x >"in/it's"
	cat >Dagfile <<'E1'
args files
  glob = in/*
map codes
  each = files
  out  = out/{name}
  run  =
    for i in $(seq 30); do echo line-$i; done
    cat {in} > {out}
    exit 3
task kill
  run = exit 137
task pipe
  run = yes | sed q
task crash
  run = kill -SEGV $$
task notfound
  run = no-such-program a
E1
	run -k
	[ "$rc" = 1 ] || fail 'exit 1'
	says "$E" "out/it's: exit 3" 'cat .*in/it.*out/it' 'line-30'
	[ "$(grep -c '| line-' "$E")" -ge 5 ] || fail 'the last lines'
	says "$E" 'kill: exit 137.*memory' 'pipe: exit 141.*SIGPIPE' 'crash: .*SIGSEGV' 'no-such-program a'
	# The command can be pasted.
	awk '/^[^ ]/ { on = /it.s: exit 3/ } on && /^  [^|]/ && !/exit 3$/' "$E" >script
	cat script
	mkdir -p out
	bash script >/dev/null || fail 'the command as one could paste it'
	is "out/it's" x
}

case_input_changes_meanwhile()
{
	echo 1 >once.in
	echo 1 >always.in
	cat >Dagfile <<'E1'
task once
  in  = once.in
  out = once
  run =
    note once
    cat {in} > {out}
    [ -e changed ] || { : > changed; echo 22 > once.in; }
task always
  in  = always.in
  out = always
  run =
    note always
    cat {in} > {out}
    echo more >> always.in
E1
	run -k
	[ "$rc" = 1 ] || fail 'a failure'
	[ "$did" = 'always always once once' ] || fail 'once more, then no more'
	is once 22
	[ ! -e always ] || fail 'not published'
	says "$E" 'always: .*always.in.*changed'
	ran '' once
	no_leftovers
}

case_missing_output()
{
	cat >Dagfile <<'E1'
task half
  out   = one
  out.b = two
  run   = note half; echo 1 > {out}
E1
	run
	[ "$rc" = 1 ] || fail 'a failure'
	says "$E" 'two'
	[ ! -e one ] && [ ! -e two ] || fail 'none of its outputs is published'
	no_leftovers
}

cases "$@"
