#include "config.h"

#include "local-private.h"

#include "guardian-table.h"
#include "lock.h"
#include "os.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The numbers that a shell has for this, as of waitpid. */
#define NO_START_STATUS(why) (((why)->sys == ENOENT ? 127 : 126) << 8)

/* Whether the system is at its limit, and not the task at fault. */
static bool
lacks_room(const struct dr_err *why)
{
	return why->sys == EAGAIN || why->sys == ENOMEM || why->sys == EMFILE || why->sys == ENFILE;
}

/* DR_STARTED: it is ours to make. */
static enum dr_started
claim(struct dr_local *l, uint32_t task, struct dr_err *err)
{
	const struct dr_graph *g = l->o.plan->graph;
	int rc = l->o.lock ? dr_lock_claim(l->o.lock, g->tasks[task].id, err) : 1;
	bool was_busy, others = false;
	int made = 0;

	if (rc < 0)
		return DR_START_FAILED;
	if (!rc) {
		l->flags[task] |= DR_LOCAL_WAS_BUSY;
		if (l->o.busy)
			l->o.busy(l->o.arg, task);
		return DR_START_BUSY;
	}
	was_busy = l->flags[task] & DR_LOCAL_WAS_BUSY;
	l->flags[task] &= (uint8_t)~DR_LOCAL_WAS_BUSY;
	/* Also of one that was busy: once the journal is read on for this task, nothing shows that there was another run. */
	if (l->o.claimed && l->o.claimed(l->o.arg, &others, err)) {
		dr_local_clean(l, task, false);
		return DR_START_FAILED;
	}
	if (!was_busy && !others)
		return DR_STARTED;
	/* Whoever had it, or has come and gone since the plan was made, may have made it, or died of it. */
	if (l->o.look)
		made = l->o.look(l->o.arg, task, err);
	if (made == 1)
		dr_publish_read_elsewhere(l->o.publisher, task, NULL);
	if (made) {
		dr_local_clean(l, task, false);
		return made == 1 ? DR_START_DONE : DR_START_FAILED;
	}
	for (uint32_t i = 0; i < g->tasks[task].n_out; i++)
		dr_publisher_suspect(l->o.publisher, dr_graph_outputs(g, task)[i]);
	return DR_STARTED;
}

/* It could not be started: by its own fault, which is told as its end, or since the system has no room. ours: and so it is recorded; what another
 * run may have made meanwhile must keep the record that it has, and what waits for its name. */
static enum dr_started
not_started(struct dr_local *l, uint32_t task, const struct dr_grant *g, bool ours, const struct dr_err *why)
{
	struct dr_task_end e = {
		.task = task,
		.result = DR_RESULT_FAILED,
		.how = DR_HOW_NO_START,
		.final = g->attempt > dr_plan_stage(l->o.plan, task)->retries,
		.outcome = { .start = dr_realtime(), .tries = g->attempt },
		.message = why->msg,
		.out = -1,
		.err = -1,
	};
	bool later = lacks_room(why);
	char *full;

	e.outcome.status = NO_START_STATUS(why);
	e.outcome.end = e.outcome.start;
	e.outcome.how = DR_REC_NO_START;
	if (ours)
		dr_publish_abort(l->o.publisher, task, later ? NULL : &e.outcome, NULL);
	if (later) {
		if (why->sys == EMFILE || why->sys == ENFILE)
			dr_local_spare(l);
		return DR_START_LATER;
	}
	e.full = full = why->sys == ENOSPC ? dr_local_full(l, task) : NULL;
	if (l->o.ended)
		l->o.ended(l->o.arg, &e);
	free(full);
	return DR_START_FAILED;
}

void
dr_local_refused(struct dr_local_slot *s, const struct dr_err *why)
{
	struct dr_local *l = s->l;

	l->lacking = lacks_room(why);
	s->result = l->lacking ? DR_RESULT_AGAIN : DR_RESULT_FAILED;
	if (why->sys == EMFILE || why->sys == ENFILE)
		dr_local_spare(l);
	else if (l->lacking)
		dr_local_give_up_threads(l);
	s->refused = true;
	s->outcome.status = NO_START_STATUS(why);
	s->outcome.end = dr_realtime();
	free(s->message);
	s->message = strdup(why->msg);
	dr_local_over(l, s);
}

/* 0: it runs, or is about to: then whether it could be started is told by dr_local_refused. -1 with err. */
static int
launch(struct dr_local_slot *s, uint32_t task, const struct dr_grant *g, struct dr_err *err)
{
	struct dr_local *l = s->l;
	const struct dr_stage *stage = dr_plan_stage(l->o.plan, task);
	/* While the system has too little of something, that is told at once, and the scheduler waits for more of it. So is the lack of a
	 * program that is nowhere in PATH. */
	bool threaded, here = true, running = false;
	int rc = -1;

	if (l->o.turn && !l->unthreaded && dr_local_thread(s, err))
		dr_local_give_up_threads(l);
	threaded = l->o.turn && !l->unthreaded && s->thread.made;
	if (dr_local_prepare(s, task, g, err))
		goto out;
	here = !threaded || l->lacking || !strchr(s->launch.path, '/');
	s->timer = 0;
	if (stage->timeout && dr_local_set_timeout(s, stage->timeout, err))
		goto out;
	s->outcome = (struct dr_outcome){ .start = dr_realtime(), .tries = g->attempt };
	s->grant = *g;
	dr_guard_starting(l->o.guard, g->slot - 1, s->serial);
	if (here && dr_local_launch(s, false, err)) {
		dr_guard_ended(l->o.guard, g->slot - 1);
		dr_loop_cancel(l->o.loop, s->timer);
		goto out;
	}
	if (here)
		l->lacking = false;
	s->task = task;
	s->sweep = (struct dr_local_sweep){ 0 };
	s->cause = DR_CAUSE_NONE;
	s->ended = s->lost = s->reaped = s->compared = s->refused = false;
	dr_local_enter(l, s);
	running = true;
	rc = 0;
out:
	if (!running || here)
		dr_local_launched(s);
	if (running && threaded)
		dr_local_hand_over(s);
	else if (running)
		dr_local_list(l, s);
	return rc;
}

enum dr_started
dr_local_start(struct dr_executor *ex, uint32_t task, const struct dr_grant *g, struct dr_err *err)
{
	struct dr_local *l = (struct dr_local *)ex;
	struct dr_local_slot *s = dr_local_slot(l, g->slot);
	enum dr_started rc;

	if (!s) {
		dr_err_nomem(err);
		return DR_START_LATER;
	}
	s->launch.tmp = false;
	rc = claim(l, task, err);
	if (rc == DR_START_FAILED)
		return not_started(l, task, g, false, err);
	if (rc != DR_STARTED)
		return rc;
	if (dr_publish_begin(l->o.publisher, task, err) || launch(s, task, g, err)) {
		rc = not_started(l, task, g, true, err);
		dr_local_clean(l, task, s->launch.tmp);
	}
	return rc;
}
