#include "config.h"

#include <stdlib.h>

#include "session.h"
#include "arena.h"
#include "err.h"

/* The last TREE of a key. */
struct dr_session_tree {
	struct dr_hash128 key;
	uint64_t at;
};

static bool
tree_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct dr_session *s = ctx;

	return dr_hash128_eq(s->trees[value].key, *(const struct dr_hash128 *)key);
}

static uint64_t
tree_hash(const void *ctx, uint32_t value)
{
	const struct dr_session *s = ctx;

	return s->trees[value].key.lo;
}

static const struct dr_map_ops tree_ops = { tree_eq, tree_hash };

static int
on_record(void *arg, struct dr_record *r, struct dr_err *err)
{
	struct dr_session *s = arg;
	uint32_t i;

	if (r->kind != DR_REC_TREE)
		return 0;
	i = dr_map_find(&s->tree_map, &tree_ops, s, r->tree.key.lo, &r->tree.key);
	if (i != DR_NONE) {
		s->trees[i].at = r->at;
		return 0;
	}
	if (dr_grow(&s->trees, &s->cap_trees, (size_t)s->n_trees + 1, sizeof(*s->trees)))
		return dr_err_nomem(err);
	s->trees[s->n_trees] = (struct dr_session_tree){ r->tree.key, r->at };
	if (dr_map_add(&s->tree_map, &tree_ops, s, r->tree.key.lo, s->n_trees))
		return dr_err_nomem(err);
	s->n_trees++;
	return 0;
}

/* Once, and only where a plan has a tree that could be remembered: it takes a pass over the journal. */
static int
read_trees(struct dr_session *s, struct dr_err *err)
{
	s->trees_read = true;
	if (!s->journal)
		return 0;
	dr_journal_rewind(s->journal);
	return dr_journal_read(s->journal, !s->lock || dr_lock_shared(s->lock), on_record, s, NULL, err);
}

int
dr_session_recorded_tree(void *session, struct dr_hash128 key, struct dr_rec_tree *t, struct dr_err *err)
{
	struct dr_session *s = session;
	struct dr_record r;
	uint32_t i;

	if (!s->trees_read && read_trees(s, err))
		return -1;
	i = dr_map_find(&s->tree_map, &tree_ops, s, key.lo, &key);
	if (i == DR_NONE)
		return 0;
	if (dr_journal_at(s->journal, s->trees[i].at, &r, err))
		return -1;
	*t = r.tree;
	return r.kind == DR_REC_TREE;
}

static int
record(struct dr_session *s, struct dr_plan_tree *pt, struct dr_err *err)
{
	struct dr_rec_tree t = {
		.key = pt->key, .level = pt->level, .n_leaves = pt->tree.n_leaves, .leaves = pt->leaves
	};

	dr_buf_reset(&s->text);
	if (dr_tree_encode(&pt->tree, &s->text, err))
		return -1;
	t.shape = dr_buf_str(&s->text);
	if (dr_journal_add_tree(s->journal, &t))
		return dr_err_nomem(err);
	pt->recorded = true;
	return 0;
}

int
dr_session_record_trees(struct dr_session *s, struct dr_err *err)
{
	bool any = false;

	for (uint32_t i = 0; i < s->pipeline->n_stages; i++) {
		for (uint32_t k = 0; k < s->plan->stages[i].n_trees; k++) {
			struct dr_plan_tree *pt = &s->plan->stages[i].trees[k];

			if (!pt->leaves || pt->recorded ||
			    s->plan->graph->tasks[pt->first].state == DR_UNWANTED)
				continue;
			if (record(s, pt, err))
				return -1;
			any = true;
		}
	}
	return any ? dr_journal_flush(s->journal, err) : 0;
}

void
dr_session_free_trees(struct dr_session *s)
{
	free(s->trees);
	s->trees = NULL;
	dr_map_free(&s->tree_map);
}
