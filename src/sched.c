#include "config.h"

#include "sched.h"

#include "arena.h"
#include "err.h"
#include "sched-queue.h"
#include "sched-slots.h"

#include <stdlib.h>

static const int64_t MS = 1000000;

enum {
	BUSY_MS = 100,   /* what another run is making is asked for again */
	RETRY_MS = 1000, /* before the second try, doubling for each after it */
	RETRY_MAX_MS = 60000,
	LOAD_MS = 1000, /* the load falls no quicker than that */
};

struct dr_sched {
	struct dr_graph *graph;
	struct dr_sched_options o;
	struct dr_executor *ex;
	struct dr_slots slots;
	struct dr_gather gather;
	struct dr_ready narrow,
		wide;          /* tasks of one slot, and of more: these may not stand in the others' way */
	struct dr_timed timed; /* between two tries, or busy */
	/* A number a task: of its slot while it runs; else of the tries that failed; while skip_consumers is
	 * at work, the next task of its stack (a task that waits has had no tries). */
	uint32_t *mark;
	uint64_t wanted, done, failed, skipped, failures;
	struct dr_crowd crowd;
	int64_t wake;
	bool halted, wants;
};

static uint32_t
need_of(const struct dr_sched *s, uint32_t task)
{
	uint32_t n = s->o.stages[s->graph->tasks[task].stage].slots;

	return n > s->slots.limit ? s->slots.limit : n ? n : 1;
}

static bool
pending(const struct dr_task *t)
{
	return t->state == DR_WAITING || t->state == DR_READY;
}

static uint64_t
waiting(const struct dr_sched *s)
{
	return s->wanted - s->done - s->failed - s->skipped - s->slots.n_running;
}

static void
enqueue(struct dr_sched *s, uint32_t task)
{
	dr_ready_push(need_of(s, task) > 1 ? &s->wide : &s->narrow, task);
}

static void
set_state(struct dr_sched *s, uint32_t task, enum dr_state state, const struct dr_grant *g)
{
	s->graph->tasks[task].state = (uint8_t)state;
	if (s->o.changed)
		s->o.changed(s->o.arg, task, g);
}

/* Room for all tasks that could ever be ready at once, and what is ready now. */
static int
fill(struct dr_sched *s)
{
	uint32_t wide = 0;

	s->mark = calloc((size_t)s->graph->n_tasks + 1, sizeof(*s->mark));
	if (!s->mark)
		return -1;
	for (uint32_t t = 0; t < s->graph->n_tasks; t++) {
		if (!pending(&s->graph->tasks[t]))
			continue;
		s->wanted++;
		wide += need_of(s, t) > 1;
	}
	if (dr_grow(&s->narrow.v, &s->narrow.cap, s->wanted - wide, sizeof(*s->narrow.v)) ||
	    dr_grow(&s->wide.v, &s->wide.cap, wide, sizeof(*s->wide.v)))
		return -1;
	for (uint32_t t = 0; t < s->graph->n_tasks; t++)
		if (s->graph->tasks[t].state == DR_READY)
			enqueue(s, t);
	return 0;
}

struct dr_sched *
dr_sched_new(struct dr_graph *g, const struct dr_sched_options *o, struct dr_executor *ex,
	     struct dr_tokens *tok, struct dr_err *err)
{
	struct dr_sched *s = calloc(1, sizeof(*s));

	if (!s) {
		dr_err_nomem(err);
		return NULL;
	}
	s->graph = g;
	s->o = *o;
	if (!s->o.max_failures)
		s->o.max_failures = o->keep_going ? UINT32_MAX : 1;
	s->ex = ex;
	s->slots.tokens = tok;
	s->slots.limit = o->limit ? o->limit : 1;
	s->narrow.graph = s->wide.graph = g;
	s->narrow.stages = s->wide.stages = o->stages;
	s->gather.task = DR_NONE;
	s->gather.random = o->seed;
	s->crowd.most = UINT32_MAX;
	s->wake = -1;
	if (fill(s)) {
		dr_err_nomem(err);
		dr_sched_free(s);
		return NULL;
	}
	return s;
}

