#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "str.h"
#include "tree.h"
#include "under-valgrind.h"

/* Trees that follow their list of leaves, held against what any of them must be, and against a plain count of what is made again. */

enum { MANY = 1400 };

/* A list of leaves and its tree. */
struct grown {
	uint64_t leaves[MANY];
	uint32_t n, fan_in;
	struct dr_tree tree;
};

static uint64_t
chance(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t
mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0xff51afd7ed558ccd);
	return h ^ h >> 33;
}

/* All leaves once and in order below a root that comes last, children first, rounds from left to right. */
static void
check_tree(const struct dr_tree *t, uint32_t n, uint32_t fan_in)
{
	uint32_t children = 0;

	assert_int_equal(t->n_leaves, n);
	for (uint32_t i = 0; i < t->n_nodes; i++) {
		const struct dr_tree_node *v = &t->nodes[i];
		uint32_t leaf = v->first_leaf, round = 0, least = UINT32_MAX;

		assert_int_equal(v->children, children);
		children += v->n_children;
		assert_in_range(v->n_children, n == 1 ? 1 : 2, fan_in);
		for (uint32_t c = 0; c < v->n_children; c++) {
			uint32_t child = t->children[v->children + c];
			const struct dr_tree_node *below = child < n ? NULL : &t->nodes[child - n];
			uint32_t r = below ? below->round : 0;

			assert_true(child < n + i);
			assert_int_equal(below ? below->first_leaf : child, leaf);
			leaf += below ? below->n_leaves : 1;
			round = r > round ? r : round;
			least = r < least ? r : least;
		}
		assert_int_equal(leaf, v->first_leaf + v->n_leaves);
		assert_int_equal(v->round, round + 1);
		/* By two it is an AVL tree, by more all leaves are at the bottom. */
		assert_true(n <= fan_in || round - least <= (fan_in == 2));
		if (i)
			assert_true(v[-1].round < v->round ||
				    (v[-1].round == v->round && v[-1].first_leaf + v[-1].n_leaves <= v->first_leaf));
	}
	assert_int_equal(t->nodes[t->n_nodes - 1].first_leaf, 0);
	assert_int_equal(t->nodes[t->n_nodes - 1].n_leaves, n);
	assert_int_equal(t->n_rounds, t->nodes[t->n_nodes - 1].round);
	assert_int_equal(children, n + t->n_nodes - 1);
	if (fan_in == 2 && n > 1)
		assert_int_equal(t->n_nodes, n - 1);
	else if (n > fan_in)
		assert_true(t->n_nodes <= 2 * ((n - 1 + fan_in - 2) / (fan_in - 1)));
}

/* What each node is: its leaves, and how they are merged. */
static uint64_t *
identities(const struct dr_tree *t, const uint64_t *leaves)
{
	uint64_t *id = calloc(t->n_nodes, sizeof(*id));

	assert_non_null(id);
	for (uint32_t i = 0; i < t->n_nodes; i++) {
		for (uint32_t c = 0; c < t->nodes[i].n_children; c++) {
			uint32_t child = t->children[t->nodes[i].children + c];

			id[i] = mix(id[i] + 1, child < t->n_leaves ? leaves[child] : id[child - t->n_leaves]);
		}
	}
	return id;
}

