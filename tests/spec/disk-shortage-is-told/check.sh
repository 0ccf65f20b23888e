mkdir big
for i in 1 2 3 4 5 6; do
	truncate -s 15T big/$i 2>err || exit 0 # where files cannot be that large
done
"$DAGRUN" 2>err || exit 1
grep -q '^dagrun: about 99 TB will be on the disk of . beside what is there now, and only .* of it are free$' err || exit 1
# What they made the last time says more than what they read.
"$DAGRUN" -B 2>err || exit 1
! grep -q 'will be on the disk' err
