"$DAGRUN" 2>/dev/null
[ "$(cat a.1.txt b.2.txt)" = "a.txt 1
b.txt 2" ]
"$DAGRUN" -q
rm a.txt
printf '1\n' >numbers
"$DAGRUN" 2>/dev/null
[ "$(cat b.1.txt)" = 'b.txt 1' ]
printf '1\n2\n' >numbers
! "$DAGRUN" 2>told
grep -q "a zip needs parts of one length, but 'f' has 1 row and 'n' 2\$" told