static int
compare_u64(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

/* How many merges of the new tree the old one did not have. */
static uint32_t
merges_again(const struct grown *old, const struct grown *new)
{
	uint64_t *before = identities(&old->tree, old->leaves), *now = identities(&new->tree, new->leaves);
	uint32_t n = 0;

	qsort(before, old->tree.n_nodes, sizeof(*before), compare_u64);
	for (uint32_t i = 0; i < new->tree.n_nodes; i++)
		n += !bsearch(&now[i], before, old->tree.n_nodes, sizeof(*before), compare_u64);
	free(before);
	free(now);
	return n;
}

static bool
same_tree(const struct dr_tree *a, const struct dr_tree *b)
{
	return a->n_leaves == b->n_leaves && a->n_nodes == b->n_nodes && a->n_rounds == b->n_rounds &&
	       memcmp(a->nodes, b->nodes, a->n_nodes * sizeof(*a->nodes)) == 0 &&
	       memcmp(a->children, b->children, (a->n_leaves + a->n_nodes - 1) * sizeof(*a->children)) == 0;
}

static void
begin(struct grown *g, uint32_t n, uint32_t fan_in)
{
	g->n = n;
	g->fan_in = fan_in;
	for (uint32_t i = 0; i < n; i++)
		g->leaves[i] = mix(n, i);
	assert_int_equal(dr_tree_steady(NULL, NULL, g->leaves, n, fan_in, &g->tree, NULL), 0);
	check_tree(&g->tree, n, fan_in);
}

enum edit { APPEND, INSERT, DELETE, REPLACE, MOVE, EDITS };

static void
take_out(struct grown *g, uint32_t at)
{
	memmove(g->leaves + at, g->leaves + at + 1, (g->n - at - 1) * sizeof(*g->leaves));
	g->n--;
}

static void
put_in(struct grown *g, uint32_t at, uint64_t leaf)
{
	memmove(g->leaves + at + 1, g->leaves + at, (g->n - at) * sizeof(*g->leaves));
	g->leaves[at] = leaf;
	g->n++;
}

static void
edit(struct grown *g, enum edit what, uint64_t *seed)
{
	uint64_t leaf = chance(seed);
	uint32_t at = (uint32_t)(chance(seed) % g->n);

	if (what == MOVE)
		leaf = g->leaves[at];
	if ((what == MOVE || what == DELETE) && g->n > 1)
		take_out(g, at);
	if (what == REPLACE)
		g->leaves[at] = leaf;
	if (what == APPEND && g->n < MANY)
		put_in(g, g->n, leaf);
	if ((what == INSERT || what == MOVE) && g->n < MANY)
		put_in(g, (uint32_t)(chance(seed) % (g->n + 1)), leaf);
}

/* The tree follows the list that g has now; `old` is what it was. */
static void
follow(const struct grown *old, struct grown *g)
{
	assert_int_equal(dr_tree_steady(&old->tree, old->leaves, g->leaves, g->n, g->fan_in, &g->tree, NULL), 0);
	check_tree(&g->tree, g->n, g->fan_in);
}

/* One edit of g, whose tree follows. How many merges that costs. */
static uint32_t
step(struct grown *g, enum edit what, uint64_t *seed)
{
	struct grown *old = malloc(sizeof(*old));
	uint32_t n;

	assert_non_null(old);
	*old = *g;
	edit(g, what, seed);
	follow(old, g);
	n = merges_again(old, g);
	dr_tree_free(&old->tree);
	free(old);
	return n;
}

static void
from_nothing(void **state)
{
	struct grown g;

	(void)state;
	begin(&g, 900, 2);
	assert_int_equal(g.tree.n_nodes, 899);
	assert_int_equal(g.tree.n_rounds, 10);
	dr_tree_free(&g.tree);
	begin(&g, 900, 8);
	assert_true(g.tree.n_nodes <= 150);
	assert_int_equal(g.tree.n_rounds, 4);
	dr_tree_free(&g.tree);
	for (uint32_t n = 1; n <= 300; n++) {
		for (uint32_t fan_in = 2; fan_in <= 9; fan_in++) {
			uint64_t reach = fan_in;
			uint32_t rounds = 1;

			for (; reach < n; rounds++)
				reach *= fan_in;
			begin(&g, n, fan_in);
			/* As flat as any. */
			assert_int_equal(g.tree.n_rounds, rounds);
			dr_tree_free(&g.tree);
		}
	}
}

/* From a tree as good as new, an edit at each of many places; then 200 in a row. */
static void
edits_cost_little(uint32_t fan_in, uint32_t most, uint32_t depth)
{
	static const enum edit kinds[] = { APPEND, INSERT, DELETE, REPLACE };
	uint64_t seed = 88172645463325252u;
	struct grown g;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
		uint32_t sum = 0;

		for (int i = 0; i < 50; i++) {
			begin(&g, 900, fan_in);
			sum += step(&g, kinds[k], &seed);
			dr_tree_free(&g.tree);
		}
		assert_true(sum <= most * 50);
	}
	for (size_t k = 0; k <= sizeof(kinds) / sizeof(*kinds); k++) {
		uint32_t sum = 0;

		begin(&g, 900, fan_in);
		for (int i = 0; i < 200; i++) {
			sum += step(&g, k < 4 ? kinds[k] : kinds[chance(&seed) % 4], &seed);
			assert_true(g.tree.n_rounds <= depth);
		}
		assert_true(sum <= most * 200);
		dr_tree_free(&g.tree);
	}
}

