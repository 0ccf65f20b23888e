#include "config.h"

#include "jobserver-pool.h"

#include <stdlib.h>
#include <string.h>

static bool
names(const struct dr_pool_address *a)
{
	return a->r >= 0 || a->fifo;
}

/* The words that make and its like find the pool by. gcc up to 12 takes the first jobserver word that it
 * sees, and make 4.3 ends when an option of its own names a fifo; to make, what follows -- is a variable.
 * Who knows fifos takes the last word. */
static void
name_pool(const struct dr_pool_address *a, struct dr_buf *options, struct dr_buf *variables)
{
	if (!names(a))
		return;
	dr_buf_addf(options, " -j%u", (unsigned)a->jobs);
	if (a->r >= 0)
		dr_buf_addf(options, " --jobserver-auth=%d,%d", a->r, a->w);
	if (a->fifo)
		dr_buf_addf(a->style == DR_STYLE_FIFO ? options : variables, " --jobserver-auth=fifo:%s", a->fifo);
}

static const struct told {
	const char *name;
	bool keep;      /* what we inherited goes on; else only the pool is told */
	bool variables; /* and what stands behind -- */
	bool trim;      /* begins with an option, not with a blank in place of letters */
	bool marks;     /* set, though empty, it says that there is a make, and that it passes no pool */
} told[DR_POOL_VARS] = {
	{ .name = "MAKEFLAGS", .keep = true, .variables = true, .marks = true },
	{ .name = "MFLAGS", .keep = true, .trim = true },
	{ .name = "CARGO_MAKEFLAGS", .variables = true },
};

/* NAME=VALUE into b, which stays empty when that is what the environment says already. */
static int
tell(const struct dr_pool_address *a, const struct told *t, struct dr_buf *b)
{
	const char *now = getenv(t->name);
	struct dr_flag_words words;
	size_t from;

	if (dr_flag_words_split(t->keep ? now : NULL, &words))
		return -1;
	name_pool(a, &words.options, &words.variables);
	dr_buf_addf(b, "%s=", t->name);
	from = b->n;
	dr_buf_addstr(b, dr_buf_str(&words.letters));
	dr_buf_addstr(b, dr_buf_str(&words.options));
	if (t->variables && words.variables.n) {
		dr_buf_adds(b, " --");
		dr_buf_addstr(b, dr_buf_str(&words.variables));
	}
	if (words.letters.failed || words.options.failed || words.variables.failed)
		b->failed = true;
	dr_flag_words_free(&words);
	if (b->failed)
		return -1;
	if (t->trim && b->p[from] == ' ')
		memmove(b->p + from, b->p + from + 1, b->n-- - from);
	if (dr_str_eq((struct dr_str){ b->p + from, b->n - from }, dr_str(now)) && !(!names(a) && t->marks && !now))
		dr_buf_reset(b);
	return 0;
}

void
dr_pool_env_make(struct dr_pool_env *e, const struct dr_pool_address *a)
{
	int n = 0;

	for (int i = 0; i < DR_POOL_VARS; i++) {
		dr_buf_reset(&e->vars[i]);
		/* Without memory children do without the pool. */
		if (tell(a, &told[i], &e->vars[i]) == 0 && e->vars[i].n)
			e->envp[n++] = e->vars[i].p;
	}
	e->envp[n] = NULL;
}

void
dr_pool_env_free(struct dr_pool_env *e)
{
	for (int i = 0; i < DR_POOL_VARS; i++)
		dr_buf_free(&e->vars[i]);
}
