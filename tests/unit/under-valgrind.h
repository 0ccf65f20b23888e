/* For what valgrind does otherwise than the system, or fifty times as slowly. */
#ifndef UNDER_VALGRIND_H
#define UNDER_VALGRIND_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static inline bool
under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

#endif
