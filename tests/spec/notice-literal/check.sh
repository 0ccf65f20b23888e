"$DAGRUN" -k -j1 >said 2>&1 || true
cat said
grep "names the file" said >names
cat > expected <<'X'
dagrun: the command of 'm' names the file plain, which is no input: when it changes, nothing is made again (uses = plain)
dagrun: the command of 'm' names the file 'with blank', which is no input: when it changes, nothing is made again (uses = 'with blank')
dagrun: the command of 'm' names the file read, which is no input: when it changes, nothing is made again (uses = read)
dagrun: the command of 't' names the file other, which is no input: when it changes, nothing is made again (uses = other)
X
diff expected names
"$DAGRUN" -B t >said 2>&1
! grep "names the file" said
