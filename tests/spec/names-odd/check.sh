mkdir in
i=0
for name in 'a b' "it's" '$HOME' '*' '-n' '{in}' 'new
line' "$(printf 'bad\377utf8')" 'back\slash' '"'; do
	i=$((i + 1))
	echo "$i" >"in/$name"
done
"$DAGRUN" -s -j2
cat in/* >want
cmp want direct.out
cmp want shell.out
