/* What the files of this module share. */
#ifndef DR_SCHED_PRIVATE_H
#define DR_SCHED_PRIVATE_H

#include "sched-pool.h"
#include "sched-queue.h"
#include "sched-slots.h"

#define DR_MS INT64_C(1000000)

struct dr_sched {
	struct dr_graph *graph;
	struct dr_sched_options o;
	struct dr_executor *ex;
	struct dr_slots slots;
	struct dr_gather gather;
	struct dr_ready narrow,
		wide;          /* tasks of one slot, and of more: these may not stand in the others' way */
	struct dr_pools pools; /* a task takes its place when it leaves its queue to be started */
	struct dr_timed timed; /* between two tries, or busy */
	/* A number a task: of its slot while it runs; else of the tries that failed; while skip_consumers is
	 * at work, the next task of its stack (a task that waits has had no tries). */
	uint32_t *mark;
	uint64_t wanted, done, failed, skipped, failures;
	struct dr_crowd crowd;
	int64_t wake;
	bool halted, wants;
};

/* sched.c */
bool dr_sched_pending(const struct dr_task *t); /* neither running nor at its end */
void dr_sched_enqueue(struct dr_sched *s, uint32_t task);
void dr_sched_set_state(struct dr_sched *s, uint32_t task, enum dr_state state, const struct dr_grant *g);
/* The task has no place in its pool any more. */
void dr_sched_leave_pool(struct dr_sched *s, uint32_t task);

uint32_t dr_sched_need(const struct dr_sched *s, uint32_t task); /* slots; never more than there are */

/* sched-elastic.c: how many slots a task gets that has left its queue and has `slots` of the idle ones: up to as many
 * as its stage says, of those that are idle and that no other ready task could use. */
uint32_t dr_sched_share(struct dr_sched *s, uint32_t task, uint32_t slots);

/* sched-end.c. Nothing new starts any more. */
void dr_sched_halt(struct dr_sched *s);
void dr_sched_complete(struct dr_sched *s, uint32_t task, const struct dr_grant *grant);
/* One more try has failed; tries: with this one. */
void dr_sched_failed_try(struct dr_sched *s, uint32_t task, uint32_t tries, const struct dr_grant *g, int64_t now);

#endif