void
dr_sched_free(struct dr_sched *s)
{
	if (!s)
		return;
	s->slots.used = 0;
	dr_slots_give(&s->slots);
	dr_slots_free(&s->slots);
	free(s->narrow.v);
	free(s->wide.v);
	free(s->timed.v);
	free(s->mark);
	free(s);
}

/* Tasks come to their end. */

static void
finish(struct dr_sched *s, uint32_t task, enum dr_state state, const struct dr_grant *g)
{
	s->mark[task] = 0;
	if (state == DR_DONE)
		s->done++;
	else if (state == DR_SKIPPED)
		s->skipped++;
	else
		s->failed++;
	set_state(s, task, state, g);
}

/* Nothing new starts any more. */
static void
halt(struct dr_sched *s)
{
	if (s->halted)
		return;
	s->halted = true;
	s->narrow.n = s->wide.n = s->timed.n = 0;
	s->gather.task = DR_NONE;
	s->wants = false;
	s->wake = -1;
	for (uint32_t t = 0; t < s->graph->n_tasks; t++) {
		if (pending(&s->graph->tasks[t]))
			finish(s, t, s->mark[t] ? DR_FAILED_TASK : DR_SKIPPED, NULL);
	}
	dr_slots_give(&s->slots);
}

/* Puts those that wait for something of this task on the stack that begins with `top`. */
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
			/* Now, so that nobody else who leads to it puts it there again. */
			g->tasks[t].state = DR_SKIPPED;
			s->mark[t] = top;
			top = t;
		}
	}
	return top;
}

/* All that needs it, however far up. The stack is threaded through `mark`: nothing to allocate, nothing to
 * recurse. */
static void
skip_consumers(struct dr_sched *s, uint32_t task)
{
	uint32_t top = push_consumers(s, task, DR_NONE), t;

	while (top != DR_NONE) {
		t = top;
		top = push_consumers(s, t, s->mark[t]);
		finish(s, t, DR_SKIPPED, NULL);
	}
}

static void
complete(struct dr_sched *s, uint32_t task, const struct dr_grant *grant)
{
	const struct dr_graph *g = s->graph;
	const uint32_t *out = dr_graph_outputs(g, task);

	finish(s, task, DR_DONE, grant);
	for (uint32_t k = 0; k < g->tasks[task].n_out; k++) {
		for (uint32_t c = g->first_consumer[out[k]]; c < g->first_consumer[out[k] + 1]; c++) {
			struct dr_task *t = &g->tasks[g->consumers[c]];

			if (t->state != DR_WAITING || --t->wait)
				continue;
			t->state = DR_READY;
			enqueue(s, g->consumers[c]);
		}
	}
}

/* One more try has failed; tries: with this one. */
static void
failed_try(struct dr_sched *s, uint32_t task, uint32_t tries, const struct dr_grant *g, int64_t now)
{
	int64_t wait = RETRY_MS;

	if (!s->halted && tries <= s->o.stages[s->graph->tasks[task].stage].retries) {
		for (uint32_t i = 1; i < tries && wait < RETRY_MAX_MS; i++)
			wait *= 2;
		s->mark[task] = tries;
		dr_timed_push(&s->timed, now + (wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS) * MS, task);
		set_state(s, task, DR_READY, g);
	} else if (s->o.ignore) {
		complete(s, task, g);
	} else {
		finish(s, task, DR_FAILED_TASK, g);
		if (++s->failures >= s->o.max_failures)
			halt(s);
		else
			skip_consumers(s, task);
	}
}

