#include "config.h"

#include "tree-private.h"

#include <stdlib.h>

#include "map.h"

/* Levels, each of groups of what the level below has: (a,b)-trees, with a half of b, where only groups that have changed are made
 * anew. A group that has grown too large gives to a neighbour before it is split, and one that has become small goes together
 * with a neighbour, or takes from it (R. Bayer, E. McCreight, 1972; D. Knuth, TAOCP 3, 6.2.4, B*-trees). New groups of leaves
 * are an eighth less than full: else the first leaves that come would split most of them. That costs no level, so that no byte
 * is written more often. */

/* What a level is made of, from left to right: numbers of the draft, and the old group that each belongs to. */
struct things {
	uint32_t *number, *owner; /* owners do not decrease */
	bool *same;               /* it is in the old tree just so */
	uint32_t n;
};

/* Neighbours that will be grouped anew together, or a group that stays as it is. */
struct cluster {
	uint32_t from, n;     /* things */
	uint32_t first, last; /* old groups */
	bool whole;
};

struct levels {
	const struct dr_tree *old;
	struct dr_draft *d;
	uint32_t fan_in, least;
	uint32_t *parent; /* by old node; of the root itself */
	struct things now;
	struct cluster *clusters;
	uint32_t n_clusters;
};

uint32_t
dr_tree_least_rounds(uint32_t n_leaves, uint32_t fan_in)
{
	uint64_t reach = fan_in;
	uint32_t rounds = 1;

	for (; reach < n_leaves; rounds++)
		reach *= fan_in;
	return rounds;
}

/* How many groups n things make: above twice the fan-in an eighth less than full. */
static uint32_t
count_groups(const struct levels *l, uint32_t n)
{
	uint64_t fan = l->fan_in, full = (n + fan - 1) / fan,
		 loose = ((uint64_t)n * 8 + fan * 7 - 1) / (fan * 7);

	if (n <= fan)
		return 1;
	return (uint32_t)(n <= 2 * fan || loose < full ? full : loose);
}

/* The old tree as levels: every node of a round is over nodes of the one before. */
static bool
is_level(const struct levels *l)
{
	const struct dr_tree *t = l->old;

	for (uint32_t i = 0; i < t->n_nodes; i++) {
		const struct dr_tree_node *node = &t->nodes[i];

		if (node->n_children > l->fan_in)
			return false;
		for (uint32_t c = 0; c < node->n_children; c++) {
			uint32_t child = t->children[node->children + c];

			if ((child < t->n_leaves ? 0 : t->nodes[child - t->n_leaves].round) + 1 !=
			    node->round)
				return false;
			if (child >= t->n_leaves)
				l->parent[child - t->n_leaves] = i;
		}
	}
	l->parent[t->n_nodes - 1] = t->n_nodes - 1;
	return true;
}

static void
add_leaves(struct levels *l, uint32_t from, uint32_t to, uint32_t owner, bool same)
{
	for (uint32_t i = from; i < to; i++) {
		l->now.number[i] = i;
		l->now.owner[i] = owner;
		l->now.same[i] = same;
	}
}

/* The leaves, each in an old group of the first round. New ones between two groups go to the smaller. */
static void
take_leaves(struct levels *l, const struct dr_tree_edit *e)
{
	const struct dr_tree *t = l->old;
	uint32_t group = 0;

	for (uint32_t j = 0; j < t->n_leaves; j++) {
		const struct dr_tree_node *node = &t->nodes[group];
		size_t at = 2 * (size_t)j;
		uint32_t gap = group;

		if (j == node->first_leaf + node->n_leaves) {
			group++;
			gap = node[1].n_children <= node->n_children ? group : gap;
		}
		add_leaves(l, e->at[at], e->at[at + 1], gap, false);
		add_leaves(l, e->at[at + 1], e->at[at + 2], group, dr_tree_leaf_stays(e, j));
	}
	add_leaves(l, e->at[2 * (size_t)t->n_leaves], e->n_leaves, group, false);
	l->now.n = e->n_leaves;
}

/* The things from `from` on that belong to one old group. */
static struct cluster
run_at(const struct levels *l, uint32_t from)
{
	const struct things *t = &l->now;
	struct cluster c = { .from = from, .first = t->owner[from], .last = t->owner[from], .whole = true };

	while (from + c.n < t->n && t->owner[from + c.n] == c.first)
		c.whole = t->same[from + c.n++] && c.whole;
	c.whole = c.whole && c.n == l->old->nodes[c.first].n_children;
	return c;
}

/* Is it better for the first, which has changed, to be grouped together with the other? */
static bool
suits(const struct levels *l, const struct cluster *c, const struct cluster *other, uint32_t mine,
      uint32_t its)
{
	uint64_t both = (uint64_t)c->n + other->n;

	if (l->parent[mine] != l->parent[its])
		return false;
	/* One node in place of one, and a merge less; what is too small; what the other has room for. */
	return both < l->fan_in || c->n < l->least ||
	       (c->n > l->fan_in && both <= 2 * (uint64_t)l->fan_in - 2);
}

static void
absorb(struct cluster *c, const struct cluster *other)
{
	if (other->from < c->from) {
		c->from = other->from;
		c->first = other->first;
	} else {
		c->last = other->last;
	}
	c->n += other->n;
	c->whole = false;
}

