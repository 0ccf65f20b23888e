#include "config.h"

#include "query-private.h"

/* Of a stale task: that it waits for its inputs, or could start, is what is known without us. */
static void
paint(struct dr_plan *pl, uint32_t task, enum dr_state state)
{
	uint8_t *was = &pl->graph->tasks[task].state;

	if (*was == DR_WAITING || *was == DR_READY || *was == DR_FAILED_TASK)
		*was = (uint8_t)state;
}

void
dr_query_paint(const struct dr_query *q)
{
	struct dr_plan *pl = q->o.plan;

	for (uint32_t i = 0; i < q->n; i++) {
		const struct dr_query_task *t = &q->tasks[i];

		if ((t->flags & (DR_QUERY_FAILED | DR_QUERY_CANCELLED)) == DR_QUERY_FAILED && t->planned != DR_NONE)
			paint(pl, t->planned, DR_FAILED_TASK);
	}
	for (uint32_t i = 0; i < q->n_runs; i++) {
		const struct dr_ledger_image *run = &q->runs[i];

		for (uint32_t k = 0; dr_query_alive(q, run) && k < run->f.n_tasks; k++) {
			uint32_t task = dr_graph_by_id(pl->graph, run->tasks[k].id);

			if (task != DR_NONE)
				paint(pl, task, DR_RUNNING);
		}
	}
}
