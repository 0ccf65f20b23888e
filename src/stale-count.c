#include "config.h"

#include "stale-private.h"

/* Two Dagfiles make it, each in its own way? */
static bool
is_disputed(const struct dr_stale *s, uint32_t task)
{
	unsigned why = s->plan->graph->tasks[task].why;

	return (s->seen[task] & SEEN_ELSEWHERE) && (why == DR_WHY_COMMAND || why == DR_WHY_INPUTS);
}

int
dr_stale_count(struct dr_stale *s, struct dr_stale_counts *c, struct dr_err *err)
{
	const struct dr_graph *g = s->plan->graph;

	*c = (struct dr_stale_counts){ .rolled = s->rolled, .damaged = s->damaged, .records = s->records, .unsynced = s->unsynced };
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		c->wanted += g->tasks[t].state != DR_UNWANTED;
		c->flux += (s->seen[t] & SEEN_FLUX) != 0;
		if (g->tasks[t].state == DR_WAITING) {
			if (is_disputed(s, t) && !c->disputed++)
				c->dispute = t;
			c->stale++;
			c->last_ms += g->tasks[t].last_ms;
		}
	}
	return dr_stale_changed(s, 0, NULL, &c->changed, err);
}
