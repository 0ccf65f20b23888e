#include "config.h"

#include "plan-place.h"

#include "plan-values.h"

/* Merges by columns, outputs beside each other, and what is missing. */

#define LANES                                                                                                                              \
	"args f\n  glob = in/*\n  where = {arg} ~ in/(.)-(.)\n  columns = sample lane\n"                                                 \
	"map lane\n  each = f\n  out = lanes/{sample}.{lane}\n  out.index = index/{sample}.{lane}\n"                                    \
	"  run = x {in} > {out} 2> {out.index}\n"

static void
label_is(const struct place *p, uint32_t task, const char *want)
{
	struct dr_buf b = { 0 };

	dr_plan_task_label(p->plan, task, &b);
	assert_string_equal(dr_buf_cstr(&b), want);
	dr_buf_free(&b);
}

/* The command as it is shown. */
static void
command_is(const struct place *p, uint32_t task, const char *want)
{
	struct dr_task_values tv;
	struct dr_buf b = { 0 };

	dr_task_values_init(&tv, p->plan, task);
	assert_int_equal(dr_command_show(&dr_plan_stage(p->plan, task)->run, &tv.v, &b, NULL), 0);
	assert_string_equal(dr_buf_cstr(&b), want);
	dr_buf_free(&b);
}

static void
a_tree_for_each_value(void **state)
{
	struct place *p = *state;
	const struct dr_plan_stage *ps;
	uint32_t node;

	place_files(p, "in/b-1 in/a-1 in/b-2 in/c-1 in/a-2 in/a-3");
	place_plan(p, LANES "merge m\n  each = lane\n  by = sample\n  out = {sample}.bam\n  run = cat {in} > {out}\n"
			    "map over\n  each = m\n  out = {sample}.txt\n  run = y {in} {sample} > {out}\n"
			    "task all\n  in = m\n  out = all\n  run = z {in} > {out}\n");
	ps = &p->plan->stages[place_stage(p, "m")];
	/* In the order of the rows, which a glob sorts: a has three leaves, b two, c one. */
	assert_int_equal(ps->n_trees, 3);
	assert_int_equal(ps->n, 2 + 1 + 1);
	assert_int_equal(ps->n_leaves, 6);
	assert_int_equal(ps->n_rounds, 2);
	assert_int_equal(ps->trees[1].first, ps->first + 2);
	assert_int_equal(ps->trees[2].first_leaf, 5);
	label_is(p, ps->first, "m:a/1.1");
	label_is(p, ps->first + 1, "m:a");
	label_is(p, ps->first + 3, "m:c");
	assert_ptr_equal(dr_plan_tree(p->plan, ps->first + 1, &node), &ps->trees[0]);
	assert_int_equal(node, 1);
	assert_null(dr_plan_tree(p->plan, place_task(p, "over", 0), &node));
	command_is(p, ps->first + 2, "cat lanes/b.1 lanes/b.2 > b.bam");
	assert_int_equal(dr_plan_stage_rows(p->plan, place_stage(p, "m")), 3);
	label_is(p, place_task(p, "over", 1), "over:b");
	command_is(p, place_task(p, "over", 1), "y b.bam b > b.txt");
	command_is(p, place_task(p, "all", 0), "z a.bam b.bam c.bam > all");
}

static void
values_are_told_apart(void **state)
{
	struct place *p = *state;

	/* "a" "bc" and "ab" "c" are two. */
	place_files(p, "in/a-bc in/ab-c in/a-b");
	place_plan(p, "args f\n  glob = in/*\n  where = {arg} ~ in/([ab]*)-(.*)\n  columns = x y\n"
		      "merge m\n  each = f\n  by = y x\n  out = {x}_{y}\n  run = cat {in} > {out}\n");
	assert_int_equal(p->plan->stages[place_stage(p, "m")].n_trees, 3);
	label_is(p, place_task(p, "m", 0), "m:b,a");
}

static void
one_tree_as_a_target(void **state)
{
	struct place *p = *state;

	place_files(p, "in/a-1 in/b-1 in/b-2");
	p->targets[0] = "m:b";
	place_plan(p, LANES "merge m\n  each = lane\n  by = sample\n  out = {sample}.bam\n  run = cat {in} > {out}\n");
	assert_int_equal(p->plan->n_targets, 1);
	label_is(p, p->plan->targets[0], "m:b");
	assert_int_equal(p->plan->graph->tasks[place_task(p, "lane", 0)].state, DR_UNWANTED);
	assert_int_equal(p->plan->graph->tasks[place_task(p, "lane", 1)].state, DR_WAITING);
}

