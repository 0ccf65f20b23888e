"$DAGRUN" -s
grep -q "^<sub/.*out.txt>" sub/out.txt