void
dr_sched_ended(struct dr_sched *s, uint32_t task, enum dr_result result, int64_t now)
{
	struct dr_running r;

	if (s->graph->tasks[task].state != DR_RUNNING)
		return;
	r = dr_slots_vacate(&s->slots, s->mark[task]);
	switch (result) {
	case DR_RESULT_DONE:
		complete(s, task, &r.grant);
		break;
	case DR_RESULT_FAILED:
		failed_try(s, task, r.grant.attempt, &r.grant, now);
		break;
	case DR_RESULT_AGAIN:
		if (s->halted) {
			finish(s, task, DR_SKIPPED, &r.grant);
			break;
		}
		s->mark[task] = r.grant.attempt - 1;
		set_state(s, task, DR_READY, &r.grant);
		enqueue(s, task);
		break;
	}
}

void
dr_sched_stop(struct dr_sched *s, bool cancel, bool hard)
{
	halt(s);
	for (uint32_t i = 0; cancel && i < s->slots.n; i++) {
		if (s->slots.running[i].task != DR_NONE)
			s->ex->cancel(s->ex, s->slots.running[i].task, hard);
	}
}

/* Waits for the time that the system, or the load, needs before another task may start beside those that run:
 * true, with the time in s->wake. */
static bool
held_back(struct dr_sched *s, int64_t now)
{
	struct dr_tokens *tok = s->slots.tokens;

	if (dr_crowd_full(&s->crowd, &s->slots, now)) {
		s->wake = s->crowd.until;
		return true;
	}
	if (s->slots.n_running && !tok->may_start(tok)) {
		s->wake = now + LOAD_MS * MS;
		return true;
	}
	return false;
}

/* The task to start next, if there is a token; DR_NONE: none. */
static uint32_t
pick(const struct dr_sched *s, int64_t now)
{
	uint32_t narrow = dr_ready_top(&s->narrow), wide = s->gather.task;

	if (wide == DR_NONE)
		wide = dr_ready_top(&s->wide);
	else if (now < s->gather.pause)
		wide = DR_NONE;
	else if (s->gather.had)
		return wide;
	if (narrow == DR_NONE || (wide != DR_NONE && dr_ready_before(&s->wide, wide, narrow)))
		return wide;
	return narrow;
}

/* Tokens for this task. START: it has left its queue, with *slots of those that are idle. */
static enum dr_gathered
obtain(struct dr_sched *s, uint32_t task, int64_t now, uint32_t *slots)
{
	uint32_t need = need_of(s, task), idle;
	enum dr_gathered rc;

	if (need == 1) {
		*slots = 1;
		if (!dr_slots_take(&s->slots, 1))
			return DR_GATHER_WAIT;
		dr_ready_pop(&s->narrow);
		return DR_GATHER_START;
	}
	if (s->gather.task == DR_NONE) {
		/* The first in its queue; until it has something in hand a better one may come before it. */
		dr_gather_begin(&s->gather, task);
		rc = dr_gather_step(&s->gather, &s->slots, need, now);
		if (rc == DR_GATHER_WAIT && !s->gather.had) {
			s->gather.task = DR_NONE;
			return rc;
		}
		dr_ready_pop(&s->wide);
	} else {
		rc = dr_gather_step(&s->gather, &s->slots, need, now);
	}
	if (rc == DR_GATHER_START) {
		s->gather.task = DR_NONE;
		idle = dr_slots_idle(&s->slots);
		*slots = idle < need ? idle : need;
	}
	return rc;
}

