#include "config.h"

#include "plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "err.h"
#include "lex.h"
#include "plan-build.h"
#include "plan-values.h"

const struct dr_stage *
dr_plan_stage(const struct dr_plan *pl, uint32_t task)
{
	return &pl->pipeline->stages[pl->graph->tasks[task].stage];
}

uint32_t
dr_plan_stage_rows(const struct dr_plan *pl, uint32_t stage)
{
	const struct dr_plan_stage *ps = &pl->stages[stage];

	return pl->pipeline->stages[stage].kind == DR_STAGE_MERGE ? ps->n_trees : ps->n;
}

uint32_t
dr_plan_stage_row(const struct dr_plan *pl, uint32_t stage, uint32_t i)
{
	const struct dr_plan_stage *ps = &pl->stages[stage];

	if (pl->pipeline->stages[stage].kind != DR_STAGE_MERGE)
		return ps->first + i;
	return ps->trees[i].first + ps->trees[i].tree.n_nodes - 1;
}

const struct dr_plan_tree *
dr_plan_tree(const struct dr_plan *pl, uint32_t task, uint32_t *node)
{
	const struct dr_task *t = &pl->graph->tasks[task];
	const struct dr_plan_tree *tree;

	if (!pl->stages[t->stage].n_trees)
		return NULL;
	tree = &pl->stages[t->stage].trees[t->row];
	*node = task - tree->first;
	return tree;
}

uint64_t
dr_plan_stage_key(const struct dr_plan *pl, uint32_t stage)
{
	struct dr_str name = pl->pipeline->stages[stage].name;

	return dr_hash64(name.p, name.n);
}

bool
dr_plan_inner(const struct dr_plan *pl, uint32_t task, uint32_t *round)
{
	uint32_t node;
	const struct dr_plan_tree *tree = dr_plan_tree(pl, task, &node);

	*round = tree ? tree->tree.nodes[node].round : 0;
	return tree && node + 1 < tree->tree.n_nodes;
}

/* /ROUND.INDEX, INDEX from 1 within the round of its tree. */
static void
inner_name(const struct dr_plan *pl, uint32_t task, uint32_t round, struct dr_buf *out)
{
	uint32_t node, lo = 0, hi;
	const struct dr_tree_node *nodes = dr_plan_tree(pl, task, &node)->tree.nodes;

	hi = node;
	while (lo < hi) { /* nodes stand round by round */
		uint32_t mid = lo + (hi - lo) / 2;

		if (nodes[mid].round < round)
			lo = mid + 1;
		else
			hi = mid;
	}
	dr_buf_addf(out, "/%" PRIu32 ".%" PRIu32, round, node - lo + 1);
}

void
dr_plan_row_column(const struct dr_plan *pl, uint32_t stage, uint32_t row, uint32_t column, struct dr_buf *out)
{
	const struct dr_stage *st = &pl->pipeline->stages[stage];

	while (st->rows_args == DR_NONE) {
		const struct dr_plan_tree *trees = pl->stages[st->rows_merge].trees;

		st = &pl->pipeline->stages[st->rows_merge];
		column = st->by_columns[column];
		row = trees[row].row;
	}
	dr_items_column(pl->items[st->rows_args], row, column, out);
}

bool
dr_plan_row_name(const struct dr_plan *pl, uint32_t stage, uint32_t row, const char *before, struct dr_buf *out)
{
	const struct dr_stage *st = &pl->pipeline->stages[stage];

	if (st->kind == DR_STAGE_MAP && st->rows_args == DR_NONE) {
		if (st->rows_merge == DR_NONE)
			return false;
		stage = st->rows_merge;
		st = &pl->pipeline->stages[stage];
	}
	if (st->kind != DR_STAGE_MAP && !st->n_by)
		return false;
	dr_buf_adds(out, before);
	if (st->kind == DR_STAGE_MAP)
		dr_items_row(pl->items[st->rows_args], row, out);
	for (uint32_t i = 0; i < st->n_by; i++) {
		if (i)
			dr_buf_addc(out, ',');
		dr_plan_row_column(pl, stage, pl->stages[stage].trees[row].row, st->by_columns[i], out);
	}
	return true;
}

