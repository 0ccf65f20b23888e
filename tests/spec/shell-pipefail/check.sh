! "$DAGRUN" -s 2>/dev/null
test ! -e o