/* 0; 1: no more starts now; -1: none ever, with err. */
static int
start(struct dr_sched *s, uint32_t task, uint32_t slots, int64_t now, struct dr_err *err)
{
	struct dr_grant g = { .slots = slots, .attempt = s->mark[task] + 1 };
	enum dr_started rc = DR_START_LATER;

	/* Room for its way back too: its end can't fail. */
	if (dr_slots_reserve(&s->slots) ||
	    dr_grow(&s->timed.v, &s->timed.cap, (size_t)s->timed.n + s->slots.n_running + 1,
		    sizeof(*s->timed.v))) {
		dr_err_nomem(err);
	} else {
		g.slot = dr_slots_next(&s->slots);
		rc = s->ex->start(s->ex, task, &g, err);
	}
	switch (rc) {
	case DR_STARTED:
		dr_slots_occupy(&s->slots, task, &g);
		dr_crowd_started(&s->crowd, &s->slots, now);
		s->mark[task] = g.slot;
		set_state(s, task, DR_RUNNING, &g);
		return 0;
	case DR_START_BUSY:
		dr_timed_push(&s->timed, now + BUSY_MS * MS, task);
		return 0;
	case DR_START_DONE:
		complete(s, task, &g);
		return 0;
	case DR_START_FAILED:
		failed_try(s, task, g.attempt, &g, now);
		return 0;
	case DR_START_LATER:
		break;
	}
	enqueue(s, task);
	if (dr_crowd_refused(&s->crowd, &s->slots, now))
		return -1;
	s->wake = s->crowd.until;
	return 1;
}

/* What has waited long enough is ready again. */
static void
wake_timed(struct dr_sched *s, int64_t now)
{
	while (s->timed.n && s->timed.v[0].when <= now) {
		enqueue(s, s->timed.v[0].task);
		dr_timed_pop(&s->timed);
	}
}

/* 0, or -1 with err: see start. *keep: idle tokens are being gathered. */
static int
start_all(struct dr_sched *s, int64_t now, bool *keep, struct dr_err *err)
{
	enum dr_gathered got;
	uint32_t task, slots;
	int rc = 0;

	while (!rc && !s->halted && (task = pick(s, now)) != DR_NONE) {
		if (held_back(s, now)) {
			/* Its tokens go back with the others, so that it begins anew. */
			s->gather.had = 0;
			break;
		}
		got = obtain(s, task, now, &slots);
		if (got == DR_GATHER_START) {
			rc = start(s, task, slots, now, err);
		} else if (got == DR_GATHER_WAIT) {
			*keep = true;
			s->wants = s->slots.held < s->slots.limit;
			break;
		}
	}
	return rc < 0 ? -1 : 0;
}

int
dr_sched_pump(struct dr_sched *s, int64_t now, struct dr_err *err)
{
	struct dr_err why = { 0 }; /* of a start: the caller's is filled by what ends it all */
	bool keep = false;
	int64_t wake;

	s->wants = false;
	s->wake = -1;
	wake_timed(s, now);
	if (start_all(s, now, &keep, &why)) {
		if (err)
			*err = why;
		halt(s);
		return -1;
	}
	if (!keep)
		dr_slots_give(&s->slots);
	wake = s->wake >= 0 ? s->wake : INT64_MAX;
	if (s->timed.n && s->timed.v[0].when < wake)
		wake = s->timed.v[0].when;
	if (dr_gather_wake(&s->gather, now) < wake)
		wake = dr_gather_wake(&s->gather, now);
	s->wake = wake < INT64_MAX ? wake : -1;
	if (!s->slots.n_running && waiting(s) && s->wake < 0 && !s->wants)
		return dr_err_set(err, DR_SYSTEM,
				  "tasks wait for one that will never run (an error of ours)");
	return 0;
}

bool
dr_sched_finished(const struct dr_sched *s)
{
	return !s->slots.n_running && !waiting(s);
}

bool
dr_sched_wants_token(const struct dr_sched *s)
{
	return s->wants;
}

int64_t
dr_sched_wake(const struct dr_sched *s)
{
	return s->wake;
}

void
dr_sched_counts(const struct dr_sched *s, struct dr_sched_counts *out)
{
	*out = (struct dr_sched_counts){
		.wanted = s->wanted,
		.done = s->done,
		.failed = s->failed,
		.skipped = s->skipped,
		.running = s->slots.n_running,
		.waiting = waiting(s),
		.slots = s->slots.used,
	};
}
