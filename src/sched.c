#include "config.h"

#include "sched.h"

#include "arena.h"
#include "err.h"
#include "sched-private.h"

#include <stdlib.h>

enum {
	BUSY_MS = 100,   /* what another run is making is asked for again */
	LOAD_MS = 1000, /* the load falls no quicker than that */
	ROOM_MS = 1000, /* memory and disk, that others may let go of */
};

uint32_t
dr_sched_need(const struct dr_sched *s, uint32_t task)
{
	uint32_t n = s->o.stages[s->graph->tasks[task].stage].slots;

	return n > s->slots.limit ? s->slots.limit : n ? n : 1;
}

bool
dr_sched_pending(const struct dr_task *t)
{
	return t->state == DR_WAITING || t->state == DR_READY;
}

static uint64_t
waiting(const struct dr_sched *s)
{
	return s->wanted - s->done - s->failed - s->skipped - s->clean - s->slots.n_running;
}

void
dr_sched_enqueue(struct dr_sched *s, uint32_t task)
{
	if (dr_pools_full(&s->pools, task))
		dr_pools_block(&s->pools, task);
	else
		dr_ready_push(dr_sched_need(s, task) > 1 ? &s->wide : &s->narrow, task);
}

/* The task has no place in its pool any more. */
void
dr_sched_leave_pool(struct dr_sched *s, uint32_t task)
{
	uint32_t next = dr_pools_give(&s->pools, task);

	if (next != DR_NONE)
		dr_sched_enqueue(s, next);
}

void
dr_sched_set_state(struct dr_sched *s, uint32_t task, enum dr_state state, const struct dr_grant *g)
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
	s->settling = calloc((size_t)s->graph->n_tasks + 1, sizeof(*s->settling));
	s->next = calloc((size_t)s->graph->n_tasks + 1, sizeof(*s->next));
	s->parked = calloc((size_t)s->graph->n_tasks + 1, sizeof(*s->parked));
	if (!s->mark || !s->settling || !s->next || !s->parked)
		return -1;
	for (uint32_t t = 0; t < s->graph->n_tasks; t++) {
		if (!dr_sched_pending(&s->graph->tasks[t]))
			continue;
		s->wanted++;
		wide += dr_sched_need(s, t) > 1;
	}
	if (dr_claims_init(&s->claims, s->graph, &s->o) || dr_pools_init(&s->pools, s->graph, s->o.stages, s->o.pools, s->o.n_pools) ||
	    dr_grow(&s->narrow.v, &s->narrow.cap, s->wanted - wide, sizeof(*s->narrow.v)) ||
	    dr_grow(&s->wide.v, &s->wide.cap, wide, sizeof(*s->wide.v)))
		return -1;
	/* The last first, as they are taken from a stack. */
	for (uint32_t t = s->graph->n_tasks; t-- > 0;) {
		struct dr_task *task = &s->graph->tasks[t];

		if (task->state != DR_READY)
			continue;
		if (task->certain || !s->o.fresh) {
			dr_sched_enqueue(s, t);
			continue;
		}
		task->state = DR_WAITING;
		dr_sched_unsettle(s, t);
	}
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
	s->narrow.shuffle = s->wide.shuffle = o->shuffle;
	s->narrow.seed = s->wide.seed = o->shuffle_seed;
	s->unsettled = DR_NONE;
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
	dr_pools_free(&s->pools);
	dr_claims_free(&s->claims);
	free(s->mark);
	free(s->settling);
	free(s->next);
	free(s->parked);
	free(s);
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
		s->wake = now + LOAD_MS * DR_MS;
		return true;
	}
	return false;
}

/* The best task of a queue whose pool has a place for it, and for which there is room; the others step aside. */
static uint32_t
top_of(struct dr_sched *s, struct dr_ready *q, int64_t now)
{
	uint32_t task;

	while ((task = dr_ready_top(q)) != DR_NONE) {
		if (dr_pools_full(&s->pools, task)) {
			dr_ready_pop(q);
			dr_pools_block(&s->pools, task);
		} else if (dr_claims_hold(&s->claims, &s->slots, task, s->gather.task, now)) {
			dr_ready_pop(q);
			dr_claims_block(&s->claims, task);
		} else {
			break;
		}
	}
	return task;
}

