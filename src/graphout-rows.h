/* What the formats of graphout share: the plan as rows of tasks, gathered into blocks that have nothing to do with each other. */
#ifndef DR_GRAPHOUT_ROWS_H
#define DR_GRAPHOUT_ROWS_H

#include "plan.h"

/* A stage, or one round of a merge: of all its trees, from left to right. */
struct dr_rows_row {
	uint32_t stage, round; /* round 0: no merge */
	const uint32_t *tasks; /* in dr_rows.tasks */
	uint32_t n;
	bool final;            /* nothing in the plan reads what this row's stage makes */
	uint32_t counts[DR_STATES];
	uint32_t wanted;             /* those that a target needs */
	uint64_t bytes;              /* of the wanted tasks' outputs, as far as their sizes are known */
	uint64_t n_sized, n_unsized; /* how many are, and how many are not */
};

/* Blocks in the order of the first target in them; in a block consumers stand before what they read, so the last round
 * of a merge before its first. */
struct dr_rows {
	struct dr_rows_row *rows;
	uint32_t n_rows;
	uint32_t *first; /* row of each stage, DR_NONE when it is not planned; a merge has n_rounds of them */
	uint32_t *blocks; /* block b has rows [blocks[b], blocks[b + 1]) */
	uint32_t n_blocks;
	uint32_t *tasks; /* of all rows, row by row */
};

/* 0; -1 with err without memory. Free with dr_rows_free in both cases. */
int dr_rows_make(const struct dr_plan *pl, struct dr_rows *r, struct dr_err *err);
void dr_rows_free(struct dr_rows *r);

/* The row that a task of a planned stage is in. */
uint32_t dr_rows_of(const struct dr_plan *pl, const struct dr_rows *r, uint32_t task);

#endif
