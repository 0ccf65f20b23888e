#include "config.h"

#include "plan-builder.h"

#include <stdlib.h>

#include "err.h"
#include "lex.h"

/* Stages so that each stands behind those that it names; a circle among them is an error. */

static uint32_t
next_need(const struct dr_stage *st, uint32_t i)
{
	if (i == 0)
		return st->each_stage;
	i--;
	for (uint32_t k = 0; k < st->n_inputs; k++) {
		if (i < st->inputs[k].n_refs)
			return st->inputs[k].refs[i].stage;
		i -= st->inputs[k].n_refs;
	}
	return i < st->n_uses ? st->uses[i].stage : DR_NONE - 1;
}

static void
tell_circle(struct dr_builder *b, const uint32_t *stack, uint32_t depth, uint32_t again)
{
	const struct dr_stage *stages = b->pl->pipeline->stages;
	uint32_t i = depth;

	dr_buf_reset(&b->text);
	while (i > 0 && stack[i] != again)
		i--;
	for (; i <= depth; i++) {
		dr_buf_addstr(&b->text, stages[stack[i]].name);
		dr_buf_adds(&b->text, " needs ");
	}
	dr_buf_addstr(&b->text, stages[again].name);
	dr_lex_error(b->pl->pipeline, b->diags, stages[again].pos, "a circle of stages: %s", dr_buf_cstr(&b->text));
}

/* Depth-first with a stack of our own: a chain of a hundred thousand stages is no reason to overflow. */
int
dr_plan_order_stages(struct dr_builder *b, uint32_t *order, uint32_t *n_order)
{
	const struct dr_pipeline *p = b->pl->pipeline;
	uint8_t *colour = calloc((size_t)p->n_stages + 1, 1); /* 1: on the stack, 2: done */
	uint32_t *stack = calloc((size_t)p->n_stages + 1, 2 * sizeof(*stack));
	uint32_t *next = stack ? stack + p->n_stages + 1 : NULL;
	int rc = colour && stack ? 0 : dr_err_nomem(b->err);

	*n_order = 0;
	for (uint32_t s = 0; s < p->n_stages && rc == 0; s++) {
		uint32_t depth = 0;

		if (colour[s] || !b->pl->stages[s].planned)
			continue;
		stack[0] = s;
		next[0] = 0;
		colour[s] = 1;
		for (;;) {
			uint32_t need = next_need(&p->stages[stack[depth]], next[depth]++);

			if (need == DR_NONE - 1) {
				colour[stack[depth]] = 2;
				order[(*n_order)++] = stack[depth];
				if (depth-- == 0)
					break;
			} else if (need != DR_NONE && colour[need] == 1) {
				tell_circle(b, stack, depth, need);
				rc = -1;
				break;
			} else if (need != DR_NONE && !colour[need]) {
				colour[need] = 1;
				stack[++depth] = need;
				next[depth] = 0;
			}
		}
	}
	free(colour);
	free(stack);
	return rc;
}
