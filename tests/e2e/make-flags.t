#!/bin/bash
# The words of MAKEFLAGS that make leaves to a '+' recipe: -n -q -t -k -s -i -B, given to a real make.
set -eu

fail()
{
	echo "FAILED: $*"
	exit 1
}

# Each run of a task is a line of `log`; a task whose name stands in `bad` fails.
cat >work <<'E1'
#!/bin/sh
echo "$1" >>log
! grep -qx "$1" bad || exit 3
echo "made of $1" >"$2"
E1
chmod +x work

cat >Dagfile <<'E1'
args letters
  list = a b c

map part
  each = letters
  out  = part/{arg}
  run  = ./work {arg} {out}

map half
  each = part
  out  = half/{stem}
  run  = ./work half-{in.stem} {out}

task total
  in  = half
  out = total
  run = cat {in} > {out}
E1

printf 'all: ; +@$(DAGRUN) $(GOALS)\n' >Makefile
export DAGRUN="${DAGRUN:?}"
: >bad

# run ARGUMENT…: make, with the tasks that ran in $did and its exit status in $rc
run()
{
	: >log
	rc=0
	make "$@" >out 2>err || rc=$?
	did=$(sort log | tr '\n' ' ')
	echo "--- make $*: $rc, ran: $did"
	cat out err
}
all='a b c half-a half-b half-c '

run -n
[ "$rc$did" = 0 ] && [ ! -e part ] && [ ! -e total ] || fail '-n makes nothing'
grep -q 'work.* a ' out && grep -q 'cat' out || fail '-n prints what would run'
run -q
[ "$rc" = 1 ] && [ -z "$did" ] && [ ! -e total ] || fail '-q: stale'
[ ! -s out ] || fail '-q is silent'

run -s
[ "$rc" = 0 ] && [ "$did" = "$all" ] || fail '-s makes all'
[ ! -s out ] && [ ! -s err ] || fail '-s is silent when all is well'
[ "$(cat total)" = $'made of half-a\nmade of half-b\nmade of half-c' ] || fail 'the right content'

run -q
[ "$rc$did" = 0 ] || fail '-q: up to date'
run -n
[ "$rc$did" = 0 ] && ! grep -q 'work.* a ' out || fail '-n: nothing would run'
run
[ "$rc$did" = 0 ] || fail 'up to date'

run -B
[ "$rc" = 0 ] && [ "$did" = "$all" ] || fail '-B makes all again'
run -nB
[ "$rc$did" = 0 ] && grep -q 'work.* a ' out || fail '-nB prints all and runs nothing'
run
[ "$rc$did" = 0 ] || fail 'up to date after -B'

# A word with = is a variable, whatever letters it has, and what follows -- are no flags either.
run n=1
[ "$rc$did" = 0 ] || fail 'a variable called n, up to date'
rm half/b total
run B=nqt q=-n
[ "$rc" = 0 ] && [ "$did" = 'half-b ' ] && [ -s total ] || fail 'variables are no flags'

# -t: what stands is taken as done.
echo '# changed' >>work
run -q
[ "$rc" = 1 ] || fail 'a changed program makes stale'
run -t
[ "$rc$did" = 0 ] || fail '-t runs nothing'
run -q
[ "$rc$did" = 0 ] || fail '-t: taken as done'

# -k goes on with what does not depend on the failure.
rm -rf part half total
echo b >bad
run -k
[ "$rc" = 2 ] && [ "$did" = 'a b c half-a half-c ' ] || fail '-k goes on with the others'
grep -q 'b' err || fail 'the failure is told'
run -k -j3
[ "$rc" = 2 ] && [ "$did" = 'b ' ] || fail '-k again: only what failed'
run -ks
[ "$rc" = 2 ] && [ -s err ] || fail '-s: a failure is told'

# Without -k the first failure is the end, and without -j tasks run one after the other.
rm -rf part half total
printf '%s\n' a b c >bad
run
[ "$rc" = 2 ] && [ "$(wc -l <log)" = 1 ] || fail 'ends with the first failure'

# -i goes on as if nothing had failed.
echo c >bad
run -i GOALS='part/a part/b part/c'
[ "$rc" = 0 ] && [ "$did" = 'a b c ' ] || fail '-i ignores failures'
: >bad
run
[ "$rc" = 0 ] && [ -s total ] || fail 'in the end all is made'
case $did in *'c '*) ;; *) fail 'what failed under -i is not taken as done' ;; esac
