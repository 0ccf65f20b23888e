"$DAGRUN" 2>/dev/null
printf 'b\nd\n' >list
"$DAGRUN" 2>told
grep -q "args 'r': 2 rows were there last time and are gone: a, c\$" told
# Told once.
"$DAGRUN" 2>told
! grep -q gone told
# What another target does not need is not missed.
printf 'd\n' >list
"$DAGRUN" other 2>told
! grep -q gone told
"$DAGRUN" -n 2>told
! grep -q gone told
"$DAGRUN" 2>told
grep -q "args 'r': 1 row was there last time and is gone: b\$" told
