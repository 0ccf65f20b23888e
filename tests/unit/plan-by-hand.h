/* A plan as dr_plan_make would make it, built without a Dagfile: for the tests of what shows plans. Stages in order: first those that are
 * read. */
#ifndef PLAN_BY_HAND_H
#define PLAN_BY_HAND_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "err.h"
#include "plan.h"

enum { HAND_STAGES = 16 };

struct hand {
	struct dr_pipeline pipeline;
	struct dr_plan plan;
	struct dr_stage stages[HAND_STAGES];
	struct dr_plan_stage plan_stages[HAND_STAGES];
	struct dr_plan_tree trees[HAND_STAGES]; /* of merges: one each */
	uint32_t targets[HAND_STAGES];
};

static inline void
hand_init(struct hand *h)
{
	memset(h, 0, sizeof(*h));
	h->pipeline.stages = h->stages;
	h->plan.pipeline = &h->pipeline;
	h->plan.stages = h->plan_stages;
	h->plan.targets = h->targets;
	h->plan.graph = dr_graph_new();
	assert_non_null(h->plan.graph);
}

static inline void
hand_free(struct hand *h)
{
	for (uint32_t s = 0; s < h->pipeline.n_stages; s++)
		if (h->plan_stages[s].n_trees)
			dr_tree_free(&h->trees[s].tree);
	dr_graph_free(h->plan.graph);
}

static inline uint32_t
hand_stage(struct hand *h, enum dr_stage_kind kind, const char *name, uint32_t each)
{
	uint32_t s = h->pipeline.n_stages++;

	assert_true(s < HAND_STAGES);
	h->stages[s] = (struct dr_stage){
		.kind = kind, .name = dr_str(name), .each_args = DR_NONE, .each_stage = each, .rows_args = DR_NONE,
		.rows_merge = DR_NONE, .slots = 1
	};
	if (each != DR_NONE)
		h->stages[s].rows_merge = h->stages[each].kind == DR_STAGE_MERGE ? each : h->stages[each].rows_merge;
	h->plan_stages[s].planned = true;
	h->plan_stages[s].first = h->plan.graph->n_tasks;
	h->plan_stages[s].items = DR_NONE;
	return s;
}

static inline uint32_t
hand_file(struct hand *h, const char *path, size_t n)
{
	uint32_t file;

	assert_int_equal(dr_graph_file(h->plan.graph, (struct dr_str){ path, n }, &file, NULL), 0);
	if (h->plan.graph->files[file].producer == DR_NONE)
		h->plan.graph->files[file].stamp.size = DR_UNKNOWN;
	return file;
}

/* A task with room for n_in inputs and the output `path`. */
static inline uint32_t
hand_add(struct hand *h, uint32_t stage, uint32_t row, uint32_t n_in, const char *path)
{
	struct dr_graph *g = h->plan.graph;
	uint32_t task, other, file = hand_file(h, path, strlen(path));

	assert_int_equal(dr_graph_task(g, stage, row, n_in, 0, 1, &task, NULL), 0);
	dr_graph_outputs(g, task)[0] = file;
	assert_int_equal(dr_graph_made(g, task, file, &other), 0);
	g->tasks[task].state = DR_WAITING;
	h->plan_stages[stage].n++;
	return task;
}

static inline uint32_t
hand_output(struct hand *h, uint32_t task)
{
	return dr_graph_outputs(h->plan.graph, task)[0];
}

/* A map over n files `in/NAME/0000`, or over the tasks of another map. */
static inline uint32_t
hand_map(struct hand *h, const char *name, uint32_t n, uint32_t each)
{
	uint32_t s = hand_stage(h, DR_STAGE_MAP, name, each);
	char path[300];

	for (uint32_t i = 0; i < n; i++) {
		uint32_t in, task;

		snprintf(path, sizeof(path), "in/%s/%04u", name, i);
		in = each == DR_NONE ? hand_file(h, path, strlen(path))
				     : hand_output(h, h->plan_stages[each].first + i);
		snprintf(path, sizeof(path), "%s/%04u", name, i);
		task = hand_add(h, s, i, 1, path);
		dr_graph_inputs(h->plan.graph, task)[0] = in;
	}
	return s;
}

