"$DAGRUN" -s >/dev/null
test "$(cat ./-n.again)" = minus
