/* The values of a task's placeholders, for templates and commands: what the plan knows of the task. */
#ifndef DR_PLAN_VALUES_H
#define DR_PLAN_VALUES_H

#include "plan.h"

struct dr_task_values {
	struct dr_values v; /* for dr_template_expand and the functions of command.h */
	const struct dr_plan *plan;
	uint32_t task;
	bool temporary; /* outputs by the names that they have until they are published */
	uint32_t slots, slot, attempt;
	const char *tmp; /* {tmp}: NULL while there is none, as when hashing and showing */
};

/* Final names, one slot, first attempt. tv->v.ctx is tv itself: do not copy. Nothing to free. */
void dr_task_values_init(struct dr_task_values *tv, const struct dr_plan *pl, uint32_t task);

/* Appends DIR/.dagrun-ID-NAME: where a task with this identity writes the output `path` until it is published. A name over 255
 * bytes is shortened in the middle; its end is kept, for tools look at it. */
void dr_temp_name(struct dr_hash128 id, struct dr_str path, struct dr_buf *out);
/* Is this the name (without directory) of a temporary file of ours, and of which task? The identity is only its low half. */
bool dr_temp_name_id(struct dr_str name, uint64_t *id_lo);

/* The hash that the journal keeps of the command, its shell and its environment. */
int dr_task_command_hash(const struct dr_plan *pl, uint32_t task, struct dr_hasher *h, struct dr_buf *scratch,
			 struct dr_hash128 *out, struct dr_err *err);

#endif