static inline uint32_t
hand_merge(struct hand *h, const char *name, uint32_t each, uint32_t fan_in)
{
	uint32_t s = hand_stage(h, DR_STAGE_MERGE, name, each);
	struct dr_plan_stage *ps = &h->plan_stages[s], *leaves = &h->plan_stages[each];
	struct dr_tree *tree = &h->trees[s].tree;
	char path[300];

	h->stages[s].fan_in = fan_in;
	h->stages[s].rounds = true;
	h->trees[s].first = ps->first;
	assert_int_equal(dr_tree_rounds(leaves->n, fan_in, tree, NULL), 0);
	ps->trees = &h->trees[s];
	ps->n_trees = 1;
	ps->n_leaves = tree->n_leaves;
	ps->n_rounds = tree->n_rounds;
	for (uint32_t i = 0; i < tree->n_nodes; i++) {
		const struct dr_tree_node *node = &tree->nodes[i];
		uint32_t task;

		if (i + 1 < tree->n_nodes)
			snprintf(path, sizeof(path), ".dagrun/parts/%s/%u", name, i);
		else
			snprintf(path, sizeof(path), "%s.tsv", name);
		task = hand_add(h, s, 0, node->n_children, path);
		for (uint32_t c = 0; c < node->n_children; c++) {
			uint32_t child = tree->children[node->children + c];

			child = child < tree->n_leaves ? leaves->first + child
						       : ps->first + child - tree->n_leaves;
			dr_graph_inputs(h->plan.graph, task)[c] = hand_output(h, child);
		}
	}
	return s;
}

/* A task that reads all that the n stages make in the end, and makes the file `name`. */
static inline uint32_t
hand_task(struct hand *h, const char *name, const uint32_t *each, uint32_t n)
{
	uint32_t s = hand_stage(h, DR_STAGE_TASK, name, DR_NONE), n_in = 0, task, at = 0;

	for (uint32_t i = 0; i < n; i++)
		n_in += h->stages[each[i]].kind == DR_STAGE_MERGE ? 1 : h->plan_stages[each[i]].n;
	task = hand_add(h, s, 0, n_in, name);
	for (uint32_t i = 0; i < n; i++) {
		const struct dr_plan_stage *ps = &h->plan_stages[each[i]];

		for (uint32_t k = h->stages[each[i]].kind == DR_STAGE_MERGE ? ps->n - 1 : 0; k < ps->n; k++)
			dr_graph_inputs(h->plan.graph, task)[at++] = hand_output(h, ps->first + k);
	}
	return s;
}

/* The last task of a stage is asked for. */
static inline void
hand_target(struct hand *h, uint32_t stage)
{
	h->targets[h->plan.n_targets++] = h->plan_stages[stage].first + h->plan_stages[stage].n - 1;
}

static inline void
hand_link(struct hand *h)
{
	uint32_t *cycle, n;

	assert_int_equal(dr_graph_link(h->plan.graph, &cycle, &n, NULL), 0);
}

/* n tasks of a stage from the i-th on. */
static inline void
hand_state(struct hand *h, uint32_t stage, uint32_t i, uint32_t n, enum dr_state state)
{
	const struct dr_plan_stage *ps = &h->plan_stages[stage];

	assert_true(i + n <= ps->n);
	for (uint32_t k = i; k < i + n; k++)
		h->plan.graph->tasks[ps->first + k].state = (uint8_t)state;
}

static inline void
hand_size(struct hand *h, uint32_t stage, uint32_t i, uint32_t n, int64_t size)
{
	for (uint32_t k = i; k < i + n; k++)
		h->plan.graph->files[hand_output(h, h->plan_stages[stage].first + k)].stamp.size = size;
}

#endif
