/* What was done, what runs and what failed, asked from beside: of the journal, the ledgers of runs, their logs, and, where there is
 * one, the plan. Takes no lock but where it says so, and blocks nobody.
 *
 * Each function writes to q->fd as it goes, so that a million tasks take no memory for their text. 0, or -1 with err. Words that
 * JSON has are those of doc/json.md. */
#ifndef DR_QUERY_H
#define DR_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "err.h"
#include "journal.h"
#include "json.h"
#include "lock.h"
#include "plan.h"
#include "stale.h"

struct dr_query_options {
	int state_dir;              /* -1: there is no state: nothing was ever run here */
	struct dr_journal *journal; /* or NULL: none yet */
	struct dr_lock *lock;       /* who is alive; NULL: nobody */
	struct dr_disk *disk;
	uint64_t origin;       /* whose tasks: see dr_plan_options; 0: everybody's */
	struct dr_plan *plan;  /* NULL: there is no Dagfile, or its rows are not to be had without running a command */
	const char *no_plan;   /* why not, for people; NULL: there is a plan, or nobody need be told */
	int fd;                /* where it goes, */
	bool json, silent;     /* and how. silent: of --log only what was printed; of the others no remarks */
	struct dr_buf *notice; /* gets what is to be said beside the answer, in whole lines; NULL: nothing is */
};

struct dr_query;

/* Reads the journal. NULL with err. What o points to must outlive it. */
struct dr_query *dr_query_new(const struct dr_query_options *o, struct dr_err *err);
void dr_query_free(struct dr_query *q);

/* Chooses tasks, to be given before the question. A target is an output's path relative to the root, a stage, STAGE:ROW or what
 * else a task is called; with a plan every task of a stage, else those whose names begin with it. -1 with err also when nothing was
 * ever run by that name, nor is planned (DR_USAGE). */
int dr_query_choose(struct dr_query *q, const char *const *targets, uint32_t n, struct dr_err *err);
int dr_query_choose_all(struct dr_query *q, struct dr_err *err);
/* Those with a record whose outputs no task of the plan makes, and none reads as a file that somebody named. Needs a plan of every
 * stage. */
int dr_query_choose_orphans(struct dr_query *q, struct dr_err *err);

/* Is a run on? */
bool dr_query_busy(const struct dr_query *q);
/* --status: runs that are on, else the last one; and with counts (dr_stale_check of the plan; NULL: it was not looked at) what is up to date
 * now. */
int dr_query_status(struct dr_query *q, const struct dr_stale_counts *counts, struct dr_err *err);
/* --failed: tasks whose last end was a failure, of the plan where there is one; chosen: of those chosen. *n is how many. */
int dr_query_failed(struct dr_query *q, bool chosen, uint64_t *n, struct dr_err *err);
/* Sets the state of the plan's stale tasks to DR_RUNNING where a run is at them now, and to DR_FAILED_TASK where their last end was a
 * failure: for pictures. The plan must be there and linked. */
void dr_query_paint(const struct dr_query *q);
/* --log, of the chosen: the command, times, and what it printed. */
int dr_query_log(struct dr_query *q, struct dr_err *err);

/* --clean, of the chosen: removes outputs that are as their record says, and with `forget` drops the record too. dry: only says which.
 * Nobody else may be at work (dr_lock_exclude), and the caller flushes the journal. *left: how many are not as recorded, and stay. */
int dr_query_clean(struct dr_query *q, bool dry, bool forget, uint64_t *left, struct dr_err *err);
/* --forget, of the chosen: FORGET for each, not flushed. *n is how many had a record. */
int dr_query_forget(struct dr_query *q, uint64_t *n, struct dr_err *err);

/* -n and --explain as JSON: tasks that are to run, or those for which `only` (NULL: not asked) is true, each with its command and why.
 * *n is how many. Needs no dr_query. */
struct dr_query_plan {
	struct dr_plan *plan;
	struct dr_stale *stale;
	bool (*only)(void *arg, uint32_t task);
	void *arg;
};
int dr_query_plan(const struct dr_query_plan *p, int fd, uint64_t *n, struct dr_err *err);

#endif
