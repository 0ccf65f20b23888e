#include "config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "tree.h"

static void
counts_of_the_manual(void **state)
{
	static const struct {
		uint32_t leaves, fan_in, merges, rounds;
	} cases[] = {
		{ 900, 2, 899, 10 }, { 900, 8, 130, 4 }, { 900, 0, 1, 1 }, { 900, 900, 1, 1 },
		{ 1, 2, 1, 1 },      { 1, 0, 1, 1 },     { 2, 2, 1, 1 },   { 3, 2, 2, 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dr_tree t;

		assert_int_equal(dr_tree_rounds(cases[i].leaves, cases[i].fan_in, &t, NULL), 0);
		assert_int_equal(t.n_nodes, cases[i].merges);
		assert_int_equal(t.n_rounds, cases[i].rounds);
		assert_int_equal(t.n_leaves, cases[i].leaves);
		dr_tree_free(&t);
	}
}

/* What the header promises, and a simple model: lists of numbers, made anew for every round. */
static void
check_shape(uint32_t n, uint32_t fan_in)
{
	uint32_t fan = fan_in ? fan_in : n, *level = calloc(n, sizeof(*level)), len = n, node = 0, round = 0;
	uint64_t rewritten = 0;
	struct dr_tree_cost cost = dr_tree_rounds_cost(n, fan_in);
	struct dr_tree t;

	assert_int_equal(dr_tree_rounds(n, fan_in, &t, NULL), 0);
	assert_non_null(level);
	for (uint32_t i = 0; i < n; i++)
		level[i] = i;
	do {
		uint32_t next = 0;

		round++;
		for (uint32_t from = 0; from < len; from += fan) {
			uint32_t take = len - from < fan ? len - from : fan;

			if (take == 1 && n > 1) {
				level[next++] = level[from];
				continue;
			}
			assert_true(node < t.n_nodes);
			assert_int_equal(t.nodes[node].n_children, take);
			assert_int_equal(t.nodes[node].round, round);
			assert_memory_equal(t.children + t.nodes[node].children, level + from,
					    take * sizeof(*level));
			level[next++] = n + node++;
		}
		len = next;
	} while (len > 1);
	free(level);

	assert_int_equal(t.n_nodes, node);
	assert_int_equal(t.n_rounds, round);
	for (uint32_t i = 0; i < t.n_nodes; i++) {
		const struct dr_tree_node *v = &t.nodes[i];
		uint32_t leaf = v->first_leaf;

		assert_in_range(v->n_children, n == 1 ? 1 : 2, fan);
		/* Its children stand for neighbouring leaves, in order, and come before it. */
		for (uint32_t c = 0; c < v->n_children; c++) {
			uint32_t child = t.children[v->children + c];

			assert_true(child < n + i);
			assert_int_equal(child < n ? child : t.nodes[child - n].first_leaf, leaf);
			leaf += child < n ? 1 : t.nodes[child - n].n_leaves;
		}
		assert_int_equal(leaf, v->first_leaf + v->n_leaves);
		rewritten += v->n_leaves;
	}
	assert_int_equal(t.nodes[t.n_nodes - 1].first_leaf, 0);
	assert_int_equal(t.nodes[t.n_nodes - 1].n_leaves, n);
	assert_int_equal(cost.merges, t.n_nodes);
	assert_int_equal(cost.rounds, t.n_rounds);
	assert_true(fabs(cost.rewritten - (double)rewritten / n) < 1e-9);
	dr_tree_free(&t);
}

static void
every_leaf_once_and_in_order(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 300; n++) {
		check_shape(n, 0);
		for (uint32_t fan_in = 2; fan_in <= 9; fan_in++)
			check_shape(n, fan_in);
	}
}

static void
a_million_leaves(void **state)
{
	const uint32_t n = 1000000;
	struct dr_tree t;

	(void)state;
	assert_int_equal(dr_tree_rounds(n, 2, &t, NULL), 0);
	assert_int_equal(t.n_nodes, n - 1);
	assert_int_equal(t.n_rounds, 20);
	dr_tree_free(&t);
	assert_int_equal(dr_tree_rounds(n, 1000, &t, NULL), 0);
	assert_int_equal(t.n_nodes, 1001);
	dr_tree_free(&t);
}

static void
the_same_leaves_have_the_same_name(void **state)
{
	struct dr_hash128 leaves[9], shifted[9];
	struct dr_tree t;

	(void)state;
	for (int i = 0; i < 9; i++)
		leaves[i] = dr_hash128(&i, sizeof(i));
	/* Two in front: what was leaf 0 is leaf 2. */
	for (int i = 0; i < 9; i++)
		shifted[i] = i < 2 ? leaves[7 + i] : leaves[i - 2];
	assert_int_equal(dr_tree_rounds(9, 2, &t, NULL), 0);
	assert_true(dr_hash128_eq(dr_tree_name(&t, 0, leaves), dr_tree_name(&t, 1, shifted)));
	assert_true(dr_hash128_eq(dr_tree_name(&t, 2, leaves), dr_tree_name(&t, 3, shifted)));
	for (uint32_t i = 0; i < t.n_nodes; i++) {
		for (uint32_t j = 0; j < i; j++)
			assert_false(dr_hash128_eq(dr_tree_name(&t, i, leaves), dr_tree_name(&t, j, leaves)));
	}
	dr_tree_free(&t);
}

