/* A fuzz target is one function; libFuzzer calls it, or tests/fuzz/replay.c, which needs no clang. */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* What must hold whatever comes in. */
#define MUST(cond)                     \
	do {                           \
		if (!(cond))           \
			__builtin_trap(); \
	} while (0)

#endif