void
dr_plan_task_label(const struct dr_plan *pl, uint32_t task, struct dr_buf *out)
{
	const struct dr_task *t = &pl->graph->tasks[task];
	uint32_t round;

	dr_buf_addstr(out, dr_plan_stage(pl, task)->name);
	dr_plan_row_name(pl, t->stage, t->row, ":", out);
	if (dr_plan_inner(pl, task, &round))
		inner_name(pl, task, round, out);
}

void
dr_plan_task_name(const struct dr_plan *pl, uint32_t task, struct dr_buf *out)
{
	uint32_t round;

	if (pl->graph->tasks[task].n_out && !dr_plan_inner(pl, task, &round))
		dr_graph_path(pl->graph, dr_graph_outputs(pl->graph, task)[0], out);
	else
		dr_plan_task_label(pl, task, out);
}

void
dr_plan_targets_name(const struct dr_plan *pl, struct dr_buf *out)
{
	if (!pl->n_targets)
		return;
	dr_plan_task_name(pl, pl->targets[0], out);
	if (pl->n_targets > 1) {
		dr_buf_adds(out, " and ");
		dr_buf_count(out, pl->n_targets - 1);
		dr_buf_adds(out, " more");
	}
}

/* Every task wanted that a target needs, itself included. */
static int
want(struct dr_plan *pl, struct dr_err *err)
{
	struct dr_graph *g = pl->graph;
	uint32_t *todo = malloc(((size_t)g->n_tasks + 1) * sizeof(*todo)), n = 0;

	if (!todo)
		return dr_err_nomem(err);
	for (uint32_t i = 0; i < pl->n_targets; i++) {
		struct dr_task *t = &g->tasks[pl->targets[i]];
		const uint32_t *out = dr_graph_outputs(g, pl->targets[i]);

		for (uint32_t k = 0; k < t->n_out; k++)
			g->files[out[k]].flags |= DR_FILE_TARGET;
		if (t->state == DR_UNWANTED) {
			t->state = DR_WAITING;
			todo[n++] = pl->targets[i];
		}
	}
	while (n) {
		uint32_t t = todo[--n];
		const uint32_t *in = dr_graph_inputs(g, t);

		for (uint32_t k = 0; k < g->tasks[t].n_in + g->tasks[t].n_uses; k++) {
			uint32_t p = g->files[in[k]].producer;

			if (p != DR_NONE && g->tasks[p].state == DR_UNWANTED) {
				g->tasks[p].state = DR_WAITING;
				todo[n++] = p;
			}
		}
	}
	free(todo);
	return 0;
}

enum { CYCLE_SHOWN = 8 };

static int
tell_cycle(const struct dr_plan *pl, const uint32_t *cycle, uint32_t n, struct dr_diags *diags, struct dr_err *err)
{
	struct dr_buf b = { 0 }, name = { 0 };
	int rc = -1;

	for (uint32_t i = 0; i < n && i < CYCLE_SHOWN; i++) {
		dr_buf_reset(&name);
		dr_plan_task_name(pl, cycle[i], &name);
		dr_buf_escape(&b, dr_buf_str(&name));
		dr_buf_adds(&b, " needs ");
	}
	if (n > CYCLE_SHOWN)
		dr_buf_addf(&b, "(%" PRIu32 " more) needs ", n - CYCLE_SHOWN);
	dr_buf_reset(&name);
	dr_plan_task_name(pl, cycle[0], &name);
	dr_buf_escape(&b, dr_buf_str(&name));
	if (b.failed || name.failed)
		rc = dr_err_nomem(err);
	else
		dr_lex_error(pl->pipeline, diags, dr_plan_stage(pl, cycle[0])->pos, "a cycle: %s", dr_buf_cstr(&b));
	dr_buf_free(&b);
	dr_buf_free(&name);
	return rc;
}

static int
connect(struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err)
{
	uint32_t *cycle = NULL, n = 0;
	int rc = dr_graph_link(pl->graph, &cycle, &n, err);

	if (rc > 0)
		rc = tell_cycle(pl, cycle, n, diags, err);
	free(cycle);
	return rc;
}

/* The rows of one generator, after those of its parts: these are nested a few deep at most. */
static int
open_args(struct dr_plan *pl, uint32_t a, struct dr_diags *diags, struct dr_err *err)
{
	const struct dr_args *args = &pl->pipeline->args[a];

	if (pl->items[a])
		return 0;
	for (uint32_t i = 0; i < args->n_parts; i++)
		if (open_args(pl, args->parts[i], diags, err))
			return -1;
	return dr_items_make(pl->pipeline, args, pl->items, pl->options.items, &pl->items[a], diags, err);
}

