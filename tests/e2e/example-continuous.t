#!/bin/bash
# examples/continuous: 50 at a time and never more; interrupted, those that ended are never started again, the
# others are; each argument is done once.
. "$srcdir/tests/e2e/example.sh"

example continuous
readme --loose
cd ..
rm -rf continuous

# Jobs that tell when they begin and end. Those above 500 wait for a gate, so that 50 stand there when the
# interrupt comes.
example continuous
mv job job.real
cat >job <<'E2'
#!/bin/sh
echo "+ $1" >>seen
[ "$1" -le 500 ] || [ -e open ] || read -r word <gate
./job.real "$1" && echo "- $1" >>seen
E2
chmod +x job
mkfifo gate
: >seen

# How many jobs ran at once, at most
most()
{
	awk '{ n += $1 "1" } n > max { max = n } END { print max }' seen
}

# With -m, as what is started with & has SIGINT ignored without.
set -m
"$DAGRUN" -j50 2>../err &
pid=$!
set +m
tries=0
until [ "$(grep -c + seen)" = 550 ] && [ "$(grep -c - seen)" = 500 ]; do
	tries=$((tries + 1))
	[ $tries -lt 1200 ] && kill -0 $pid || fail "not there: $(sort seen | uniq -c)"
	sleep 0.05
done
[ "$(most)" = 50 ] || fail "50 at a time, not $(most)"
kill -INT $pid
rc=0
wait $pid || rc=$?
cat ../err
says '500 tasks done, 0 failed, 50 stopped, 449 not run'
[ $rc = 130 ] || fail "ended by the signal, not $rc"
[ "$(sort -n ledger)" = "$(seq 500)" ] || fail 'what is done before the interrupt'

touch open
: >seen
run -j50
says '499 tasks done, 0 failed, 500 up to date'
[ "$(most)" -le 50 ] || fail "50 at a time, not $(most)"
[ "$(grep + seen | sort -k 2,2n)" = "$(seq 501 999 | sed 's/^/+ /')" ] || fail 'what is left, and only that'
[ "$(sort -n ledger)" = "$(seq 999)" ] || fail 'each once'
run -j50
says 'nothing to do (999 up to date)'
