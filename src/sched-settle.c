#include "config.h"

#include "sched.h"

#include "sched-private.h"

/* Most tasks that are to run are so because another one is: what that one makes will be new to them, or what they make is gone and it
 * needs it. Whether it comes to that is known only when the other one has ended. A task that is found to be up to date then does not run;
 * if what it made is gone, it is held: those that wait for it go on as if it were there, and it runs after all as soon as one of them is
 * to run.
 *
 * It need not come out as it was then. Where it has one reader, that one is to run anyway. Where it has several, the others are held, too,
 * though all that they made stands, and so are those that read them: such tasks are exposed. They run as soon as something that they read
 * has changed. A task that is to run and reads what an exposed one has made waits until it is known whether that stays: sched-park.c. */

void
dr_sched_unsettle(struct dr_sched *s, uint32_t task)
{
	if (s->settling[task] & DR_SCHED_UNSETTLED)
		return;
	s->settling[task] |= DR_SCHED_UNSETTLED;
	s->next[task] = s->unsettled;
	s->unsettled = task;
}

/* Is there something new for those that read this output? */
static bool
is_news(const struct dr_task *t, const struct dr_file *f)
{
	return t->state == DR_DONE && (t->partial || !(f->flags & DR_FILE_SAME));
}

/* Those held tasks run that were up to date only as long as this one's outputs were what they had been. */
static void
demand_readers(struct dr_sched *s, uint32_t task)
{
	const struct dr_graph *g = s->graph;
	const uint32_t *out = dr_graph_outputs(g, task);

	for (uint32_t k = 0; s->n_held && k < g->tasks[task].n_out; k++) {
		if (!is_news(&g->tasks[task], &g->files[out[k]]))
			continue;
		for (uint32_t c = g->first_consumer[out[k]]; c < g->first_consumer[out[k] + 1]; c++)
			if (dr_sched_held(s, g->consumers[c]))
				dr_sched_demand(s, g->consumers[c]);
	}
}

void
dr_sched_arrive(struct dr_sched *s, uint32_t task)
{
	const struct dr_graph *g = s->graph;
	const uint32_t *out = dr_graph_outputs(g, task);

	for (uint32_t k = 0; k < g->tasks[task].n_out; k++) {
		for (uint32_t c = g->first_consumer[out[k]]; c < g->first_consumer[out[k] + 1]; c++) {
			uint32_t t = g->consumers[c];

			if (g->tasks[t].state == DR_WAITING && !--g->tasks[t].wait && !dr_sched_held(s, t))
				dr_sched_unsettle(s, t);
		}
	}
	demand_readers(s, task);
}

/* Is it to run in this run, or running? */
static bool
is_awaited(const struct dr_sched *s, uint32_t task)
{
	uint8_t state = s->graph->tasks[task].state;

	return !dr_sched_held(s, task) && (state == DR_WAITING || state == DR_READY || state == DR_RUNNING);
}

/* Those that went on as if what it makes were there, and have not begun, wait for it. */
void
dr_sched_demand(struct dr_sched *s, uint32_t task)
{
	const struct dr_graph *g = s->graph;
	const uint32_t *in = dr_graph_inputs(g, task), *out = dr_graph_outputs(g, task);
	struct dr_task *t = &g->tasks[task];
	bool lost = false;

	s->settling[task] &= (uint8_t)~(DR_SCHED_HELD | DR_SCHED_EXPOSED);
	s->n_held--;
	s->clean--;
	t->certain = 1;
	t->wait = 0;
	for (uint32_t i = 0; i < t->n_in + t->n_uses; i++) {
		uint32_t p = g->files[in[i]].producer;

		t->wait += p != DR_NONE && is_awaited(s, p);
		lost |= p != DR_NONE && (g->tasks[p].state == DR_FAILED_TASK || g->tasks[p].state == DR_SKIPPED);
	}
	for (uint32_t k = 0; k < t->n_out; k++)
		for (uint32_t c = g->first_consumer[out[k]]; c < g->first_consumer[out[k] + 1]; c++)
			if (g->tasks[g->consumers[c]].state == DR_WAITING)
				g->tasks[g->consumers[c]].wait++;
	/* Something that it reads was to be made again, and was not. */
	if (lost && !s->o.stages[t->stage].missing)
		dr_sched_skip(s, task);
	else if (!t->wait)
		dr_sched_unsettle(s, task);
}

