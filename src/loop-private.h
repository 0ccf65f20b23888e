/* What the loop's files share. */
#ifndef DR_LOOP_PRIVATE_H
#define DR_LOOP_PRIVATE_H

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "loop.h"

enum { DR_LOOP_SIGNALS = 128 }; /* above every signal's number */

struct dr_loop_watch {
	dr_loop_fd_fn fn;
	void *arg;
};

/* A timer stays in its slot; the heap holds what is compared, and moves. */
struct dr_loop_slot {
	dr_loop_fn fn;
	void *arg;
	uint32_t age; /* how many timers have had this slot: an id of an older one is no longer valid */
	uint32_t at;  /* its place in the heap; while it is free, the next free slot + 1 */
	bool live;
};

struct dr_loop_due {
	int64_t when;
	uint64_t order; /* of equal times, the first set is first */
	uint32_t slot;
};

struct dr_loop_caught {
	dr_loop_signal_fn fn; /* NULL: not caught by us */
	void *arg;
	struct sigaction old;
	bool was_blocked;
};

struct dr_loop {
	/* polls[0] is the signals' pipe. Parallel arrays, as poll wants its own. A hole has fd -1, which poll
	 * skips; holes are closed after the callbacks, so that the indices hold meanwhile. */
	struct pollfd *polls;
	struct dr_loop_watch *watches;
	uint32_t n, polls_cap, watches_cap, holes;
	uint32_t *index; /* of a descriptor in polls, + 1; 0: not watched */
	uint32_t index_cap;
	/* What poll has while others may come in and change `polls`. */
	struct pollfd *polled;
	uint32_t polled_cap;

	pthread_mutex_t inside; /* held by the thread that turns the loop, but while it polls */
	_Atomic bool taken;   /* most likely */
	_Atomic bool looking; /* somebody does not sleep before it has that */
	int looks;            /* for so many looks at `taken` */
	bool waiting; /* it polls */
	bool changed; /* and what it polls is no longer what is watched */
	bool hurried; /* it has been told to come back */
	int64_t until; /* when it does by itself; <0: never */

	struct dr_loop_slot *slots;
	struct dr_loop_due *heap;
	uint32_t n_slots, slots_cap, n_heap, heap_cap, free_slot;
	uint64_t orders;

	struct dr_loop_caught caught[DR_LOOP_SIGNALS];
	int pipe[2];
	int failed; /* errno of reading the pipe; 0: it can be read */
	bool turning;
	int64_t turned_at; /* while timers are called: what they were due at */
};

/* loop-timer.c: calls those that are due now. */
void dr_loop_call_timers(struct dr_loop *l);

#endif
