rc=0
"$DAGRUN" --reserve=900T 2>err || rc=$?
[ $rc = 4 ] && grep -q 'no task can start' err && [ ! -e out ] || exit 1
"$DAGRUN" --reserve 1k 2>err || exit 1
[ -e out ] || exit 1
rc=0
"$DAGRUN" --reserve=lots 2>err || rc=$?
[ $rc = 2 ] && grep -q "takes a size such as 500M or 20G, not 'lots'" err || exit 1
# A unit was forgotten.
rc=0
"$DAGRUN" --reserve=5 2>err || rc=$?
[ $rc = 2 ] && grep -q '^dagrun: --reserve=5 is 5 bytes: write its unit, as in 5M or 5G$' err || exit 1
"$DAGRUN" -B --reserve=0 2>err && "$DAGRUN" -B --reserve=1048576 2>err