static void
an_edit_by_two(void **state)
{
	(void)state;
	edits_cost_little(2, 13, 14);
}

static void
an_edit_by_eight(void **state)
{
	(void)state;
	edits_cost_little(8, 5, 5);
}

static void
many_edits_at_once(void **state)
{
	uint64_t seed = 5;
	struct grown *old = malloc(sizeof(*old)), *g = malloc(sizeof(*g));

	(void)state;
	assert_non_null(old);
	assert_non_null(g);
	for (uint32_t fan_in = 2; fan_in <= 8; fan_in += 6) {
		uint32_t fresh;

		begin(old, 900, fan_in);
		fresh = old->tree.n_nodes;
		/* A hundred together: their own tree, and the way up. */
		*g = *old;
		for (uint32_t i = 0; i < 100; i++)
			put_in(g, 333 + i, chance(&seed));
		follow(old, g);
		assert_true(merges_again(old, g) <= (fan_in == 2 ? 99 + 30 : 17 + 12));
		dr_tree_free(&g->tree);
		/* They go again. */
		*g = *old;
		for (uint32_t i = 0; i < 100; i++)
			take_out(g, 333);
		follow(old, g);
		assert_true(merges_again(old, g) <= 30);
		dr_tree_free(&g->tree);
		/* A half of them others, here and there. */
		*g = *old;
		for (uint32_t i = 0; i < g->n; i++)
			g->leaves[i] = chance(&seed) % 2 ? chance(&seed) : g->leaves[i];
		follow(old, g);
		assert_true(merges_again(old, g) <= fresh);
		dr_tree_free(&g->tree);
		/* One block of them: the other blocks' merges stay. */
		*g = *old;
		for (uint32_t i = 225; i < 450; i++)
			g->leaves[i] = chance(&seed);
		follow(old, g);
		assert_true(merges_again(old, g) <= fresh / 4 + 10);
		dr_tree_free(&g->tree);
		/* All others, or in another order: as good as new. */
		*g = *old;
		for (uint32_t i = 0; i < g->n; i++)
			g->leaves[i] = old->leaves[g->n - 1 - i];
		follow(old, g);
		assert_int_equal(g->tree.n_nodes, fresh);
		assert_int_equal(g->tree.n_rounds, old->tree.n_rounds);
		dr_tree_free(&g->tree);
		dr_tree_free(&old->tree);
	}
	free(old);
	free(g);
}

static void
check_code(const struct dr_tree *t)
{
	struct dr_buf code = { 0 };
	struct dr_tree back;

	assert_int_equal(dr_tree_encode(t, &code, NULL), 0);
	assert_in_range(code.n, t->n_leaves, 3 * (size_t)t->n_leaves);
	assert_int_equal(dr_tree_decode(code.p, code.n, t->n_leaves, &back, NULL), 0);
	assert_true(same_tree(t, &back));
	dr_tree_free(&back);
	dr_buf_free(&code);
}

/* Under valgrind each takes fifty times as long. */
static int
sequences(void)
{
	return under_valgrind() ? 1000 : 100000;
}

/* A hundred thousand short histories of small lists: where all the corners are. */
static void
histories(void **state)
{
	int n = sequences();
	uint64_t seed = 20;

	(void)state;
	for (int i = 0; i < n; i++) {
		struct grown g, old;
		uint32_t fan_in = chance(&seed) % 2 ? 2 : 2 + (uint32_t)(chance(&seed) % 8);

		begin(&g, 1 + (uint32_t)(chance(&seed) % 20), fan_in);
		for (int k = 0; k < 4; k++) {
			uint32_t edits = chance(&seed) % 4 ? 1 : (uint32_t)(chance(&seed) % 8);

			memcpy(old.leaves, g.leaves, g.n * sizeof(*g.leaves));
			old.n = g.n;
			old.fan_in = g.fan_in;
			old.tree = g.tree;
			for (uint32_t e = 0; e < edits; e++)
				edit(&g, (enum edit)(chance(&seed) % EDITS), &seed);
			if (chance(&seed) % 32 == 0)
				g.fan_in = 2 + (uint32_t)(chance(&seed) % 8);
			follow(&old, &g);
			if (edits == 0 && g.fan_in == old.fan_in)
				assert_true(same_tree(&g.tree, &old.tree));
			dr_tree_free(&old.tree);
		}
		if (i % 16 == 0)
			check_code(&g.tree);
		dr_tree_free(&g.tree);
	}
}

