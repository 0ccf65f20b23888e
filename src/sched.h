/* What runs next. Knows tasks, slots and a clock that it is told; never fork, poll, files or a jobserver:
 * these stand behind struct dr_executor and struct dr_tokens, so that a thousand schedules a second run in a
 * test.
 *
 * Times are dr_now's, in ns. */
#ifndef DR_SCHED_H
#define DR_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#include "graph.h"
#include "makeflags.h"

struct dr_err;
struct dr_sched;

/* What a start is given. */
struct dr_grant {
	uint32_t slots;   /* tokens held for it */
	uint32_t slot;    /* number of its slot, from 1, unique among running tasks */
	uint32_t attempt; /* from 1 */
};

enum dr_started {
	DR_STARTED,
	DR_START_BUSY,   /* another run is making it: ask again later */
	DR_START_DONE,   /* another run has made it */
	DR_START_LATER,  /* the system has no room for one more now; err says what it lacks */
	DR_START_FAILED, /* it cannot be started, and that counts as a try; the executor has told why */
};

struct dr_executor {
	enum dr_started (*start)(struct dr_executor *ex, uint32_t task, const struct dr_grant *g,
				 struct dr_err *err);
	/* Ends a running task: TERM, after the grace KILL; hard: KILL at once. Its end is reported like any
	 * other. */
	void (*cancel)(struct dr_executor *ex, uint32_t task, bool hard);
};

/* take: 1 one more slot, 0 none now. give: one back. may_start: false when the load forbids another task
 * beside running ones (it is not asked when nothing runs). */
struct dr_tokens {
	int (*take)(struct dr_tokens *t);
	void (*give)(struct dr_tokens *t);
	bool (*may_start)(struct dr_tokens *t);
};

/* What there is beside slots, for tasks that claim some of it. Either may be NULL: then there is no end of it. */
struct dr_room {
	/* Bytes of memory that can be had now; *pressed: whatever it says, processes are waiting for memory. */
	uint64_t (*memory)(struct dr_room *r, bool *pressed);
	/* Bytes that can be written now to a file system, by number, without going below what is to stay free. */
	uint64_t (*disk)(struct dr_room *r, uint32_t volume);
};

/* Per stage, as the pipeline says. */
struct dr_sched_stage {
	uint32_t slots; /* UINT32_MAX or more than the limit: all */
	uint32_t most;  /* so many, where tokens are idle that no other ready task could use; less than slots: slots */
	uint32_t retries;
	bool frees; /* its end lets intermediates be reclaimed: such tasks go first */
	bool missing;   /* its tasks do without inputs whose producers failed: see `enough` */
	bool tolerated; /* a failure is not counted for max_failures, as what it is for does without it */
	uint32_t pool; /* the number of its pool, from 1; 0: none */
	uint64_t memory, disk; /* bytes that a task claims while it runs; 0: none */
	uint32_t volume;       /* where it writes: a number for `disk` above */
};

enum dr_result {
	DR_RESULT_DONE,
	DR_RESULT_FAILED,
	DR_RESULT_AGAIN, /* run it once more, not counted as a try */
	DR_RESULT_ALONE, /* the same, and with nothing beside it */
};

struct dr_sched_options {
	const struct dr_sched_stage *stages;
	uint32_t n_stages;
	const uint32_t *pools; /* how many tasks of each pool may run at a time; only read by dr_sched_new */
	uint32_t n_pools;
	struct dr_room *room;  /* NULL: nothing is claimed */
	/* By task: bytes that it will write, about. Then every task claims that much, if its stage does not say more, and none starts
	 * unless something is left. NULL: only what stages say. */
	const uint64_t *bytes;
	uint32_t limit;        /* most slots ever; 0 counts as 1 */
	bool keep_going;       /* -k */
	bool ignore;           /* -i: a failure (after all its tries) counts as done */
	uint32_t max_failures; /* nothing starts after so many; 0: 1, or no limit with keep_going */
	uint64_t seed;         /* of the random moments */
	enum dr_shuffle shuffle; /* ready tasks start backwards, or in an order that only shuffle_seed decides */
	uint64_t shuffle_seed;
	/* All producers of what a task of a `missing` stage reads are at their end, some of them failed or skipped: can it start? NULL:
	 * never. */
	bool (*enough)(void *arg, uint32_t task);
	/* Asked of a task that is not certain to run, when all that it waited for is at its end. May be asked again. NULL: it runs. */
	enum dr_fresh (*fresh)(void *arg, uint32_t task);
	/* Told of every change of a task's state that is in the graph by then, but not of WAITING to READY:
	 * to RUNNING, to READY again (another try comes later) and to a final one, which is CLEAN where it was up to date after all. g: of a task that starts
	 * or ran, else NULL. It may not call the scheduler. NULL is fine. */
	void (*changed)(void *arg, uint32_t task, const struct dr_grant *g);
	void *arg;
};

struct dr_sched_counts {
	uint64_t wanted; /* tasks of this run; each is in one of the others */
	uint64_t done, failed, skipped, running;
	uint64_t clean;   /* turned out to be up to date */
	uint64_t waiting; /* not running now and not at their end: not started yet, or between two tries */
	uint32_t slots;   /* in use */
};

/* The graph is ready (dr_graph_ready), and both it and the stages outlive the scheduler; o itself is copied.
 * NULL with err without memory. */
struct dr_sched *dr_sched_new(struct dr_graph *g, const struct dr_sched_options *o, struct dr_executor *ex,
			      struct dr_tokens *tok, struct dr_err *err);
void dr_sched_free(struct dr_sched *s); /* NULL is fine; gives back what is held */

/* Starts what can start now, and gives back tokens that found no task. -1 with err only when nothing runs and
 * nothing can be started (no processes, no memory). */
int dr_sched_pump(struct dr_sched *s, int64_t now, struct dr_err *err);
/* A running task has ended (and its outputs are published). Makes its consumers ready or schedules another
 * try. Its tokens stay ours until the pump that must follow in the same turn, which starts others with them
 * or gives them back. */
void dr_sched_ended(struct dr_sched *s, uint32_t task, enum dr_result result, int64_t now);
/* No new starts: what has not run is SKIPPED, what waited for another try has FAILED. cancel: what runs is
 * ended too, hard: by KILL at once. May be called again, to be harder. */
void dr_sched_stop(struct dr_sched *s, bool cancel, bool hard);

/* Nothing runs and nothing will. */
bool dr_sched_finished(const struct dr_sched *s);
/* Since the last pump: a task could start but for a slot. */
bool dr_sched_wants_token(const struct dr_sched *s);
/* When to pump again without an event; -1: no need. */
int64_t dr_sched_wake(const struct dr_sched *s);
void dr_sched_counts(const struct dr_sched *s, struct dr_sched_counts *out);

#endif
