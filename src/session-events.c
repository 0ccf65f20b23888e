#include "config.h"

#include "session-run.h"

#include "ledger.h"
#include "local.h"
#include "publish.h"

static void
tell_alone(struct dr_run *r, uint32_t task)
{
	struct dr_session *s = r->session;

	dr_buf_reset(&s->path);
	dr_plan_task_name(s->plan, task, &s->path);
	dr_buf_reset(&s->text);
	dr_buf_escape(&s->text, dr_buf_str(&s->path));
	dr_buf_adds(&s->text, ": killed as there was no memory left; it runs once more, alone ('memory' would say what it needs)");
	dr_session_message(r->session, DR_WARNING, dr_buf_cstr(&s->text));
}

void
dr_session_ended(void *arg, const struct dr_task_end *e)
{
	struct dr_run *r = arg;

	r->last.task = e->task;
	r->last.cancelled = e->how == DR_HOW_CANCELLED;
	r->last.failed = e->result == DR_RESULT_FAILED;
	if (e->result == DR_RESULT_ALONE)
		tell_alone(r, e->task);
	if (r->session->host.ended)
		r->session->host.ended(r->session->host.arg, e);
}

/* What we ended ourselves did not fail, and what failed did so even where that is ignored (-i). */
static enum dr_progress_end
end_of(const struct dr_run *r, uint32_t task, uint8_t state)
{
	bool known = r->last.task == task;

	if (state == DR_READY)
		return DR_PROGRESS_AGAIN;
	if (state == DR_CLEAN)
		return DR_PROGRESS_CLEAN;
	if (known && r->last.cancelled)
		return DR_PROGRESS_STOPPED;
	return state == DR_DONE && !(known && r->last.failed) ? DR_PROGRESS_DONE : DR_PROGRESS_FAILED;
}

/* A task need not run after all: what it would have read has been read by all, as far as it is concerned. If what it made is gone, only the
 * end of a run that came to its end tells that nobody needs it. */
static void
let_go(struct dr_run *r, uint32_t task)
{
	const struct dr_graph *g = r->session->plan->graph;
	struct dr_sched_counts c;
	struct dr_err err;

	dr_sched_counts(r->sched, &c);
	if (g->tasks[task].n_out && (g->files[*dr_graph_outputs(g, task)].flags & DR_FILE_ABSENT) &&
	    (c.failed || c.skipped || r->signal))
		return;
	/* What stays for want of memory is reclaimed before the next run. */
	(void)dr_publish_reclaim(r->publisher, task, &err);
}

/* The scheduler's word on every change of state; starts and ends are also the progress display's. */
void
dr_session_changed(void *arg, uint32_t task, const struct dr_grant *g)
{
	struct dr_run *r = arg;
	const struct dr_host *h = &r->session->host;
	uint8_t state = r->session->plan->graph->tasks[task].state;

	if (state == DR_RUNNING) {
		dr_session_quiet_started(&r->quiet, task);
		if (h->started)
			h->started(h->arg, task, g);
		dr_session_ledger_started(r->session, r->ledger, task, g);
	} else if (state == DR_DONE || state == DR_FAILED_TASK || state == DR_READY || state == DR_CLEAN) {
		enum dr_progress_end end = end_of(r, task, state);

		if (h->settled)
			h->settled(h->arg, task, end);
		dr_ledger_ended(r->ledger, r->session->plan->graph->tasks[task].stage, g ? g->slot : 0,
				end == DR_PROGRESS_DONE   ? DR_LEDGER_DONE :
				end == DR_PROGRESS_FAILED ? DR_LEDGER_FAILED :
				end == DR_PROGRESS_CLEAN  ? DR_LEDGER_CLEAN :
							    DR_LEDGER_NEITHER,
				g != NULL);
	}
	if (state == DR_CLEAN)
		let_go(r, task);
	r->last.task = DR_NONE;
}
