#include "config.h"

#include "plan-builder.h"

#include <stdlib.h>

#include "arena.h"
#include "err.h"
#include "lex.h"

/* The leaves of a merge: the files of these rows. */
static int
merge_leaves(struct dr_builder *b, const struct dr_stage *st, uint32_t n, const uint32_t *rows, uint32_t *leaves)
{
	for (uint32_t r = 0; r < n; r++) {
		if (dr_plan_row_file(b, st, rows[r], 0, &leaves[r]))
			return -1;
		if (leaves[r] == DR_NONE) {
			dr_lex_error(b->pl->pipeline, b->diags, st->pos,
				     "merge '%.*s' has no files to merge: what it is over yields values or makes nothing",
				     (int)st->name.n, st->name.p);
			return -1;
		}
	}
	return 0;
}

/* The hashes of their names. */
static int
hash_leaves(struct dr_builder *b, uint32_t n, const uint32_t *leaves)
{
	for (uint32_t i = 0; i < n; i++) {
		dr_buf_reset(&b->path);
		dr_graph_path(b->pl->graph, leaves[i], &b->path);
		if (b->path.failed)
			return dr_err_nomem(b->err);
		b->leaf_hash[i] = dr_hash128(b->path.p, b->path.n);
	}
	return 0;
}

/* A leaf with its path, in two parts that lie in the graph. */
struct named_leaf {
	struct dr_str dir, name;
	uint32_t file, row;
};

static unsigned char
path_byte(const struct named_leaf *l, size_t i)
{
	return (unsigned char)(i < l->dir.n ? l->dir.p[i] : l->name.p[i - l->dir.n]);
}

/* Bytewise, by the whole path. */
static int
compare_leaves(const void *a, const void *b)
{
	const struct named_leaf *x = a, *y = b;
	size_t nx = x->dir.n + x->name.n, ny = y->dir.n + y->name.n;
	size_t i = x->dir.p == y->dir.p ? x->dir.n : 0, n = nx < ny ? nx : ny;

	while (i < n && path_byte(x, i) == path_byte(y, i))
		i++;
	if (i < n)
		return path_byte(x, i) < path_byte(y, i) ? -1 : 1;
	return (nx > ny) - (nx < ny);
}

/* Where merging commutes the leaves of a tree are a set, and stand in it by their names: so the order in which a list
 * has them decides nothing. */
static int
sort_leaves(struct dr_builder *b, uint32_t n, uint32_t *rows, uint32_t *leaves)
{
	const struct dr_graph *g = b->pl->graph;
	struct named_leaf *v = malloc(n * sizeof(*v));

	if (!v)
		return dr_err_nomem(b->err);
	for (uint32_t i = 0; i < n; i++)
		v[i] = (struct named_leaf){ dr_graph_dir(g, g->files[leaves[i]].dir), dr_graph_name(g, leaves[i]), leaves[i],
					    rows[i] };
	qsort(v, n, sizeof(*v), compare_leaves);
	for (uint32_t i = 0; i < n; i++) {
		leaves[i] = v[i].file;
		rows[i] = v[i].row;
	}
	free(v);
	return 0;
}

static int
merge_node(struct dr_builder *b, struct dr_hasher *h, uint32_t s, uint32_t row, uint32_t node, const uint32_t *leaves)
{
	struct dr_plan *pl = b->pl;
	const struct dr_stage *st = &pl->pipeline->stages[s];
	const struct dr_plan_tree *pt = &pl->stages[s].trees[row];
	const struct dr_tree_node *nd = &pt->tree.nodes[node];
	uint32_t n_leaves = pt->tree.n_leaves, task, *in;

	if (dr_graph_task(pl->graph, s, row, dr_plan_count_inputs(pl, st, nd->n_children),
			  dr_plan_count_refs(pl, st->uses, st->n_uses), st->n_outputs, &task, b->err))
		return -1;
	pl->stages[s].n++;
	in = dr_graph_inputs(pl->graph, task);
	for (uint32_t c = 0; c < nd->n_children; c++) {
		uint32_t child = pt->tree.children[nd->children + c];

		in[c] = child < n_leaves ? leaves[pt->first_leaf + child] :
					   dr_graph_outputs(pl->graph, pt->first + child - n_leaves)[0];
	}
	if (node + 1 == pt->tree.n_nodes)
		return dr_plan_finish_task(b, h, task, nd->n_children);
	if (dr_plan_fill_inputs(b, task, nd->n_children) || dr_plan_add_inner_outputs(b, task))
		return -1;
	return dr_plan_set_id(b, h, task);
}

/* The tree over the next n leaves; first_row is the row of the first of them. */
static int
merge_tree(struct dr_builder *b, struct dr_hasher *h, uint32_t s, uint32_t first_row, struct dr_hash128 value, uint32_t n,
	   const uint32_t *leaves)
{
	struct dr_plan_stage *ps = &b->pl->stages[s];
	uint32_t row = ps->n_trees;
	struct dr_plan_tree *pt;
	int rc;

	if (dr_grow(&ps->trees, &ps->cap_trees, (size_t)row + 1, sizeof(*ps->trees)))
		return dr_err_nomem(b->err);
	pt = &ps->trees[row];
	*pt = (struct dr_plan_tree){ .first = b->pl->graph->n_tasks, .first_leaf = ps->n_leaves, .row = first_row };
	rc = dr_plan_shape(b, &b->pl->pipeline->stages[s], value, n, pt);
	if (rc)
		return -1;
	ps->n_trees++;
	ps->n_leaves += n;
	if (ps->n_rounds < pt->tree.n_rounds)
		ps->n_rounds = pt->tree.n_rounds;
	for (uint32_t node = 0; rc == 0 && node < pt->tree.n_nodes; node++)
		rc = merge_node(b, h, s, row, node, leaves);
	return rc;
}

