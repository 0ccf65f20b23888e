! "$DAGRUN" -s -j1 >/dev/null 2>&1
[ "$(tr '\n' ' ' <all)" = "3 4 5 7 8 9 " ]
! "$DAGRUN" -q
: > runs
touch allowed
"$DAGRUN" -s -j1
[ "$(tr '\n' ' ' <all)" = "1 2 3 4 5 6 7 8 9 " ]
# 1+2, 5+6, 1..4, 5..8, 1..8, all; 3+4 and 7+8 stood.
[ "$(grep -c merge runs)" = 6 ]
"$DAGRUN" -q
[ -z "$(find .dagrun/parts -type f)" ]