static void
trees_that_make_one_file(void **state)
{
	struct place *p = *state;

	place_files(p, "in/a-1 in/b-1");
	assert_int_equal(place_try(p, LANES "merge m\n  each = lane\n  by = sample\n  out = all\n  run = cat {in} > {out}\n"), -1);
	assert_non_null(strstr(dr_buf_cstr(&p->shown), "two tasks make 'all': m:a and m:b"));
}

/* Merging that commutes: the leaves stand by their names, bytewise, in each tree; who their row is goes with them. */
static void
inputs_as_a_set(void **state)
{
	struct place *p = *state;
	const struct dr_plan_stage *ps;

	place_plan(p, "args l\n  list = 10:b 9:a 1:b a:a z:b Z:b\n  where = {arg} ~ (.*):(.*)\n  columns = n k\n"
		      "map x\n  each = l\n  out = x{k}/{n}\n  run = x > {out}\n"
		      "merge m\n  each = x\n  by = k\n  order = any\n  fan-in = all\n  out = {k}.m\n  run = cat {in} > {out}\n"
		      "merge s\n  each = x\n  order = any\n  fan-in = all\n  out = s\n  run = cat {in} > {out}\n");
	ps = &p->plan->stages[place_stage(p, "m")];
	/* Results in the order in which the values come up, as ever. */
	label_is(p, ps->first, "m:b");
	command_is(p, ps->first, "cat xb/1 xb/10 xb/Z xb/z > b.m");
	assert_int_equal(ps->trees[0].row, 2);
	command_is(p, ps->first + 1, "cat xa/9 xa/a > a.m");
	command_is(p, place_task(p, "s", 0), "cat xa/9 xa/a xb/1 xb/10 xb/Z xb/z > s");
}

static void
outputs_beside(void **state)
{
	struct place *p = *state;
	uint32_t t;

	place_files(p, "in/a-1 in/b-1 in/c-1");
	place_plan(p, LANES "map both\n  each = lane\n  out = both/{name}\n  run = y {in} {in.index} > {out}\n"
			    "map one\n  each = lane\n  out = one/{name}\n  run = y {in} > {out}\n"
			    "map other\n  each = lane.index\n  out = other/{name}\n  run = y {in} {in.out} > {out}\n"
			    "merge m\n  each = lane\n  out = m\n  out.index = m.index\n  run = z {in} / {in.index} / {out} {out.index}\n");
	t = place_task(p, "both", 1);
	assert_int_equal(p->plan->graph->tasks[t].n_in, 2);
	command_is(p, t, "y lanes/b.1 index/b.1 > both/b.1");
	/* What the command does not name is no input. */
	assert_int_equal(p->plan->graph->tasks[place_task(p, "one", 1)].n_in, 1);
	command_is(p, place_task(p, "other", 2), "y index/c.1 lanes/c.1 > other/c.1");
	/* In a tree: of leaves those of the stage below, of inner nodes its own. */
	t = place_task(p, "m", 1);
	assert_int_equal(p->plan->graph->tasks[t].n_in, 4);
	assert_int_equal(dr_graph_inputs(p->plan->graph, t)[3], dr_graph_outputs(p->plan->graph, place_task(p, "lane", 2))[1]);
	assert_int_equal(dr_graph_inputs(p->plan->graph, t)[2], dr_graph_outputs(p->plan->graph, place_task(p, "m", 0))[1]);
}

/* What a journal would have of one tree, and how often it was asked. */
struct memory {
	struct dr_hash128 key;
	uint64_t leaves[16];
	struct dr_buf shape;
	uint32_t n, asked;
};

static int
recall(void *arg, struct dr_hash128 key, struct dr_rec_tree *t, struct dr_err *err)
{
	struct memory *m = arg;

	(void)err;
	m->asked++;
	if (!m->n || !dr_hash128_eq(m->key, key))
		return 0;
	*t = (struct dr_rec_tree){ .key = key, .n_leaves = m->n, .leaves = m->leaves, .shape = dr_buf_str(&m->shape) };
	return 1;
}

static void
remember(struct place *p, struct memory *m, const char *stage, uint32_t row)
{
	const struct dr_plan_tree *pt = &p->plan->stages[place_stage(p, stage)].trees[row];

	m->key = pt->key;
	m->n = pt->tree.n_leaves;
	memcpy(m->leaves, pt->leaves, m->n * sizeof(*m->leaves));
	dr_buf_reset(&m->shape);
	assert_int_equal(dr_tree_encode(&pt->tree, &m->shape, NULL), 0);
}

