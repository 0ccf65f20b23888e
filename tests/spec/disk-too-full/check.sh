! "$DAGRUN" u 2>err || exit 1
grep -q '^dagrun: no task can start: the next one needs 990 TB on the disk, and .* may be used$' err || exit 1
rc=0
"$DAGRUN" -q 2>err || rc=$?
[ $rc = 1 ] && [ ! -e out ]
