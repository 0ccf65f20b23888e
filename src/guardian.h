/* A small process beside a run, which outlives it: when the run is killed, it ends the tasks, gives the
 * tokens back to the pool, removes our own pool, and holds the run's locks until then. While the run lives
 * it writes the tokens that go back, so that at no moment a kill leaves one in doubt. doc/guardian.md says
 * how, and why no moment is the wrong one.
 *
 * It is started before the first task and waits in poll. It is a child like any other to its parent, and
 * one that must be waited for by its number. Its death is seen by a descriptor, and another one is
 * started. */
#ifndef DR_GUARDIAN_H
#define DR_GUARDIAN_H

#include <stdbool.h>
#include <stdint.h>

#include "guardian-table.h"

struct dr_err;
struct dr_guardian;

struct dr_guardian_options {
	uint32_t slots; /* most tasks at a time, and most tokens; cut off where there can be no more */
	uint64_t run;
	/* The dagrun program, to be started as a guardian; NULL, or where that fails: a fork of the
	 * caller, which costs more the larger it is. */
	const char *program;
	/* Descriptors that stay the caller's, -1: none. The run's locks; where tokens go back; the pipe
	 * through which they come. */
	int lock, pool, via;
};

/* 0; -1 with err: no memory. Where no process can be had, *why is the reason, and the run does without: it
 * only is not safe from KILL. */
int dr_guardian_new(const struct dr_guardian_options *o, struct dr_guardian **out, struct dr_err *why,
		    struct dr_err *err);
/* Farewell: it writes the tokens that are still on their way back, and has ended and been waited for. NULL
 * is fine. */
void dr_guardian_close(struct dr_guardian *g);

struct dr_guard_table *dr_guardian_table(struct dr_guardian *g);
/* There is a token to be written. False: nobody is there to do it. */
bool dr_guardian_wake(struct dr_guardian *g);
/* To be polled for POLLIN, which says that the guardian has died; -1: there is none. */
int dr_guardian_fd(const struct dr_guardian *g);
int dr_guardian_pid(const struct dr_guardian *g); /* or -1 */
/* It has died: another one is started, and the descriptor is a new one. -1 with err: there is none any
 * more. */
int dr_guardian_mend(struct dr_guardian *g, struct dr_err *err);

/* A table of n slots in memory of ours alone, or NULL: for who has no guardian. */
struct dr_guard_table *dr_guard_table_new(uint32_t n);
void dr_guard_table_free(struct dr_guard_table *t);

/* guardian-process.c: what the process does, as a program of its own (started with that name, its
 * descriptors at DR_GUARD_…), or in a fork. Its exit status. */
#define DR_GUARDIAN_NAME "dag-guardian"
int dr_guardian_main(void);
int dr_guardian_process(struct dr_guard_table *t);
/* Writes tokens that are to go back, as far as they can be written without waiting; how many are left.
 * Async-signal-safe, as is what is above. */
uint32_t dr_guardian_write(struct dr_guard_table *t, int pool);

#endif
