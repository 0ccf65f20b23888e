/* What tasks claim beside slots: memory, and room on the disk. Those for which there is not enough now wait here, best first, and none
 * that claims something overtakes the first of them: it would never start. And tasks that are to run alone. */
#ifndef DR_SCHED_CLAIMS_H
#define DR_SCHED_CLAIMS_H

#include <stdbool.h>
#include <stdint.h>

#include "sched-queue.h"

struct dr_slots;

struct dr_claims {
	const struct dr_graph *graph;
	const struct dr_sched_stage *stages;
	const uint64_t *bytes; /* by task: what it will write, about; NULL: not known */
	struct dr_room *room;  /* NULL: nothing is claimed */
	struct dr_ready blocked;
	uint32_t admitted;     /* the one that has left `blocked` for its queue and not started yet, or DR_NONE */
	uint64_t memory, *disk; /* claimed by running tasks; disk by volume */
	uint32_t n_volumes;
	uint64_t most;         /* memory that there was when none of it was claimed, or since, if that was more */
	int64_t read;          /* when these were looked at: */
	uint64_t available;
	bool pressed;
	struct dr_ready alone;
	bool solo; /* one of those runs */
};

/* Room for all tasks that could wait here at once. 0, or -1 without memory; dr_claims_free follows in both cases. */
int dr_claims_init(struct dr_claims *c, const struct dr_graph *g, const struct dr_sched_options *o);
void dr_claims_free(struct dr_claims *c);

/* Must this task, the first of its queue, wait here? gathering: a task that is to start before it, or DR_NONE. */
bool dr_claims_hold(struct dr_claims *c, const struct dr_slots *slots, uint32_t task, uint32_t gathering, int64_t now);
void dr_claims_block(struct dr_claims *c, uint32_t task);
/* One that waits and fits now, which is to go to its queue; DR_NONE: none. */
uint32_t dr_claims_admit(struct dr_claims *c, const struct dr_slots *slots, int64_t now);
void dr_claims_take(struct dr_claims *c, uint32_t task); /* it starts */
void dr_claims_give(struct dr_claims *c, uint32_t task); /* it has ended */
/* Why the first that waits cannot start although nothing runs: fills err. -1. */
int dr_claims_tell(struct dr_claims *c, struct dr_err *err);

#endif
