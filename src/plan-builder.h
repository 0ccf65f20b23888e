/* What the files that build the tasks of a plan share. */
#ifndef DR_PLAN_BUILDER_H
#define DR_PLAN_BUILDER_H

#include "plan.h"

/* What one pass over the stages holds. */
struct dr_builder {
	struct dr_plan *pl;
	struct dr_diags *diags;
	struct dr_err *err;
	struct dr_buf text, path, id;
	struct dr_hash128 *leaf_hash; /* of the merge at hand */
	bool told;                    /* of this stage's outputs: one mistake of a template is told once */
};

/* plan-build.c. How many files the refs are. */
uint32_t dr_plan_count_refs(const struct dr_plan *pl, const struct dr_ref *refs, uint32_t n);
/* How many files an input is, and how many a task has in all, of which `given` are its row or what is merged. */
uint32_t dr_plan_count_input(const struct dr_plan *pl, const struct dr_input *in, uint32_t given);
uint32_t dr_plan_count_inputs(const struct dr_plan *pl, const struct dr_stage *st, uint32_t given);
/* plan-values.c: which of a task's inputs {in} is (index DR_NONE) or the stage's inputs[index]: *first and the number. */
uint32_t dr_plan_input(const struct dr_plan *pl, uint32_t task, uint32_t index, uint32_t *first);
/* Inputs and uses of a task whose row's files stand in the first `given` edges already. 0; -1 with err. */
int dr_plan_fill_inputs(struct dr_builder *b, uint32_t task, uint32_t given);
/* The same, and its outputs and its identity. */
int dr_plan_finish_task(struct dr_builder *b, struct dr_hasher *h, uint32_t task, uint32_t given);
/* How many rows a stage is over, and the k-th file (0, but for batches) that row r of them is; DR_NONE: rows are values. */
uint32_t dr_plan_count_rows(const struct dr_plan *pl, const struct dr_stage *st);
int dr_plan_row_file(struct dr_builder *b, const struct dr_stage *st, uint32_t r, uint32_t k, uint32_t *file);

/* plan-shape.c: pt->tree over n leaves, whose hashes are b->leaf_hash from pt->first_leaf on: of this stage, and of this value of `by`. 0;
 * -1 with err, and nothing to free. */
int dr_plan_shape(struct dr_builder *b, const struct dr_stage *st, struct dr_hash128 value, uint32_t n, struct dr_plan_tree *pt);

/* plan-merge.c: the trees of a merge. */
int dr_plan_build_merge(struct dr_builder *b, struct dr_hasher *h, uint32_t s);

/* plan-order.c: planned stages so that each stands behind those that it names; a circle among them is told. 0 or -1. */
int dr_plan_order_stages(struct dr_builder *b, uint32_t *order, uint32_t *n_order);

/* plan-outputs.c: the outputs of a task from its stage's templates. 0; -1 with err. */
int dr_plan_add_outputs(struct dr_builder *b, uint32_t task);
/* Those of an inner node of a merge: PART/HASH.ext. */
int dr_plan_add_inner_outputs(struct dr_builder *b, uint32_t task);
/* The identity of a task, from its outputs; without any, from its stage, row and command. */
int dr_plan_set_id(struct dr_builder *b, struct dr_hasher *h, uint32_t task);

#endif
