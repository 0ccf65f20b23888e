rc=0
"$DAGRUN" --reserve=900T 2>err || rc=$?
[ $rc = 4 ] && grep -q 'no task can start' err && [ ! -e out ] || exit 1
"$DAGRUN" --reserve 1k 2>err || exit 1
[ -e out ] || exit 1
rc=0
"$DAGRUN" --reserve=lots 2>err || rc=$?
[ $rc = 2 ] && grep -q "takes a size such as 500M or 20G, not 'lots'" err
