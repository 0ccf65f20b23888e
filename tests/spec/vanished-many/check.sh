# Rows that take more than is compared at once.
seq -w 20000 >list
"$DAGRUN" 2>/dev/null
ls -i .dagrun/rows >before
"$DAGRUN" 2>told
if grep -q gone told; then exit 1; fi
# What is as it was is not written again.
ls -i .dagrun/rows | cmp - before
sed -i '$d' list
"$DAGRUN" 2>told
grep -q "1 row was there last time and is gone: 20000\$" told
sed -i '$s/.*/19998x/' list
"$DAGRUN" 2>told
grep -q "1 row was there last time and is gone: 19999\$" told
seq -w 20000 >list
"$DAGRUN" 2>told
grep -q "1 row was there last time and is gone: 19998x\$" told
sed -i 11d list
"$DAGRUN" 2>told
grep -q "1 row was there last time and is gone: 00011\$" told
"$DAGRUN" 2>told
if grep -q gone told; then exit 1; fi
