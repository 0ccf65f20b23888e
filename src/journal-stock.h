/* Private to the journal: which of its records are live. Two passes need it: this is the first. */
#ifndef DR_JOURNAL_STOCK_H
#define DR_JOURNAL_STOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "hash.h"
#include "journal.h"
#include "map.h"

struct dr_err;

/* Where the live records of a task are; 0: there is none, as the header is there. */
struct dr_live {
	struct dr_hash128 id;
	uint64_t done;
	uint64_t after; /* RECLAIM of that DONE, or the FORGET that ended it (then done is 0) */
	uint64_t read;  /* BARRIER that vouches for that DONE alone */
	uint64_t settled; /* and that settles what it marks */
	uint64_t fail;  /* later than these */
	uint32_t done_run, fail_run; /* whose they are: places in runs, or DR_NONE */
	uint64_t weight;             /* of a TREE, which stands in `done`: for how many records it counts beside itself */
};

/* And of a run. */
struct dr_live_run {
	uint64_t run, began, bye;
	uint64_t begins, holds; /* the last barrier that is whole */
	uint64_t open;          /* a BEGINS that has no HOLDS yet */
	uint64_t always;
	bool named; /* by a live DONE or FAIL: its boot, its barriers and its log count */
};

struct dr_stock {
	struct dr_live *lives;
	uint32_t n, cap;
	struct dr_map map;
	struct dr_live_run *runs; /* in the order of their beginnings */
	uint32_t n_runs, cap_runs;
	struct dr_map run_map;
	uint64_t total, live; /* records; a large one counts as several */
};

/* Zeroed is empty; dr_stock_free comes in any case. Reads the whole journal. 0, or -1 with err. */
int dr_stock_take(struct dr_stock *s, int fd, struct dr_err *err);
void dr_stock_free(struct dr_stock *s);
bool dr_stock_is_live(const struct dr_stock *s, const struct dr_record *r);
/* Does a live record name the run? */
bool dr_stock_names(const struct dr_stock *s, uint64_t run);

#endif
