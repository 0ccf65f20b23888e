/* What the files of this module share. */
#ifndef DR_SCHED_PRIVATE_H
#define DR_SCHED_PRIVATE_H

#include "sched-claims.h"
#include "sched-pool.h"
#include "sched-queue.h"
#include "sched-slots.h"

#define DR_MS INT64_C(1000000)

enum dr_sched_settling {
	DR_SCHED_UNSETTLED = 1, /* on the stack of those */
	DR_SCHED_HELD = 2, /* up to date, as far as can be told. It waits, and counts as clean */
	DR_SCHED_EXPOSED = 4, /* held, and may come to run for the sake of another than the one who reads it */
	DR_SCHED_PARKED = 8, /* on the list of those */
	DR_SCHED_OPEN = 16, /* only while those are looked through: may yet run */
};

struct dr_sched {
	struct dr_graph *graph;
	struct dr_sched_options o;
	struct dr_executor *ex;
	struct dr_slots slots;
	struct dr_gather gather;
	struct dr_ready narrow,
		wide;          /* tasks of one slot, and of more: these may not stand in the others' way */
	struct dr_pools pools; /* a task takes its place when it leaves its queue to be started */
	struct dr_claims claims;
	struct dr_timed timed; /* between two tries, or busy */
	/* A number a task: of its slot while it runs; else of the tries that failed; while skip_consumers is
	 * at work, the next task of its stack (a task that waits has had no tries). */
	uint32_t *mark;
	/* A byte a task: enum dr_sched_settling. Those that have all they wait for are a stack from `unsettled` on, or DR_NONE, through `next`. */
	uint8_t *settling;
	uint32_t *next, unsettled;
	uint64_t n_held;
	/* Tasks that are to run once it is certain that nothing they read will be made again; looked through when so many others are at
	 * their end. */
	uint32_t *parked, n_parked;
	uint64_t look_again;
	uint64_t wanted, done, failed, skipped, clean, failures;
	struct dr_crowd crowd;
	int64_t wake;
	bool halted, wants;
};

static inline bool
dr_sched_held(const struct dr_sched *s, uint32_t task)
{
	return s->settling[task] & DR_SCHED_HELD;
}

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
/* sched-settle.c. A task that has all that it waits for, to be settled by dr_sched_settle. */
void dr_sched_unsettle(struct dr_sched *s, uint32_t task);
/* Tasks that have all they wait for turn out to be ready, or to be up to date, and then so may those that wait for them. */
void dr_sched_settle(struct dr_sched *s);
/* One producer more is at its end: what of those that wait for it has all now is to be settled. */
void dr_sched_arrive(struct dr_sched *s, uint32_t task);
/* A held task is to run. */
void dr_sched_demand(struct dr_sched *s, uint32_t task);
/* Its state is WAITING, and all that it waits for is at its end: it can start. */
void dr_sched_begin(struct dr_sched *s, uint32_t task);
/* What has been held up to now is up to date for good. */
void dr_sched_release(struct dr_sched *s);
/* sched-park.c. It is to run, and reads something of a held task that stands, and may yet be made again. */
void dr_sched_park(struct dr_sched *s, uint32_t task);
/* Those of which that has become certain can start. Where nothing else is left to become certain of, they need not wait. */
void dr_sched_unpark(struct dr_sched *s);
/* sched-end.c. Its end, for a task that can't start, and for all that needs it. */
void dr_sched_skip(struct dr_sched *s, uint32_t task);
void dr_sched_finish(struct dr_sched *s, uint32_t task, enum dr_state state, const struct dr_grant *g);
/* One more try has failed; tries: with this one. */
void dr_sched_failed_try(struct dr_sched *s, uint32_t task, uint32_t tries, const struct dr_grant *g, int64_t now);

#endif
