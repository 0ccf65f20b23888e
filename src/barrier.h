/* What was published reaches the disk, from a thread of its own, so that no task waits for it: every 30 s, and at the end of a run
 * that took longer than 10, outputs that are still there, their directories, then the journal. Then a BARRIER in the journal says that
 * they need no second look if the machine starts anew. doc/journal.md has the reasons.
 *
 * One thread calls these functions, between two commits of the publisher. */
#ifndef DR_BARRIER_H
#define DR_BARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "journal.h"

struct dr_err;
struct dr_barrier;

struct dr_barrier_options {
	struct dr_disk *disk;
	struct dr_journal *journal; /* both outlive the barrier */
	uint64_t run;
	int64_t began; /* of the run; dr_now's clock, as all times here */
	int64_t every; /* ns from one barrier to the next */
	int64_t least; /* ns: a run that took less has none at its end */
	void (*warn)(void *arg, const char *message); /* NULL is fine */
	void *arg;
};

/* 0, or -1 with err. The thread begins with the first barrier. */
int dr_barrier_new(const struct dr_barrier_options *o, struct dr_barrier **out, struct dr_err *err);
/* Ends the thread: after the file that it is at. NULL is fine, as everywhere here. */
void dr_barrier_free(struct dr_barrier *b);
/* An output has its name. tree: it is a directory. */
void dr_barrier_add(struct dr_barrier *b, const char *path, bool tree);
/* The journal is synced alone at first, so that a run that dies of a power cut is known to have been. To be called before the first output
 * gets its name: waits for that, if it has begun. */
void dr_barrier_ready(struct dr_barrier *b);
/* Begins what is due, and records what has been done. Returns when to call it again without an event, or -1. */
int64_t dr_barrier_tick(struct dr_barrier *b, int64_t now);
/* Readable when the thread has something to tell to dr_barrier_tick; -1: there is no thread. */
int dr_barrier_fd(const struct dr_barrier *b);
/* At the end of the run, in place of dr_barrier_tick: true while there is something to wait for. */
bool dr_barrier_last(struct dr_barrier *b, int64_t now);
void dr_barrier_wait(struct dr_barrier *b); /* until the thread has something to tell, if it is at work */

#endif
