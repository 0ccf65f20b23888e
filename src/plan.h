/* Stages and rows to tasks, files and merge trees. Complete before anything starts. */
#ifndef DR_PLAN_H
#define DR_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "graph.h"
#include "items.h"
#include "journal.h"
#include "pipeline.h"
#include "tree.h"

/* One tree of a merge. Its tasks are contiguous: nodes in their order, the root last. */
struct dr_plan_tree {
	struct dr_tree tree;
	uint32_t first;      /* the task of its first node */
	uint32_t first_leaf; /* how many leaves the trees of the stage before this one have */
	uint32_t row;        /* of what the stage is over: its first leaf, which has the values of `by` */
	/* Of a steady one with more than one node: what tells it from others in the journal, the names of its leaves, and whether the
	 * journal knows it just so. */
	struct dr_hash128 key;
	uint64_t *leaves; /* or NULL */
	bool recorded;
	uint32_t level; /* of `keep = level`: the round whose nodes stay, see dr_tree_sum_up; else 0 */
};

struct dr_plan_stage {
	bool planned;      /* a target may need it */
	uint32_t first, n; /* its tasks: map: by row; merge: tree by tree; task: one */
	uint32_t items;    /* whose rows it has in the end: index into dr_plan.items, or DR_NONE (after a merge) */
	/* Of a merge: one tree, or with `by` one for each of its values. */
	struct dr_plan_tree *trees;
	uint32_t n_trees, cap_trees;
	uint32_t n_leaves, n_rounds; /* of all its trees together; of the deepest */
};

struct dr_plan;
struct dr_plan_options {
	const char *const *targets; /* paths (relative to the root), stages, STAGE:ROW; none: the defaults */
	uint32_t n_targets;
	const struct dr_items_options *items;
	uint64_t origin; /* tells this Dagfile from others that share the state directory */
	/* The last record of a tree: 1 with *t, valid until the next call; 0: there is none; -1 with err. NULL: there are none. */
	int (*recorded)(void *arg, struct dr_hash128 key, struct dr_rec_tree *t, struct dr_err *err);
	void *recorded_arg;
	/* All rows are there, and tasks are about to be made of them: from here on pl->items may be read by others. Then, before any of
	 * them changes or goes: no more. Perhaps several times. NULL is fine. */
	void (*rows_there)(void *arg, const struct dr_plan *pl);
	void (*rows_go)(void *arg);
	void *rows_arg;
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

/* Appends a column of row `row` of what the stage is over; `column` as in DR_PH_COLUMN. */
void dr_plan_row_column(const struct dr_plan *pl, uint32_t stage, uint32_t row, uint32_t column, struct dr_buf *out);
/* Appends `before`, then what row `row` of a stage is called: the row of a generator, or the values of `by`, with commas.
 * False, and nothing: it has no rows to tell apart. */
bool dr_plan_row_name(const struct dr_plan *pl, uint32_t stage, uint32_t row, const char *before, struct dr_buf *out);
/* What a task is called: its first output's path; an inner node: STAGE/ROUND.INDEX; without outputs: STAGE:ROW. */
void dr_plan_task_name(const struct dr_plan *pl, uint32_t task, struct dr_buf *out);
/* What is asked for, in a few words: the first target, and how many more. Nothing without targets. */
void dr_plan_targets_name(const struct dr_plan *pl, struct dr_buf *out);
/* STAGE:ROW, whatever its outputs; of a task or the root of a merge STAGE. */
void dr_plan_task_label(const struct dr_plan *pl, uint32_t task, struct dr_buf *out);
/* The tree of a task that is a node of one, and which node it is; NULL: it is none. */
const struct dr_plan_tree *dr_plan_tree(const struct dr_plan *pl, uint32_t task, uint32_t *node);
/* What tells a stage from others in the state directory, by its name: for locks. */
uint64_t dr_plan_stage_key(const struct dr_plan *pl, uint32_t stage);
/* Is it an inner node of a merge tree? *round (from 1) is set for every node of one, the root too; else 0. */
bool dr_plan_inner(const struct dr_plan *pl, uint32_t task, uint32_t *round);
/* Tells of stages with a task, among those that are to run, whose arguments the system would not take. -1 with err for
 * memory only. */
int dr_plan_check_arguments(const struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err);
/* plan-missing.c, about stages that take what could be made (`missing = ok`), while tasks run. Is this input of the task
 * one that it does without, as its producer failed? */
bool dr_plan_missing(const struct dr_plan *pl, uint32_t task, uint32_t file);
/* How many of its inputs it has. */
uint32_t dr_plan_count_there(const struct dr_plan *pl, uint32_t task);
/* Can it run at all: has it all that it uses, and of every input something? */
bool dr_plan_enough(const struct dr_plan *pl, uint32_t task);
/* Stages whose outputs are for one that takes what could be made, through others too: a flag each, malloc'd. NULL
 * without memory. */
bool *dr_plan_below_missing(const struct dr_plan *pl);
/* Does it lack an input, or take one that lacks something itself? */
bool dr_plan_partial(const struct dr_plan *pl, uint32_t task);
const struct dr_stage *dr_plan_stage(const struct dr_plan *pl, uint32_t task);
/* The outputs of a stage as others see them: how many tasks, and the i-th one (of a merge, only the root). */
uint32_t dr_plan_stage_rows(const struct dr_plan *pl, uint32_t stage);
uint32_t dr_plan_stage_row(const struct dr_plan *pl, uint32_t stage, uint32_t i);

#endif
