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

static uint32_t
count_refs(const struct dr_plan *pl, const struct dr_ref *refs, uint32_t n)
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
			uint32_t rows = count_refs(b->pl, &refs[i], 1);

			for (uint32_t r = 0; r < rows; r++)
				g->edges[(*at)++] =
					dr_graph_outputs(g, dr_plan_stage_row(b->pl, refs[i].stage, r))[0];
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

/* Inputs and uses of a task whose row's files stand in the first `at` edges already. */
static int
fill_inputs(struct dr_builder *b, uint32_t task, uint32_t given)
{
	const struct dr_stage *st = dr_plan_stage(b->pl, task);
	struct dr_graph *g = b->pl->graph;
	uint32_t at = g->tasks[task].edges + given, uses;

	for (uint32_t i = 0; i < st->n_inputs; i++)
		if (fill_refs(b, task, st->inputs[i].refs, st->inputs[i].n_refs, &at))
			return -1;
	uses = at;
	if (fill_refs(b, task, st->uses, st->n_uses, &at))
		return -1;
	while (uses < at)
		g->files[g->edges[uses++]].flags |= DR_FILE_USED;
	return 0;
}

static int
finish_task(struct dr_builder *b, struct dr_hasher *h, uint32_t task, uint32_t given)
{
	if (fill_inputs(b, task, given) || dr_plan_add_outputs(b, task))
		return -1;
	return dr_plan_set_id(b, h, task);
}

static uint32_t
count_inputs(const struct dr_plan *pl, const struct dr_stage *st)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < st->n_inputs; i++)
		n += count_refs(pl, st->inputs[i].refs, st->inputs[i].n_refs);
	return n;
}

/* The file that row r of a generator or stage is; DR_NONE: rows are values. */
static int
row_file(struct dr_builder *b, const struct dr_stage *st, uint32_t r, uint32_t *file)
{
	struct dr_plan *pl = b->pl;

	*file = DR_NONE;
	if (st->each_stage != DR_NONE) {
		uint32_t t = dr_plan_stage_row(pl, st->each_stage, r);

		if (pl->graph->tasks[t].n_out)
			*file = dr_graph_outputs(pl->graph, t)[0];
		return 0;
	}
	if (!dr_items_files(pl->items[st->each_args]))
		return 0;
	dr_buf_reset(&b->path);
	dr_items_row(pl->items[st->each_args], r, &b->path);
	if (b->path.failed)
		return dr_err_nomem(b->err);
	if (dr_graph_file(pl->graph, dr_buf_str(&b->path), file, b->err))
		return -1;
	pl->graph->files[*file].flags |= DR_FILE_GLOB;
	return 0;
}

static uint32_t
count_rows(const struct dr_plan *pl, const struct dr_stage *st)
{
	if (st->kind == DR_STAGE_TASK)
		return 1;
	return st->each_args != DR_NONE ? dr_items_rows(pl->items[st->each_args]) :
					  dr_plan_stage_rows(pl, st->each_stage);
}

static int
build_map(struct dr_builder *b, struct dr_hasher *h, uint32_t s)
{
	struct dr_plan *pl = b->pl;
	const struct dr_stage *st = &pl->pipeline->stages[s];
	struct dr_plan_stage *ps = &pl->stages[s];
	uint32_t rows = count_rows(pl, st), n_in = count_inputs(pl, st);
	uint32_t n_uses = count_refs(pl, st->uses, st->n_uses);

	for (uint32_t r = 0; r < rows; r++) {
		uint32_t file = DR_NONE, task;

		if (st->kind == DR_STAGE_MAP && row_file(b, st, r, &file))
			return -1;
		if (dr_graph_task(pl->graph, s, r, n_in + (file != DR_NONE), n_uses, st->n_outputs, &task, b->err))
			return -1;
		ps->n++;
		if (file != DR_NONE)
			*dr_graph_inputs(pl->graph, task) = file;
		if (finish_task(b, h, task, file != DR_NONE))
			return -1;
	}
	return 0;
}

/* The leaves of a merge: files, and the hashes of their names. */
static int
merge_leaves(struct dr_builder *b, const struct dr_stage *st, uint32_t n, uint32_t *leaves)
{
	for (uint32_t r = 0; r < n; r++) {
		if (row_file(b, st, r, &leaves[r]))
			return -1;
		if (leaves[r] == DR_NONE) {
			dr_lex_error(b->pl->pipeline, b->diags, st->pos,
				     "merge '%.*s' has no files to merge: what it is over yields values or makes nothing",
				     (int)st->name.n, st->name.p);
			return -1;
		}
		dr_buf_reset(&b->path);
		dr_graph_path(b->pl->graph, leaves[r], &b->path);
		if (b->path.failed)
			return dr_err_nomem(b->err);
		b->leaf_hash[r] = dr_hash128(b->path.p, b->path.n);
	}
	return 0;
}

static int
merge_node(struct dr_builder *b, struct dr_hasher *h, uint32_t s, uint32_t node, const uint32_t *leaves)
{
	struct dr_plan *pl = b->pl;
	const struct dr_stage *st = &pl->pipeline->stages[s];
	struct dr_plan_stage *ps = &pl->stages[s];
	const struct dr_tree_node *nd = &ps->tree.nodes[node];
	uint32_t n_leaves = ps->tree.n_leaves, task, *in;

	if (dr_graph_task(pl->graph, s, node, nd->n_children, count_refs(pl, st->uses, st->n_uses), st->n_outputs, &task,
			  b->err))
		return -1;
	ps->n++;
	in = dr_graph_inputs(pl->graph, task);
	for (uint32_t c = 0; c < nd->n_children; c++) {
		uint32_t child = ps->tree.children[nd->children + c];

		in[c] = child < n_leaves ? leaves[child] :
					   dr_graph_outputs(pl->graph, ps->first + child - n_leaves)[0];
	}
	if (node + 1 == ps->tree.n_nodes)
		return finish_task(b, h, task, nd->n_children);
	if (fill_inputs(b, task, nd->n_children) || dr_plan_add_inner_outputs(b, task))
		return -1;
	return dr_plan_set_id(b, h, task);
}

static int
build_merge(struct dr_builder *b, struct dr_hasher *h, uint32_t s)
{
	struct dr_plan *pl = b->pl;
	const struct dr_stage *st = &pl->pipeline->stages[s];
	struct dr_plan_stage *ps = &pl->stages[s];
	uint32_t n = count_rows(pl, st), *leaves;
	int rc = 0;

	if (!n)
		return 0;
	leaves = malloc(n * sizeof(*leaves));
	b->leaf_hash = malloc(n * sizeof(*b->leaf_hash));
	if (!leaves || !b->leaf_hash)
		rc = dr_err_nomem(b->err);
	if (rc == 0)
		rc = merge_leaves(b, st, n, leaves);
	if (rc == 0)
		rc = dr_tree_rounds(n, st->fan_in, &ps->tree, b->err);
	for (uint32_t node = 0; rc == 0 && node < ps->tree.n_nodes; node++)
		rc = merge_node(b, h, s, node, leaves);
	free(leaves);
	free(b->leaf_hash);
	b->leaf_hash = NULL;
	return rc;
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
		const uint32_t *out = dr_graph_outputs(pl->graph, task);

		for (uint32_t k = 0; keep && k < pl->graph->tasks[task].n_out; k++)
			pl->graph->files[out[k]].flags |= DR_FILE_KEEP;
	}
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
		rc = st->kind == DR_STAGE_MERGE ? build_merge(&b, h, order[i]) : build_map(&b, h, order[i]);
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
