/* What stands in `run`, `out` and `env` of a map, and what it gives for values that are made to do harm. */
#include "config.h"

#include "arena.h"
#include "command.h"
#include "err.h"
#include "fuzz.h"
#include "hash.h"
#include "parse.h"
#include "pipeline.h"

#include <string.h>

static uint32_t
count(void *ctx, const struct dr_piece *piece)
{
	(void)ctx;
	return piece->index % 4;
}

static int
get(void *ctx, const struct dr_piece *piece, uint32_t i, struct dr_buf *buf, struct dr_err *err)
{
	static const char *const values[] = { "", "-rf", "a/b.tar.gz", "$(id);`id`'\"\\\n*?~ #", "..", "\xff\xfe", "/", ".x" };

	(void)ctx;
	(void)err;
	dr_buf_adds(buf, values[(piece->index + i) % (sizeof(values) / sizeof(*values))]);
	return 0;
}

/* One line of what came in, as the value of a key. */
static size_t
add_value(struct dr_buf *b, const char *key, const uint8_t *p, size_t n)
{
	const uint8_t *end = n ? memchr(p, 0, n) : NULL;
	size_t len = end ? (size_t)(end - p) : n;

	dr_buf_adds(b, key);
	for (size_t i = 0; i < len; i++) {
		dr_buf_addc(b, (char)p[i]);
		if (p[i] == '\n')
			dr_buf_adds(b, "    ");
	}
	dr_buf_addc(b, '\n');
	return len < n ? len + 1 : n;
}

static void
use(const struct dr_pipeline *p, const struct dr_stage *st)
{
	const struct dr_values v = { .count = count, .get = get };
	struct dr_hasher *h = dr_hasher_new();
	struct dr_buf out = { 0 }, scratch = { 0 };
	struct dr_arena arena = { 0 };
	struct dr_exec exec;
	struct dr_err err;

	MUST(h);
	if (dr_command_expand(&st->run, &p->shell, &v, &arena, &exec, &err) == 0) {
		for (uint32_t i = 0; i < exec.argc; i++)
			MUST(exec.argv[i]);
		MUST(!exec.argv[exec.argc]);
	}
	(void)dr_command_hash(&st->run, &p->shell, &v, h, &scratch, &err);
	(void)dr_command_show(&st->run, &v, &out, &err);
	for (uint32_t i = 0; i < st->n_outputs; i++)
		(void)dr_template_expand(&st->outputs[i].path, &v, &out, &err);
	for (uint32_t i = 0; i < st->n_env; i++)
		(void)dr_template_expand(&st->env[i].value, &v, &out, &err);
	dr_buf_free(&out);
	dr_buf_free(&scratch);
	dr_arena_free(&arena);
	dr_hasher_free(h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const struct dr_parse_options o = { .root = -1, .shell = "/bin/sh" };
	struct dr_pipeline *pipeline = NULL;
	struct dr_diags diags = { 0 };
	struct dr_buf text = { 0 };
	struct dr_err err;
	size_t at;

	dr_buf_adds(&text, "let x = a b\nargs n\n  list = a b\n  columns = c\nmap m\n  each = n\n  in = i/{arg}\n  in.two = {c}\n  memory = 1G\n");
	at = add_value(&text, "  run =\n    ", p, n);
	at += add_value(&text, "  out = ", p + at, n - at);
	add_value(&text, "  env.V = ", p + at, n - at);
	MUST(!text.failed);
	if (dr_parse("Dagfile", dr_buf_str(&text), &o, &pipeline, &diags, &err) == 0)
		use(pipeline, &pipeline->stages[0]);
	dr_diags_free(&diags);
	dr_pipeline_free(pipeline);
	dr_buf_free(&text);
	return 0;
}
