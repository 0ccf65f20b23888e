"$DAGRUN" -s
[ -d m/1 ] && [ ! -s m/1/before ] && [ "$(cat m/1/sub/a)" = 1 ] && [ -L m/1/link ]
[ -d all ] && [ "$(cat sum)" -gt 6 ]
"$DAGRUN" -q
[ -z "$(find . -name '.dagrun-*')" ]
[ -z "$(find .dagrun/parts -mindepth 2)" ]

# What is made again takes the place of all that was there.
echo b > what
"$DAGRUN" -s
[ ! -e m/1/sub/a ] && [ "$(cat m/1/sub/b)" = 1 ]
[ -z "$(find . -name '.dagrun-*')" ]
"$DAGRUN" -q

# A change inside is a change.
echo more >> m/2/sub/b
"$DAGRUN" --explain -n 2>&1 | cat > said
cat said
! "$DAGRUN" -q
"$DAGRUN" -s 2>/dev/null
"$DAGRUN" -q
[ "$(cat m/2/sub/b)" = "2
more" ]

# One that fails leaves what stood.
echo c > what
sed -i '/^  run = ls/s/$/; false/' Dagfile
! "$DAGRUN" -s -k >/dev/null 2>&1
[ -e m/1/sub/b ] && [ ! -e m/1/sub/c ]
[ -z "$(find . -name '.dagrun-*')" ]
rm -r m
echo x > m
rc=0
"$DAGRUN" >said 2>&1 || rc=$?
cat said
[ $rc != 0 ]
