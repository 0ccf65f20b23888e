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
	struct {
		uint32_t first, i, at;
	} last; /* private: which input was asked for last, where some are missing */
	const char *tmp; /* {tmp}: NULL while there is none, as when hashing and showing */
};

/* The name, in {tmp}, of the file that a DR_PH_LIST or LIST0 is, and what stands in it: the names, relative to the root, each with "\n"
 * or a NUL behind it. 0; -1 with err, also when a name has a newline in it. */
void dr_list_name(const struct dr_task_values *tv, const struct dr_piece *p, struct dr_buf *out);
int dr_list_text(struct dr_task_values *tv, const struct dr_piece *p, struct dr_buf *out, struct dr_err *err);
/* Final names, one slot, first attempt. tv->v.ctx is tv itself: do not copy. Nothing to free. */
void dr_task_values_init(struct dr_task_values *tv, const struct dr_plan *pl, uint32_t task);

#define DR_TEMP_PREFIX ".dagrun-"

/* Appends DIR/.dagrun-ID-NAME: where a task with this identity writes the output `path` until it is published. A name over 255
 * bytes is shortened in the middle; its end is kept, for tools look at it. */
void dr_temp_name(struct dr_hash128 id, struct dr_str path, struct dr_buf *out);
/* Is this the name (without directory) of a temporary file of ours, and of which task? The identity is only its low half. */
bool dr_temp_name_id(struct dr_str name, uint64_t *id_lo);

/* The hash that the journal keeps of the command, its shell and its environment. */
int dr_task_command_hash(const struct dr_plan *pl, uint32_t task, struct dr_hasher *h, struct dr_buf *scratch,
			 struct dr_hash128 *out, struct dr_err *err);

#endif
