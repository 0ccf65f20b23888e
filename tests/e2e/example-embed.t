#!/bin/bash
# examples/embed: a program that is built with the library does what its README says, and leaves no memory behind.
. "$srcdir/tests/e2e/example.sh"

sanitize=
case $COMPILE in
*-fsanitize=*) sanitize=-fsanitize=address,undefined ;;
esac
export DAGRUN_CFLAGS="-I$srcdir/include $sanitize"
export DAGRUN_LIBS="$builddir/libdagrun.a $(pkg-config --libs libxxhash)"

example embed
readme
make -s CC="$CC" || fail 'the Makefile'
if [ -z "$sanitize" ] && command -v valgrind >/dev/null; then
	"$srcdir/tests/memcheck" ./embed >../out || fail 'valgrind'
	grep -q '^20 of 20 run' ../out || fail 'under valgrind'
fi

# What a program is linked with, as pkg-config tells.
libs=$(PKG_CONFIG_PATH="$builddir:${PKG_CONFIG_PATH-}" pkg-config --static --libs dagrun) || fail 'dagrun.pc'
case $libs in
*-ldagrun*-lxxhash*) ;;
*) fail "dagrun.pc: $libs" ;;
esac
