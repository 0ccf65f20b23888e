#include "config.h"

#include <stdlib.h>

#include "err.h"
#include "lex.h"
#include "plan-build.h"

/* The output that is a directory and has this one, with its '/' at the end, in it or is it; DR_NONE: there is none. */
static uint32_t
tree_above(const struct dr_graph *g, struct dr_str dir)
{
	while (dir.n > 1) {
		uint32_t f;

		dir.n--;
		f = dr_graph_find(g, dir);
		if (f != DR_NONE && (g->files[f].flags & DR_FILE_TREE))
			return f;
		while (dir.n && dir.p[dir.n - 1] != '/')
			dir.n--;
	}
	return DR_NONE;
}

/* Who names the file: its maker, or the first that reads it. */
static uint32_t
somebody(const struct dr_graph *g, uint32_t file)
{
	uint32_t at = g->first_consumer[file];

	if (g->files[file].producer != DR_NONE)
		return g->files[file].producer;
	return at < g->first_consumer[file + 1] ? g->consumers[at] : DR_NONE;
}

static void
tell(const struct dr_plan *pl, uint32_t file, uint32_t tree, uint32_t task, struct dr_buf *b, struct dr_diags *diags)
{
	const struct dr_graph *g = pl->graph;
	struct dr_buf inner = { 0 }, outer = { 0 };

	dr_buf_reset(b);
	dr_graph_path(g, file, b);
	dr_buf_escape(&inner, dr_buf_str(b));
	dr_buf_reset(b);
	dr_graph_path(g, tree, b);
	dr_buf_escape(&outer, dr_buf_str(b));
	dr_lex_error(pl->pipeline, diags, dr_plan_stage(pl, task)->pos,
		     g->files[file].producer != DR_NONE ?
			     "the output '%s' lies in '%s/', which is an output as a whole" :
			     "the input '%s' lies in '%s/', which is made as a whole: make that the input",
		     dr_buf_cstr(&inner), dr_buf_cstr(&outer));
	dr_buf_free(&inner);
	dr_buf_free(&outer);
}

int
dr_plan_check_trees(struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err)
{
	const struct dr_graph *g = pl->graph;
	uint32_t *above; /* by directory */
	struct dr_buf b = { 0 };
	uint32_t n = 0, told = DR_NONE;

	for (uint32_t f = 0; f < g->n_files; f++)
		n += !!(g->files[f].flags & DR_FILE_TREE);
	if (!n)
		return 0;
	above = malloc(((size_t)g->n_dirs + 1) * sizeof(*above));
	if (!above)
		return dr_err_nomem(err);
	for (uint32_t d = 0; d < g->n_dirs; d++)
		above[d] = tree_above(g, dr_graph_dir(g, d));
	for (uint32_t f = 0; f < g->n_files; f++) {
		uint32_t tree = above[g->files[f].dir], task = tree == DR_NONE ? DR_NONE : somebody(g, f);

		/* Of one stage one is enough. */
		if (task == DR_NONE || g->tasks[task].stage == told)
			continue;
		told = g->tasks[task].stage;
		tell(pl, f, tree, task, &b, diags);
	}
	free(above);
	dr_buf_free(&b);
	return diags->total ? -1 : 0;
}