/* All that are not there yet. */
static int
open_items(struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err)
{
	const struct dr_pipeline *p = pl->pipeline;

	for (uint32_t s = 0; s < p->n_stages; s++) {
		uint32_t a = p->stages[s].each_args;

		if (!pl->stages[s].planned || a == DR_NONE)
			continue;
		if (open_args(pl, a, diags, err) && !diags->total)
			return -1;
	}
	return diags->total ? -1 : 0;
}

static void
rows_go(const struct dr_plan *pl)
{
	if (pl->options.rows_go)
		pl->options.rows_go(pl->options.rows_arg);
}

static void
drop_graph(struct dr_plan *pl)
{
	for (uint32_t s = 0; s < pl->pipeline->n_stages; s++) {
		for (uint32_t i = 0; i < pl->stages[s].n_trees; i++)
			dr_plan_free_tree(&pl->stages[s].trees[i]);
		free(pl->stages[s].trees);
		pl->stages[s] = (struct dr_plan_stage){ .planned = pl->stages[s].planned };
	}
	dr_graph_free(pl->graph);
	pl->graph = NULL;
	pl->n_targets = 0;
	pl->n_clashes = 0;
}

/* Which rows of a glob are ours: their bits are set, and *n is how many. */
static int
find_own_rows(const struct dr_plan *pl, const struct dr_items *it, uint8_t *bits, uint32_t *n, struct dr_err *err)
{
	uint32_t rows = dr_items_values(it), found[DR_OWN_KINDS] = { 0 };
	uint8_t *own = malloc((size_t)rows + 1);
	struct dr_buf path = { 0 };
	int rc = own ? 0 : dr_err_nomem(err);

	for (uint32_t r = 0; r < rows && rc == 0; r++) {
		uint32_t f;

		dr_buf_reset(&path);
		dr_items_value(it, r, &path);
		f = dr_graph_find(pl->graph, dr_buf_str(&path));
		own[r] = (uint8_t)(f == DR_NONE ? DR_OWN_NOT : dr_plan_own_row(pl, f));
		found[own[r]]++;
		if (path.failed)
			rc = dr_err_nomem(err);
	}
	/* Where every row would be made from itself the Dagfile is wrong, and the cycle is told. */
	*n = found[DR_OWN_MADE] + (found[DR_OWN_NOT] ? found[DR_OWN_SELF] : 0);
	for (uint32_t r = 0; r < rows && rc == 0; r++)
		if (own[r] == DR_OWN_MADE || (own[r] == DR_OWN_SELF && found[DR_OWN_NOT]))
			bits[r / 8] |= (uint8_t)(1u << r % 8);
	free(own);
	dr_buf_free(&path);
	return rc;
}

/* What is made of generators that have changed is to be made again. */
static void
close_composites(struct dr_plan *pl)
{
	for (uint32_t a = 0; a < pl->pipeline->n_args; a++) {
		if (!pl->pipeline->args[a].n_parts)
			continue;
		dr_items_free(pl->items[a]);
		pl->items[a] = NULL;
	}
}

/* Is any file that a glob found ours? Mostly none is, and then its rows need not be looked up one by one. */
static bool
has_own_rows(const struct dr_plan *pl)
{
	const struct dr_graph *g = pl->graph;

	for (uint32_t f = 0; f < g->n_files; f++)
		if ((g->files[f].flags & DR_FILE_GLOB) && dr_plan_own_row(pl, f) != DR_OWN_NOT)
			return true;
	return false;
}

/* A row of a glob that is an output of ours is no input: it was made from another row, or by an earlier run. 1: rows were dropped. */
static int
drop_own_rows(struct dr_plan *pl, struct dr_err *err)
{
	uint64_t before = pl->excluded;
	int rc = 0;

	rows_go(pl);
	for (uint32_t a = 0; a < pl->pipeline->n_args && rc == 0; a++) {
		uint32_t rows = pl->items[a] ? dr_items_values(pl->items[a]) : 0, n = 0;
		uint8_t *bits;

		if (pl->pipeline->args[a].kind != DR_GEN_GLOB || !rows)
			continue;
		bits = calloc((size_t)rows / 8 + 1, 1);
		rc = bits ? find_own_rows(pl, pl->items[a], bits, &n, err) : dr_err_nomem(err);
		if (rc == 0 && n)
			rc = dr_items_drop(pl->items[a], bits, err);
		pl->excluded += rc ? 0 : n;
		free(bits);
	}
	if (rc == 0 && pl->excluded > before)
		close_composites(pl);
	return rc ? -1 : pl->excluded > before;
}