/* The rows of one value of `by` each, in the order in which these appear; without `by` all of them. */
struct groups {
	struct group {
		struct dr_hash128 value;
		uint32_t n; /* rows */
	} *v;
	uint32_t n, cap;
	struct dr_map map;
	uint32_t *of;    /* by row: its group */
	uint32_t *order; /* rows, group by group */
};

static bool
group_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct groups *gs = ctx;

	return dr_hash128_eq(gs->v[value].value, *(const struct dr_hash128 *)key);
}

static uint64_t
group_hash(const void *ctx, uint32_t value)
{
	const struct groups *gs = ctx;

	return gs->v[value].value.lo;
}

static const struct dr_map_ops group_ops = { group_eq, group_hash };

/* The values of `by` in one row, each with its length, so that "a" "bc" and "ab" "c" differ. */
static void
row_value(struct dr_builder *b, uint32_t s, uint32_t row, struct dr_hash128 *value)
{
	const struct dr_stage *st = &b->pl->pipeline->stages[s];

	dr_buf_reset(&b->text);
	for (uint32_t i = 0; i < st->n_by; i++) {
		size_t from = b->text.n, n;

		dr_plan_row_column(b->pl, s, row, st->by_columns[i], &b->text);
		n = b->text.n - from;
		dr_buf_add(&b->text, &n, sizeof(n));
	}
	*value = dr_hash128(b->text.p, b->text.n);
}

static int
group_row(struct dr_builder *b, uint32_t s, struct groups *gs, uint32_t row)
{
	struct dr_hash128 value = { 0, 0 };
	uint32_t at;

	row_value(b, s, row, &value);
	if (b->text.failed)
		return -1;
	at = dr_map_find(&gs->map, &group_ops, gs, value.lo, &value);
	if (at == DR_NONE) {
		at = gs->n;
		if (dr_grow(&gs->v, &gs->cap, (size_t)at + 1, sizeof(*gs->v)))
			return -1;
		gs->v[at] = (struct group){ .value = value };
		if (dr_map_add(&gs->map, &group_ops, gs, value.lo, at))
			return -1;
		gs->n++;
	}
	gs->v[at].n++;
	gs->of[row] = at;
	return 0;
}

static int
make_groups(struct dr_builder *b, uint32_t s, uint32_t n, struct groups *gs)
{
	uint32_t *next = NULL;
	int rc = -1;

	gs->of = malloc(n * sizeof(*gs->of));
	gs->order = malloc(n * sizeof(*gs->order));
	for (uint32_t r = 0; gs->of && r < n; r++)
		if (group_row(b, s, gs, r))
			goto out;
	next = calloc((size_t)gs->n + 1, sizeof(*next));
	if (!gs->of || !gs->order || !next)
		goto out;
	for (uint32_t i = 0; i < gs->n; i++)
		next[i + 1] = next[i] + gs->v[i].n;
	for (uint32_t r = 0; r < n; r++)
		gs->order[next[gs->of[r]]++] = r;
	rc = 0;
out:
	free(next);
	return rc ? dr_err_nomem(b->err) : 0;
}

static void
free_groups(struct groups *gs)
{
	free(gs->v);
	free(gs->of);
	free(gs->order);
	dr_map_free(&gs->map);
}

int
dr_plan_build_merge(struct dr_builder *b, struct dr_hasher *h, uint32_t s)
{
	const struct dr_stage *st = &b->pl->pipeline->stages[s];
	uint32_t n = dr_plan_count_rows(b->pl, st), *leaves;
	struct groups gs = { 0 };
	int rc = 0;

	if (!n)
		return 0;
	leaves = malloc(n * sizeof(*leaves));
	b->leaf_hash = malloc(n * sizeof(*b->leaf_hash));
	if (!leaves || !b->leaf_hash)
		rc = dr_err_nomem(b->err);
	if (rc == 0)
		rc = make_groups(b, s, n, &gs);
	if (rc == 0)
		rc = merge_leaves(b, st, n, gs.order, leaves);
	for (uint32_t i = 0, at = 0; st->order_any && i < gs.n && rc == 0; at += gs.v[i++].n)
		rc = sort_leaves(b, gs.v[i].n, gs.order + at, leaves + at);
	if (rc == 0)
		rc = hash_leaves(b, n, leaves);
	for (uint32_t i = 0, at = 0; i < gs.n && rc == 0; at += gs.v[i++].n)
		rc = merge_tree(b, h, s, gs.order[at], gs.v[i].value, gs.v[i].n, leaves);
	free(leaves);
	free(b->leaf_hash);
	b->leaf_hash = NULL;
	free_groups(&gs);
	return rc;
}
