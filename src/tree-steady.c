#include "config.h"

#include "tree-private.h"

#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "map.h"

bool
dr_tree_leaf_stays(const struct dr_tree_edit *e, uint32_t leaf)
{
	const uint32_t *at = &e->at[2 * (size_t)leaf + 1];

	return at[1] - at[0] == 1 && e->old_leaves[leaf] == e->leaves[at[0]];
}

/* Old leaves by their hashes. Those that are the same hang behind the first of them, which alone is in the map. */
struct finder {
	const uint64_t *leaves;
	struct dr_map map;
	uint32_t *next; /* by leaf: the next that is the same, or DR_NONE */
	uint32_t *at;   /* of the first one: the last, later the one to be found next */
};

static bool
finder_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct finder *f = ctx;

	return f->leaves[value] == *(const uint64_t *)key;
}

static uint64_t
finder_hash(const void *ctx, uint32_t value)
{
	const struct finder *f = ctx;

	return f->leaves[value];
}

static const struct dr_map_ops finder_ops = { finder_eq, finder_hash };

static int
fill_finder(struct finder *f, uint32_t n)
{
	for (uint32_t j = 0; j < n; j++) {
		uint32_t first = dr_map_find(&f->map, &finder_ops, f, f->leaves[j], &f->leaves[j]);

		f->next[j] = DR_NONE;
		f->at[j] = j;
		if (first == DR_NONE) {
			if (dr_map_add(&f->map, &finder_ops, f, f->leaves[j], j))
				return -1;
			continue;
		}
		f->next[f->at[first]] = j;
		f->at[first] = j;
	}
	for (uint32_t j = 0; j < n; j++)
		f->at[j] = j;
	return 0;
}

/* Which old leaf each new one is, or DR_NONE; of several that are the same the first is the first. 0; -1 without memory. */
static int
find_old(const struct dr_tree_edit *e, uint32_t *old_of)
{
	uint32_t n = e->old->n_leaves;
	struct finder f = { .leaves = e->old_leaves };
	int rc = -1;

	f.next = malloc((size_t)n * sizeof(*f.next));
	f.at = malloc((size_t)n * sizeof(*f.at));
	if (!f.next || !f.at || dr_map_reserve(&f.map, &finder_ops, &f, n) || fill_finder(&f, n))
		goto out;
	for (uint32_t i = 0; i < e->n_leaves; i++) {
		uint32_t first = dr_map_find(&f.map, &finder_ops, &f, e->leaves[i], &e->leaves[i]);

		old_of[i] = first == DR_NONE ? DR_NONE : f.at[first];
		if (old_of[i] != DR_NONE)
			f.at[first] = f.next[old_of[i]];
	}
	rc = 0;
out:
	free(f.next);
	free(f.at);
	dr_map_free(&f.map);
	return rc;
}

/* Of the leaves that are there still the most that stand in their old order (a longest increasing subsequence, by the ends of
 * the best one of each length); the others become DR_NONE, and *kept is how many are left. 0; -1 without memory. */
static int
keep_order(uint32_t *old_of, uint32_t n, uint32_t *kept)
{
	uint32_t *end = malloc((size_t)n * sizeof(*end)), *before = malloc((size_t)n * sizeof(*before)),
		 length = 0, at;

	if (!end || !before) {
		free(end);
		free(before);
		return -1;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t lo = 0, hi = length;

		if (old_of[i] == DR_NONE)
			continue;
		if (length && old_of[end[length - 1]] < old_of[i])
			lo = length; /* mostly */
		while (lo < hi) {
			uint32_t mid = lo + (hi - lo) / 2;

			if (old_of[end[mid]] < old_of[i])
				lo = mid + 1;
			else
				hi = mid;
		}
		before[i] = lo ? end[lo - 1] : DR_NONE;
		end[lo] = i;
		length += lo == length;
	}
	*kept = length;
	at = length ? end[length - 1] : DR_NONE;
	for (uint32_t i = n; i-- > 0;) {
		if (i == at)
			at = before[i];
		else
			old_of[i] = DR_NONE;
	}
	free(end);
	free(before);
	return 0;
}

/* Between old leaves j and `next` that stay, new ones [from, to): they take the places of those that are gone, evenly; where none
 * is, they are new between the two. */
