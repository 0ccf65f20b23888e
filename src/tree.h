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

/* The name of a node: a hash of its leaves' names, in order; the same subtree has the same name wherever it
 * stands. leaf_hash has one hash of the name for each leaf of the tree. */
struct dr_hash128 dr_tree_name(const struct dr_tree *t, uint32_t node, const struct dr_hash128 *leaf_hash);

#endif
