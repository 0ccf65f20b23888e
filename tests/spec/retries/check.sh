"$DAGRUN" -s
test "$(cat out.txt)" = 2
