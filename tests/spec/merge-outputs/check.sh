"$DAGRUN" -s
[ "$(cat all.count)" -eq 5 ]
[ -z "$(find .dagrun/parts -type f)" ]
"$DAGRUN" -q
rm all.count
! "$DAGRUN" -q
"$DAGRUN" -s
[ "$(cat all.count)" -eq 5 ]
