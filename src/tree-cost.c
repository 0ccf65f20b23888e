#include "config.h"

#include "tree.h"

#include <stdlib.h>

#include "err.h"

/* Of each node: what is made again below it, itself included, if nothing is kept there, and the round of what reads it. */
struct below {
	uint64_t merges, rewritten;
	uint32_t above;
};

/* What a change costs where the nodes of one round stay (and those below it whose reader is above), by that round. */
struct at_level {
	double merges, rewritten; /* of the trees below, summed over the leaves; kept as differences first */
	uint64_t n, written;      /* nodes of this round, and what they write */
};

static struct below *
look_below(const struct dr_tree *t)
{
	struct below *b = calloc(t->n_nodes, sizeof(*b));

	for (uint32_t i = 0; b && i < t->n_nodes; i++) {
		const struct dr_tree_node *node = &t->nodes[i];

		b[i].merges++;
		b[i].rewritten += node->n_leaves;
		b[i].above = t->n_rounds + 1;
		for (uint32_t c = 0; c < node->n_children; c++) {
			uint32_t child = t->children[node->children + c];

			if (child < t->n_leaves)
				continue;
			child -= t->n_leaves;
			b[child].above = node->round;
			b[i].merges += b[child].merges;
			b[i].rewritten += b[child].rewritten;
		}
	}
	return b;
}

/* The costs of all levels, 1 … n_rounds - 1 of them. */
static void
cost_levels(const struct dr_tree *t, const struct below *b, struct at_level *l)
{
	uint64_t merges = 0, written = 0;

	for (uint32_t i = 0; i < t->n_nodes; i++) {
		const struct dr_tree_node *node = &t->nodes[i];
		double m = (double)node->n_leaves * (double)b[i].merges,
		       w = (double)node->n_leaves * (double)b[i].rewritten;

		l[node->round].n++;
		l[node->round].written += node->n_leaves;
		l[node->round].merges += m;
		l[node->round].rewritten += w;
		l[b[i].above].merges -= m;
		l[b[i].above].rewritten -= w;
	}
	for (uint32_t r = 1; r <= t->n_rounds; r++) {
		l[r].merges += l[r - 1].merges;
		l[r].rewritten += l[r - 1].rewritten;
	}
	/* What is above is made again for each leaf. */
	for (uint32_t r = t->n_rounds; r > 0; r--) {
		l[r].merges += (double)merges * t->n_leaves;
		l[r].rewritten += (double)written * t->n_leaves;
		merges += l[r].n;
		written += l[r].written;
	}
}

static uint32_t
best_level(const struct dr_tree *t, const struct at_level *l, uint32_t preferred)
{
	uint32_t best = 1;

	for (uint32_t r = 2; r < t->n_rounds; r++)
		if (l[r].merges < l[best].merges)
			best = r;
	return preferred && preferred < t->n_rounds && l[preferred].merges <= 1.5 * l[best].merges ? preferred
												   : best;
}

int
dr_tree_sum_up(const struct dr_tree *t, uint32_t preferred, struct dr_tree_sum *sum, uint32_t *level,
	       struct dr_err *err)
{
	struct below *b = look_below(t);
	struct at_level *l = calloc((size_t)t->n_rounds + 2, sizeof(*l));
	double leaves = t->n_leaves;
	uint32_t at;

	if (!b || !l) {
		free(b);
		free(l);
		return dr_err_nomem(err);
	}
	cost_levels(t, b, l);
	/* With one round there is nothing to keep; level 0 stands for the leaves, which are there. */
	at = t->n_rounds > 1 ? best_level(t, l, preferred) : 0;
	l[0] = (struct at_level){ .merges = leaves * t->n_nodes,
				  .rewritten = leaves * (double)b[t->n_nodes - 1].rewritten };
	sum->leaves += t->n_leaves;
	sum->merges += t->n_nodes;
	sum->rounds = t->n_rounds > sum->rounds ? t->n_rounds : sum->rounds;
	sum->rewritten += b[t->n_nodes - 1].rewritten;
	sum->one[DR_TREE_NO].merges += l[0].merges;
	sum->one[DR_TREE_NO].rewritten += l[0].rewritten;
	sum->one[DR_TREE_LEVEL].merges += l[at].merges;
	sum->one[DR_TREE_LEVEL].rewritten += l[at].rewritten;
	for (uint32_t i = 0; i < t->n_nodes; i++) {
		const struct dr_tree_node *node = &t->nodes[i];

		sum->one[DR_TREE_YES].merges += node->n_leaves;
		sum->one[DR_TREE_YES].rewritten += (double)node->n_leaves * node->n_leaves;
		sum->on_level += node->round <= at && b[i].above > at ? node->n_leaves : 0;
	}
	*level = at;
	free(b);
	free(l);
	return 0;
}
