"$DAGRUN" >said 2>&1
! grep 'made again' said
"$DAGRUN" text=twice >said 2>&1
cat said
grep -q '^dagrun: 1,000 finished tasks are made again, which took .* together last time; most of the reasons are like that of m/0001: its command, shell or environment changed$' said
rm m/0001
"$DAGRUN" text=twice >said 2>&1
! grep 'made again' said
