#!/bin/sh
# The fuzz targets on what there is to begin with, on what they once found, and on things that are like these.
set -eu

corpus=$srcdir/tests/fuzz/corpus
for target in makeflags journal template; do
	"$builddir/tests/fuzz/fuzz-$target" "$corpus/$target"/*
done
"$builddir/tests/fuzz/fuzz-dagfile" "$corpus"/dagfile/* "$srcdir"/tests/spec/*/Dagfile "$srcdir"/examples/*/Dagfile
