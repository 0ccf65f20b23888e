/* Stages and rows to tasks, files and merge trees. Complete before anything starts. */
#ifndef DR_PLAN_H
#define DR_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "graph.h"
#include "items.h"
#include "pipeline.h"
#include "tree.h"

struct dr_plan_stage {
	bool planned;      /* a target may need it */
	uint32_t first, n; /* its tasks: map: by row; merge: by node, the root last; task: one */
	uint32_t items;    /* whose rows it has in the end: index into dr_plan.items, or DR_NONE (after a merge) */
	struct dr_tree tree; /* of a merge */
};

struct dr_plan_options {
	const char *const *targets; /* paths (relative to the root), stages, STAGE:ROW; none: the defaults */
	uint32_t n_targets;
	const struct dr_items_options *items;
	uint64_t origin; /* tells this Dagfile from others that share the state directory */
};

struct dr_plan_clash {
	uint32_t file, task;
};

struct dr_plan {
	const struct dr_pipeline *pipeline;
	struct dr_plan_options options;
	struct dr_graph *graph;
	struct dr_plan_stage *stages; /* as the pipeline's */
	struct dr_items **items;      /* as the pipeline's args; NULL: not needed */
	uint32_t *targets;            /* tasks asked for */
	uint32_t n_targets, cap_targets;
	uint64_t excluded; /* rows of globs left out because a stage makes or made them */
	/* private */
	struct dr_plan_clash *clashes; /* outputs that two tasks make */
	uint32_t n_clashes, cap_clashes;
};

/* 0 with *out; -1 with diags (all that is wrong with the plan) or err. Reads what generators read and looks at no other file,
 * but for targets that no stage makes. Tasks that no target needs are DR_UNWANTED, the others DR_WAITING. The pipeline and the options'
 * strings must outlive the plan. */
int dr_plan_make(const struct dr_pipeline *p, const struct dr_plan_options *o, struct dr_plan **out,
		 struct dr_diags *diags, struct dr_err *err);
/* The same again without the rows of globs whose file has DR_FILE_MADE: the journal knows them as ours. Ids of tasks and files
 * change. 0 or -1 as above. */
int dr_plan_again(struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err);
void dr_plan_free(struct dr_plan *pl);

/* What a task is called: its first output's path; an inner node: STAGE/ROUND.INDEX; without outputs: STAGE:ROW. */
void dr_plan_task_name(const struct dr_plan *pl, uint32_t task, struct dr_buf *out);
/* STAGE:ROW, whatever its outputs; of a task or the root of a merge STAGE. */
void dr_plan_task_label(const struct dr_plan *pl, uint32_t task, struct dr_buf *out);
/* Is it an inner node of a merge tree? *round (from 1) is set for every node of one, the root too; else 0. */
bool dr_plan_inner(const struct dr_plan *pl, uint32_t task, uint32_t *round);
const struct dr_stage *dr_plan_stage(const struct dr_plan *pl, uint32_t task);
/* The outputs of a stage as others see them: how many tasks, and the i-th one (of a merge, only the root). */
uint32_t dr_plan_stage_rows(const struct dr_plan *pl, uint32_t stage);
uint32_t dr_plan_stage_row(const struct dr_plan *pl, uint32_t stage, uint32_t i);

#endif