void
dr_sched_begin(struct dr_sched *s, uint32_t task)
{
	s->graph->tasks[task].state = DR_READY;
	dr_sched_enqueue(s, task);
}

/* It runs, as soon as what it reads is there, and as it will stay. */
static void
will_run(struct dr_sched *s, uint32_t task)
{
	const struct dr_graph *g = s->graph;
	const uint32_t *in = dr_graph_inputs(g, task);
	struct dr_task *t = &g->tasks[task];
	bool exposed = false;

	for (uint32_t i = 0; s->n_held && i < t->n_in + t->n_uses; i++) {
		uint32_t p = g->files[in[i]].producer;

		if (p == DR_NONE || !dr_sched_held(s, p))
			continue;
		if (g->files[in[i]].flags & DR_FILE_ABSENT)
			dr_sched_demand(s, p);
		else
			exposed |= (s->settling[p] & DR_SCHED_EXPOSED) != 0;
	}
	if (t->state != DR_WAITING || t->wait || (s->settling[task] & DR_SCHED_UNSETTLED))
		return;
	if (exposed)
		dr_sched_park(s, task);
	else
		dr_sched_begin(s, task);
}

static bool
reads_exposed(const struct dr_sched *s, uint32_t task)
{
	const struct dr_graph *g = s->graph;
	const uint32_t *in = dr_graph_inputs(g, task);

	for (uint32_t i = 0; s->n_held && i < g->tasks[task].n_in + g->tasks[task].n_uses; i++) {
		uint32_t p = g->files[in[i]].producer;

		if (p != DR_NONE && (s->settling[p] & DR_SCHED_EXPOSED))
			return true;
	}
	return false;
}

static bool
has_several_readers(const struct dr_graph *g, uint32_t task)
{
	const uint32_t *out = dr_graph_outputs(g, task);
	uint32_t reader = DR_NONE;

	for (uint32_t k = 0; k < g->tasks[task].n_out; k++)
		for (uint32_t c = g->first_consumer[out[k]]; c < g->first_consumer[out[k] + 1]; c++) {
			if (reader != DR_NONE && g->consumers[c] != reader)
				return true;
			reader = g->consumers[c];
		}
	return false;
}

/* It is up to date; gone: some of what it made is not there. */
static void
is_fresh(struct dr_sched *s, uint32_t task, bool gone)
{
	bool exposed = reads_exposed(s, task);

	if (!gone && !exposed) {
		dr_sched_finish(s, task, DR_CLEAN, NULL);
	} else {
		s->settling[task] |= DR_SCHED_HELD;
		if (exposed || has_several_readers(s->graph, task))
			s->settling[task] |= DR_SCHED_EXPOSED;
		s->n_held++;
		s->clean++;
	}
	dr_sched_arrive(s, task);
}

static void
settle(struct dr_sched *s, uint32_t task)
{
	struct dr_task *t = &s->graph->tasks[task];
	bool missing = s->o.stages[t->stage].missing;
	enum dr_fresh fresh = DR_FRESH_NO;

	/* Something that it reads may have come to be demanded since it was put there. */
	if (t->state != DR_WAITING || t->wait)
		return;
	if (missing && !(s->o.enough && s->o.enough(s->o.arg, task))) {
		dr_sched_skip(s, task);
		return;
	}
	if (!t->certain && s->o.fresh)
		fresh = s->o.fresh(s->o.arg, task);
	switch (fresh) {
	case DR_FRESH_YES:
	case DR_FRESH_GONE:
		is_fresh(s, task, fresh == DR_FRESH_GONE);
		break;
	case DR_FRESH_NO:
		will_run(s, task);
		break;
	}
}

void
dr_sched_settle(struct dr_sched *s)
{
	while (s->unsettled != DR_NONE && !s->halted) {
		uint32_t task = s->unsettled;

		s->unsettled = s->next[task];
		s->settling[task] &= (uint8_t)~DR_SCHED_UNSETTLED;
		settle(s, task);
	}
}

void
dr_sched_release(struct dr_sched *s)
{
	for (uint32_t t = 0; s->n_held && t < s->graph->n_tasks; t++) {
		if (!dr_sched_held(s, t))
			continue;
		s->settling[t] &= (uint8_t)~(DR_SCHED_HELD | DR_SCHED_EXPOSED);
		s->n_held--;
		dr_sched_set_state(s, t, DR_CLEAN, NULL);
	}
}