static void
place(struct dr_tree_edit *e, uint32_t j, uint32_t next, uint32_t from, uint32_t to)
{
	uint64_t gone = next - j, n = to - from;

	for (uint64_t k = 0; k <= gone; k++) {
		e->at[2 * (j + k)] = from + (uint32_t)(gone ? k * n / gone : 0);
		e->at[2 * (j + k) + 1] = gone && k < gone ? e->at[2 * (j + k)] : to;
	}
}

/* Fills e->at. *kept leaves are what and where they were, among their neighbours. 0; -1 without memory. */
static int
compare(struct dr_tree_edit *e, uint32_t *kept)
{
	uint32_t *old_of = malloc((size_t)e->n_leaves * sizeof(*old_of)), j = 0, from = 0;
	int rc = -1;

	e->at = malloc((2 * (size_t)e->old->n_leaves + 2) * sizeof(*e->at));
	if (!old_of || !e->at || find_old(e, old_of) || keep_order(old_of, e->n_leaves, kept))
		goto out;
	for (uint32_t i = 0; i < e->n_leaves; i++) {
		if (old_of[i] == DR_NONE)
			continue;
		place(e, j, old_of[i], from, i);
		j = old_of[i] + 1;
		from = i + 1;
	}
	place(e, j, e->old->n_leaves, from, e->n_leaves);
	rc = 0;
out:
	free(old_of);
	return rc;
}

/* 0 with *out, *intact nodes of which were there before; 1: the old tree is of no use; -1 with err. */
static int
grow(const struct dr_tree_edit *e, uint32_t fan_in, struct dr_tree *out, uint32_t *intact, struct dr_err *err)
{
	struct dr_draft d = { .n_leaves = e->n_leaves };
	uint32_t root;
	int rc = fan_in == 2 ? dr_tree_binary(e, &d, &root) : dr_tree_levels(e, fan_in, &d, &root);

	if (rc < 0)
		dr_err_nomem(err);
	else if (rc == 0)
		rc = dr_draft_finish(&d, root, out, intact, err);
	dr_draft_free(&d);
	return rc;
}

/* Has a tree become too high or too large for what it is over? Never by two, as these keep their balance. Small groups are soon
 * split: there a further round comes before the tree is bad, and one more is allowed. */
static bool
is_poor(const struct dr_tree *t, uint32_t fan_in)
{
	uint32_t rounds = dr_tree_least_rounds(t->n_leaves, fan_in) + (fan_in < 8 ? 2 : 1);
	uint64_t least = ((uint64_t)t->n_leaves - 1 + fan_in - 2) / (fan_in - 1);

	return fan_in > 2 && (t->n_rounds > rounds || t->n_nodes > 2 * least);
}

/* From the old tree, if that leaves enough of it. 0 with *out; 1: it does not; -1 with err. */
static int
change(struct dr_tree_edit *e, uint32_t fan_in, struct dr_tree *out, struct dr_err *err)
{
	uint32_t kept = 0, intact = 0;
	int rc = compare(e, &kept);

	if (rc)
		return dr_err_nomem(err);
	if (kept < e->n_leaves / 8)
		return 1;
	rc = grow(e, fan_in, out, &intact, err);
	if (rc == 0 && (is_poor(out, fan_in) || intact < out->n_nodes / 8)) {
		dr_tree_free(out);
		rc = 1;
	}
	return rc;
}

int
dr_tree_steady(const struct dr_tree *old, const uint64_t *old_leaves, const uint64_t *leaves,
	       uint32_t n_leaves, uint32_t fan_in, struct dr_tree *out, struct dr_err *err)
{
	struct dr_tree_edit e = {
		.old = old, .old_leaves = old_leaves, .leaves = leaves, .n_leaves = n_leaves
	};
	uint32_t intact;
	int rc = 1;

	*out = (struct dr_tree){ 0 };
	/* A tree of one node has but one shape. */
	if (n_leaves == 0 || fan_in < 2 || n_leaves <= fan_in)
		return dr_tree_rounds(n_leaves, fan_in, out, err);
	if (n_leaves > UINT32_MAX / 2)
		return dr_err_set(err, DR_USAGE, "%lu inputs are too many for one merge",
				  (unsigned long)n_leaves);
	if (old)
		rc = change(&e, fan_in, out, err);
	free(e.at);
	e.at = NULL;
	e.old = NULL;
	return rc > 0 ? grow(&e, fan_in, out, &intact, err) : rc;
}
