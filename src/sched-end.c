#include "config.h"

#include "sched.h"

#include "sched-private.h"

enum {
	RETRY_MS = 1000, /* before the second try, doubling for each after it */
	RETRY_MAX_MS = 60000,
};

/* Tasks come to their end. */

void
dr_sched_finish(struct dr_sched *s, uint32_t task, enum dr_state state, const struct dr_grant *g)
{
	s->mark[task] = 0;
	if (state == DR_DONE)
		s->done++;
	else if (state == DR_CLEAN)
		s->clean++;
	else if (state == DR_SKIPPED)
		s->skipped++;
	else
		s->failed++;
	dr_sched_set_state(s, task, state, g);
}

void
dr_sched_halt(struct dr_sched *s)
{
	if (s->halted)
		return;
	s->halted = true;
	s->narrow.n = s->wide.n = s->timed.n = 0;
	dr_pools_clear(&s->pools);
	s->claims.blocked.n = s->claims.alone.n = 0;
	s->claims.admitted = DR_NONE;
	s->gather.task = DR_NONE;
	s->wants = false;
	s->wake = -1;
	s->unsettled = DR_NONE;
	s->n_parked = 0;
	dr_sched_release(s);
	for (uint32_t t = 0; t < s->graph->n_tasks; t++) {
		if (dr_sched_pending(&s->graph->tasks[t]))
			dr_sched_finish(s, t, s->mark[t] ? DR_FAILED_TASK : DR_SKIPPED, NULL);
	}
	dr_slots_give(&s->slots);
}

/* Puts those that can't start without this task on the stack that begins with `top`. */
static uint32_t
push_consumers(struct dr_sched *s, uint32_t task, uint32_t top)
{
	const struct dr_graph *g = s->graph;
	const uint32_t *out = dr_graph_outputs(g, task);

	for (uint32_t k = 0; k < g->tasks[task].n_out; k++) {
		for (uint32_t c = g->first_consumer[out[k]]; c < g->first_consumer[out[k] + 1]; c++) {
			uint32_t t = g->consumers[c];

			if (g->tasks[t].state != DR_WAITING)
				continue;
			/* What is up to date goes on as if this one were. */
			if (dr_sched_held(s, t)) {
				g->tasks[t].wait--;
				continue;
			}
			if (s->o.stages[g->tasks[t].stage].missing) {
				if (!--g->tasks[t].wait)
					dr_sched_unsettle(s, t);
				continue;
			}
			/* Now, so that nobody else who leads to it puts it there again. */
			g->tasks[t].state = DR_SKIPPED;
			s->mark[t] = top;
			top = t;
		}
	}
	return top;
}

/* These, and all that needs them, however far up. The stack is threaded through `mark`: nothing to allocate, nothing
 * to recurse. */
static void
skip_stack(struct dr_sched *s, uint32_t top)
{
	uint32_t t;

	while (top != DR_NONE) {
		t = top;
		top = push_consumers(s, t, s->mark[t]);
		dr_sched_finish(s, t, DR_SKIPPED, NULL);
	}
}

void
dr_sched_skip(struct dr_sched *s, uint32_t task)
{
	s->graph->tasks[task].state = DR_SKIPPED;
	s->mark[task] = DR_NONE;
	skip_stack(s, task);
}

void
dr_sched_complete(struct dr_sched *s, uint32_t task, const struct dr_grant *grant)
{
	dr_sched_finish(s, task, DR_DONE, grant);
	dr_sched_arrive(s, task);
	dr_sched_settle(s);
}

/* Does somebody want this task's outputs, and can do without? */
static bool
is_tolerated(const struct dr_sched *s, uint32_t task)
{
	const struct dr_graph *g = s->graph;
	const uint32_t *out = dr_graph_outputs(g, task);

	if (s->o.stages[g->tasks[task].stage].tolerated)
		return true;
	for (uint32_t k = 0; k < g->tasks[task].n_out; k++)
		for (uint32_t c = g->first_consumer[out[k]]; c < g->first_consumer[out[k] + 1]; c++)
			if (s->o.stages[g->tasks[g->consumers[c]].stage].missing)
				return true;
	return false;
}

void
dr_sched_failed_try(struct dr_sched *s, uint32_t task, uint32_t tries, const struct dr_grant *g, int64_t now)
{
	int64_t wait = RETRY_MS;

	if (!s->halted && tries <= s->o.stages[s->graph->tasks[task].stage].retries) {
		for (uint32_t i = 1; i < tries && wait < RETRY_MAX_MS; i++)
			wait *= 2;
		s->mark[task] = tries;
		dr_timed_push(&s->timed, now + (wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS) * DR_MS, task);
		dr_sched_set_state(s, task, DR_READY, g);
	} else if (s->o.ignore) {
		dr_sched_complete(s, task, g);
	} else {
		dr_sched_finish(s, task, DR_FAILED_TASK, g);
		s->failures += !is_tolerated(s, task);
		if (s->failures >= s->o.max_failures)
			dr_sched_halt(s);
		else
			skip_stack(s, push_consumers(s, task, DR_NONE));
		dr_sched_settle(s);
	}
}

void
dr_sched_ended(struct dr_sched *s, uint32_t task, enum dr_result result, int64_t now)
{
	struct dr_running r;

	if (s->graph->tasks[task].state != DR_RUNNING)
		return;
	r = dr_slots_vacate(&s->slots, s->mark[task]);
	dr_sched_leave_pool(s, task);
	dr_claims_give(&s->claims, task);
	switch (result) {
	case DR_RESULT_DONE:
		dr_sched_complete(s, task, &r.grant);
		break;
	case DR_RESULT_FAILED:
		dr_sched_failed_try(s, task, r.grant.attempt, &r.grant, now);
		break;
	case DR_RESULT_AGAIN:
	case DR_RESULT_ALONE:
		if (s->halted) {
			dr_sched_finish(s, task, DR_SKIPPED, &r.grant);
			break;
		}
		s->mark[task] = r.grant.attempt - 1;
		dr_sched_set_state(s, task, DR_READY, &r.grant);
		if (result == DR_RESULT_ALONE)
			dr_ready_push(&s->claims.alone, task);
		else
			dr_sched_enqueue(s, task);
		break;
	}
}

void
dr_sched_stop(struct dr_sched *s, bool cancel, bool hard)
{
	dr_sched_halt(s);
	for (uint32_t i = 0; cancel && i < s->slots.n; i++) {
		if (s->slots.running[i].task != DR_NONE)
			s->ex->cancel(s->ex, s->slots.running[i].task, hard);
	}
}
