#include "config.h"

#include "tree-private.h"

#include <stdlib.h>

#include "err.h"
#include "str.h"

/* Children before their node: a 0 for a leaf, else how many of what stands there are its children, seven bits a byte, the low ones
 * first, and the high bit where more follow. */

static void
add_number(struct dr_buf *out, uint32_t n)
{
	for (; n > 0x7f; n >>= 7)
		dr_buf_addc(out, (char)((n & 0x7f) | 0x80));
	dr_buf_addc(out, (char)n);
}

/* How far a node's children are written. */
struct frame {
	uint32_t node, next;
};

int
dr_tree_encode(const struct dr_tree *t, struct dr_buf *out, struct dr_err *err)
{
	struct frame *stack = malloc(((size_t)t->n_rounds + 1) * sizeof(*stack));
	uint32_t depth = 1;

	if (!stack)
		return dr_err_nomem(err);
	stack[0] = (struct frame){ t->n_nodes - 1, 0 };
	while (depth) {
		struct frame *f = &stack[depth - 1];
		const struct dr_tree_node *node = &t->nodes[f->node];
		uint32_t child;

		if (f->next == node->n_children) {
			add_number(out, node->n_children);
			depth--;
			continue;
		}
		child = t->children[node->children + f->next++];
		if (child < t->n_leaves)
			add_number(out, 0);
		else
			stack[depth++] = (struct frame){ child - t->n_leaves, 0 };
	}
	free(stack);
	return out->failed ? dr_err_nomem(err) : 0;
}

/* 0 with *n, or -1: the end, or more than 32 bits. */
static int
take_number(const uint8_t **p, const uint8_t *end, uint32_t *n)
{
	uint64_t v = 0;

	for (unsigned shift = 0; *p < end && shift < 35; shift += 7) {
		uint8_t byte = *(*p)++;

		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*n = (uint32_t)v;
			return v > UINT32_MAX ? -1 : 0;
		}
	}
	return -1;
}

/* Every node but that of a single leaf is over two things at least, so there are less than 2 * n_leaves numbers. 0 with the
 * root's; 1: this is no tree. */
static int
read_nodes(const uint8_t *p, const uint8_t *end, struct dr_draft *d, uint32_t *stack, uint32_t *root)
{
	uint32_t leaves = 0, n = 0, children, number;

	while (p < end && !d->failed) {
		if (take_number(&p, end, &children))
			return 1;
		if (children == 0) {
			if (leaves == d->n_leaves)
				return 1;
			number = leaves++;
		} else {
			if (children > n || (children == 1 && d->n_leaves > 1) || d->n_nodes >= d->n_leaves)
				return 1;
			n -= children;
			number = dr_draft_node(d, stack + n, children);
		}
		stack[n++] = number;
	}
	*root = n ? stack[0] : 0;
	return d->failed || (n == 1 && leaves == d->n_leaves && *root >= d->n_leaves) ? 0 : 1;
}

int
dr_tree_decode(const void *code, size_t n, uint32_t n_leaves, struct dr_tree *out, struct dr_err *err)
{
	struct dr_draft d = { .n_leaves = n_leaves };
	uint32_t *stack, root, intact;
	int rc = 1;

	*out = (struct dr_tree){ 0 };
	/* A byte for each leaf at least: what is asked for is in proportion to what is there. */
	if (!n_leaves || n < n_leaves || n_leaves > UINT32_MAX / 2)
		return 1;
	stack = malloc((size_t)n_leaves * sizeof(*stack));
	if (!stack)
		return dr_err_nomem(err);
	rc = read_nodes(code, (const uint8_t *)code + n, &d, stack, &root);
	if (rc == 0)
		rc = dr_draft_finish(&d, root, out, &intact, err);
	dr_draft_free(&d);
	free(stack);
	return rc;
}
