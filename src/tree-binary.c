#include "config.h"

#include "tree-private.h"

#include <stdlib.h>

#include "map.h"

/* Leaves are at the bottom, and the two sides of a node differ in height by one at most: AVL trees, made of each other by
 * `join`, which goes down the higher one's side to where the other fits and mends what is above. (G. Blelloch, D. Ferizovic,
 * Y. Sun: Just Join for Parallel Ordered Sets, SPAA 2016; ours has no keys in its nodes.) Each node above a changed leaf is new
 * whatever we do, and what a join mends are such nodes: so a change costs hardly more than the height, and that is below
 * 1.44 log2 of the leaves. */

enum { HEIGHT_MAX = 64 }; /* 2^32 leaves are less than 47 high */

static const uint32_t *
sides(const struct dr_draft *d, uint32_t number)
{
	return &d->children[d->nodes[number - d->n_leaves].node.children];
}

static uint32_t
pair(struct dr_draft *d, uint32_t left, uint32_t right)
{
	const uint32_t both[2] = { left, right };

	return dr_draft_node(d, both, 2);
}

/* A node over two trees whose heights differ by two at most: by a rotation if it is two. */
static uint32_t
lean(struct dr_draft *d, uint32_t left, uint32_t right)
{
	uint32_t hl = dr_draft_round(d, left), hr = dr_draft_round(d, right), a, b, x, y;

	if (hr > hl + 1) {
		a = sides(d, right)[0];
		b = sides(d, right)[1];
		if (dr_draft_round(d, a) <= dr_draft_round(d, b))
			return pair(d, pair(d, left, a), b);
		x = sides(d, a)[0];
		y = sides(d, a)[1];
		left = pair(d, left, x);
		return pair(d, left, pair(d, y, b));
	}
	if (hl > hr + 1) {
		a = sides(d, left)[0];
		b = sides(d, left)[1];
		if (dr_draft_round(d, b) <= dr_draft_round(d, a))
			return pair(d, a, pair(d, b, right));
		x = sides(d, b)[0];
		y = sides(d, b)[1];
		left = pair(d, a, x);
		return pair(d, left, pair(d, y, right));
	}
	return pair(d, left, right);
}

/* One tree of two that stand beside each other; either may be DR_NONE. */
static uint32_t
join(struct dr_draft *d, uint32_t left, uint32_t right)
{
	uint32_t path[HEIGHT_MAX], depth = 0, hl, hr, t;

	if (left == DR_NONE || right == DR_NONE || d->failed)
		return left == DR_NONE ? right : left;
	hl = dr_draft_round(d, left);
	hr = dr_draft_round(d, right);
	if (hl > hr + 1) {
		for (; dr_draft_round(d, left) > hr + 1 && depth < HEIGHT_MAX; left = sides(d, left)[1])
			path[depth++] = left;
		for (t = pair(d, left, right); depth && !d->failed; depth--)
			t = lean(d, sides(d, path[depth - 1])[0], t);
		return t;
	}
	for (; dr_draft_round(d, right) > hl + 1 && depth < HEIGHT_MAX; right = sides(d, right)[0])
		path[depth++] = right;
	for (t = pair(d, left, right); depth && !d->failed; depth--)
		t = lean(d, t, sides(d, path[depth - 1])[1]);
	return t;
}

/* Leaves [from, to) as one tree, as flat as can be: halves of halves. At its lowest level each place has one leaf or two. DR_NONE:
 * there are none. `room` is for as many numbers as there are leaves. */
static uint32_t
flat(struct dr_draft *d, uint32_t from, uint32_t to, uint32_t *room)
{
	uint64_t n = to - from, places = 1;

	if (n < 2)
		return n ? from : DR_NONE;
	while (places * 2 < n)
		places *= 2;
	for (uint64_t i = 0; i < places; i++) {
		uint32_t lo = from + dr_tree_share(i, n, places), hi = from + dr_tree_share(i + 1, n, places);

		room[i] = hi - lo > 1 ? pair(d, lo, lo + 1) : lo;
	}
	for (; places > 1; places /= 2)
		for (uint64_t i = 0; i < places; i += 2)
			room[i / 2] = pair(d, room[i], room[i + 1]);
	return room[0];
}

/* What an old node has become, and whether that is what it was. */
struct heir {
	uint32_t number; /* or DR_NONE */
	bool same;
};

static struct heir
heir_of(const struct dr_tree_edit *e, struct dr_draft *d, const struct heir *heirs, uint32_t child,
	uint32_t *room)
{
	if (child >= e->old->n_leaves)
		return heirs[child - e->old->n_leaves];
	return (struct heir){ flat(d, e->at[2 * (size_t)child + 1], e->at[2 * (size_t)child + 2], room),
			      dr_tree_leaf_stays(e, child) };
}

static uint32_t
first_leaf(const struct dr_tree *t, uint32_t number)
{
	return number < t->n_leaves ? number : t->nodes[number - t->n_leaves].first_leaf;
}

/* New leaves between two trees go to the flatter one. */
static void
put_between(struct dr_draft *d, uint32_t block, uint32_t *left, uint32_t *right)
{
	if (*left == DR_NONE || (*right != DR_NONE && dr_draft_round(d, *right) < dr_draft_round(d, *left)))
		*right = join(d, block, *right);
	else
		*left = join(d, *left, block);
}

static struct heir
renew(const struct dr_tree_edit *e, struct dr_draft *d, const struct heir *heirs,
      const struct dr_tree_node *old, uint32_t *room)
{
	const uint32_t *child = &e->old->children[old->children];
	struct heir h = heir_of(e, d, heirs, child[0], room), next;
	uint32_t left = h.number;

	for (uint32_t c = 1; c < old->n_children; c++) {
		size_t gap = 2 * (size_t)first_leaf(e->old, child[c]);

		next = heir_of(e, d, heirs, child[c], room);
		if (e->at[gap] < e->at[gap + 1]) {
			put_between(d, flat(d, e->at[gap], e->at[gap + 1], room), &h.number, &next.number);
			h.same = false;
		}
		left = h.number;
		h.number = join(d, h.number, next.number);
		h.same = h.same && next.same;
	}
	if (d->failed || h.number == DR_NONE || h.number < d->n_leaves || old->n_children != 2)
		h.same = false;
	/* Where the sides fit as they are, the node is over just these. */
	h.same = h.same && sides(d, h.number)[0] == left;
	if (h.same)
		dr_draft_intact(d, h.number);
	return h;
}

int
dr_tree_binary(const struct dr_tree_edit *e, struct dr_draft *d, uint32_t *root)
{
	const struct dr_tree *old = e->old;
	struct heir *heirs = calloc(old ? (size_t)old->n_nodes : 1, sizeof(*heirs));
	uint32_t *room = malloc((size_t)e->n_leaves * sizeof(*room));
	size_t end = old ? 2 * (size_t)old->n_leaves : 0;
	int rc = -1;

	if (!heirs || !room)
		goto out;
	if (!old) {
		*root = flat(d, 0, e->n_leaves, room);
	} else {
		for (uint32_t i = 0; i < old->n_nodes; i++)
			heirs[i] = renew(e, d, heirs, &old->nodes[i], room);
		*root = join(d, flat(d, e->at[0], e->at[1], room), heirs[old->n_nodes - 1].number);
		*root = join(d, *root, flat(d, e->at[end], e->at[end + 1], room));
	}
	rc = d->failed || *root == DR_NONE ? -1 : 0;
out:
	free(heirs);
	free(room);
	return rc;
}
