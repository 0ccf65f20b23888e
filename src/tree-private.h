/* Trees while they are made; for the files of this module. */
#ifndef DR_TREE_PRIVATE_H
#define DR_TREE_PRIVATE_H

#include <stdbool.h>

#include "tree.h"

/* A node is made when its children are there, so that these come before it; nodes that are no part of the tree in the end
 * fall away. Numbers are as in dr_tree. Without memory `failed` is set and stays so, and whoever made the draft looks
 * once. */
struct dr_draft_node {
	struct dr_tree_node node;
	bool intact; /* it was in the old tree, just so */
	bool reached;
};

struct dr_draft {
	uint32_t n_leaves;
	struct dr_draft_node *nodes;
	uint32_t n_nodes, cap_nodes;
	uint32_t *children;
	uint32_t n_children, cap_children;
	bool failed;
};

/* A node over n children that stand for neighbouring leaves. */
uint32_t dr_draft_node(struct dr_draft *d, const uint32_t *children, uint32_t n);
void dr_draft_intact(struct dr_draft *d, uint32_t number);
uint32_t dr_draft_round(const struct dr_draft *d, uint32_t number); /* 0: a leaf */
/* The tree below `root`, its nodes in the order that dr_tree has; *intact of them were there before. 0; -1 with err without
 * memory. */
int dr_draft_finish(struct dr_draft *d, uint32_t root, struct dr_tree *out, uint32_t *intact,
		    struct dr_err *err);
void dr_draft_free(struct dr_draft *d);

/* What has become of the leaves of an old tree. In place of leaf j stand now the leaves [at[2j + 1], at[2j + 2]): itself, none,
 * or others; before it are new ones, [at[2j], at[2j + 1]), and so behind the last. */
struct dr_tree_edit {
	const struct dr_tree *old;
	const uint64_t *old_leaves, *leaves;
	uint32_t n_leaves;
	uint32_t *at; /* 2 * old->n_leaves + 2 */
};

/* Where the i-th of `parts` parts of n things begins, as even as can be and larger ones first. */
static inline uint32_t
dr_tree_share(uint64_t i, uint64_t n, uint64_t parts)
{
	return (uint32_t)((i * n + parts - 1) / parts);
}

/* Is the leaf in its place? */
bool dr_tree_leaf_stays(const struct dr_tree_edit *e, uint32_t leaf);

/* tree-binary.c: the old tree with as little changed as keeps it an AVL tree; without one (e->old NULL) as flat as can be. 0
 * with *root, or -1 without memory. */
int dr_tree_binary(const struct dr_tree_edit *e, struct dr_draft *d, uint32_t *root);

/* tree-levels.c: the same where nodes have up to `fan_in` (at least 3) children and all leaves have as many nodes above them.
 * 1: the old tree is not so. */
int dr_tree_levels(const struct dr_tree_edit *e, uint32_t fan_in, struct dr_draft *d, uint32_t *root);
/* How few nodes above a leaf, and nodes, do for n leaves. */
uint32_t dr_tree_least_rounds(uint32_t n_leaves, uint32_t fan_in);

#endif
