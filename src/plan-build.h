/* The steps of planning, each in a file of its own; for plan.c. */
#ifndef DR_PLAN_BUILD_H
#define DR_PLAN_BUILD_H

#include "plan.h"

/* plan-targets.c: marks the stages that the targets may need; turns targets into tasks once these are there. */
int dr_plan_needed_stages(struct dr_plan *pl, struct dr_err *err);
int dr_plan_resolve_targets(struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err);

/* plan-build.c: tasks, files and edges of all planned stages. 0; -1 with diags or err. */
int dr_plan_build_tasks(struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err);
/* Whose is this file, a row of a glob? */
enum dr_own {
	DR_OWN_NOT,  /* somebody else's */
	DR_OWN_MADE, /* we make it from something else, or the journal says that we made it */
	DR_OWN_SELF, /* we would make it from itself: the row that it was made from is gone, or the Dagfile is wrong */
	DR_OWN_KINDS
};
enum dr_own dr_plan_own_row(const struct dr_plan *pl, uint32_t file);
/* plan-shape.c. */
void dr_plan_free_tree(struct dr_plan_tree *pt);
/* plan-trees.c: -1 with diags when a file that is read or made lies in a directory that is an output. */
int dr_plan_check_trees(struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err);
/* -1 with diags when two tasks make one file. */
int dr_plan_own_clashes(struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err);

#endif
