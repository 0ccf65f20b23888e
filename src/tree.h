/* Shapes of merge trees over n leaves. Pure. */
#ifndef DR_TREE_H
#define DR_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "hash.h"

struct dr_buf;
struct dr_err;

/* Children are numbers: below n_leaves a leaf, else node (number - n_leaves). Neighbouring leaves stay
 * neighbours: a node stands for leaves [first_leaf, first_leaf + n_leaves). Nodes come round by round, from
 * left to right; the last is the root. */
struct dr_tree_node {
	uint32_t children, n_children; /* into dr_tree.children */
	uint32_t first_leaf, n_leaves;
	uint32_t round; /* from 1 */
};

struct dr_tree {
	uint32_t n_leaves, n_nodes, n_rounds;
	struct dr_tree_node *nodes;
	uint32_t *children;
};

/* Round by round, neighbours by position, `fan_in` (at least 2; 0: all) at a time; an odd one goes up as it
 * is. One leaf is still put through one node. n_leaves must be at least 1. 0, or -1: without memory, or
 * (DR_USAGE) more nodes than 32 bits can number. */
int dr_tree_rounds(uint32_t n_leaves, uint32_t fan_in, struct dr_tree *out, struct dr_err *err);
/* As little changed of the tree that was over `old_leaves` as leaves it balanced over `leaves` (hashes of their names: what is
 * the same and stands in the same order stays where it is). A node that is over the same children as before is not made again,
 * and of those that change most stand above leaves that did. Without an old tree (NULL), and where little of it would be left, as
 * balanced as can be. By two: n - 1 nodes, and less than 1.44 log2(n + 2) rounds; by more: at most one round more than the
 * least (two where fan_in is below 8), and at most twice as many nodes as the least. Errors as above. */
int dr_tree_steady(const struct dr_tree *old, const uint64_t *old_leaves, const uint64_t *leaves, uint32_t n_leaves,
		   uint32_t fan_in, struct dr_tree *out, struct dr_err *err);
void dr_tree_free(struct dr_tree *t);

/* A tree as bytes, one or two a leaf, appended: 0, or -1 with err without memory. And back, whatever the bytes are: 0 with *out;
 * 1: they are no tree of so many leaves; -1 with err. */
int dr_tree_encode(const struct dr_tree *t, struct dr_buf *out, struct dr_err *err);
int dr_tree_decode(const void *code, size_t n, uint32_t n_leaves, struct dr_tree *out, struct dr_err *err);

/* What such a tree costs, without making it: merges, rounds, and how often the data is rewritten (leaves of
 * equal size, bytes that do not shrink). */
struct dr_tree_cost {
	uint64_t merges;
	uint32_t rounds;
	double rewritten;
};
struct dr_tree_cost dr_tree_rounds_cost(uint32_t n_leaves, uint32_t fan_in);

/* What trees cost, added up over several. A leaf is the unit of what is written: leaves of equal size, bytes that do not shrink. */
enum dr_tree_keep { DR_TREE_NO, DR_TREE_LEVEL, DR_TREE_YES, DR_TREE_KEEPS }; /* which inner nodes stay */
struct dr_tree_sum {
	uint64_t leaves, merges, rewritten;
	uint64_t on_level; /* leaves below the nodes that stay where one level does */
	uint32_t rounds;   /* of the deepest */
	/* What one changed leaf makes again, summed over all leaves of which each may be the one: a part of its own tree. */
	struct {
		double merges, rewritten;
	} one[DR_TREE_KEEPS];
};

/* Adds a tree. *level is the round whose nodes are worth most if only they stay: `preferred` (0: none) while it is nearly as good
 * as the best; 0 where there is but one round. With a level L those nodes stay whose round is at most L and that are read by one
 * above it. 0; -1 with err without memory. */
int dr_tree_sum_up(const struct dr_tree *t, uint32_t preferred, struct dr_tree_sum *sum, uint32_t *level, struct dr_err *err);

/* The name of a node: a hash of its leaves' names, in order; the same subtree has the same name wherever it
 * stands. leaf_hash has one hash of the name for each leaf of the tree. */
struct dr_hash128 dr_tree_name(const struct dr_tree *t, uint32_t node, const struct dr_hash128 *leaf_hash);

#endif
