#!/bin/bash
# What tasks and recipes print under make -O stays together, however many makes and dagruns write to one place; what
# make -w and --shuffle ask for; a dagrun whose output a Makefile reads.
set -eu

fail()
{
	echo "FAILED: $*"
	exit 1
}

export DAGRUN="${DAGRUN:?}"

# Half a megabyte of lines, some to standard error: larger than a pipe, so that it is written in pieces.
cat >talk <<'E1'
#!/bin/sh
i=0
while [ $i -lt 4000 ]; do
	echo "$1 $i 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
	i=$((i + 1))
done
E1
chmod +x talk
mkdir one two
for d in one two; do
	cp talk $d
	cat >$d/Dagfile <<E1
args n
  range = 1..4

map t
  each = n
  out  = {arg}.txt
  run  = ./talk $d-{arg} && : > {out}
E1
done
cat >Makefile <<'E1'
all: r1 r2 r3 one two
one two: ; +@$(DAGRUN) --progress=plain -C $@
r1 r2 r3: ; @./talk $@
.PHONY: all one two r1 r2 r3
E1

# whole FILE: every group's lines in their order, and none of another in between.
whole()
{
	awk '/^(one-|two-|r)[0-9]+ / {
		if ($1 != now && $2 != 0) { print "line " NR ": " $1 " " $2 " after " now " " at; bad = 1; exit }
		if ($1 == now && $2 != at + 1) { print "line " NR ": " $1 " " $2 " after " at; bad = 1; exit }
		now = $1; at = $2; n += $2 == 3999; next
	}
	now != "" && at != 3999 { print "line " NR ": in the middle of " now ": " $0; bad = 1; exit }
	END { if (!bad && n != 11) print n " groups"; exit bad || n != 11 }' "$1"
}

for how in '>out 2>&1' '2>&1 | cat >out'; do
	rm -f one/*.txt two/*.txt
	eval "make -j6 -O $how"
	whole out || fail "groups under -O, $how"
done

# Two dagruns alone do not write into each other's groups either.
rm -f one/*.txt two/*.txt
make -j6 one two 2>&1 | cat >out
awk '/^(one|two)-/ { if ($1 != now && now != "" && at != 3999) exit 1; now = $1; at = $2 }' out ||
	fail 'groups of two dagruns'

# The file that make 4.4 locks is locked by us as well: while another has it, nothing is written.
: >mutex
cat >holds <<'E1'
import fcntl, os, subprocess, sys
with open('mutex', 'r+') as m:
    fcntl.lockf(m, fcntl.LOCK_EX, 1)
    with open('said', 'wb') as said:
        p = subprocess.Popen([os.environ['DAGRUN'], '-s', '-C', 'one'], stdout=said, stderr=said,
                             env=dict(os.environ, MAKEFLAGS=' -O --sync-mutex=fnm:' + os.path.abspath('mutex'), MAKELEVEL='1'))
    # Its wait for the lock shows in /proc/locks; one that does not wait ends.
    ino = str(os.fstat(m.fileno()).st_ino)
    while p.poll() is None:
        if any('->' in line and line.split()[6].endswith(':' + ino) for line in open('/proc/locks')):
            break
    held = p.poll() is None and os.path.getsize('said') == 0
sys.exit(p.wait() or not held)
E1
rm -f one/*.txt
python3 holds || fail "make 4.4's mutex"
[ "$(wc -l <said)" = 16000 ] || fail 'all is written afterwards'

# Who has nothing to say does not wait: somebody who writes to a slow reader holds up no tasks.
mkdir quiet
printf 'args n\n  range = 1..5\n\nmap t\n  each = n\n  out  = {arg}.txt\n  run  = : > {out}\n' >quiet/Dagfile
cat >waits <<'E1'
import fcntl, os, subprocess, sys
with open('said', 'wb') as said:
    fcntl.lockf(said, fcntl.LOCK_EX, 1)
    sys.exit(subprocess.run([os.environ['DAGRUN'], '-s', '-j2', '-C', 'quiet'], stdout=said, stderr=said, timeout=60).returncode)
E1
python3 waits || fail 'tasks that print nothing are held up by a lock'

# -w: where tasks work, if make is not there itself.
make -w one >out 2>&1
grep -q "^dagrun: Entering directory '$(pwd -P)/one'" out && fail '-w where nothing is done'
rm one/1.txt
make -w one >out 2>&1
grep -q "^dagrun: Entering directory '$(pwd -P)/one'" out && grep -q "^dagrun: Leaving directory '$(pwd -P)/one'" out ||
	fail '-w says where'
rm one/1.txt
make one >out 2>&1
! grep -q 'Entering directory' out || fail 'without -w it is not said'
printf 'here: ; +@$(DAGRUN)\n' >one/here.mk
rm one/1.txt
make -w -C one -f here.mk >out 2>&1
! grep -q '^dagrun: Entering' out || fail 'make has said it itself'

# --shuffle (make 4.4): the order of what is ready, the same for the same seed.
order()
{
	rm -rf one/*.txt one/.dagrun # as last durations count
	MAKELEVEL=1 MAKEFLAGS="$1" "$DAGRUN" -C one -j1 --progress=none 2>&1 | awk '$2 == 0 { printf "%s ", substr($1, 5) }'
}
[ "$(order '')" = '1 2 3 4 ' ] || fail 'the usual order'
[ "$(order ' --shuffle=reverse')" = '4 3 2 1 ' ] || fail '--shuffle=reverse'
[ "$(order ' --shuffle=none')" = '1 2 3 4 ' ] || fail '--shuffle=none'
[ "$(order ' --shuffle=12345')" = "$(order ' --shuffle=12345')" ] || fail 'one seed, one order'
i=1
while [ "$(order " --shuffle=$i")" = '1 2 3 4 ' ]; do
	[ $((i += 1)) -lt 20 ] || fail '--shuffle=SEED permutes'
done

# --trace says why, and runs.
rm one/2.txt
make --trace one >out 2>&1
grep -q '2.txt.*gone\|2.txt.*missing\|2.txt.*there' out && [ -e one/2.txt ] || { cat out; fail '--trace says why'; }

# What a Makefile reads: it comes to its end, also with tasks that go on.
cat >shell.mk <<'E1'
X := $(shell $(DAGRUN) -s -C three 2>/dev/null)
all: ; @echo "got $X"
E1
mkdir three
printf 'task t\n  out = t\n  run =\n    echo said; : > {out}; sleep 1000 & echo $! > pid\n' >three/Dagfile
make -s -j4 -f shell.mk >out
kill "$(cat three/pid)" 2>/dev/null || :
[ "$(cat out)" = 'got said' ] || { cat out; fail '$(shell dagrun)'; }
