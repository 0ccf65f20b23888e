"$DAGRUN" -s
[ "$(tr '\n' ' ' <all)" = "1 2 3 4 5 " ]
[ "$(tr '\n' ' ' <all.b)" = "+1 +2 +3 +4 +5 " ]
[ "$(tr '\n' ' ' <wide)" = "+1 +2 +3 +4 +5 1 2 3 4 5 " ]
[ -z "$(find .dagrun/parts -type f)" ]
"$DAGRUN" -q
