#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "plan-build.h"
#include "plan-builder.h"

/* The values that the root's output has in its name, before there is a task for it. */
struct root_values {
	const struct dr_plan *pl;
	uint32_t stage, row;
};

static uint32_t
count(void *ctx, const struct dr_piece *p)
{
	(void)ctx;
	(void)p;
	return 1;
}

static int
get(void *ctx, const struct dr_piece *p, uint32_t i, struct dr_buf *buf, struct dr_err *err)
{
	const struct root_values *r = ctx;

	(void)i;
	if (p->kind == DR_PH_COLUMN)
		dr_plan_row_column(r->pl, r->stage, r->row, p->index, buf);
	else if (p->kind == DR_PH_TEXT || p->kind == DR_PH_LET)
		dr_buf_addstr(buf, p->text);
	else
		return dr_err_set(err, DR_USAGE, "it has no value yet");
	return 0;
}

/* Into b->path. False: there is none, or none that is right, which is told when the root gets it. */
static bool
root_path(struct dr_builder *b, const struct dr_stage *st, uint32_t row)
{
	struct root_values r = { b->pl, (uint32_t)(st - b->pl->pipeline->stages), row };
	struct dr_values v = { &r, count, get };
	struct dr_err unheard;

	dr_buf_reset(&b->text);
	dr_buf_reset(&b->path);
	return st->n_outputs && !dr_template_expand(&st->outputs[0].path, &v, &b->text, &unheard) &&
	       !dr_path_normal(dr_buf_str(&b->text), &b->path);
}

/* What tells a tree from others: the file that it is for. So several Dagfiles, or one under several names, that make the same file go on from
 * the same tree; else each would have it its own way, and make it again whenever another one was there before. Without a name of it: Dagfile,
 * stage and value of `by`. */
static int
set_key(struct dr_builder *b, const struct dr_stage *st, struct dr_hash128 value, struct dr_plan_tree *pt)
{
	dr_buf_reset(&b->id);
	if (root_path(b, st, pt->row)) {
		dr_buf_addstr(&b->id, dr_buf_str(&b->path));
	} else {
		dr_buf_add(&b->id, &b->pl->options.origin, sizeof(b->pl->options.origin));
		dr_buf_add(&b->id, &value, sizeof(value));
		dr_buf_addstr(&b->id, st->name);
	}
	if (b->id.failed || b->path.failed || b->text.failed)
		return dr_err_nomem(b->err);
	pt->key = dr_hash128(b->id.p, b->id.n);
	return 0;
}

static bool
same_shape(const struct dr_tree *a, const struct dr_tree *b)
{
	return a->n_leaves == b->n_leaves && a->n_nodes == b->n_nodes &&
	       memcmp(a->nodes, b->nodes, a->n_nodes * sizeof(*a->nodes)) == 0 &&
	       memcmp(a->children, b->children,
		      (a->n_leaves + (size_t)a->n_nodes - 1) * sizeof(*a->children)) == 0;
}

/* The tree as it was: 1 with *old and *leaves, both to be freed, and *level; 0: nothing is known of it; -1 with err. */
static int
recall(struct dr_builder *b, struct dr_hash128 key, struct dr_tree *old, uint64_t **leaves, uint32_t *level)
{
	const struct dr_plan_options *o = &b->pl->options;
	struct dr_rec_tree r;
	int rc = o->recorded ? o->recorded(o->recorded_arg, key, &r, b->err) : 0;

	if (rc <= 0)
		return rc;
	/* What is no tree is as none. */
	rc = dr_tree_decode(r.shape.p, r.shape.n, r.n_leaves, old, b->err);
	if (rc)
		return rc < 0 ? -1 : 0;
	*leaves = malloc(r.n_leaves * sizeof(**leaves));
	if (!*leaves) {
		dr_tree_free(old);
		return dr_err_nomem(b->err);
	}
	memcpy(*leaves, r.leaves, r.n_leaves * sizeof(**leaves));
	*level = r.level;
	return 1;
}

/* Which round's nodes stay, if one does: as before, while that is nearly as good as any. */
static int
choose_level(struct dr_builder *b, const struct dr_stage *st, uint32_t before, struct dr_plan_tree *pt)
{
	struct dr_tree_sum sum = { 0 };

	return st->keep == DR_KEEP_LEVEL ? dr_tree_sum_up(&pt->tree, before, &sum, &pt->level, b->err) : 0;
}

static int
steady(struct dr_builder *b, const struct dr_stage *st, uint32_t n, struct dr_plan_tree *pt)
{
	struct dr_tree old = { 0 };
	uint64_t *old_leaves = NULL;
	uint32_t level = 0;
	int rc = recall(b, pt->key, &old, &old_leaves, &level);

	if (rc < 0)
		return -1;
	rc = dr_tree_steady(rc ? &old : NULL, old_leaves, pt->leaves, n, st->fan_in, &pt->tree, b->err);
	if (rc == 0)
		rc = choose_level(b, st, level, pt);
	pt->recorded = rc == 0 && old_leaves && level == pt->level && same_shape(&old, &pt->tree) &&
		       memcmp(old_leaves, pt->leaves, n * sizeof(*old_leaves)) == 0;
	dr_tree_free(&old);
	free(old_leaves);
	return rc;
}

int
dr_plan_shape(struct dr_builder *b, const struct dr_stage *st, struct dr_hash128 value, uint32_t n,
	      struct dr_plan_tree *pt)
{
	/* One node over all has no shape to remember. */
	if (st->rounds || !st->fan_in || n <= st->fan_in) {
		if (dr_tree_rounds(n, st->fan_in, &pt->tree, b->err) == 0 && choose_level(b, st, 0, pt) == 0)
			return 0;
		dr_plan_free_tree(pt);
		return -1;
	}
	pt->leaves = malloc(n * sizeof(*pt->leaves));
	if (!pt->leaves)
		return dr_err_nomem(b->err);
	for (uint32_t i = 0; i < n; i++)
		pt->leaves[i] = b->leaf_hash[pt->first_leaf + i].lo;
	if (set_key(b, st, value, pt) || steady(b, st, n, pt)) {
		dr_plan_free_tree(pt);
		return -1;
	}
	return 0;
}

void
dr_plan_free_tree(struct dr_plan_tree *pt)
{
	dr_tree_free(&pt->tree);
	free(pt->leaves);
	pt->leaves = NULL;
}
