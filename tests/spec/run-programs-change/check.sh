"$DAGRUN" -s
"$DAGRUN" -q
printf '#!/bin/sh\necho 2\n' >tool
! "$DAGRUN" -q
"$DAGRUN" -s
test "$(cat a.out)" = 2
