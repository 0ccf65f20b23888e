#include "config.h"

#include "session.h"

/* Is a task of this stage to run that never ran with this command? Whoever has been told once is not told again. */
static bool
is_new(const struct dr_plan *pl, uint32_t stage)
{
	const struct dr_plan_stage *ps = &pl->stages[stage];

	for (uint32_t i = 0; i < ps->n; i++) {
		const struct dr_task *t = &pl->graph->tasks[ps->first + i];

		if (t->state == DR_WAITING && (t->why == DR_WHY_NEVER || t->why == DR_WHY_COMMAND))
			return true;
	}
	return false;
}

/* Is the word a file that no task reads or makes, as far as the plan knows? */
static bool
is_unwatched(struct dr_session *s, struct dr_str word)
{
	const struct dr_graph *g = s->plan->graph;
	struct dr_stamp st;
	uint32_t file;
	bool dir = false;

	dr_buf_reset(&s->path);
	if (dr_path_normal(word, &s->path) || s->path.failed)
		return false;
	file = dr_graph_find(g, dr_buf_str(&s->path));
	if (file != DR_NONE && (g->files[file].producer != DR_NONE || (g->files[file].flags & DR_FILE_USED) ||
				g->first_consumer[file] < g->first_consumer[file + 1]))
		return false;
	return s->disk->stat(s->disk, dr_buf_cstr(&s->path), &st, &dir) == 0 && st.size != DR_ABSENT && !dir;
}

void
dr_session_tell_words(struct dr_session *s)
{
	const struct dr_pipeline *p = s->pipeline;

	for (uint32_t i = 0; i < p->n_stages && !s->options.silent; i++) {
		const struct dr_stage *st = &p->stages[i];

		if (!st->run.n_literals || !is_new(s->plan, i))
			continue;
		for (uint32_t k = 0; k < st->run.n_literals; k++) {
			struct dr_str word = st->run.literals[k];
			bool again = false;

			if (!is_unwatched(s, word))
				continue;
			for (uint32_t e = 0; e < k && !again; e++)
				again = dr_str_eq(st->run.literals[e], word);
			if (again)
				continue;
			dr_buf_reset(&s->text);
			dr_buf_quote(&s->text, word);
			dr_buf_reset(&s->path);
			dr_buf_addf(&s->path,
				    "the command of '%.*s' names the file %s, which is no input: when it changes, nothing is made "
				    "again (uses = %s)",
				    (int)st->name.n, st->name.p, dr_buf_cstr(&s->text), dr_buf_cstr(&s->text));
			dr_session_message(s, DR_NOTICE, dr_buf_cstr(&s->path));
		}
	}
}
