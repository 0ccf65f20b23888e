#include "config.h"

#include <stdlib.h>

#include "plan-builder.h"

static bool
failed(const struct dr_plan *pl, uint32_t file)
{
	uint32_t p = pl->graph->files[file].producer;

	return p != DR_NONE &&
	       (pl->graph->tasks[p].state == DR_FAILED_TASK || pl->graph->tasks[p].state == DR_SKIPPED);
}

bool
dr_plan_missing(const struct dr_plan *pl, uint32_t task, uint32_t file)
{
	return dr_plan_stage(pl, task)->missing_ok && failed(pl, file);
}

uint32_t
dr_plan_count_there(const struct dr_plan *pl, uint32_t task)
{
	const struct dr_task *t = &pl->graph->tasks[task];
	const uint32_t *in = dr_graph_inputs(pl->graph, task);
	uint32_t n = t->n_in;

	for (uint32_t i = 0; dr_plan_stage(pl, task)->missing_ok && i < t->n_in; i++)
		n -= failed(pl, in[i]);
	return n;
}

bool
dr_plan_partial(const struct dr_plan *pl, uint32_t task)
{
	const struct dr_graph *g = pl->graph;
	const uint32_t *in = dr_graph_inputs(g, task);

	for (uint32_t i = 0; dr_plan_stage(pl, task)->missing_ok && i < g->tasks[task].n_in; i++)
		if (failed(pl, in[i]) ||
		    (g->files[in[i]].producer != DR_NONE && g->tasks[g->files[in[i]].producer].partial))
			return true;
	return false;
}

static void
push(bool *below, uint32_t *todo, uint32_t *n, uint32_t stage)
{
	if (stage == DR_NONE || below[stage])
		return;
	below[stage] = true;
	todo[(*n)++] = stage;
}

bool *
dr_plan_below_missing(const struct dr_plan *pl)
{
	const struct dr_pipeline *p = pl->pipeline;
	bool *below = calloc((size_t)p->n_stages + 1, sizeof(*below));
	uint32_t *todo = calloc(2 * (size_t)p->n_stages + 1, sizeof(*todo)), n = 0;

	for (uint32_t s = 0; below && todo && s < p->n_stages; s++)
		if (p->stages[s].missing_ok)
			todo[n++] = s;
	while (n) {
		const struct dr_stage *st = &p->stages[todo[--n]];

		push(below, todo, &n, st->each_stage);
		for (uint32_t i = 0; i < st->n_inputs; i++)
			for (uint32_t k = 0; k < st->inputs[i].n_refs; k++)
				push(below, todo, &n, st->inputs[i].refs[k].stage);
	}
	if (!todo) {
		free(below);
		below = NULL;
	}
	free(todo);
	return below;
}

/* Is one of these files there? */
static bool
any(const struct dr_plan *pl, const uint32_t *in, uint32_t n)
{
	uint32_t i = 0;

	while (i < n && failed(pl, in[i]))
		i++;
	return i < n;
}

bool
dr_plan_enough(const struct dr_plan *pl, uint32_t task)
{
	const struct dr_task *t = &pl->graph->tasks[task];
	const struct dr_stage *st = dr_plan_stage(pl, task);
	const uint32_t *in = dr_graph_inputs(pl->graph, task);
	uint32_t first, n = dr_plan_input(pl, task, DR_NONE, &first);

	for (uint32_t i = 0; i < t->n_uses; i++)
		if (failed(pl, dr_graph_uses(pl->graph, task)[i]))
			return false;
	if (n && !any(pl, in + first, n))
		return false;
	for (uint32_t i = 0; i < st->n_inputs; i++) {
		n = dr_plan_input(pl, task, i, &first);
		if (n && !any(pl, in + first, n))
			return false;
	}
	return true;
}
