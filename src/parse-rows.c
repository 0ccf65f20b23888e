#include "config.h"

#include "parse-state.h"

uint32_t
dr_parse_columns(const struct dr_parse *ps, const struct dr_stage *st, const struct dr_str **names)
{
	const struct dr_stage *merge;

	if (st->rows_args != DR_NONE) {
		*names = ps->p->args[st->rows_args].columns;
		return ps->p->args[st->rows_args].n_columns;
	}
	if (st->rows_merge == DR_NONE)
		return 0;
	merge = &ps->p->stages[st->rows_merge];
	*names = merge->by;
	return merge->n_by;
}

const struct dr_args *
dr_parse_batches(const struct dr_parse *ps, const struct dr_stage *st)
{
	const struct dr_args *a = st->rows_args == DR_NONE ? NULL : &ps->p->args[st->rows_args];

	return a && a->batch > 1 ? a : NULL;
}

int
dr_parse_rows_are_files(const struct dr_parse *ps, const struct dr_stage *st)
{
	if (st->each_stage != DR_NONE)
		return 1;
	if (st->each_args == DR_NONE || ps->p->args[st->each_args].kind == DR_GENERATORS)
		return -1;
	return ps->p->args[st->each_args].files;
}
