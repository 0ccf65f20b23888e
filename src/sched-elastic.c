#include "config.h"

#include "sched.h"

#include "sched-private.h"

/* With more tasks than that in the queues, none finds a token idle that it could have beside its own. */
enum { MOST_OTHERS = 1024 };

static uint32_t
most_of(const struct dr_sched *s, uint32_t task)
{
	uint32_t most = s->o.stages[s->graph->tasks[task].stage].most;

	return most > s->slots.limit ? s->slots.limit : most;
}

/* What other tasks, ready in this queue, can use now, and how many of them would take more. */
static uint64_t
wanted(const struct dr_sched *s, const struct dr_ready *q, uint32_t *elastic)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < q->n; i++) {
		uint32_t task = q->v[i], need = dr_sched_need(s, task);

		if (dr_pools_full(&s->pools, task))
			continue;
		n += need;
		*elastic += most_of(s, task) > need;
	}
	return n;
}

uint32_t
dr_sched_share(struct dr_sched *s, uint32_t task, uint32_t slots)
{
	uint32_t most = most_of(s, task), elastic = 1, idle;
	uint64_t others = 0, target;

	if (most <= slots || slots < dr_sched_need(s, task) || s->narrow.n > MOST_OTHERS || s->wide.n > MOST_OTHERS)
		return slots;
	others = wanted(s, &s->narrow, &elastic) + wanted(s, &s->wide, &elastic);
	if (s->gather.task != DR_NONE)
		others += dr_sched_need(s, s->gather.task);
	if (others + slots >= s->slots.limit - s->slots.used)
		return slots;
	/* Those of the others, too: they start next, with what is idle then. What is left is for all that take more,
	 * each as much. */
	target = slots + others + (uint64_t)(most - slots) * elastic;
	idle = dr_slots_take(&s->slots, target < UINT32_MAX ? (uint32_t)target : UINT32_MAX);
	if (idle <= slots + others)
		return slots;
	idle = (uint32_t)((idle - slots - others + elastic - 1) / elastic);
	return idle < most - slots ? slots + idle : most;
}