/* What one changed leaf makes again, tried leaf by leaf: the nodes above it, and what they read that does not stay. */
static void
try_each_leaf(const struct dr_tree *t, uint32_t level, enum dr_tree_keep keep, double *merges, double *rewritten)
{
	uint32_t *above = calloc(t->n_nodes, sizeof(*above));
	bool *again = calloc(t->n_nodes, sizeof(*again)), *read = calloc(t->n_nodes, sizeof(*read));

	assert_non_null(above);
	assert_non_null(again);
	assert_non_null(read);
	for (uint32_t i = 0; i < t->n_nodes; i++)
		for (uint32_t c = 0; c < t->nodes[i].n_children; c++)
			if (t->children[t->nodes[i].children + c] >= t->n_leaves)
				above[t->children[t->nodes[i].children + c] - t->n_leaves] = t->nodes[i].round;
	*merges = *rewritten = 0;
	for (uint32_t leaf = 0; leaf < t->n_leaves; leaf++) {
		memset(read, 0, t->n_nodes * sizeof(*read));
		for (uint32_t i = t->n_nodes; i-- > 0;) {
			const struct dr_tree_node *v = &t->nodes[i];
			bool stays = keep == DR_TREE_YES || (keep == DR_TREE_LEVEL && v->round <= level && above[i] > level);

			again[i] = (leaf >= v->first_leaf && leaf - v->first_leaf < v->n_leaves) || (read[i] && !stays);
			if (!again[i])
				continue;
			*merges += 1;
			*rewritten += v->n_leaves;
			for (uint32_t c = 0; c < v->n_children; c++)
				if (t->children[v->children + c] >= t->n_leaves)
					read[t->children[v->children + c] - t->n_leaves] = true;
		}
	}
	free(above);
	free(again);
	free(read);
}

static void
costs_are_what_a_change_costs(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 120; n += n < 20 ? 1 : 33) {
		for (uint32_t fan_in = 2; fan_in <= 5; fan_in++) {
			for (int steady = 0; steady < 2; steady++) {
				struct dr_tree_sum sum = { 0 };
				struct dr_tree t;
				uint32_t level;

				if (steady)
					assert_int_equal(dr_tree_steady(NULL, NULL, NULL, n, fan_in, &t, NULL), 0);
				else
					assert_int_equal(dr_tree_rounds(n, fan_in, &t, NULL), 0);
				assert_int_equal(dr_tree_sum_up(&t, 0, &sum, &level, NULL), 0);
				assert_true(level < t.n_rounds);
				assert_int_equal(sum.merges, t.n_nodes);
				for (int keep = 0; keep < DR_TREE_KEEPS; keep++) {
					double merges, rewritten, other, ignored;

					try_each_leaf(&t, level, (enum dr_tree_keep)keep, &merges, &rewritten);
					assert_true(fabs(sum.one[keep].merges - merges) < 1e-6);
					assert_true(fabs(sum.one[keep].rewritten - rewritten) < 1e-6);
					/* No level is better. */
					for (uint32_t l = 1; keep == DR_TREE_LEVEL && l < t.n_rounds; l++) {
						try_each_leaf(&t, l, DR_TREE_LEVEL, &other, &ignored);
						assert_true(other >= merges - 1e-6);
					}
				}
				dr_tree_free(&t);
			}
		}
	}
}

static void
costs_of_the_manual(void **state)
{
	static const struct {
		uint32_t fan_in, merges, level;
		double rewritten;
	} cases[] = { { 2, 58, 5, 5.2 }, { 8, 11, 2, 2.1 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct dr_tree_sum sum = { 0 };
		struct dr_tree t;
		uint32_t level;

		assert_int_equal(dr_tree_rounds(900, cases[i].fan_in, &t, NULL), 0);
		assert_int_equal(dr_tree_sum_up(&t, 0, &sum, &level, NULL), 0);
		assert_int_equal(level, cases[i].level);
		assert_int_equal((int)(sum.one[DR_TREE_LEVEL].merges / 900), cases[i].merges);
		assert_true(fabs(sum.one[DR_TREE_LEVEL].rewritten / 900 / 900 - cases[i].rewritten) < 0.05);
		assert_int_equal(sum.on_level, 900);
		/* The one before stays while it is nearly as good. */
		sum = (struct dr_tree_sum){ 0 };
		assert_int_equal(dr_tree_sum_up(&t, cases[i].fan_in == 2 ? 6 : 3, &sum, &level, NULL), 0);
		assert_int_equal(level, cases[i].fan_in == 2 ? 6 : 2);
		dr_tree_free(&t);
	}
}

static void
what_cannot_be(void **state)
{
	struct dr_tree t;
	struct dr_err err = { 0 };

	(void)state;
	assert_int_equal(dr_tree_rounds(0, 2, &t, &err), -1);
	assert_int_equal(err.code, DR_USAGE);
	assert_int_equal(dr_tree_rounds(5, 1, &t, &err), -1);
	assert_int_equal(dr_tree_rounds(UINT32_MAX, 2, &t, &err), -1);
	assert_null(t.nodes);
	dr_tree_free(&t);
	assert_int_equal(dr_tree_rounds_cost(0, 2).merges, 0);
	/* The cost is told without making it, whatever the size. */
	assert_int_equal(dr_tree_rounds_cost(UINT32_MAX, 2).merges, UINT32_MAX - 1);
	assert_int_equal(dr_tree_rounds_cost(UINT32_MAX, 0).merges, 1);
	assert_int_equal(dr_tree_rounds_cost(UINT32_MAX, UINT32_MAX - 1).merges, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_of_the_manual), cmocka_unit_test(every_leaf_once_and_in_order),
		cmocka_unit_test(a_million_leaves),     cmocka_unit_test(the_same_leaves_have_the_same_name),
		cmocka_unit_test(costs_are_what_a_change_costs),
		cmocka_unit_test(costs_of_the_manual),
		cmocka_unit_test(what_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
