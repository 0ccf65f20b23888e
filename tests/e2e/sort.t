#!/bin/bash
# 900 files of 64 KiB, sorted one by one and merged by 2 and by 8, are what one sort makes of all; of the inner nodes
# remains what is to remain.
. "$srcdir/tests/e2e/lib.sh"

case_sort()
{
	python3 - <<'E1'
import hashlib
import os

os.mkdir('in')
for i in range(900):
    digits = hashlib.shake_128(b'%d' % i).hexdigest(32768)
    text = '\n'.join(digits[at:at + 64] for at in range(0, 65535, 65))
    with open('in/%03d.txt' % i, 'w') as f:
        f.write(text[:65535] + '\n')
E1
	[ "$(stat -c %s in/000.txt in/899.txt | uniq)" = 65536 ] || fail 'the generator'
	cat in/* | sort >expected

	cat >Dagfile <<'E1'
args files
  glob = in/*.txt
map sorted
  each = files
  out  = sorted/{stem}
  run  = sort -o {out} {in}
merge by-2
  each = sorted
  out  = by-2.txt
  part = parts-2
  run  = sort -m -o {out} {in}
merge by-8
  each   = sorted
  fan-in = 8
  keep   = yes
  out    = by-8.txt
  part   = parts-8
  run    = sort -m -o {out} {in}
E1
	ran '' -j2
	cmp expected by-2.txt || fail 'merged by 2'
	cmp expected by-8.txt || fail 'merged by 8'
	[ "$(ls sorted | wc -l)" = 900 ] || fail 'the outputs of a map stay'
	[ -z "$(ls -A parts-2 2>/dev/null)" ] || fail "keep = no: $(ls -A parts-2 | wc -l) inner nodes"
	# 113, 14 (and one carried up), 2, and the last is by-8.txt.
	[ "$(ls parts-8 | wc -l)" = 149 ] || fail "keep = yes: $(ls parts-8 | wc -l) inner nodes"
	no_leftovers
	ran ''
	says "$E" 'nothing to do'
}

cases "$@"
