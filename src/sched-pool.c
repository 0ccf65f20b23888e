#include "config.h"

#include "sched-pool.h"

#include <stdlib.h>

#include "arena.h"

static struct dr_pool_queue *
pool_of(const struct dr_pools *p, uint32_t task)
{
	uint32_t number = p->stages[p->graph->tasks[task].stage].pool;

	return number && number <= p->n ? &p->v[number - 1] : NULL;
}

int
dr_pools_init(struct dr_pools *p, const struct dr_graph *g, const struct dr_sched_stage *stages,
	      const uint32_t *limits, uint32_t n)
{
	uint32_t *wanted;
	int rc = -1;

	*p = (struct dr_pools){ .graph = g, .stages = stages };
	if (!n)
		return 0;
	wanted = calloc(n, sizeof(*wanted));
	p->v = calloc(n, sizeof(*p->v));
	if (!p->v || !wanted)
		goto out;
	p->n = n;
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		const struct dr_pool_queue *q = pool_of(p, t);

		if (q && (g->tasks[t].state == DR_WAITING || g->tasks[t].state == DR_READY))
			wanted[q - p->v]++;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct dr_ready *q = &p->v[i].blocked;

		p->v[i].limit = limits[i] ? limits[i] : 1;
		q->graph = g;
		q->stages = stages;
		if (dr_grow(&q->v, &q->cap, wanted[i], sizeof(*q->v)))
			goto out;
	}
	rc = 0;
out:
	free(wanted);
	return rc;
}

void
dr_pools_free(struct dr_pools *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		free(p->v[i].blocked.v);
	free(p->v);
}

bool
dr_pools_full(const struct dr_pools *p, uint32_t task)
{
	const struct dr_pool_queue *q = pool_of(p, task);

	return q && q->used >= q->limit;
}

void
dr_pools_block(struct dr_pools *p, uint32_t task)
{
	dr_ready_push(&pool_of(p, task)->blocked, task);
}

void
dr_pools_take(struct dr_pools *p, uint32_t task)
{
	struct dr_pool_queue *q = pool_of(p, task);

	if (q)
		q->used++;
}

uint32_t
dr_pools_give(struct dr_pools *p, uint32_t task)
{
	struct dr_pool_queue *q = pool_of(p, task);
	uint32_t next;

	if (!q)
		return DR_NONE;
	q->used--;
	next = dr_ready_top(&q->blocked);
	dr_ready_pop(&q->blocked);
	return next;
}

void
dr_pools_clear(struct dr_pools *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		p->v[i].blocked.n = 0;
}
