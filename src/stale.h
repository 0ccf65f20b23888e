/* What is up to date, and why the rest is not: the journal's records held against the files, field by field. */
#ifndef DR_STALE_H
#define DR_STALE_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "journal.h"
#include "lock.h"
#include "os.h"
#include "plan.h"

struct dr_early;
struct dr_stale; /* what was learnt of the journal and the files; needed again while the run is on */

struct dr_stale_options {
	bool always; /* -B: every wanted task is stale */
	bool adopt;  /* -t: outputs without a record are no error: the caller records them */
	bool dry;    /* nothing may be touched: no rolling forward, no sweeping */
	struct dr_lock *lock; /* NULL: there is no state directory yet */
	/* The machine's. After another one a record counts only if a barrier in the journal vouches for it, or if its outputs have the
	 * contents that it tells. Zeroed: all boots are one. */
	struct dr_boot boot;
	/* What looks at the rows of the plan while it is made, or NULL: it is asked before the rest is looked at, and stays the caller's. */
	struct dr_early *early;
	/* Runs have died: nothing of theirs is finished or swept before this has returned; not if dry. 0, or -1 with err. NULL is fine. */
	int (*crashed)(void *arg, struct dr_err *err);
	void *arg;
};

struct dr_stale_counts {
	uint64_t wanted, stale; /* tasks */
	uint64_t changed;       /* outputs that somebody changed, taken as they are */
	uint64_t rolled;        /* outputs that had their record and not yet their name */
	uint64_t unsynced;      /* outputs that may not have outlived a power cut: their tasks are stale */
	uint64_t damaged;       /* bytes of the journal that could not be read */
	uint64_t last_ms;       /* what the stale tasks took last time, together */
	uint64_t records;       /* DONE records read */
	uint64_t disputed;      /* stale tasks that another Dagfile made last, from other inputs or by another command */
	uint32_t dispute;       /* the first of them */
	uint64_t flux;          /* tasks that another run finished meanwhile: stale, until dr_stale_look finds them done */
};

/* Looks at every file that wanted tasks read or make, streams the journal (NULL: none yet), rolls forward what a crash left between
 * record and name, sweeps temporary files that nobody claims and no record knows (and then says good-bye in the journal for the runs
 * that died), and sets state (DR_CLEAN, or DR_WAITING: stale), why, last_ms and record
 * of every wanted task, certain of the stale ones, stamp and flags of every file.
 * 0 with *out; 1: rows of globs turned out to be made by us (DR_FILE_MADE is set): dr_plan_again, then here again; -1 with diags
 * (missing or unreadable inputs, outputs that stand without a record) or err. */
int dr_stale_check(struct dr_plan *pl, struct dr_journal *j, struct dr_disk *disk, const struct dr_stale_options *o,
		   struct dr_stale **out, struct dr_stale_counts *counts, struct dr_diags *diags, struct dr_err *err);
void dr_stale_free(struct dr_stale *s);

/* Are the rows what they must be, now that none of them will turn out to be ours? Asked once dr_stale_check has returned 0. Those of a
 * generator that were there when this was last asked and are gone are told by name, in one line, or, where it says
 * `vanished = error`, with a diagnostic. Then what there is now is noted in the state directory (-1: there is none yet), but not
 * after an error, and not if dry, which tells of errors only. 0; -1 with diags or err. */
int dr_stale_rows(const struct dr_plan *pl, int state, bool dry, void (*tell)(void *arg, const char *message), void *arg,
		  struct dr_diags *diags, struct dr_err *err);

/* Has another run made this stale task meanwhile? Reads what was appended to the journal; 1: yes, it is up to date now, and its
 * outputs' stamps are in the graph; 0: no; -1 with err. */
int dr_stale_look(struct dr_stale *s, uint32_t task, struct dr_err *err);

/* Has a run ended that was on beside us when this was last asked, or when all was checked? 0: no; 1: yes, and *died tells whether one of them
 * had no time for a farewell, so that its tasks may still be there; -1 with err. `news`: the journal has grown since it was last read. Not
 * if dry, and not without a lock. */
int dr_stale_gone(struct dr_stale *s, bool news, bool *died, struct dr_err *err);

/* Is a task that was stale only because of others (`certain` is not set) up to date after all, now that they are at their end? Looks at
 * nothing but the graph: DR_FILE_SAME of what they made, DR_FILE_ABSENT of what it made. */
enum dr_fresh dr_stale_fresh(struct dr_stale *s, uint32_t task);

/* Of outputs that somebody changed and that are kept (counts.changed) how many there are, and appends the names of the first: `a, b and 2 more`.
 * 0 or -1 with err. */
int dr_stale_changed(struct dr_stale *s, uint64_t most, struct dr_buf *names, uint64_t *n, struct dr_err *err);

/* How many inner nodes of the plan's merges still stand that are in no tree any more, as the inputs are others now, and how many bytes they take:
 * they are looked for. 0 or -1 with err. */
int dr_stale_left(struct dr_stale *s, uint64_t *n, uint64_t *bytes, struct dr_err *err);

/* Why a task is to run, in one line for --explain: `words.tsv: in/17.txt: size 4096 → 4099`; or why not,
 * where something could be asked. 0 or -1 with err. */
int dr_stale_explain(struct dr_stale *s, uint32_t task, struct dr_buf *out, struct dr_err *err);

#endif
