#include "config.h"

#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "os.h"
#include "report-private.h"

#define SECOND INT64_C(1000000000)

/* The page is written again when the run has gone on for a hundred times what the writing took last, and half
 * a minute: until that is known, so many ns a task. */
enum { COST = 3000, SHARE = 100 };
#define PAUSE (30 * SECOND)
#define AT_ONCE (20 * SECOND / 1000) /* what costs no more is written as the run begins */

/* Another name, or other rights, would help: then it is theirs to cure. */
static int
their_fault(struct dr_err *err)
{
	if (err->sys != EMFILE && err->sys != ENFILE && err->sys != ENOMEM && err->sys != EIO &&
	    err->sys != ENOSPC)
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
	r->page_path = o->page ? strdup(o->page) : NULL;
	if ((o->trace && !r->trace_path) || (o->page && !r->page_path)) {
		dr_report_free(r);
		return dr_err_nomem(err);
	}
	if ((o->page && dr_report_check_page(r, err)) ||
	    (o->trace && dr_trace_open(&r->trace, o->trace, err))) {
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
	free(r->page_path);
	free(r->running);
	free(r->tries);
	free(r->failures);
	dr_arena_free(&r->arena);
	dr_buf_free(&r->text);
	free(r);
}

static int64_t
next_page(int64_t now, int64_t cost)
{
	return now + (cost * SHARE > PAUSE ? cost * SHARE : PAUSE);
}

/* Up to now nothing has changed since it was told. */
static int
write_page(struct dr_report *r, int64_t now, struct dr_err *err)
{
	int64_t before = dr_now();
	int rc;

	dr_report_add_use(r, r->uses.slots, r->uses.wants, now - r->b.now);
	rc = dr_report_write_page(r, now, err);
	r->page_due = next_page(now, dr_now() - before);
	return rc;
}

void
dr_report_begin(struct dr_report *r, const struct dr_report_begin *b)
{
	struct dr_err ignored; /* if it cannot be written in the end either, that is told */
	int64_t cost;

	if (!r || r->is_begun)
		return;
	r->is_begun = true;
	r->b = *b;
	r->flushed = b->now;
	cost = (int64_t)b->plan->graph->n_tasks * COST;
	r->page_due = next_page(b->now, cost);
	dr_trace_begin(&r->trace, b->plan);
	if (r->page_path && b->slots && cost <= AT_ONCE)
		(void)write_page(r, b->now, &ignored);
}

void
dr_report_started(struct dr_report *r, uint32_t task, const struct dr_grant *g, int64_t now)
{
	/* Without memory it is merely not shown. */
	if (!r || !g || dr_grow(&r->running, &r->cap_running, (size_t)r->n_running + 1, sizeof(*r->running)))
		return;
	r->running[r->n_running++] = (struct dr_report_running){ task, g->slot, g->slots, now };
}

/* Takes the task from those that run. False: it could not be started. */
static bool
stop_running(struct dr_report *r, uint32_t task, struct dr_report_running *was)
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

/* By the clock of the outcome, which was read at its start and its end, while we hear of both a little later;
 * unless somebody has set that clock meanwhile. */
static void
span_of(const struct dr_report *r, const struct dr_task_end *e, int64_t heard, int64_t now, int64_t *start,
	int64_t *end)
{
	*start = e->outcome.start - r->b.real;
	*end = e->outcome.end - r->b.real;
	heard -= r->b.now;
	now -= r->b.now;
	if (*start < 0 || *end < *start || *start > heard + SECOND || *start < heard - SECOND ||
	    *end > now + SECOND || *end < now - SECOND) {
		*start = heard;
		*end = now;
	}
}

void
dr_report_ended(struct dr_report *r, const struct dr_task_end *e, int64_t now)
{
	struct dr_report_running was = { .task = e->task, .start = now };
	int64_t start, end;

	if (!r)
		return;
	stop_running(r, e->task, &was);
	span_of(r, e, was.start, now, &start, &end);
	dr_trace_try(&r->trace, e, was.slot, was.slots, start, end);
	if (r->page_path)
		dr_report_add_try(r, e, &was, start, end);
}

void
dr_report_pumped(struct dr_report *r, uint32_t slots, bool wants, int64_t now)
{
	if (!r)
		return;
	dr_trace_slots(&r->trace, slots, now - r->b.now);
	if (r->page_path && (slots != r->uses.slots || wants != r->uses.wants))
		dr_report_add_use(r, slots, wants, now - r->b.now);
}

static int64_t
tick_trace(struct dr_report *r, int64_t now)
{
	if (now - r->flushed >= SECOND) {
		r->flushed = now;
		dr_trace_flush(&r->trace);
	}
	return r->trace.out.n ? r->flushed + SECOND : INT64_MAX;
}

int64_t
dr_report_tick(struct dr_report *r, int64_t now)
{
	struct dr_err ignored; /* if it cannot be written in the end either, that is told */
	int64_t next = INT64_MAX;

	if (!r || !r->is_begun)
		return -1;
	if (r->trace.fd >= 0)
		next = tick_trace(r, now);
	if (r->page_path && now >= r->page_due)
		(void)write_page(r, now, &ignored);
	if (r->page_path && r->page_due < next)
		next = r->page_due;
	return next < INT64_MAX ? next : -1;
}

int
dr_report_finish(struct dr_report *r, int signal, int64_t now, struct dr_err *err)
{
	int rc = 0;

	if (!r || !r->is_begun)
		return 0;
	r->over = true;
	r->signal = signal;
	if (r->trace.fd >= 0)
		rc = dr_trace_finish(&r->trace, now - r->b.now, r->trace_path, err);
	if (r->page_path && write_page(r, now, rc ? NULL : err))
		rc = -1;
	return rc;
}