/* What any one edit may cost at most, in trees that have seen many. */
static void
no_edit_is_dear(void **state)
{
	uint64_t seed = 3;
	struct grown g;

	(void)state;
	begin(&g, 1000, 2);
	for (int i = 0; i < sequences() / 100; i++)
		assert_true(step(&g, (enum edit)(chance(&seed) % EDITS), &seed) <= 4 * g.tree.n_rounds);
	dr_tree_free(&g.tree);
}

/* Appended one by one at both ends: what bends other trees. */
static void
always_at_one_end(void **state)
{
	struct grown *old = malloc(sizeof(*old)), *g = malloc(sizeof(*g));
	uint32_t fans[] = { 2, 3, 4, 8 };

	(void)state;
	assert_non_null(old);
	assert_non_null(g);
	for (size_t f = 0; f < sizeof(fans) / sizeof(*fans); f++) {
		for (int front = 0; front < 2; front++) {
			begin(g, 1, fans[f]);
			for (uint64_t i = 0; i < 600; i++) {
				*old = *g;
				put_in(g, front ? 0 : g->n, mix(77, i));
				follow(old, g);
				dr_tree_free(&old->tree);
			}
			if (fans[f] == 2)
				assert_true(g->tree.n_rounds <= 13);
			while (g->n > 1) {
				*old = *g;
				take_out(g, front ? 0 : g->n - 1);
				follow(old, g);
				dr_tree_free(&old->tree);
			}
			dr_tree_free(&g->tree);
		}
	}
	free(old);
	free(g);
}

static void
the_same_leaf_twice(void **state)
{
	uint64_t before[] = { 1, 1, 2, 2, 1, 3, 3, 3, 3 }, after[] = { 1, 2, 1, 1, 3, 3, 1, 3, 3, 3 };
	struct dr_tree old, t;

	(void)state;
	for (uint32_t fan_in = 2; fan_in < 5; fan_in++) {
		assert_int_equal(dr_tree_steady(NULL, NULL, before, 9, fan_in, &old, NULL), 0);
		assert_int_equal(dr_tree_steady(&old, before, after, 10, fan_in, &t, NULL), 0);
		check_tree(&t, 10, fan_in);
		dr_tree_free(&t);
		dr_tree_free(&old);
	}
}

static void
a_million_leaves(void **state)
{
	const uint32_t n = 1000000;
	uint64_t *before = malloc(n * sizeof(*before)), *after = malloc((n + 1) * sizeof(*after));
	struct dr_tree old, t;

	(void)state;
	assert_non_null(before);
	assert_non_null(after);
	for (uint32_t i = 0; i < n; i++)
		before[i] = mix(1, i);
	memcpy(after, before, 333333 * sizeof(*after));
	after[333333] = 1;
	memcpy(after + 333334, before + 333333, (n - 333333) * sizeof(*after));
	for (uint32_t fan_in = 2; fan_in <= 8; fan_in += 6) {
		assert_int_equal(dr_tree_steady(NULL, NULL, before, n, fan_in, &old, NULL), 0);
		assert_int_equal(dr_tree_steady(&old, before, after, n + 1, fan_in, &t, NULL), 0);
		assert_in_range(t.n_rounds, fan_in == 2 ? 20 : 7, fan_in == 2 ? 21 : 8);
		dr_tree_free(&t);
		dr_tree_free(&old);
	}
	free(before);
	free(after);
}

