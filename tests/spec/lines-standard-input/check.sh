printf "a\nb\n" | "$DAGRUN" -n >out
printf "prog a\nprog b\n" | cmp - out
