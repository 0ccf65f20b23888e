/* Named limits: how many tasks of some stages may run at a time, whatever slots there are. Tasks that are ready and
 * find theirs full wait here, so that they stand in nobody's way. */
#ifndef DR_SCHED_POOL_H
#define DR_SCHED_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "sched-queue.h"

struct dr_pools {
	const struct dr_graph *graph;
	const struct dr_sched_stage *stages;
	struct dr_pool_queue {
		uint32_t limit, used;
		struct dr_ready blocked; /* while this is not empty, as many as are free are ready elsewhere */
	} *v;
	uint32_t n;
};

/* Room for all tasks of each pool at once, so that nothing else can fail. 0, or -1 without memory; free it in both
 * cases. */
int dr_pools_init(struct dr_pools *p, const struct dr_graph *g, const struct dr_sched_stage *stages,
		  const uint32_t *limits, uint32_t n);
void dr_pools_free(struct dr_pools *p);

/* A task without a pool finds it neither full nor ever blocks. */
bool dr_pools_full(const struct dr_pools *p, uint32_t task);
void dr_pools_block(struct dr_pools *p, uint32_t task);
void dr_pools_take(struct dr_pools *p, uint32_t task);
/* One runs no longer: the best that waited and is ready now, or DR_NONE. */
uint32_t dr_pools_give(struct dr_pools *p, uint32_t task);
void dr_pools_clear(struct dr_pools *p); /* nobody waits any more */

#endif
