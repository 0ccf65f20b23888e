"$DAGRUN" 2>/dev/null
printf 'c\nb\nd\n' >list
rc=0
"$DAGRUN" 2>told || rc=$?
[ "$rc" = 2 ]
grep -q "^Dagfile:1:6: args 'r': 1 row was there last time and is gone: a; with 'vanished = drop' that may be\$" told
[ ! -e d.x ]
# It may grow.
printf 'c\nb\nd\na\n' >list
"$DAGRUN" 2>/dev/null
[ -e d.x ]
rm list
printf 'a\n' >list
! "$DAGRUN" 2>/dev/null
sed 's/error/drop/' Dagfile >other
"$DAGRUN" -n -f other 2>/dev/null
mv other Dagfile
"$DAGRUN" 2>told
grep -q 'are gone: c, b, d$' told
