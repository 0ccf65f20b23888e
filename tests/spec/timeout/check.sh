! "$DAGRUN" 2>err
grep -q "100ms" err
