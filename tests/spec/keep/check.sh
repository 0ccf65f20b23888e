test "$(ls nodes | wc -l)" = 2
test -z "$(ls mid)"
