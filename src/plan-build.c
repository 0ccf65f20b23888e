#include "config.h"

#include "plan-build.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "err.h"
#include "lex.h"
#include "plan-builder.h"
#include "plan-values.h"

uint32_t
dr_plan_count_refs(const struct dr_plan *pl, const struct dr_ref *refs, uint32_t n)
{
	uint32_t files = 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct dr_stage *st;

		if (refs[i].stage == DR_NONE) {
			files++;
			continue;
		}
		st = &pl->pipeline->stages[refs[i].stage];
		files += st->n_outputs ? dr_plan_stage_rows(pl, refs[i].stage) : 0;
	}
	return files;
}

/* The files that refs name, for one task, to *at on. */
static int
fill_refs(struct dr_builder *b, uint32_t task, const struct dr_ref *refs, uint32_t n, uint32_t *at)
{
	struct dr_graph *g = b->pl->graph;
	struct dr_task_values tv;

	dr_task_values_init(&tv, b->pl, task);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t file;

		if (refs[i].stage != DR_NONE) {
			uint32_t rows = dr_plan_count_refs(b->pl, &refs[i], 1);

			for (uint32_t r = 0; r < rows; r++)
				g->edges[(*at)++] =
					dr_graph_outputs(g, dr_plan_stage_row(b->pl, refs[i].stage, r))[refs[i].output];
			continue;
		}
		dr_buf_reset(&b->text);
		dr_buf_reset(&b->path);
		if (dr_template_expand(&refs[i].path, &tv.v, &b->text, b->err))
			return -1;
		/* An input may lie outside the directory, so only its spelling is made normal, and '..' stays. */
		if (dr_path_normal(dr_buf_str(&b->text), &b->path)) {
			dr_buf_reset(&b->path);
			dr_buf_addstr(&b->path, dr_buf_str(&b->text));
		}
		if (b->path.failed || b->text.failed)
			return dr_err_nomem(b->err);
		if (dr_graph_file(g, dr_buf_str(&b->path), &file, b->err))
			return -1;
		g->edges[(*at)++] = file;
	}
	return 0;
}

/* What stands beside each of the first n inputs, which tasks of one stage made, or as inner nodes this stage's own. */
static void
fill_beside(struct dr_builder *b, uint32_t task, uint32_t n, const struct dr_input *in, uint32_t *at)
{
	struct dr_graph *g = b->pl->graph;
	const struct dr_task *t = &g->tasks[task];

	for (uint32_t i = 0; i < n; i++) {
		uint32_t file = g->edges[t->edges + i], p = g->files[file].producer;
		uint32_t output = p == DR_NONE ? 0 : g->tasks[p].stage == t->stage ? in->inner : in->output;

		/* Where two tasks make one file, which is told later, the producer may be anybody. */
		if (p != DR_NONE && output < g->tasks[p].n_out)
			file = dr_graph_outputs(g, p)[output];
		g->edges[(*at)++] = file;
	}
}

int
dr_plan_fill_inputs(struct dr_builder *b, uint32_t task, uint32_t given)
{
	const struct dr_stage *st = dr_plan_stage(b->pl, task);
	struct dr_graph *g = b->pl->graph;
	uint32_t at = g->tasks[task].edges + given, uses;

	for (uint32_t i = 0; i < st->n_inputs; i++) {
		if (st->inputs[i].asked)
			fill_beside(b, task, given, &st->inputs[i], &at);
		else if (fill_refs(b, task, st->inputs[i].refs, st->inputs[i].n_refs, &at))
			return -1;
	}
	uses = at;
	if (fill_refs(b, task, st->uses, st->n_uses, &at))
		return -1;
	while (uses < at)
		g->files[g->edges[uses++]].flags |= DR_FILE_USED;
	return 0;
}

int
dr_plan_finish_task(struct dr_builder *b, struct dr_hasher *h, uint32_t task, uint32_t given)
{
	if (dr_plan_fill_inputs(b, task, given) || dr_plan_add_outputs(b, task))
		return -1;
	return dr_plan_set_id(b, h, task);
}

