#include "config.h"

#include "session-run.h"

#include <stdlib.h>

#include "err.h"
#include "ledger.h"
#include "local.h"
#include "os.h"
#include "sched.h"

static int
pid_of(void *arg, uint32_t slot)
{
	const struct dr_run *r = arg;

	return dr_local_pid(r->local, slot);
}

struct dr_ledger *
dr_session_ledger(struct dr_run *r, uint32_t slots)
{
	struct dr_session *s = r->session;
	const struct dr_plan *pl = s->plan;
	uint32_t n = pl->pipeline->n_stages;
	struct dr_ledger_stage *stages = calloc((size_t)n + 1, sizeof(*stages));
	struct dr_ledger_options o = {
		.state_dir = s->state,
		.run = s->run,
		.origin = pl->options.origin,
		.slots = slots,
		.lock = s->alone ? NULL : s->lock,
		.stages = stages,
		.n_stages = n,
		.pid = pid_of,
		.arg = r,
	};
	struct dr_ledger *l = NULL;
	struct dr_err ignored;

	if (!stages)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		stages[i].name = pl->pipeline->stages[i].name;
	for (uint32_t t = 0; t < pl->graph->n_tasks; t++) {
		const struct dr_task *task = &pl->graph->tasks[t];

		stages[task->stage].wanted += task->state != DR_UNWANTED;
		stages[task->stage].clean += task->state == DR_CLEAN;
	}
	/* Without it --status has less to say; the run matters more. */
	(void)dr_ledger_open(&o, &l, &ignored);
	free(stages);
	return l;
}

void
dr_session_ledger_started(struct dr_session *s, struct dr_ledger *l, uint32_t task, const struct dr_grant *g)
{
	const struct dr_task *t = &s->plan->graph->tasks[task];
	struct dr_ledger_task lt = {
		.id = t->id,
		.since = dr_realtime(),
		.stage = t->stage,
		.slot = g->slot,
		.attempt = g->attempt,
	};

	if (!l)
		return;
	dr_buf_reset(&s->text);
	dr_plan_task_name(s->plan, task, &s->text);
	lt.name = dr_buf_str(&s->text);
	dr_ledger_started(l, &lt);
}
