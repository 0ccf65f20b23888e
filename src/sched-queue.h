/* The queues of the scheduler: tasks that are ready, best first, and tasks that wait for a moment, earliest
 * first. Binary heaps of task numbers. Room is made beforehand, so that adding cannot fail. */
#ifndef DR_SCHED_QUEUE_H
#define DR_SCHED_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "graph.h"
#include "sched.h"

struct dr_ready {
	const struct dr_graph *graph;
	const struct dr_sched_stage *stages;
	enum dr_shuffle shuffle;
	uint64_t seed;
	uint32_t *v; /* malloc'd */
	uint32_t n, cap;
};

/* The one order: what frees disk, then the longest path left, then the order of the inputs. Never both ways. Shuffled:
 * only that of the inputs, backwards or permuted, to show what depends on an order that nobody has written down. */
bool dr_ready_before(const struct dr_ready *q, uint32_t a, uint32_t b);
/* The caller has made room: n < cap. */
void dr_ready_push(struct dr_ready *q, uint32_t task);
uint32_t dr_ready_top(const struct dr_ready *q); /* DR_NONE: empty */
void dr_ready_pop(struct dr_ready *q);           /* does nothing when empty */

struct dr_timed_task {
	int64_t when;
	uint32_t task;
};

struct dr_timed {
	struct dr_timed_task *v; /* malloc'd; v[0] is the earliest */
	uint32_t n, cap;
};

/* The caller has made room: n < cap. */
void dr_timed_push(struct dr_timed *q, int64_t when, uint32_t task);
void dr_timed_pop(struct dr_timed *q);

#endif
