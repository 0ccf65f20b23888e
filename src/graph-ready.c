#include "config.h"

#include "graph.h"

#include <stdlib.h>

#include "err.h"

static int
cmp_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The median of the durations that each stage's tasks are known to take, in ms; 1000 where none is known. */
static int
stage_medians(const struct dr_graph *g, uint32_t *median, uint32_t n_stages, struct dr_err *err)
{
	uint32_t *first = calloc((size_t)n_stages + 2, sizeof(*first));
	uint32_t *all = malloc(((size_t)g->n_tasks + 1) * sizeof(*all));

	if (!first || !all) {
		free(first);
		free(all);
		return dr_err_nomem(err);
	}
	for (uint32_t t = 0; t < g->n_tasks; t++)
		if (g->tasks[t].last_ms)
			first[g->tasks[t].stage + 2]++;
	for (uint32_t s = 0; s < n_stages; s++)
		first[s + 2] += first[s + 1];
	for (uint32_t t = 0; t < g->n_tasks; t++)
		if (g->tasks[t].last_ms)
			all[first[g->tasks[t].stage + 1]++] = g->tasks[t].last_ms;
	for (uint32_t s = 0; s < n_stages; s++) {
		uint32_t n = first[s + 1] - first[s];

		qsort(all + first[s], n, sizeof(*all), cmp_u32);
		median[s] = n ? all[first[s] + n / 2] : 1000;
	}
	free(first);
	free(all);
	return 0;
}

static bool
to_run(const struct dr_task *t)
{
	return t->state != DR_CLEAN && t->state != DR_UNWANTED;
}

int
dr_graph_ready(struct dr_graph *g, uint32_t n_stages, struct dr_err *err)
{
	uint32_t *median = calloc((size_t)n_stages + 1, sizeof(*median));

	if (!median)
		return dr_err_nomem(err);
	if (stage_medians(g, median, n_stages, err)) {
		free(median);
		return -1;
	}
	/* Consumers stand behind their producers in `order`, so one pass from its end sees each task after all that wait for it. */
	for (uint32_t i = g->n_tasks; i-- > 0;) {
		struct dr_task *t = &g->tasks[g->order[i]];
		const uint32_t *in = dr_graph_inputs(g, g->order[i]);
		const uint32_t *out = dr_graph_outputs(g, g->order[i]);
		float longest = 0;

		t->wait = 0;
		t->path = 0;
		if (!to_run(t))
			continue;
		for (uint32_t k = 0; k < t->n_in + t->n_uses; k++) {
			uint32_t p = g->files[in[k]].producer;

			if (p != DR_NONE && to_run(&g->tasks[p]))
				t->wait++;
		}
		for (uint32_t k = 0; k < t->n_out; k++)
			for (uint32_t c = g->first_consumer[out[k]]; c < g->first_consumer[out[k] + 1]; c++)
				if (g->tasks[g->consumers[c]].path > longest)
					longest = g->tasks[g->consumers[c]].path;
		t->path = longest + (float)(t->last_ms ? t->last_ms : median[t->stage]) / 1000;
		t->state = t->wait ? DR_WAITING : DR_READY;
	}
	free(median);
	return 0;
}
