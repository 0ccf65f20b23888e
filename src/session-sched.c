#include "config.h"

#include "session-run.h"

#include <stdlib.h>

#include "err.h"
#include "jobserver.h"
#include "local.h"
#include "os.h"

#define LOAD_EVERY (INT64_C(1000000000))

/* Tokens. */

static int
take(struct dr_tokens *t)
{
	struct dr_run *r = (struct dr_run *)t;
	struct dr_err err;

	return dr_jobserver_take(r->jobserver, &err) > 0;
}

static void
give(struct dr_tokens *t)
{
	struct dr_run *r = (struct dr_run *)t;
	struct dr_err err;

	if (dr_jobserver_give(r->jobserver, &err))
		dr_session_message(r->session, DR_WARNING, err.msg);
}

/* The load is an average over a minute: to read it once a second is more than enough. */
static bool
may_start(struct dr_tokens *t)
{
	struct dr_run *r = (struct dr_run *)t;
	int64_t now;

	if (r->session->options.load <= 0)
		return true;
	now = dr_now();
	if (!r->load_read || now - r->load_read >= LOAD_EVERY) {
		r->load_read = now;
		if (dr_load(&r->load))
			r->load = 0;
	}
	return r->load < r->session->options.load;
}

/* Stages, as the scheduler sees them. */

/* Does the end of this stage's tasks let something be reclaimed? */
static bool
frees(const struct dr_session *s, uint32_t stage)
{
	const struct dr_plan_stage *ps = &s->plan->stages[stage];
	const struct dr_graph *g = s->plan->graph;

	/* All tasks of a stage are alike but for a merge's first round, whose inputs may be to stay: often the last one tells. */
	for (uint32_t i = ps->n; i-- > 0;) {
		const struct dr_file *f;

		if (!g->tasks[ps->first + i].n_in)
			continue;
		f = &g->files[*dr_graph_inputs(g, ps->first + i)];
		if (!(f->flags & (DR_FILE_KEEP | DR_FILE_TARGET)) && f->producer != DR_NONE)
			return true;
	}
	return false;
}

/* How many tasks of each pool may run; NULL without memory. */
static uint32_t *
pool_limits(const struct dr_pipeline *p)
{
	uint32_t *limits = calloc((size_t)p->n_pools + 1, sizeof(*limits));

	for (uint32_t i = 0; limits && i < p->n_pools; i++)
		limits[i] = p->pools[i].limit;
	return limits;
}

static bool
enough(void *arg, uint32_t task)
{
	const struct dr_run *r = arg;

	return dr_plan_enough(r->session->plan, task);
}

static enum dr_fresh
fresh(void *arg, uint32_t task)
{
	const struct dr_run *r = arg;

	return dr_stale_fresh(r->session->stale, task);
}

int
dr_session_open_sched(struct dr_run *r)
{
	const struct dr_session *s = r->session;
	const struct dr_pipeline *p = s->pipeline;
	struct dr_sched_options o = {
		.n_stages = p->n_stages,
		.limit = dr_jobserver_limit(r->jobserver),
		.keep_going = s->options.keep_going,
		.ignore = s->options.ignore,
		.max_failures = s->options.max_failures,
		.seed = dr_random64(),
		.shuffle = s->makeflags.shuffle,
		.shuffle_seed = s->makeflags.shuffle_seed,
		.room = r->space.claimed ? &r->space.room : NULL,
		.bytes = s->options.reserve ? r->space.bytes : NULL,
		.changed = dr_session_changed,
		.enough = enough,
		.fresh = fresh,
		.arg = r,
	};
	uint32_t *pools = pool_limits(p);
	bool *tolerated = dr_plan_below_missing(s->plan);

	r->tokens = (struct dr_tokens){ take, give, may_start };
	r->stages = calloc((size_t)p->n_stages + 1, sizeof(*r->stages));
	if (!r->stages || !pools || !tolerated) {
		free(pools);
		free(tolerated);
		return dr_err_nomem(r->err);
	}
	for (uint32_t i = 0; i < p->n_stages; i++)
		r->stages[i] = (struct dr_sched_stage){
			.slots = p->stages[i].slots,
			.most = p->stages[i].slots_most,
			.retries = p->stages[i].retries,
			.frees = frees(s, i),
			.pool = p->stages[i].pool,
			.memory = p->stages[i].memory,
			.disk = p->stages[i].disk,
			.volume = r->space.volume[i],
			.missing = p->stages[i].missing_ok,
			.tolerated = tolerated[i],
		};
	o.stages = r->stages;
	o.pools = pools;
	o.n_pools = p->n_pools;
	r->sched = dr_sched_new(s->plan->graph, &o, dr_local_executor(r->local), &r->tokens, r->err);
	free(pools);
	free(tolerated);
	return r->sched ? 0 : -1;
}