/* How many inner nodes of the stage the graph of `before` has too, by name. */
static uint32_t
in_common(struct place *p, const char *stage, const struct dr_buf *before)
{
	const struct dr_plan_stage *ps = &p->plan->stages[place_stage(p, stage)];
	struct dr_buf b = { 0 };
	uint32_t round, n = 0;

	for (uint32_t i = 0; i < ps->n; i++) {
		if (!dr_plan_inner(p->plan, ps->first + i, &round))
			continue;
		dr_buf_reset(&b);
		dr_graph_path(p->plan->graph, *dr_graph_outputs(p->plan->graph, ps->first + i), &b);
		n += strstr(dr_buf_cstr(before), dr_buf_cstr(&b)) != NULL;
	}
	dr_buf_free(&b);
	return n;
}

static void
inner_paths(struct place *p, const char *stage, struct dr_buf *out)
{
	const struct dr_plan_stage *ps = &p->plan->stages[place_stage(p, stage)];
	uint32_t round;

	dr_buf_reset(out);
	for (uint32_t i = 0; i < ps->n; i++) {
		if (!dr_plan_inner(p->plan, ps->first + i, &round))
			continue;
		dr_graph_path(p->plan->graph, *dr_graph_outputs(p->plan->graph, ps->first + i), out);
		dr_buf_addc(out, '\n');
	}
}

#define EIGHT "in/b in/d in/f in/h in/j in/l in/n in/p"

static void
a_tree_that_is_remembered(void **state)
{
	static const char dagfile[] = "args f\n  glob = in/*\nmerge m\n  each = f\n  out = m.txt\n  run = cat {in} > {out}\n";
	struct place *p = *state;
	struct memory m = { .n = 0 };
	struct dr_buf before = { 0 };
	const struct dr_plan_tree *pt;

	p->options.recorded = recall;
	p->options.recorded_arg = &m;
	place_files(p, EIGHT);
	place_plan(p, dagfile);
	pt = &p->plan->stages[place_stage(p, "m")].trees[0];
	assert_int_equal(m.asked, 1);
	assert_false(pt->recorded);
	remember(p, &m, "m", 0);
	inner_paths(p, "m", &before);
	place_plan(p, dagfile);
	assert_true(p->plan->stages[place_stage(p, "m")].trees[0].recorded);
	/* One in front: by position no pair would be left. */
	place_files(p, "in/a");
	place_plan(p, dagfile);
	assert_false(p->plan->stages[place_stage(p, "m")].trees[0].recorded);
	assert_int_equal(p->plan->stages[place_stage(p, "m")].n, 8);
	assert_in_range(in_common(p, "m", &before), 4, 6);
	/* Another Dagfile in the same state that makes the same file has the same, whatever it calls it; of another file another one. */
	p->options.origin = 2;
	place_plan(p, "args f\n  glob = in/*\nmerge other\n  each = f\n  out = ./m.txt\n  run = cat {in} > {out}\n");
	assert_true(dr_hash128_eq(p->plan->stages[place_stage(p, "other")].trees[0].key, m.key));
	place_plan(p, "args f\n  glob = in/*\nmerge m\n  each = f\n  out = n.txt\n  run = cat {in} > {out}\n");
	assert_false(dr_hash128_eq(p->plan->stages[place_stage(p, "m")].trees[0].key, m.key));
	p->options.origin = 1;
	/* What is no tree is as none: as flat as can be. */
	dr_buf_addc(&m.shape, 0);
	place_plan(p, dagfile);
	assert_int_equal(p->plan->stages[place_stage(p, "m")].n_rounds, 4);
	assert_int_equal(p->plan->stages[place_stage(p, "m")].n, 8);
	/* What needs no memory does not ask for it. */
	m.asked = 0;
	place_plan(p, "args f\n  glob = in/*\nmerge m\n  each = f\n  shape = rounds\n  out = m.txt\n  run = cat {in} > {out}\n"
		      "merge a\n  each = f\n  fan-in = all\n  out = a.txt\n  run = cat {in} > {out}\n"
		      "merge n\n  each = f\n  fan-in = 9\n  out = n.txt\n  run = cat {in} > {out}\n");
	assert_int_equal(m.asked, 0);
	dr_buf_free(&m.shape);
	dr_buf_free(&before);
}

