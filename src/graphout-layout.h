/* Where each task stands in an icicle, and which of them the longest path goes through. */
#ifndef DR_GRAPHOUT_LAYOUT_H
#define DR_GRAPHOUT_LAYOUT_H

#include "graphout-rows.h"

/* [from, to) in leaves, from the left edge of the task's block. A task that is not wanted has none: from == to. */
struct dr_span {
	uint64_t from, to;
};

struct dr_layout {
	struct dr_span *spans; /* by task */
	uint64_t *widths;      /* by block, in leaves */
	/* The longest path, among what is left to do or, where nothing is, all: its tasks, producers first. A task whose time nobody
	 * knows counts as one of its stage on average, or a second. */
	uint32_t *path;
	uint32_t n_path;
	double seconds; /* along it; 0: nobody knows the times of one of its stages */
};

/* A task stands on what it reads: a merge's node is as wide as its leaves, whoever else reads them, a task of a map over a stage as its row.
 * What several tasks read has its place below the first of them. 0; -1 with err without memory. Free with dr_layout_free in both
 * cases. */
int dr_layout_make(const struct dr_plan *pl, const struct dr_rows *rows, struct dr_layout *l, struct dr_err *err);
void dr_layout_free(struct dr_layout *l);

#endif