uint32_t
dr_plan_count_input(const struct dr_plan *pl, const struct dr_input *in, uint32_t given)
{
	return in->asked ? given : dr_plan_count_refs(pl, in->refs, in->n_refs);
}

uint32_t
dr_plan_count_inputs(const struct dr_plan *pl, const struct dr_stage *st, uint32_t given)
{
	uint32_t n = given;

	for (uint32_t i = 0; i < st->n_inputs; i++)
		n += dr_plan_count_input(pl, &st->inputs[i], given);
	return n;
}

int
dr_plan_row_file(struct dr_builder *b, const struct dr_stage *st, uint32_t r, uint32_t k, uint32_t *file)
{
	struct dr_plan *pl = b->pl;
	uint32_t first;

	*file = DR_NONE;
	if (st->each_stage != DR_NONE) {
		uint32_t t = dr_plan_stage_row(pl, st->each_stage, r);

		if (pl->graph->tasks[t].n_out)
			*file = dr_graph_outputs(pl->graph, t)[st->each_output];
		return 0;
	}
	if (!dr_items_files(pl->items[st->each_args]))
		return 0;
	dr_buf_reset(&b->path);
	dr_items_row_values(pl->items[st->each_args], r, &first);
	dr_items_value(pl->items[st->each_args], first + k, &b->path);
	if (b->path.failed)
		return dr_err_nomem(b->err);
	if (dr_graph_file(pl->graph, dr_buf_str(&b->path), file, b->err))
		return -1;
	pl->graph->files[*file].flags |= DR_FILE_GLOB;
	return 0;
}

uint32_t
dr_plan_count_rows(const struct dr_plan *pl, const struct dr_stage *st)
{
	if (st->kind == DR_STAGE_TASK)
		return 1;
	return st->each_args != DR_NONE ? dr_items_rows(pl->items[st->each_args]) :
					  dr_plan_stage_rows(pl, st->each_stage);
}

/* How many files row r of a map is: with `batch` several, and none where rows are values. */
static uint32_t
row_files(const struct dr_plan *pl, const struct dr_stage *st, uint32_t r)
{
	uint32_t first;

	if (st->kind != DR_STAGE_MAP)
		return 0;
	if (st->each_stage != DR_NONE)
		return pl->graph->tasks[dr_plan_stage_row(pl, st->each_stage, r)].n_out > 0;
	return dr_items_files(pl->items[st->each_args]) ? dr_items_row_values(pl->items[st->each_args], r, &first) : 0;
}

/* The graph is told of the file of a row that is some rows ahead. */
static void
tell_next(struct dr_builder *b, const struct dr_stage *st, uint32_t r)
{
	const struct dr_items *it = b->pl->items[st->each_args];
	uint32_t first;

	dr_items_row_values(it, r, &first);
	dr_buf_reset(&b->path);
	dr_items_value(it, first, &b->path);
	dr_graph_soon(b->pl->graph, dr_buf_str(&b->path));
}

static int
build_map(struct dr_builder *b, struct dr_hasher *h, uint32_t s)
{
	enum { AHEAD = 4 };
	struct dr_plan *pl = b->pl;
	const struct dr_stage *st = &pl->pipeline->stages[s];
	struct dr_plan_stage *ps = &pl->stages[s];
	uint32_t rows = dr_plan_count_rows(pl, st);
	uint32_t n_in[] = { dr_plan_count_inputs(pl, st, 0), dr_plan_count_inputs(pl, st, 1) };
	uint32_t n_uses = dr_plan_count_refs(pl, st->uses, st->n_uses);
	bool finds = st->each_args != DR_NONE && dr_items_files(pl->items[st->each_args]);

	if (dr_graph_expect(pl->graph, (uint64_t)rows * (st->n_outputs + finds), b->err))
		return -1;
	for (uint32_t r = 0; r < rows; r++) {
		uint32_t n_files = row_files(pl, st, r), file, task;

		if (finds && r + AHEAD < rows)
			tell_next(b, st, r + AHEAD);
		if (dr_graph_task(pl->graph, s, r, n_files < 2 ? n_in[n_files] : dr_plan_count_inputs(pl, st, n_files), n_uses,
				  st->n_outputs, &task, b->err))
			return -1;
		ps->n++;
		for (uint32_t k = 0; k < n_files; k++) {
			if (dr_plan_row_file(b, st, r, k, &file))
				return -1;
			dr_graph_inputs(pl->graph, task)[k] = file;
		}
		if (dr_plan_finish_task(b, h, task, n_files))
			return -1;
	}
	return 0;
}

