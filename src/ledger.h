/* What a run is doing right now, for whoever asks from another terminal: .dagrun/runs/RUN, a small file that the run writes anew
 * when something has changed, but not more often than every 20 ms, so that it costs a run of many short tasks nothing. Nobody
 * locks it: a checksum tells a reader who came in between to look once more. It stays when the run is over, until another
 * run of the same Dagfile begins.
 *
 * head: "dagrun run\n" and NULs to 16 bytes, version u32, byte order mark u32 0x01020304, length u64 of all that follows here,
 * checksum u64 (XXH3-64) of it: struct dr_ledger_fixed, then the stages, then the running tasks, each with its name behind
 * it. doc/journal.md has every field. */
#ifndef DR_LEDGER_H
#define DR_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "hash.h"
#include "str.h"

struct dr_err;
struct dr_ledger;
struct dr_lock;

/* All that has one place. Times: ns since 1970. */
struct dr_ledger_fixed {
	uint64_t run, origin;
	int64_t began, updated, ended; /* ended 0: it is on, or it died */
	uint32_t pid, slots;           /* most slots that can be in use */
	uint32_t n_stages, n_tasks;
	uint32_t signal; /* that ended it; 0: none */
	uint32_t reserved;
};

/* Tasks of a stage. What is in none of the others waits, or was not run. */
struct dr_ledger_stage {
	uint64_t wanted, clean, done, failed, running;
	struct dr_str name;
};

struct dr_ledger_task {
	struct dr_hash128 id;
	int64_t since;
	uint32_t stage, slot, attempt, pid;
	struct dr_str name;
};

struct dr_ledger_options {
	int state_dir; /* stays the caller's */
	uint64_t run, origin;
	uint32_t slots;
	struct dr_lock *lock; /* tells which other runs are dead; NULL: none is known to be */
	const struct dr_ledger_stage *stages; /* wanted and clean as they are at the start. Copied, but for the names */
	uint32_t n_stages;
	/* The process in a slot, asked when it is to be written down; 0: not known yet. NULL: whoever tells of a start says it. */
	int (*pid)(void *arg, uint32_t slot);
	void *arg;
};

/* Makes the file, and removes those of dead runs of the same origin. 0 or -1 with err: a run does without, then. */
int dr_ledger_open(const struct dr_ledger_options *o, struct dr_ledger **out, struct dr_err *err);
/* Of each a NULL ledger is fine. A slot (from 1) holds one task at a time; the name is copied. */
void dr_ledger_started(struct dr_ledger *l, const struct dr_ledger_task *t);
/* It ended: done, failed, up to date after all (clean), or (neither) it will be started once more or was stopped. `ran`: it had been started. */
enum dr_ledger_end { DR_LEDGER_DONE, DR_LEDGER_FAILED, DR_LEDGER_CLEAN, DR_LEDGER_NEITHER };
void dr_ledger_ended(struct dr_ledger *l, uint32_t stage, uint32_t slot, enum dr_ledger_end how, bool ran);
/* Writes what is due at `now` (dr_now). When to call again; -1: after the next change. What cannot be written is not: the run
 * matters more. */
int64_t dr_ledger_tick(struct dr_ledger *l, int64_t now);
/* The last word: it is over. */
void dr_ledger_finish(struct dr_ledger *l, int signal);
void dr_ledger_free(struct dr_ledger *l);

/* One as read. Strings point into `text`. */
struct dr_ledger_image {
	struct dr_ledger_fixed f;
	struct dr_ledger_stage *stages;
	struct dr_ledger_task *tasks;
	struct dr_buf text;
};

/* Those of all runs, the one that began last at the end; free them with dr_ledger_free_images. What is no ledger, or is being
 * written all the time, is left out. -1 with err. */
int dr_ledger_read(int state_dir, struct dr_ledger_image **images, uint32_t *n, struct dr_err *err);
void dr_ledger_free_images(struct dr_ledger_image *images, uint32_t n);

#endif
