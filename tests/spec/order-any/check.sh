test "$(tr '\n' ' ' < all)" = 'a b c d e '
test "$(wc -l < merges)" = 4
sed -i 's/d a e c b/b c d e a/' Dagfile
"$DAGRUN" -n > said 2>&1
grep -q 'nothing to do' said
sed -i 's/order = any/order = input/' Dagfile
"$DAGRUN" -s
test "$(tr '\n' ' ' < all)" = 'b c d e a '
