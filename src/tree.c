#include "config.h"

#include "tree.h"

#include "err.h"

#include <stdlib.h>

/* What a round has to merge: numbers [first, first + n), and behind them one that came up as it is from a
 * round before. Only the last of a round can be left over, so that this is all there is to know of it, however
 * many leaves there are. */
struct level {
	uint64_t first, n;
	uint64_t odd; /* the number that came up, or NO_ODD */
};

#define NO_ODD UINT64_MAX

static uint64_t
level_size(const struct level *l)
{
	return l->n + (l->odd != NO_ODD);
}

static uint32_t
level_number(const struct level *l, uint64_t i)
{
	return (uint32_t)(i < l->n ? l->first + i : l->odd);
}

struct dr_tree_cost
dr_tree_rounds_cost(uint32_t n_leaves, uint32_t fan_in)
{
	struct dr_tree_cost cost = { 0 };
	uint64_t fan = fan_in ? fan_in : n_leaves, n = n_leaves;
	uint64_t each = 1, last = 1; /* leaves below every number but the last, and below that one */
	uint64_t rewritten = 0;

	if (n_leaves == 0 || fan_in == 1)
		return cost;
	if (n_leaves == 1)
		return (struct dr_tree_cost){ .merges = 1, .rounds = 1, .rewritten = 1 };
	while (n > 1) {
		uint64_t full = n / fan, rest = n % fan;

		cost.rounds++;
		cost.merges += full + (rest > 1);
		rewritten += n_leaves - (rest == 1 ? last : 0);
		if (rest != 1)
			last += ((rest ? rest : fan) - 1) * each;
		n = full + (rest > 0);
		each *= fan;
	}
	cost.rewritten = (double)rewritten / (double)n_leaves;
	return cost;
}

/* One node over children [from, from + n) of a level. */
static void
add_node(struct dr_tree *t, const struct level *l, uint64_t from, uint64_t n)
{
	struct dr_tree_node *node = &t->nodes[t->n_nodes];
	uint32_t at = 0;

	/* The nodes before have taken theirs one behind the other. */
	if (t->n_nodes)
		at = node[-1].children + node[-1].n_children;
	node->children = at;
	node->n_children = (uint32_t)n;
	node->round = t->n_rounds;
	for (uint64_t i = 0; i < n; i++) {
		uint32_t child = level_number(l, from + i);
		const struct dr_tree_node *below =
			child < t->n_leaves ? NULL : &t->nodes[child - t->n_leaves];

		t->children[at + i] = child;
		if (i == 0)
			node->first_leaf = below ? below->first_leaf : child;
		node->n_leaves += below ? below->n_leaves : 1;
	}
	t->n_nodes++;
}

static void
fill(struct dr_tree *t, uint64_t fan)
{
	struct level l = { .first = 0, .n = t->n_leaves, .odd = NO_ODD };
	uint64_t n;

	/* Once even for a single leaf. */
	do {
		struct level next = { .first = (uint64_t)t->n_leaves + t->n_nodes, .odd = NO_ODD };
		uint64_t from, take;

		n = level_size(&l);
		t->n_rounds++;
		for (from = 0; from < n; from += take) {
			take = n - from < fan ? n - from : fan;
			if (take == 1 && n > 1) {
				next.odd = level_number(&l, from);
			} else {
				add_node(t, &l, from, take);
				next.n++;
			}
		}
		l = next;
	} while (level_size(&l) > 1);
}

int
dr_tree_rounds(uint32_t n_leaves, uint32_t fan_in, struct dr_tree *out, struct dr_err *err)
{
	struct dr_tree t = { .n_leaves = n_leaves };
	uint64_t merges = dr_tree_rounds_cost(n_leaves, fan_in).merges;

	*out = t;
	if (n_leaves == 0 || fan_in == 1)
		return dr_err_set(err, DR_USAGE, "a merge tree needs at least one input and a fan-in of 2");
	/* Every number but the root's is a child once, and numbers have 32 bits. */
	if (n_leaves + merges > UINT32_MAX)
		return dr_err_set(err, DR_USAGE, "%lu inputs are too many for one merge",
				  (unsigned long)n_leaves);
	t.nodes = calloc((size_t)merges, sizeof(*t.nodes));
	t.children = calloc((size_t)(n_leaves + merges - 1), sizeof(*t.children));
	if (!t.nodes || !t.children) {
		dr_tree_free(&t);
		return dr_err_nomem(err);
	}
	fill(&t, fan_in ? fan_in : n_leaves);
	*out = t;
	return 0;
}

void
dr_tree_free(struct dr_tree *t)
{
	free(t->nodes);
	free(t->children);
	*t = (struct dr_tree){ 0 };
}

struct dr_hash128
dr_tree_name(const struct dr_tree *t, uint32_t node, const struct dr_hash128 *leaf_hash)
{
	const struct dr_tree_node *n = &t->nodes[node];

	return dr_hash128(leaf_hash + n->first_leaf, n->n_leaves * sizeof(*leaf_hash));
}
