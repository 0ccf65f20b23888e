! "$DAGRUN" -s -j1 >/dev/null 2>&1
[ "$(tr '\n' ' ' <all)" = "a c " ]
[ ! -e strict ]
! "$DAGRUN" -q
! "$DAGRUN" -s >/dev/null 2>&1
touch allowed
"$DAGRUN" -s
[ "$(tr '\n' ' ' <all)" = "a b c " ]
[ "$(tr '\n' ' ' <strict)" = "a b c " ]
"$DAGRUN" -q
