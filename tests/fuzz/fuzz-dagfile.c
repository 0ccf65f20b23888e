/* A Dagfile, whatever it says: it is read, or there are diagnostics. */
#include "config.h"

#include "err.h"
#include "fuzz.h"
#include "lex.h"
#include "parse.h"

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct dr_parse_options o = { .root = -1, .shell = "/bin/sh" }; /* nothing is included */
	struct dr_pipeline *pipeline = NULL;
	struct dr_diags diags = { 0 };
	struct dr_buf shown = { 0 };
	struct dr_err err = { 0 };
	int rc = dr_parse("Dagfile", (struct dr_str){ (const char *)p, n }, &o, &pipeline, &diags, &err);

	MUST(rc == 0 ? !diags.total : diags.total || err.msg[0]);
	dr_diags_show(&diags, &shown);
	dr_buf_free(&shown);
	dr_diags_free(&diags);
	dr_pipeline_free(pipeline);
	return 0;
}
