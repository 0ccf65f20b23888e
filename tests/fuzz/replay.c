/* Calls a fuzz target with each file that is named, and with some hundred things that are like it: cut short, with bytes changed, doubled or
 * left out. The same ones every time. */
#include "config.h"

#include "err.h"
#include "fuzz.h"
#include "os.h"
#include "str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VARIANTS = 100, CHANGES = 4 };

static uint64_t
next(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 33;
}

static void
change(uint8_t *p, size_t *n, uint64_t *seed)
{
	size_t at = *n ? next(seed) % *n : 0, len = *n - at;

	if (!*n)
		return;
	switch (next(seed) % 5) {
	case 0:
		p[at] ^= (uint8_t)(1U << next(seed) % 8);
		break;
	case 1:
		p[at] = (uint8_t)next(seed);
		break;
	case 2:
		*n = at;
		break;
	case 3: /* left out */
		len = next(seed) % (len + 1);
		memmove(p + at, p + at + len, *n - at - len);
		*n -= len;
		break;
	default: /* something from elsewhere in its place */
		len = next(seed) % (len + 1);
		memmove(p + at, p + next(seed) % (*n - len + 1), len);
	}
}

static void
variants(const struct dr_buf *file)
{
	uint64_t seed = file->n;

	for (int i = 0; i <= VARIANTS; i++) {
		size_t n = file->n;
		/* Just as large: so a sanitizer sees what is read behind it. */
		uint8_t *p = malloc(n + 1), *exact;

		MUST(p);
		if (n)
			memcpy(p, file->p, n);
		for (int k = 0; k < CHANGES && i; k++)
			change(p, &n, &seed);
		exact = malloc(n ? n : 1);
		MUST(exact);
		memcpy(exact, p, n);
		free(p);
		LLVMFuzzerTestOneInput(exact, n);
		free(exact);
	}
}

int
main(int argc, char **argv)
{
	struct dr_buf file = { 0 };
	struct dr_err err;

	for (int i = 1; i < argc; i++) {
		dr_buf_reset(&file);
		if (dr_slurp(AT_FDCWD, argv[i], &file, &err)) {
			fprintf(stderr, "%s\n", err.msg);
			return 1;
		}
		variants(&file);
	}
	printf("%d files\n", argc - 1);
	dr_buf_free(&file);
	return 0;
}
