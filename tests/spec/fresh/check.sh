"$DAGRUN" -s && touch -d 2001-01-01 x && "$DAGRUN" -s
test "$(wc -l <by-content)" -eq 1
test "$(wc -l <by-time)" -eq 2
