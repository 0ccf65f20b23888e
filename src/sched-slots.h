/* What the scheduler holds and who runs on it: tokens, the numbers of slots, and the gathering of several
 * tokens for one task. */
#ifndef DR_SCHED_SLOTS_H
#define DR_SCHED_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "graph.h"
#include "sched.h"

struct dr_running {
	uint32_t task; /* DR_NONE: nothing runs in this slot */
	struct dr_grant grant;
};

struct dr_slots {
	struct dr_tokens *tokens;
	uint32_t limit;
	uint32_t held, used; /* tokens; held - used are idle: on their way to a task, or back */
	uint32_t n_running;
	struct dr_running *running; /* by number of the slot - 1 */
	uint32_t n, cap;            /* n: slots that have ever been used */
	uint64_t *busy;             /* a bit a slot, to find the smallest free one */
	uint32_t busy_cap;
};

void dr_slots_free(struct dr_slots *s);
/* Room for one more running task, so that dr_slots_occupy can't fail. 0, or -1 without memory. */
int dr_slots_reserve(struct dr_slots *s);
/* The smallest free slot number, from 1. Reserve first. */
uint32_t dr_slots_next(const struct dr_slots *s);
/* g->slot is one that dr_slots_next gave; g->slots of the idle tokens are in use from now on. */
void dr_slots_occupy(struct dr_slots *s, uint32_t task, const struct dr_grant *g);
/* Nothing runs there any more; its tokens are idle. */
struct dr_running dr_slots_vacate(struct dr_slots *s, uint32_t slot);

uint32_t dr_slots_idle(const struct dr_slots *s);
/* Takes tokens until `need` are idle, as far as the limit and the pool allow; how many are idle then. */
uint32_t dr_slots_take(struct dr_slots *s, uint32_t need);
void dr_slots_give(struct dr_slots *s); /* all idle ones back */

/* How many the system has room for: when it refuses one, no more than run by then, and one more every 100 ms.
 */
struct dr_crowd {
	uint32_t most;  /* UINT32_MAX: it has refused none */
	int64_t until;  /* then one more is tried */
	uint32_t tries; /* since the last start, refused while nothing ran */
};

bool dr_crowd_full(const struct dr_crowd *c, const struct dr_slots *s, int64_t now);
void dr_crowd_started(struct dr_crowd *c, const struct dr_slots *s, int64_t now);
/* 0, or -1: nothing runs, and there has been no room for long enough to give up. */
int dr_crowd_refused(struct dr_crowd *c, const struct dr_slots *s, int64_t now);

/* A task of several slots takes its tokens one by one, and holds them while they come. Two programs that each
 * hold half and wait for the rest would wait for ever, so without another one for 50 ms all go back for a
 * random moment; the third time it makes do with what it has. */
struct dr_gather {
	uint32_t task; /* DR_NONE: none gathers */
	uint32_t had;  /* tokens idle when last looked at */
	uint32_t tries;
	int64_t since; /* when the last one came, while had is not 0 */
	int64_t pause; /* not before this moment */
	uint64_t random;
};

enum dr_gathered {
	DR_GATHER_START, /* with what is idle, at most what it needs */
	DR_GATHER_WAIT,  /* what is idle is kept */
	DR_GATHER_PAUSE, /* what is idle has gone back; ask again after g->pause */
};

void dr_gather_begin(struct dr_gather *g, uint32_t task);
enum dr_gathered dr_gather_step(struct dr_gather *g, struct dr_slots *s, uint32_t need, int64_t now);
/* When to step again without an event; INT64_MAX: no need. */
int64_t dr_gather_wake(const struct dr_gather *g, int64_t now);

#endif
