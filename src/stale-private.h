/* What the files of this module share. */
#ifndef DR_STALE_PRIVATE_H
#define DR_STALE_PRIVATE_H

#include "stale-compare.h"
#include "stale-look.h"

enum {
	SEEN_RECORD = 1,    /* there is a DONE that counts */
	SEEN_ABSENT = 2,    /* an output of it is not on the disk */
	SEEN_CHANGED = 4,   /* one is and differs */
	SEEN_RECLAIMED = 8, /* we removed them ourselves */
	SEEN_NEWS = 16,     /* another run recorded it while we were on */
	SEEN_FORGOTTEN = 32, /* its record was dropped on purpose */
	SEEN_HASHED = 256, /* the record has the content of all outputs: made again, they can be known */
	SEEN_GRAVE = 128, /* what differs from its record is more than a file's time: likely what it makes will differ, too */
	SEEN_MARKED = 2048, /* the record marks files that may have changed under the same time, and that has not been settled */
	SEEN_ELSEWHERE = 1024, /* another Dagfile recorded it */
	SEEN_UNSYNCED = 512, /* recorded before the machine was started anew, and what stands there may not be what was written */
	SEEN_FLUX = 64, /* another run was recording it while we looked at the files, which show what was before */
};

/* Runs, to know which records a power cut may have made untrue. */
struct dr_stale_boots {
	struct dr_stale_run {
		uint64_t run;
		bool earlier; /* of an earlier boot */
		uint64_t begins, holds, always; /* where DONEs hold: before `holds`, behind `always`; 0: nowhere */
	} *runs;
	uint32_t n, cap;
	struct dr_map map;
	bool earlier; /* some are */
	uint32_t *by; /* by task: whose its record is. NULL: all are of this boot */
};

/* An inner node of a merge of the plan, in whose tree it is no more. */
struct dr_stale_left {
	struct dr_hash128 id;
	uint64_t at; /* its last DONE; UINT64_MAX: it was reclaimed or forgotten since */
};

struct dr_stale {
	struct dr_plan *plan;
	struct dr_journal *journal;
	struct dr_disk *disk;
	struct dr_stale_options options;
	struct dr_compare compare;
	uint16_t *seen; /* by task */
	uint32_t near;  /* the task of the last record, or DR_NONE */
	uint8_t *to_look_at;     /* a bit a file */
	struct dr_look *look;    /* while it is on: files are ours after dr_look_need */
	struct dr_rec_run *runs; /* without a farewell; once all is checked, those that are on beside us */
	uint32_t n_runs, cap_runs;
	uint64_t *dead; /* of these, who had died before anything of theirs was touched */
	uint32_t n_dead, cap_dead;
	bool made_rows;
	bool litter; /* temporary names could not be removed: the next run is to try again */
	struct dr_stale_boots boots;
	struct dr_stale_left *left; /* inner nodes that no tree has any more */
	uint32_t n_left, cap_left;
	struct dr_map left_map;
	uint64_t rolled, damaged, records, unsynced;
	struct dr_buf path, text;
};

/* stale-recover.c. Which runs have ended without a farewell? What they left is ours to finish. Asked once: one that dies while we are at it
 * is left for later, as its tasks may still be there. 0, or -1 without memory. */
int dr_stale_find_dead(struct dr_stale *s, struct dr_err *err);
/* Outputs that have their record and not their name get it. 1: there were some. */
int dr_stale_roll_forward(struct dr_stale *s, struct dr_err *err);
/* After a crash, removes temporary files that no live run claims and no record knows, where the plan makes something, and below
 * .dagrun. */
int dr_stale_sweep(struct dr_stale *s, struct dr_err *err);
/* Says good-bye for the runs that died, as what they left is dealt with; s->runs are the others then. */
void dr_stale_farewell(struct dr_stale *s);

/* stale.c. Reads what was appended to the journal. 0 or -1. */
int dr_stale_news(struct dr_stale *s, struct dr_err *err);

/* stale-settle.c. Told of each record that settles marks; then the other ones are gone into: what is as it was, and can change no more without
 * its time's showing it, is settled for later runs. 0 or -1. */
void dr_stale_settled(struct dr_stale *s, struct dr_hash128 id);
int dr_stale_settle(struct dr_stale *s, struct dr_err *err);
/* Holds a task against its record at that place. 0 or -1. */
int dr_stale_compare(struct dr_stale *s, uint32_t task, struct dr_record *r, enum dr_why *why, unsigned *look, struct dr_buf *tell,
		     struct dr_err *err);
/* stale-count.c. 0, or -1 with err. */
int dr_stale_count(struct dr_stale *s, struct dr_stale_counts *c, struct dr_err *err);
/* stale-left.c. Told, in their order, of a DONE of this Dagfile's that is of no task of the plan (-1: no memory), and of what was
 * reclaimed or forgotten and is of none. */
void dr_stale_left_reset(struct dr_stale *s);
int dr_stale_left_done(struct dr_stale *s, const struct dr_record *r);
void dr_stale_left_gone(struct dr_stale *s, struct dr_hash128 id);
/* stale-fresh.c. Holds those tasks against their records once more that read what is not there, and was recorded behind them: what came
 * out as it was when it was made again has its last record there, and compaction keeps only that. 0 or -1. */
int dr_stale_look_back(struct dr_stale *s, struct dr_err *err);
/* Tells which of the stale tasks will run whatever becomes of the others. 0 or -1 without memory. */
int dr_stale_certain(struct dr_stale *s, struct dr_err *err);
/* stale-boot.c. Told of every record, in order; then distrust marks what nobody vouches for. -1 with err. */
void dr_stale_boots_reset(struct dr_stale *s);
void dr_stale_boots_free(struct dr_stale *s);
int dr_stale_boot_run(struct dr_stale *s, const struct dr_rec_run *run, struct dr_err *err);
void dr_stale_boot_barrier(struct dr_stale *s, const struct dr_record *r);
int dr_stale_boot_done(struct dr_stale *s, uint32_t task, uint64_t run, struct dr_err *err);
int dr_stale_distrust(struct dr_stale *s, struct dr_err *err);
/* stale-lost.c. Runs of an earlier boot that have said no farewell: they may have made things whose records are lost. */
struct dr_stale_lost {
	int64_t first, last; /* when they began; first is INT64_MAX where there are none */
};
struct dr_stale_lost dr_stale_lost_runs(const struct dr_stale *s);
/* Was a file written since the machine is up, hence by somebody, and not torn by the power cut? `known` is a time that
 * the machine's clock told before it was started anew. If the start seems to be no later, the clock has been set back,
 * as on a machine that keeps no time while it is off, and tells nothing. Of a directory there is no time, but a hash. */
bool dr_stale_since_boot(const struct dr_stale *s, const struct dr_stamp *st, bool tree, int64_t known);
/* What such a run has put in the place of what a record tells is made again: the record is forgotten, on the disk, before
 * the run's farewell is said. 0, or -1 with err. */
int dr_stale_forget_lost(struct dr_stale *s, const struct dr_stale_lost *lost, struct dr_err *err);

/* stale-refuse.c. What must not be begun: missing and unreadable inputs, outputs that stand without a record. -1 with diags. */
int dr_stale_refuse(struct dr_stale *s, struct dr_diags *diags, struct dr_err *err);
/* Stands an output there, of a task that is wanted and not recorded? */
bool dr_stale_any_unrecorded(const struct dr_stale *s);

#endif