/* A changed cluster with those neighbours that it needs; *next is where what is right of it begins. */
static void
settle(struct levels *l, struct cluster *c, uint32_t *next)
{
	while (!c->whole) {
		struct cluster right = { 0 }, *left = l->n_clusters ? &l->clusters[l->n_clusters - 1] : NULL;
		bool more = *next < l->now.n;

		if (more)
			right = run_at(l, *next);
		if (more && suits(l, c, &right, c->last, right.first)) {
			absorb(c, &right);
			*next += right.n;
		} else if (left && suits(l, c, left, c->first, left->last)) {
			absorb(c, left);
			l->n_clusters--;
		} else if (c->n < l->least && left) { /* it has no sibling */
			absorb(c, left);
			l->n_clusters--;
		} else if (c->n < l->least && more) {
			absorb(c, &right);
			*next += right.n;
		} else {
			break;
		}
	}
}

/* The groups of a cluster, as even as can be, are things of the next level; there are never more of these than of what they are
 * made of, and they take their places. */
static uint32_t
make_groups(struct levels *l, const struct cluster *c, uint32_t groups, uint32_t at)
{
	for (uint32_t g = 0; g < groups; g++) {
		uint32_t from = c->from + dr_tree_share(g, c->n, groups);
		uint32_t to = c->from + dr_tree_share(g + 1, c->n, groups);
		uint32_t owner = l->old ? l->parent[l->now.owner[from]] : 0;

		l->now.number[at] = dr_draft_node(l->d, l->now.number + from, to - from);
		l->now.owner[at] = owner;
		l->now.same[at] = c->whole;
		if (c->whole && !l->d->failed)
			dr_draft_intact(l->d, l->now.number[at]);
		at++;
	}
	return at;
}

/* From the things of a level to those of the next. */
static void
rise(struct levels *l)
{
	uint32_t next = 0, n = 0;

	l->n_clusters = 0;
	while (next < l->now.n) {
		struct cluster c = run_at(l, next);

		next += c.n;
		settle(l, &c, &next);
		l->clusters[l->n_clusters++] = c;
	}
	for (uint32_t i = 0; i < l->n_clusters; i++)
		n = make_groups(l, &l->clusters[i], count_groups(l, l->clusters[i].n), n);
	l->now.n = n;
}

/* Groups of all that there is, until there is but one. */
static void
cover(struct levels *l)
{
	while (l->now.n > 1 && !l->d->failed) {
		struct cluster all = { .n = l->now.n };
		uint32_t groups = (uint32_t)(((uint64_t)l->now.n + l->fan_in - 1) / l->fan_in);

		for (uint32_t i = 0; i < l->now.n; i++)
			l->now.owner[i] = l->old ? l->old->n_nodes - 1 : 0;
		l->now.n = make_groups(l, &all, groups, 0);
	}
}

/* All leaves in groups, as loose as costs no further level. */
static void
begin(struct levels *l, const struct dr_tree_edit *e)
{
	struct cluster all = { .n = e->n_leaves };
	uint32_t groups = count_groups(l, e->n_leaves), rounds = dr_tree_least_rounds(e->n_leaves, l->fan_in);
	uint64_t most = 1;

	for (; rounds > 1 && most < groups; rounds--)
		most *= l->fan_in;
	add_leaves(l, 0, e->n_leaves, 0, false);
	l->now.n = make_groups(l, &all, groups < most ? groups : (uint32_t)most, 0);
}

static uint32_t
top(const struct levels *l)
{
	uint32_t root = l->now.number[0];

	/* Where most has gone, levels of one alone are left above the rest. */
	for (;;) {
		const struct dr_tree_node *node = &l->d->nodes[root - l->d->n_leaves].node;

		if (l->d->failed || node->n_children > 1 || l->d->children[node->children] < l->d->n_leaves)
			return root;
		root = l->d->children[node->children];
	}
}

int
dr_tree_levels(const struct dr_tree_edit *e, uint32_t fan_in, struct dr_draft *d, uint32_t *root)
{
	struct levels l = {
		.old = e->old, .d = d, .fan_in = fan_in, .least = fan_in / 2 > 2 ? fan_in / 2 : 2
	};
	int rc = -1;

	l.parent = malloc((e->old ? (size_t)e->old->n_nodes : 1) * sizeof(*l.parent));
	l.now.number = malloc((size_t)e->n_leaves * sizeof(*l.now.number));
	l.now.owner = malloc((size_t)e->n_leaves * sizeof(*l.now.owner));
	l.now.same = malloc((size_t)e->n_leaves * sizeof(*l.now.same));
	l.clusters = malloc((size_t)e->n_leaves * sizeof(*l.clusters));
	if (!l.parent || !l.now.number || !l.now.owner || !l.now.same || !l.clusters)
		goto out;
	rc = e->old && !is_level(&l);
	if (rc)
		goto out;
	if (e->old) {
		take_leaves(&l, e);
		for (uint32_t i = 0; i < e->old->n_rounds && !d->failed; i++)
			rise(&l);
	} else {
		begin(&l, e);
	}
	cover(&l);
	rc = d->failed ? -1 : 0;
	if (rc == 0)
		*root = top(&l);
out:
	free(l.parent);
	free(l.now.number);
	free(l.now.owner);
	free(l.now.same);
	free(l.clusters);
	return rc;
}
