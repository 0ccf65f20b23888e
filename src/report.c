#include "config.h"

#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "err.h"
#include "report-trace.h"

#define SECOND INT64_C(1000000000)

/* Times of tries are ns since the run began. */

struct running {
	uint32_t task, slot, slots;
	int64_t start;
};

struct dr_report {
	char *trace_path;
	struct dr_trace trace;
	struct dr_report_begin b;
	int64_t flushed; /* when the trace last was */
	struct running *running;
	uint32_t n_running, cap_running;
	bool is_begun;
};

/* Another name, or other rights, would help: then it is theirs to cure. */
static int
their_fault(struct dr_err *err)
{
	if (err->sys != EMFILE && err->sys != ENFILE && err->sys != ENOMEM && err->sys != EIO && err->sys != ENOSPC)
		err->code = DR_USAGE;
	return -1;
}

int
dr_report_new(const struct dr_report_options *o, struct dr_report **out, struct dr_err *err)
{
	struct dr_report *r = calloc(1, sizeof(*r));

	if (!r)
		return dr_err_nomem(err);
	r->trace.fd = -1;
	r->trace_path = o->trace ? strdup(o->trace) : NULL;
	if (o->trace && !r->trace_path) {
		dr_report_free(r);
		return dr_err_nomem(err);
	}
	if (o->trace && dr_trace_open(&r->trace, o->trace, err)) {
		dr_report_free(r);
		return their_fault(err);
	}
	*out = r;
	return 0;
}

void
dr_report_free(struct dr_report *r)
{
	if (!r)
		return;
	dr_trace_close(&r->trace, r->trace_path);
	free(r->trace_path);
	free(r->running);
	free(r);
}

void
dr_report_begin(struct dr_report *r, const struct dr_report_begin *b)
{
	if (!r || r->is_begun)
		return;
	r->is_begun = true;
	r->b = *b;
	r->flushed = b->now;
	dr_trace_begin(&r->trace, b->plan);
}

void
dr_report_started(struct dr_report *r, uint32_t task, const struct dr_grant *g, int64_t now)
{
	/* Without memory it is merely not shown. */
	if (!r || !g || dr_grow(&r->running, &r->cap_running, (size_t)r->n_running + 1, sizeof(*r->running)))
		return;
	r->running[r->n_running++] = (struct running){ task, g->slot, g->slots, now };
}

/* Takes the task from those that run. False: it could not be started. */
static bool
stop_running(struct dr_report *r, uint32_t task, struct running *was)
{
	for (uint32_t i = 0; i < r->n_running; i++) {
		if (r->running[i].task != task)
			continue;
		*was = r->running[i];
		r->running[i] = r->running[--r->n_running];
		return true;
	}
	return false;
}

/* By the clock of the outcome, which was read at its start and its end, while we hear of both a little later; unless somebody has set
 * that clock meanwhile. */
static void
span_of(const struct dr_report *r, const struct dr_task_end *e, int64_t heard, int64_t now, int64_t *start, int64_t *end)
{
	*start = e->outcome.start - r->b.real;
	*end = e->outcome.end - r->b.real;
	heard -= r->b.now;
	now -= r->b.now;
	if (*start < 0 || *end < *start || *start > heard + SECOND || *start < heard - SECOND || *end > now + SECOND ||
	    *end < now - SECOND) {
		*start = heard;
		*end = now;
	}
}

void
dr_report_ended(struct dr_report *r, const struct dr_task_end *e, int64_t now)
{
	struct running was = { .task = e->task, .start = now };
	int64_t start, end;

	if (!r)
		return;
	stop_running(r, e->task, &was);
	span_of(r, e, was.start, now, &start, &end);
	dr_trace_try(&r->trace, e, was.slot, was.slots, start, end);
}

void
dr_report_pumped(struct dr_report *r, uint32_t slots, bool wants, int64_t now)
{
	(void)wants;
	if (r)
		dr_trace_slots(&r->trace, slots, now - r->b.now);
}

int64_t
dr_report_tick(struct dr_report *r, int64_t now)
{
	if (!r || r->trace.fd < 0)
		return -1;
	if (now - r->flushed >= SECOND) {
		r->flushed = now;
		dr_trace_flush(&r->trace);
	}
	return r->trace.out.n ? r->flushed + SECOND : -1;
}

int
dr_report_finish(struct dr_report *r, int64_t now, struct dr_err *err)
{
	if (!r)
		return 0;
	return dr_trace_finish(&r->trace, now - r->b.now, r->trace_path, err);
}
