ulimit -s 8192
rc=0
"$DAGRUN" >said 2>&1 || rc=$?
cat said
[ $rc = 2 ]
grep -q "Dagfile:12:9: the arguments of all are too long.*: use {in:list}, or a smaller fan-in" said
grep -q "Dagfile:26:9: the arguments of every are too long.*: use {in:list}$" said
[ "$(grep -c Dagfile: said)" = 2 ]
[ ! -e directory-with-a-long-name-to-fill-the-command-line-of-the-merge-over-it-all-the-sooner ]
