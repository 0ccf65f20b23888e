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

/* plan-order.c: planned stages so that each stands behind those that it names; a circle among them is told. 0 or -1. */
int dr_plan_order_stages(struct dr_builder *b, uint32_t *order, uint32_t *n_order);

/* plan-outputs.c: the outputs of a task from its stage's templates. 0; -1 with err. */
int dr_plan_add_outputs(struct dr_builder *b, uint32_t task);
/* Those of an inner node of a merge: PART/HASH.ext. */
int dr_plan_add_inner_outputs(struct dr_builder *b, uint32_t task);
/* The identity of a task, from its outputs; without any, from its stage, row and command. */
int dr_plan_set_id(struct dr_builder *b, struct dr_hasher *h, uint32_t task);

#endif
