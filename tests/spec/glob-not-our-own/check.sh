"$DAGRUN" -s
test "$(echo *.txt)" = "a.made.txt a.txt b.made.txt b.txt"
