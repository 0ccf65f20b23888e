#include "config.h"

#include "tree-private.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "err.h"

uint32_t
dr_draft_node(struct dr_draft *d, const uint32_t *children, uint32_t n)
{
	struct dr_tree_node node = { .children = d->n_children, .n_children = n, .first_leaf = children[0] };
	uint64_t number = (uint64_t)d->n_leaves + d->n_nodes;

	if (d->failed || number >= UINT32_MAX || d->n_children > UINT32_MAX - n ||
	    dr_grow(&d->nodes, &d->cap_nodes, (size_t)d->n_nodes + 1, sizeof(*d->nodes)) ||
	    dr_grow(&d->children, &d->cap_children, (size_t)d->n_children + n, sizeof(*d->children))) {
		d->failed = true;
		return 0; /* a leaf, so that whoever looks at it finds something */
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct dr_tree_node *below =
			children[i] < d->n_leaves ? NULL : &d->nodes[children[i] - d->n_leaves].node;
		uint32_t round = below ? below->round : 0;

		d->children[d->n_children + i] = children[i];
		if (i == 0 && below)
			node.first_leaf = below->first_leaf;
		node.n_leaves += below ? below->n_leaves : 1;
		if (node.round < round + 1)
			node.round = round + 1;
	}
	d->n_children += n;
	d->nodes[d->n_nodes++] = (struct dr_draft_node){ .node = node };
	return (uint32_t)number;
}

void
dr_draft_intact(struct dr_draft *d, uint32_t number)
{
	if (number >= d->n_leaves)
		d->nodes[number - d->n_leaves].intact = true;
}

uint32_t
dr_draft_round(const struct dr_draft *d, uint32_t number)
{
	return number < d->n_leaves ? 0 : d->nodes[number - d->n_leaves].node.round;
}

/* Marks what is below the root; *n nodes with *n_children in all. */
static void
reach(struct dr_draft *d, uint32_t root, uint32_t *n, uint32_t *n_children, uint32_t *intact)
{
	*n = *n_children = *intact = 0;
	d->nodes[root].reached = true;
	for (uint32_t i = root + 1; i-- > 0;) {
		const struct dr_tree_node *node = &d->nodes[i].node;

		if (!d->nodes[i].reached)
			continue;
		++*n;
		*n_children += node->n_children;
		*intact += d->nodes[i].intact;
		for (uint32_t c = 0; c < node->n_children; c++) {
			uint32_t child = d->children[node->children + c];

			if (child >= d->n_leaves)
				d->nodes[child - d->n_leaves].reached = true;
		}
	}
}

static uint32_t
sort_key(const struct dr_draft *d, uint32_t node, bool by_round)
{
	return by_round ? d->nodes[node].node.round : d->nodes[node].node.first_leaf;
}

/* Counting sort of draft nodes, stable: keys are below n_keys, starts has room for one more. */
static void
sort_by(const struct dr_draft *d, bool by_round, uint32_t *starts, uint32_t n_keys, const uint32_t *in,
	uint32_t n, uint32_t *out)
{
	memset(starts, 0, ((size_t)n_keys + 1) * sizeof(*starts));
	for (uint32_t i = 0; i < n; i++)
		starts[sort_key(d, in[i], by_round) + 1]++;
	for (uint32_t k = 0; k < n_keys; k++)
		starts[k + 1] += starts[k];
	for (uint32_t i = 0; i < n; i++)
		out[starts[sort_key(d, in[i], by_round)]++] = in[i];
}

/* The nodes reached, round by round, from left to right; new numbers of old ones in `number`. */
static void
copy(const struct dr_draft *d, const uint32_t *order, uint32_t *number, struct dr_tree *t)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < t->n_nodes; i++)
		number[order[i]] = i;
	for (uint32_t i = 0; i < t->n_nodes; i++) {
		struct dr_tree_node *node = &t->nodes[i];

		*node = d->nodes[order[i]].node;
		for (uint32_t c = 0; c < node->n_children; c++) {
			uint32_t child = d->children[node->children + c];

			t->children[at + c] =
				child < d->n_leaves ? child : d->n_leaves + number[child - d->n_leaves];
		}
		node->children = at;
		at += node->n_children;
	}
}

int
dr_draft_finish(struct dr_draft *d, uint32_t root, struct dr_tree *out, uint32_t *intact, struct dr_err *err)
{
	struct dr_tree t = { .n_leaves = d->n_leaves };
	uint32_t *a = NULL, *b = NULL, *starts = NULL, keys, n_children, n = 0;
	int rc = -1;

	*out = t;
	if (d->failed || root < d->n_leaves)
		return dr_err_nomem(err);
	reach(d, root - d->n_leaves, &t.n_nodes, &n_children, intact);
	t.n_rounds = dr_draft_round(d, root);
	keys = (t.n_rounds > d->n_leaves ? t.n_rounds : d->n_leaves) + 1;
	a = malloc((size_t)d->n_nodes * sizeof(*a));
	b = malloc((size_t)d->n_nodes * sizeof(*b));
	starts = malloc(((size_t)keys + 1) * sizeof(*starts));
	t.nodes = malloc((size_t)t.n_nodes * sizeof(*t.nodes));
	t.children = malloc((size_t)n_children * sizeof(*t.children));
	if (!a || !b || !starts || !t.nodes || !t.children)
		goto out;
	for (uint32_t i = 0; i < d->n_nodes; i++)
		if (d->nodes[i].reached)
			a[n++] = i;
	sort_by(d, false, starts, keys, a, n, b);
	sort_by(d, true, starts, keys, b, n, a);
	copy(d, a, b, &t);
	*out = t;
	rc = 0;
out:
	free(a);
	free(b);
	free(starts);
	if (rc) {
		dr_tree_free(&t);
		dr_err_nomem(err);
	}
	return rc;
}

void
dr_draft_free(struct dr_draft *d)
{
	free(d->nodes);
	free(d->children);
	*d = (struct dr_draft){ 0 };
}