/* Files that a glob found and no task reads, as they are parts of values: the journal may know one as ours all the same. */
static int
add_parts(struct dr_plan *pl, uint32_t a, struct dr_err *err)
{
	const struct dr_items *it = pl->items[a];
	struct dr_buf path = { 0 };
	uint32_t file;
	int rc = 0;

	for (uint32_t v = 0; v < dr_items_values(it) && rc == 0; v++) {
		dr_buf_reset(&path);
		dr_items_value(it, v, &path);
		rc = path.failed ? dr_err_nomem(err) : dr_graph_file(pl->graph, dr_buf_str(&path), &file, err);
		if (rc == 0)
			pl->graph->files[file].flags |= DR_FILE_GLOB;
	}
	dr_buf_free(&path);
	return rc;
}

static int
add_all_parts(struct dr_plan *pl, struct dr_err *err)
{
	const struct dr_pipeline *p = pl->pipeline;

	for (uint32_t a = 0; a < p->n_args; a++)
		for (uint32_t i = 0; pl->items[a] && i < p->args[a].n_parts; i++)
			if (p->args[p->args[a].parts[i]].kind == DR_GEN_GLOB && add_parts(pl, p->args[a].parts[i], err))
				return -1;
	return 0;
}

/* From rows to a linked graph. Rows that turn out to be our own outputs are dropped, and all is done again: each time there are fewer
 * of them. What was wrong with them was not the Dagfile's mistake. */
static int
build(struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err)
{
	for (;;) {
		int rc, dropped;

		drop_graph(pl);
		if (open_items(pl, diags, err))
			return -1;
		pl->graph = dr_graph_new();
		if (!pl->graph)
			return dr_err_nomem(err);
		if (pl->options.rows_there)
			pl->options.rows_there(pl->options.rows_arg, pl);
		rc = dr_plan_build_tasks(pl, diags, err);
		if (rc && !diags->total)
			return -1;
		if (add_all_parts(pl, err))
			return -1;
		/* Of what was built only in part, some rows are in no graph yet. */
		dropped = rc || has_own_rows(pl) ? drop_own_rows(pl, err) : 0;
		if (dropped < 0)
			return -1;
		if (!dropped && rc)
			return -1;
		if (!dropped)
			break;
		dr_diags_free(diags);
	}
	if (dr_plan_own_clashes(pl, diags, err) || connect(pl, diags, err) || dr_plan_check_trees(pl, diags, err) ||
	    dr_plan_resolve_targets(pl, diags, err))
		return -1;
	return want(pl, err);
}

int
dr_plan_make(const struct dr_pipeline *p, const struct dr_plan_options *o, struct dr_plan **out,
	     struct dr_diags *diags, struct dr_err *err)
{
	struct dr_plan *pl = calloc(1, sizeof(*pl));

	*out = NULL;
	if (!pl)
		return dr_err_nomem(err);
	pl->pipeline = p;
	pl->options = *o;
	pl->stages = calloc((size_t)p->n_stages + 1, sizeof(*pl->stages));
	pl->items = calloc((size_t)p->n_args + 1, sizeof(struct dr_items *));
	if (!pl->stages || !pl->items) {
		dr_err_nomem(err);
		goto fail;
	}
	if (dr_plan_needed_stages(pl, err) || build(pl, diags, err))
		goto fail;
	*out = pl;
	return 0;
fail:
	dr_plan_free(pl);
	return -1;
}

int
dr_plan_again(struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err)
{
	if (drop_own_rows(pl, err) < 0)
		return -1;
	return build(pl, diags, err);
}

void
dr_plan_free(struct dr_plan *pl)
{
	if (!pl)
		return;
	rows_go(pl);
	if (pl->stages)
		drop_graph(pl);
	for (uint32_t a = 0; pl->items && a < pl->pipeline->n_args; a++)
		dr_items_free(pl->items[a]);
	free(pl->items);
	free(pl->stages);
	free(pl->targets);
	free(pl->clashes);
	free(pl);
}