static void
mark(struct dr_plan *pl, uint32_t task)
{
	const uint32_t *out = dr_graph_outputs(pl->graph, task);

	for (uint32_t k = 0; k < pl->graph->tasks[task].n_out; k++)
		pl->graph->files[out[k]].flags |= DR_FILE_KEEP;
}

/* The nodes of one level: what those above it read that are not above it themselves. */
static void
mark_level(struct dr_plan *pl, const struct dr_plan_tree *pt)
{
	const struct dr_tree *t = &pt->tree;

	for (uint32_t i = 0; i < t->n_nodes; i++) {
		for (uint32_t c = 0; t->nodes[i].round > pt->level && c < t->nodes[i].n_children; c++) {
			uint32_t child = t->children[t->nodes[i].children + c];

			if (child >= t->n_leaves && t->nodes[child - t->n_leaves].round <= pt->level)
				mark(pl, pt->first + child - t->n_leaves);
		}
	}
}

/* What a consumer may not outlive: outputs stay unless the stage says otherwise, inner nodes go unless it says otherwise. */
static void
mark_kept(struct dr_plan *pl, uint32_t s)
{
	const struct dr_stage *st = &pl->pipeline->stages[s];
	const struct dr_plan_stage *ps = &pl->stages[s];

	for (uint32_t i = 0; i < ps->n; i++) {
		uint32_t round, task = ps->first + i;
		bool inner = dr_plan_inner(pl, task, &round);
		bool keep = st->kind == DR_STAGE_MERGE ? !inner || st->keep == DR_KEEP_YES :
							 st->keep != DR_KEEP_NO;

		if (keep)
			mark(pl, task);
	}
	for (uint32_t i = 0; st->keep == DR_KEEP_LEVEL && i < ps->n_trees; i++)
		mark_level(pl, &ps->trees[i]);
}

int
dr_plan_build_tasks(struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err)
{
	const struct dr_pipeline *p = pl->pipeline;
	uint32_t *order = calloc((size_t)p->n_stages + 1, sizeof(*order)), n = 0;
	struct dr_hasher *h = dr_hasher_new();
	struct dr_builder b = { .pl = pl, .diags = diags, .err = err };
	int rc = order && h ? dr_plan_order_stages(&b, order, &n) : dr_err_nomem(err);

	for (uint32_t i = 0; i < n && rc == 0; i++) {
		const struct dr_stage *st = &p->stages[order[i]];
		struct dr_plan_stage *ps = &pl->stages[order[i]];

		b.told = false;
		ps->first = pl->graph->n_tasks;
		ps->items = DR_NONE;
		if (st->kind == DR_STAGE_MAP)
			ps->items = st->each_args != DR_NONE ? st->each_args : pl->stages[st->each_stage].items;
		rc = st->kind == DR_STAGE_MERGE ? dr_plan_build_merge(&b, h, order[i]) : build_map(&b, h, order[i]);
		if (rc == 0)
			mark_kept(pl, order[i]);
	}
	free(order);
	dr_hasher_free(h);
	dr_buf_free(&b.text);
	dr_buf_free(&b.path);
	dr_buf_free(&b.id);
	return rc || diags->total ? -1 : 0;
}
