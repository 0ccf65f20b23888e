"$DAGRUN" -s
[ "$(cat o/a)" = "a
1" ]
touch -r o/a reference
echo 2 > version
"$DAGRUN" -s
[ "$(cat o/b)" = "b
2" ]
