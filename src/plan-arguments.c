#include "config.h"

#include "plan.h"

#include <inttypes.h>
#include <string.h>

#include "arena.h"
#include "err.h"
#include "lex.h"
#include "os.h"
#include "plan-values.h"

enum {
	STRING_MAX = 128 << 10, /* bytes of one argument on Linux, whatever the limit of all */
	SPARE = 16 << 10,       /* for what we and the stage add to the environment */
	FEW = 16,               /* names of files that are never too long together */
};

/* What argv may take, beside the environment that a task gets. */
static uint64_t
room(const struct dr_plan *pl)
{
	uint64_t max = dr_arg_max(), used = SPARE;
	char *const *e = pl->options.items ? pl->options.items->envp : NULL;

	for (; e && *e; e++)
		used += strlen(*e) + 1 + sizeof(*e);
	return max > used ? max - used : 0;
}

/* Could this task's arguments be many? Only then it is worth while to make them. */
static bool
is_suspect(const struct dr_plan *pl, uint32_t task)
{
	const struct dr_stage *st = dr_plan_stage(pl, task);
	uint32_t items = pl->stages[pl->graph->tasks[task].stage].items;

	return pl->graph->tasks[task].n_in > FEW || st->run.source.n > STRING_MAX / 4 ||
	       (items != DR_NONE && pl->pipeline->args[items].batch > FEW);
}

static uint64_t
longest(const struct dr_exec *x)
{
	uint64_t most = 0;

	for (uint32_t i = 0; i < x->argc; i++)
		if (strlen(x->argv[i]) > most)
			most = strlen(x->argv[i]);
	return most;
}

static void
tell(const struct dr_plan *pl, uint32_t task, uint64_t bytes, uint64_t most, struct dr_diags *diags)
{
	const struct dr_stage *st = dr_plan_stage(pl, task);
	struct dr_buf name = { 0 }, label = { 0 }, is = { 0 }, can = { 0 };

	dr_plan_task_label(pl, task, &label);
	dr_buf_escape(&name, dr_buf_str(&label));
	dr_buf_bytes(&is, bytes);
	dr_buf_bytes(&can, most);
	dr_lex_error(pl->pipeline, diags, st->run.pos,
		     "the arguments of %s are too long, %s where the system takes %s: %s", dr_buf_cstr(&name),
		     dr_buf_cstr(&is), dr_buf_cstr(&can),
		     st->kind == DR_STAGE_MERGE ? "use {in:list}, or a smaller fan-in" :
		     st->kind == DR_STAGE_TASK	? "use {in:list}" :
						  "use {in:list}, or a smaller batch");
	dr_buf_free(&name);
	dr_buf_free(&label);
	dr_buf_free(&is);
	dr_buf_free(&can);
}

int
dr_plan_check_arguments(const struct dr_plan *pl, struct dr_diags *diags, struct dr_err *err)
{
	uint64_t most = room(pl);
	struct dr_arena arena = { 0 };
	uint32_t told = DR_NONE;
	int rc = 0;

	for (uint32_t t = 0; t < pl->graph->n_tasks && rc == 0; t++) {
		const struct dr_task *task = &pl->graph->tasks[t];
		struct dr_task_values tv;
		struct dr_exec x;
		struct dr_err why;

		if (task->state != DR_WAITING || task->stage == told || !is_suspect(pl, t))
			continue;
		dr_arena_reset(&arena);
		dr_task_values_init(&tv, pl, t);
		tv.temporary = true;
		/* What else is wrong with a command is told when it starts. */
		if (dr_command_expand(&dr_plan_stage(pl, t)->run, &pl->pipeline->shell, &tv.v, &arena, &x, &why)) {
			if (why.code == DR_SYSTEM) {
				*err = why;
				rc = -1;
			}
			continue;
		}
		if (x.bytes > most)
			tell(pl, t, x.bytes, most, diags);
		else if (longest(&x) >= STRING_MAX)
			tell(pl, t, longest(&x), STRING_MAX, diags);
		else
			continue;
		told = task->stage;
	}
	dr_arena_free(&arena);
	return rc;
}
