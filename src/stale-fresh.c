#include "config.h"

#include <stdlib.h>

#include "err.h"
#include "stale-private.h"

/* Is this task's own reason one for which it will make something else than it did? */
static bool
differs(const struct dr_stale *s, uint32_t task)
{
	unsigned why = s->plan->graph->tasks[task].why;

	return why == DR_WHY_NEVER || why == DR_WHY_LOST || (s->seen[task] & SEEN_GRAVE);
}

static bool
reads_new(const struct dr_graph *g, uint32_t task, const uint8_t *likely)
{
	const uint32_t *in = dr_graph_inputs(g, task);

	for (uint32_t i = 0; i < g->tasks[task].n_in + g->tasks[task].n_uses; i++)
		if (g->files[in[i]].producer != DR_NONE && likely[g->files[in[i]].producer])
			return true;
	return false;
}

/* Will a task that reads what is gone of this one run, as far as can be told? */
static bool
is_needed(const struct dr_graph *g, uint32_t task, const uint8_t *likely)
{
	const uint32_t *out = dr_graph_outputs(g, task);

	for (uint32_t i = 0; i < g->tasks[task].n_out; i++) {
		if (!(g->files[out[i]].flags & DR_FILE_ABSENT))
			continue;
		for (uint32_t c = g->first_consumer[out[i]]; c < g->first_consumer[out[i] + 1]; c++) {
			const struct dr_task *t = &g->tasks[g->consumers[c]];

			if (t->state == DR_WAITING && (t->certain || likely[g->consumers[c]]))
				return true;
		}
	}
	return false;
}

/* Will it be known whether what is gone came out as it was? Its record has to have the hash; and what is to stay gets another time. */
static bool
is_known_again(const struct dr_stale *s, uint32_t task)
{
	const struct dr_graph *g = s->plan->graph;
	const uint32_t *out = dr_graph_outputs(g, task);

	for (uint32_t i = 0; i < g->tasks[task].n_out; i++)
		if ((g->files[out[i]].flags & DR_FILE_ABSENT) && (g->files[out[i]].flags & (DR_FILE_KEEP | DR_FILE_TARGET)))
			return false;
	return (s->seen[task] & SEEN_HASHED) != 0;
}

/* Do several tasks read what this one makes? If that could not be known again, those that went on as if it were there were wrong to. */
static bool
is_shared(const struct dr_stale *s, uint32_t task)
{
	const struct dr_graph *g = s->plan->graph;
	const uint32_t *out = dr_graph_outputs(g, task);
	uint32_t reader = DR_NONE;

	if (is_known_again(s, task))
		return false;
	for (uint32_t i = 0; i < g->tasks[task].n_out; i++)
		for (uint32_t c = g->first_consumer[out[i]]; c < g->first_consumer[out[i] + 1]; c++) {
			if (reader != DR_NONE && g->consumers[c] != reader)
				return true;
			reader = g->consumers[c];
		}
	return false;
}

/* What is gone and is needed by a task that may yet turn out to be up to date could wait for that. It does so only where that is to
 * be hoped for: where an input got another time, but not another size. Else it is begun at once, and nothing waits for it later. */
int
dr_stale_certain(struct dr_stale *s, struct dr_err *err)
{
	struct dr_graph *g = s->plan->graph;
	uint8_t *likely = calloc((size_t)g->n_tasks + 1, 1); /* makes something else than it did */

	if (!likely)
		return dr_err_nomem(err);
	for (uint32_t i = 0; i < g->n_tasks; i++) {
		uint32_t t = g->order[i];

		if (g->tasks[t].state == DR_WAITING)
			likely[t] = (g->tasks[t].certain && differs(s, t)) || reads_new(g, t, likely);
	}
	for (uint32_t i = g->n_tasks; i-- > 0;) {
		uint32_t t = g->order[i];

		if (g->tasks[t].state == DR_WAITING && !g->tasks[t].certain &&
		    (g->tasks[t].why == DR_WHY_NEEDED || g->tasks[t].why == DR_WHY_LOST))
			g->tasks[t].certain = is_shared(s, t) || is_needed(g, t, likely);
	}
	free(likely);
	return 0;
}

/* Does it read something that is not there, and of which the last record came behind its own? */
static bool
reads_later(const struct dr_graph *g, uint32_t task)
{
	const uint32_t *in = dr_graph_inputs(g, task);

	for (uint32_t i = 0; i < g->tasks[task].n_in + g->tasks[task].n_uses; i++) {
		const struct dr_file *f = &g->files[in[i]];

		if (f->producer != DR_NONE && (f->flags & DR_FILE_ABSENT) &&
		    g->tasks[f->producer].record != UINT64_MAX && g->tasks[f->producer].record > g->tasks[task].record)
			return true;
	}
	return false;
}

int
dr_stale_look_back(struct dr_stale *s, struct dr_err *err)
{
	struct dr_graph *g = s->plan->graph;

	for (uint32_t t = 0; t < g->n_tasks; t++) {
		struct dr_record r;
		enum dr_why why;
		unsigned look;

		if (g->tasks[t].record == UINT64_MAX || !reads_later(g, t))
			continue;
		if (dr_journal_at(s->journal, g->tasks[t].record, &r, err) ||
		    dr_stale_compare(s, t, &r, &why, &look, NULL, err))
			return -1;
		g->tasks[t].why = (uint8_t)why;
		s->seen[t] = (uint16_t)((s->seen[t] & ~SEEN_GRAVE) | (s->compare.grave || why == DR_WHY_INPUTS ? SEEN_GRAVE : 0));
	}
	return 0;
}

enum dr_fresh
dr_stale_fresh(struct dr_stale *s, uint32_t task)
{
	struct dr_graph *g = s->plan->graph;
	const struct dr_task *t = &g->tasks[task];
	const uint32_t *in = dr_graph_inputs(g, task), *out = dr_graph_outputs(g, task);
	bool gone = false;

	/* Its record held when the plan was made: it holds as long as all that it reads is as it was then. */
	for (uint32_t i = 0; i < t->n_in + t->n_uses; i++) {
		const struct dr_file *f = &g->files[in[i]];
		const struct dr_task *p = f->producer == DR_NONE ? NULL : &g->tasks[f->producer];

		if (!p || p->state == DR_CLEAN || p->state == DR_WAITING)
			continue;
		if (p->state != DR_DONE || p->partial || !(f->flags & DR_FILE_SAME))
			return DR_FRESH_NO;
	}
	for (uint32_t i = 0; i < t->n_out; i++)
		gone |= (g->files[out[i]].flags & DR_FILE_ABSENT) != 0;
	if (!gone)
		return DR_FRESH_YES;
	if (is_shared(s, task))
		return DR_FRESH_NO;
	for (uint32_t i = 0; i < t->n_out; i++)
		if (g->files[out[i]].flags & DR_FILE_ABSENT)
			g->files[out[i]].flags |= DR_FILE_RECLAIMED;
	return DR_FRESH_GONE;
}