/* Whatever the bytes are: a tree as it must be, or none. */
static void
damaged_code(void **state)
{
	uint64_t seed = 9;
	struct grown g;

	(void)state;
	begin(&g, 50, 4);
	for (int i = 0; i < sequences() / 5; i++) {
		struct dr_buf code = { 0 };
		struct dr_tree t;
		int rc;

		assert_int_equal(dr_tree_encode(&g.tree, &code, NULL), 0);
		for (uint64_t k = chance(&seed) % 3; k < 3; k++)
			code.p[chance(&seed) % code.n] ^= (char)(1u << chance(&seed) % (k ? 3 : 8));
		if (chance(&seed) % 4 == 0)
			code.n = chance(&seed) % code.n;
		rc = dr_tree_decode(code.p, code.n, chance(&seed) % 2 ? 50 : 51, &t, NULL);
		assert_in_range(rc, 0, 1);
		if (rc == 0) {
			/* Of any shape, but over all leaves; and what comes of it is balanced. */
			struct grown next = g, old = g;

			assert_int_equal(t.nodes[t.n_nodes - 1].n_leaves, t.n_leaves);
			old.tree = t;
			next.n = old.n = t.n_leaves;
			next.fan_in = 2 + (uint32_t)(chance(&seed) % 4);
			old.leaves[50] = next.leaves[50] = 0;
			follow(&old, &next);
			dr_tree_free(&next.tree);
			dr_tree_free(&t);
		}
		dr_buf_free(&code);
	}
	dr_tree_free(&g.tree);
}

/* A chain as deep as it is long is a tree too, and nothing here goes down it by calls. */
static void
a_deep_chain(void **state)
{
	const uint32_t n = 200000;
	uint8_t *code = malloc(2 * (size_t)n);
	uint64_t *leaves = malloc(n * sizeof(*leaves));
	struct dr_buf again = { 0 };
	struct dr_tree chain, t;

	(void)state;
	assert_non_null(code);
	assert_non_null(leaves);
	for (uint32_t i = 0; i < n; i++)
		leaves[i] = mix(4, i);
	code[0] = 0;
	for (uint32_t i = 1; i < n; i++) {
		code[2 * i - 1] = 0;
		code[2 * i] = 2;
	}
	assert_int_equal(dr_tree_decode(code, 2 * n - 1, n, &chain, NULL), 0);
	assert_int_equal(chain.n_rounds, n - 1);
	assert_int_equal(dr_tree_encode(&chain, &again, NULL), 0);
	assert_int_equal(again.n, 2 * n - 1);
	assert_memory_equal(again.p, code, again.n);
	assert_int_equal(dr_tree_steady(&chain, leaves, leaves, n, 2, &t, NULL), 0);
	assert_true(t.n_rounds <= 25);
	dr_tree_free(&t);
	assert_int_equal(dr_tree_steady(&chain, leaves, leaves, n, 8, &t, NULL), 0);
	assert_true(t.n_rounds <= 7);
	dr_tree_free(&t);
	dr_tree_free(&chain);
	dr_buf_free(&again);
	free(leaves);
	free(code);
}

static void
what_cannot_be(void **state)
{
	uint64_t leaf = 1;
	struct dr_tree t;
	struct dr_err err;

	(void)state;
	assert_int_equal(dr_tree_steady(NULL, NULL, &leaf, 0, 2, &t, &err), -1);
	assert_int_equal(dr_tree_steady(NULL, NULL, &leaf, 1, 1, &t, &err), -1);
	assert_int_equal(dr_tree_steady(NULL, NULL, &leaf, 1, 2, &t, &err), 0);
	assert_int_equal(t.n_nodes, 1);
	dr_tree_free(&t);
	assert_int_equal(dr_tree_decode("", 0, 0, &t, &err), 1);
	assert_int_equal(dr_tree_decode("\0", 1, 1, &t, &err), 1); /* a leaf alone is no node */
	assert_int_equal(dr_tree_decode("\0\1", 2, 1, &t, &err), 0);
	dr_tree_free(&t);
	assert_int_equal(dr_tree_decode("\0\0\2\1", 4, 2, &t, &err), 1);
	assert_int_equal(dr_tree_decode("\0\0\377\377\377\377\377\377", 8, 2, &t, &err), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_nothing),	     cmocka_unit_test(an_edit_by_two),
		cmocka_unit_test(an_edit_by_eight),  cmocka_unit_test(many_edits_at_once),
		cmocka_unit_test(histories),	     cmocka_unit_test(no_edit_is_dear),
		cmocka_unit_test(always_at_one_end), cmocka_unit_test(the_same_leaf_twice),
		cmocka_unit_test(a_million_leaves),  cmocka_unit_test(damaged_code),
		cmocka_unit_test(a_deep_chain),	     cmocka_unit_test(what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
