mkdir in
echo a > in/a
printf 'b\n' > "in/two
lines"
echo c > ./-c
"$DAGRUN" -s all
[ "$(tr '\n' ' ' <all)" = "c a b " ]
"$DAGRUN" -n -B all > shown
bash shown
[ "$(tr '\n' ' ' <all)" = "c a b " ]
rc=0
"$DAGRUN" lines > said 2>&1 || rc=$?
cat said
[ $rc != 0 ]
grep -q '{in:list0}' said
