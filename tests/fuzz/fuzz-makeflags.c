/* MAKEFLAGS, MAKELEVEL and CARGO_MAKEFLAGS, each ended by a NUL. */
#include "config.h"

#include "fuzz.h"
#include "makeflags.h"
#include "str.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const char *value[3] = { NULL, NULL, NULL };
	struct dr_makeflags m = { 0 };
	struct dr_buf text = { 0 };
	size_t at = 0;

	dr_buf_add(&text, p, n);
	if (text.failed || !text.p)
		return 0;
	for (int i = 0; i < 3 && at < n; i++) {
		value[i] = text.p + at;
		at += strlen(text.p + at) + 1;
	}
	if (dr_makeflags_parse(value[0], value[1], value[2], &m) == 0) {
		MUST(m.n_auths <= DR_AUTHS_MAX);
		dr_makeflags_free(&m);
	}
	dr_buf_free(&text);
	return 0;
}