static void
a_tree_a_value_is_remembered(void **state)
{
	static const char dagfile[] = LANES "merge m\n  each = lane\n  by = sample\n  out = {sample}.bam\n  run = cat {in} > {out}\n";
	struct place *p = *state;
	struct memory m = { .n = 0 };

	p->options.recorded = recall;
	p->options.recorded_arg = &m;
	place_files(p, "in/b-1 in/b-2 in/b-3 in/b-4 in/c-1 in/c-2 in/c-3");
	place_plan(p, dagfile);
	assert_int_equal(m.asked, 2);
	remember(p, &m, "m", 0);
	/* A value more before it does not take it for its own. */
	place_files(p, "in/a-1 in/a-2 in/a-3 in/a-4");
	place_plan(p, dagfile);
	assert_false(p->plan->stages[place_stage(p, "m")].trees[0].recorded);
	assert_true(p->plan->stages[place_stage(p, "m")].trees[1].recorded);
	assert_false(p->plan->stages[place_stage(p, "m")].trees[2].recorded);
	dr_buf_free(&m.shape);
}

static void
fails(struct place *p, const char *stage, uint32_t i)
{
	p->plan->graph->tasks[place_task(p, stage, i)].state = DR_FAILED_TASK;
}

static void
what_is_missing(void **state)
{
	struct place *p = *state;
	struct dr_graph *g;
	uint32_t t;

	place_files(p, "in/a-1 in/b-1 in/c-1");
	place_plan(p, LANES "task t\n  in = lane\n  in.x = lane.index\n  missing = ok\n  out = t\n  run = y {in} / {in.x} > {out}\n"
			    "task strict\n  in = lane\n  out = s\n  run = y {in} > {out}\n");
	g = p->plan->graph;
	t = place_task(p, "t", 0);
	command_is(p, t, "y lanes/a.1 lanes/b.1 lanes/c.1 / index/a.1 index/b.1 index/c.1 > t");
	assert_false(dr_plan_partial(p->plan, t));
	fails(p, "lane", 1);
	assert_true(dr_plan_missing(p->plan, t, dr_graph_inputs(g, t)[1]));
	assert_false(dr_plan_missing(p->plan, place_task(p, "strict", 0), dr_graph_inputs(g, t)[1]));
	command_is(p, t, "y lanes/a.1 lanes/c.1 / index/a.1 index/c.1 > t");
	assert_int_equal(dr_plan_count_there(p->plan, t), 4);
	assert_true(dr_plan_enough(p->plan, t));
	assert_true(dr_plan_partial(p->plan, t));
	fails(p, "lane", 0);
	assert_true(dr_plan_enough(p->plan, t));
	fails(p, "lane", 2);
	assert_false(dr_plan_enough(p->plan, t));
}

/* What is made of something partial is so too, as far as `missing` reaches. */
static void
partial_goes_up(void **state)
{
	struct place *p = *state;
	bool *below;

	place_files(p, "in/a-1 in/b-1 in/c-1");
	place_plan(p, LANES "merge m\n  each = lane\n  missing = ok\n  out = m\n  run = cat {in} > {out}\n"
			    "task t\n  in = m\n  out = t\n  run = y {in} > {out}\n");
	assert_false(dr_plan_partial(p->plan, place_task(p, "m", 1)));
	p->plan->graph->tasks[place_task(p, "m", 0)].partial = 1;
	assert_true(dr_plan_partial(p->plan, place_task(p, "m", 1)));
	p->plan->graph->tasks[place_task(p, "m", 1)].partial = 1;
	assert_false(dr_plan_partial(p->plan, place_task(p, "t", 0)));
	below = dr_plan_below_missing(p->plan);
	assert_non_null(below);
	assert_true(below[place_stage(p, "lane")]);
	assert_false(below[place_stage(p, "m")] || below[place_stage(p, "t")]);
	free(below);
}

static void
a_hundred_thousand_rows_by_key(void **state)
{
	struct place *p = *state;

	place_plan(p, "args n\n  range = 100001..200000\n  where = {arg} ~ (.)(.)$\n  columns = tens ones\n"
		      "map m\n  each = n\n  out = m/{arg}.txt\n  run = x {arg} > {out}\n"
		      "merge all\n  each = m\n  by = ones tens\n  out = {tens}{ones}.txt\n  run = cat {in} > {out}\n");
	assert_int_equal(p->plan->graph->n_tasks, 100000 + 100 * 999);
	assert_int_equal(p->plan->n_targets, 100);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_tree_for_each_value),
		TEST(values_are_told_apart),
		TEST(one_tree_as_a_target),
		TEST(trees_that_make_one_file),
		TEST(inputs_as_a_set),
		TEST(a_tree_that_is_remembered),
		TEST(a_tree_a_value_is_remembered),
		TEST(outputs_beside),
		TEST(what_is_missing),
		TEST(partial_goes_up),
		TEST(a_hundred_thousand_rows_by_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
