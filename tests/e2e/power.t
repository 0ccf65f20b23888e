#!/bin/bash
# What is known to be on the disk when the machine starts anew, and what is made again. journal-tool writes the start of another day into
# the journal, as no test can cut the power.
. "$srcdir/tests/e2e/lib.sh"

tool()
{
	"$builddir/tests/journal-tool" "$@"
}

# three outputs, the first too large for its content to be in the record
sizes()
{
	cat >Dagfile <<'E1'
args sizes
  list = 5000000 10 20
map make
  each = sizes
  out = out/{arg}
  run = note {arg} head -c {arg} /dev/zero > {out}
E1
}

case_small_outputs_go_by_content()
{
	sizes
	ran '10 20 5000000'
	tool reboot
	tr '\0' x <out/10 >x
	touch -r out/10 x
	cat x >out/10
	touch -r x out/10
	ran '10 5000000'
	says "$E" '2 outputs were made before the machine was started anew'
	[ "$(tr -d '\0' <out/10 | wc -c)" = 0 ] || fail 'out/10 is still what it was'
	ran ''
	# What was compared need not be again; what was made again need not be yet.
	[ "$(tool list | grep -c 'barrier read')" = 1 ] || fail 'not one output was compared'
}

case_why()
{
	sizes
	ran '10 20 5000000'
	tool reboot
	run -n --explain
	says "$O" 'out/5000000: made before the machine was started anew, and not known to have reached the disk'
	run -n --json
	says "$O" '"not-synced"'
	run -q
	[ "$rc" = 1 ] || fail "-q: $rc"
}

case_durable()
{
	sizes
	ran '10 20 5000000' --durable
	tool list | head -2 | tail -1 | grep -qx 'barrier always' || fail 'the journal does not say that outputs are synced'
	tool reboot
	ran ''
	[ "$(tool list | grep -c read)" = 0 ] || fail 'what was synced is read'
}

case_adopted()
{
	sizes
	ran '10 20 5000000'
	rm -r .dagrun
	run --adopt
	[ "$rc" = 0 ] || fail "--adopt: $rc"
	tool reboot
	ran ''
}

# Every 32 runs that printed something: one log is named by a live record, that of the last.
case_logs()
{
	printf 'task t\n  run = echo hello\n' >Dagfile
	for i in $(seq 40); do
		run -B -s
		[ "$rc" = 0 ] || fail "run $i: $rc"
	done
	n=$(ls .dagrun/log | wc -l)
	[ "$n" -le 10 ] || fail "$n logs are left"
	run --log t
	says "$O" hello
}

cases "$@"
