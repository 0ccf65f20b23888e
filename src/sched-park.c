#include "config.h"

#include "sched.h"

#include "sched-private.h"

/* A task that is to run may read something that stands, of a task that is held: if it went ahead and that one were made again for the sake
 * of another, and came out otherwise, it would have to run once more. So it is parked until nothing that may yet run leads there: what
 * reads something that is made, and who makes what is gone and is read. A look at that costs a walk through the graph, so there is one
 * when a part of all tasks has ended since the last one, and when nothing else is left to do.
 *
 * Such cases are rare: something that several tasks read has to be gone, and to be known again by its content. */

enum { SHARE = 16 }; /* of all tasks */

void
dr_sched_park(struct dr_sched *s, uint32_t task)
{
	if (s->settling[task] & DR_SCHED_PARKED)
		return;
	s->settling[task] |= DR_SCHED_PARKED;
	s->parked[s->n_parked++] = task;
}

/* Nothing runs, and nothing else can begin. */
static bool
is_idle(const struct dr_sched *s)
{
	return !s->slots.n_running && !s->narrow.n && !s->wide.n && !s->timed.n && !s->claims.blocked.n && !s->claims.alone.n &&
	       s->gather.task == DR_NONE;
}

/* The stack goes through `next`: nothing is to be settled now. */
static void
open_task(struct dr_sched *s, uint32_t task, uint32_t *top)
{
	if (s->settling[task] & DR_SCHED_OPEN)
		return;
	s->settling[task] |= DR_SCHED_OPEN;
	s->next[task] = *top;
	*top = task;
}

/* What may run because this one may. Others that are not held are found of themselves. */
static void
spread(struct dr_sched *s, uint32_t task, uint32_t *top)
{
	const struct dr_graph *g = s->graph;
	const uint32_t *in = dr_graph_inputs(g, task), *out = dr_graph_outputs(g, task);

	for (uint32_t i = 0; i < g->tasks[task].n_in + g->tasks[task].n_uses; i++) {
		uint32_t p = g->files[in[i]].producer;

		if (p != DR_NONE && dr_sched_held(s, p) && (g->files[in[i]].flags & DR_FILE_ABSENT))
			open_task(s, p, top);
	}
	for (uint32_t k = 0; k < g->tasks[task].n_out; k++)
		for (uint32_t c = g->first_consumer[out[k]]; c < g->first_consumer[out[k] + 1]; c++)
			if (dr_sched_held(s, g->consumers[c]))
				open_task(s, g->consumers[c], top);
}

static void
find_open(struct dr_sched *s)
{
	uint32_t top = DR_NONE, task;

	for (uint32_t t = 0; t < s->graph->n_tasks; t++) {
		s->settling[t] &= (uint8_t)~DR_SCHED_OPEN;
		if ((dr_sched_pending(&s->graph->tasks[t]) || s->graph->tasks[t].state == DR_RUNNING) && !dr_sched_held(s, t))
			open_task(s, t, &top);
	}
	while (top != DR_NONE) {
		task = top;
		top = s->next[task];
		spread(s, task, &top);
	}
}

/* Does it read something that a held task may yet make again? demand: then that one does. */
static bool
reads_open(struct dr_sched *s, uint32_t task, bool demand)
{
	const struct dr_graph *g = s->graph;
	const uint32_t *in = dr_graph_inputs(g, task);
	bool open = false;

	for (uint32_t i = 0; i < g->tasks[task].n_in + g->tasks[task].n_uses; i++) {
		uint32_t p = g->files[in[i]].producer;

		if (p == DR_NONE || !dr_sched_held(s, p) || !(s->settling[p] & DR_SCHED_OPEN))
			continue;
		open = true;
		if (demand)
			dr_sched_demand(s, p);
	}
	return open;
}

/* Begins those that need not wait any longer. True: some do. */
static bool
begin_some(struct dr_sched *s)
{
	uint32_t kept = 0, n = s->n_parked;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t t = s->parked[i];
		bool waits = s->graph->tasks[t].state != DR_WAITING || s->graph->tasks[t].wait;

		if (!waits && reads_open(s, t, false)) {
			s->parked[kept++] = t;
			continue;
		}
		/* One that waits for something else by now is settled once more when that is there. */
		s->settling[t] &= (uint8_t)~DR_SCHED_PARKED;
		if (!waits)
			dr_sched_begin(s, t);
	}
	s->n_parked = kept;
	return kept < n;
}

void
dr_sched_unpark(struct dr_sched *s)
{
	while (s->n_parked && !s->halted) {
		uint64_t ended = s->done + s->failed + s->skipped + s->clean;
		bool idle = is_idle(s);

		if (!idle && ended < s->look_again)
			return;
		s->look_again = ended + s->graph->n_tasks / SHARE + 1;
		find_open(s);
		if (begin_some(s) || !idle)
			continue;
		/* They wait for each other, or for what waits for them: what they read is made again, which is certain to be right. */
		for (uint32_t i = 0; i < s->n_parked; i++)
			reads_open(s, s->parked[i], true);
		dr_sched_settle(s);
	}
}