/* The task to start next, if there is a token; DR_NONE: none. */
static uint32_t
pick(struct dr_sched *s, int64_t now)
{
	uint32_t narrow, wide = s->gather.task, admitted;

	/* Both first: what steps aside may be what is to come before the other. */
	top_of(s, &s->narrow, now);
	top_of(s, &s->wide, now);
	admitted = dr_claims_admit(&s->claims, &s->slots, now);
	if (admitted != DR_NONE)
		dr_sched_enqueue(s, admitted);
	narrow = top_of(s, &s->narrow, now);
	if (wide == DR_NONE)
		wide = top_of(s, &s->wide, now);
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
	uint32_t need = dr_sched_need(s, task), idle;
	enum dr_gathered rc;

	if (need == 1) {
		if (!dr_slots_take(&s->slots, 1))
			return DR_GATHER_WAIT;
		dr_ready_pop(&s->narrow);
		dr_pools_take(&s->pools, task);
		*slots = dr_sched_share(s, task, 1);
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
		dr_pools_take(&s->pools, task);
	} else {
		rc = dr_gather_step(&s->gather, &s->slots, need, now);
	}
	if (rc == DR_GATHER_START) {
		s->gather.task = DR_NONE;
		idle = dr_slots_idle(&s->slots);
		*slots = dr_sched_share(s, task, idle < need ? idle : need);
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
		    sizeof(*s->timed.v)) ||
	    dr_grow(&s->claims.alone.v, &s->claims.alone.cap, (size_t)s->claims.alone.n + s->slots.n_running + 1,
		    sizeof(*s->claims.alone.v))) {
		dr_err_nomem(err);
	} else {
		g.slot = dr_slots_next(&s->slots);
		rc = s->ex->start(s->ex, task, &g, err);
	}
	if (s->claims.admitted == task)
		s->claims.admitted = DR_NONE;
	if (rc != DR_STARTED)
		dr_sched_leave_pool(s, task);
	switch (rc) {
	case DR_STARTED:
		dr_claims_take(&s->claims, task);
		dr_slots_occupy(&s->slots, task, &g);
		dr_crowd_started(&s->crowd, &s->slots, now);
		s->mark[task] = g.slot;
		dr_sched_set_state(s, task, DR_RUNNING, &g);
		return 0;
	case DR_START_BUSY:
		dr_timed_push(&s->timed, now + BUSY_MS * DR_MS, task);
		return 0;
	case DR_START_DONE:
		dr_sched_complete(s, task, &g);
		return 0;
	case DR_START_FAILED:
		dr_sched_failed_try(s, task, g.attempt, &g, now);
		return 0;
	case DR_START_LATER:
		break;
	}
	dr_sched_enqueue(s, task);
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
		dr_sched_enqueue(s, s->timed.v[0].task);
		dr_timed_pop(&s->timed);
	}
}

/* Those that are to run alone, when what runs has ended. 0: there are none; 1: nothing else starts now; -1 with err. */
static int
start_alone(struct dr_sched *s, int64_t now, bool *keep, struct dr_err *err)
{
	struct dr_claims *c = &s->claims;
	uint32_t need, idle, task = dr_ready_top(&c->alone);

	c->solo = c->solo && s->slots.n_running;
	if (c->solo || (task != DR_NONE && s->slots.n_running))
		return 1;
	if (task == DR_NONE)
		return 0;
	if (held_back(s, now))
		return 1;
	need = dr_sched_need(s, task);
	idle = dr_slots_take(&s->slots, need);
	s->gather.had = 0; /* its tokens are used now */
	if (!idle) {
		*keep = s->wants = true;
		return 1;
	}
	dr_ready_pop(&c->alone);
	dr_pools_take(&s->pools, task);
	if (start(s, task, idle < need ? idle : need, now, err) < 0)
		return -1;
	c->solo = s->slots.n_running > 0;
	return c->solo ? 1 : 0;
}

/* Something waits for room, and nothing will make any. */
static bool
is_stuck(const struct dr_sched *s)
{
	return !s->slots.n_running && s->claims.blocked.n && s->claims.admitted == DR_NONE && s->gather.task == DR_NONE &&
	       !s->narrow.n && !s->wide.n && !s->timed.n;
}

/* 0, or -1 with err: see start. *keep: idle tokens are being gathered. */
static int
start_all(struct dr_sched *s, int64_t now, bool *keep, struct dr_err *err)
{
	enum dr_gathered got;
	uint32_t task, slots;
	int rc = 0;

	while (!rc && !s->halted && !(rc = start_alone(s, now, keep, err)) && (task = pick(s, now)) != DR_NONE) {
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
	dr_sched_settle(s);
	dr_sched_unpark(s);
	if (start_all(s, now, &keep, &why) || (is_stuck(s) && dr_claims_tell(&s->claims, &why))) {
		if (err)
			*err = why;
		dr_sched_halt(s);
		return -1;
	}
	if (!keep)
		dr_slots_give(&s->slots);
	wake = s->wake >= 0 ? s->wake : INT64_MAX;
	if (s->claims.blocked.n && now + ROOM_MS * DR_MS < wake)
		wake = now + ROOM_MS * DR_MS;
	if (s->timed.n && s->timed.v[0].when < wake)
		wake = s->timed.v[0].when;
	if (dr_gather_wake(&s->gather, now) < wake)
		wake = dr_gather_wake(&s->gather, now);
	s->wake = wake < INT64_MAX ? wake : -1;
	if (dr_sched_finished(s))
		dr_sched_release(s);
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
		.clean = s->clean,
		.running = s->slots.n_running,
		.waiting = waiting(s),
		.slots = s->slots.used,
	};
}
