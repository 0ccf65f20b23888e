#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "err.h"
#include "stale-private.h"

/* The first input whose maker is to run. */
static uint32_t
stale_input(const struct dr_graph *g, uint32_t task)
{
	const uint32_t *in = dr_graph_inputs(g, task);

	for (uint32_t i = 0; i < g->tasks[task].n_in + g->tasks[task].n_uses; i++) {
		uint32_t p = g->files[in[i]].producer;

		if (p != DR_NONE && g->tasks[p].state != DR_CLEAN)
			return p;
	}
	return DR_NONE;
}

static uint32_t
stale_consumer(const struct dr_graph *g, uint32_t task)
{
	const uint32_t *out = dr_graph_outputs(g, task);

	for (uint32_t i = 0; i < g->tasks[task].n_out; i++)
		for (uint32_t c = g->first_consumer[out[i]]; c < g->first_consumer[out[i] + 1]; c++)
			if (g->tasks[g->consumers[c]].state != DR_CLEAN)
				return g->consumers[c];
	return DR_NONE;
}

static uint32_t
absent_output(const struct dr_graph *g, uint32_t task)
{
	const uint32_t *out = dr_graph_outputs(g, task);

	for (uint32_t i = 0; i < g->tasks[task].n_out; i++)
		if (g->files[out[i]].flags & DR_FILE_ABSENT)
			return out[i];
	return DR_NONE;
}

static void
add_task(struct dr_stale *s, uint32_t task, struct dr_buf *out)
{
	dr_buf_reset(&s->text);
	dr_plan_task_name(s->plan, task, &s->text);
	dr_buf_escape(out, dr_buf_str(&s->text));
}

/* What the record says against what is there now. */
static int
explain_record(struct dr_stale *s, uint32_t task, struct dr_buf *out, struct dr_err *err)
{
	struct dr_task *t = &s->plan->graph->tasks[task];
	struct dr_record r;
	enum dr_why why;
	unsigned look;

	if (dr_journal_at(s->journal, t->record, &r, err))
		return -1;
	return dr_stale_compare(s, task, &r, &why, &look, out, err);
}

/* What it made is kept as it is, though somebody changed it. */
static bool
is_changed(const struct dr_stale *s, uint32_t task)
{
	return s->plan->graph->tasks[task].state == DR_CLEAN && (s->seen[task] & SEEN_CHANGED);
}

static void
add_output(struct dr_stale *s, uint32_t task, uint32_t k, struct dr_buf *out)
{
	dr_buf_reset(&s->text);
	dr_graph_path(s->plan->graph, dr_graph_outputs(s->plan->graph, task)[k], &s->text);
	dr_buf_escape(out, dr_buf_str(&s->text));
}

/* The first one of its outputs, and how many more there are. */
static int
explain_changed(struct dr_stale *s, uint32_t task, struct dr_buf *out, struct dr_err *err)
{
	struct dr_buf how = { 0 };
	struct dr_record r;
	uint32_t k, more = 0;

	if (dr_journal_at(s->journal, s->plan->graph->tasks[task].record, &r, err))
		return -1;
	k = dr_compare_changed(&s->compare, task, &r, 0, &how);
	if (k == DR_NONE) {
		dr_buf_adds(out, "up to date");
	} else {
		add_output(s, task, k, out);
		dr_buf_adds(out, " was changed since it was made: ");
		dr_buf_addstr(out, dr_buf_str(&how));
		while ((k = dr_compare_changed(&s->compare, task, &r, k + 1, NULL)) != DR_NONE)
			more++;
		if (more)
			dr_buf_addf(out, " (and %" PRIu32 " more output%s)", more, more == 1 ? "" : "s");
		dr_buf_adds(out, "; it is kept as it is, until -B or --forget");
	}
	more = how.failed;
	dr_buf_free(&how);
	return more ? dr_err_nomem(err) : 0;
}

static int
name_changed(struct dr_stale *s, uint32_t task, uint64_t most, struct dr_buf *names, uint64_t *n, struct dr_err *err)
{
	struct dr_record r;

	/* There may be very many of them, and of most there is one. */
	if (*n >= most && s->plan->graph->tasks[task].n_out == 1) {
		++*n;
		return 0;
	}
	if (dr_journal_at(s->journal, s->plan->graph->tasks[task].record, &r, err))
		return -1;
	for (uint32_t k = 0; (k = dr_compare_changed(&s->compare, task, &r, k, NULL)) != DR_NONE; k++) {
		if (++*n > most)
			continue;
		if (*n > 1)
			dr_buf_adds(names, ", ");
		add_output(s, task, k, names);
	}
	return 0;
}

int
dr_stale_changed(struct dr_stale *s, uint64_t most, struct dr_buf *names, uint64_t *n, struct dr_err *err)
{
	*n = 0;
	for (uint32_t t = 0; t < s->plan->graph->n_tasks; t++)
		if (is_changed(s, t) && name_changed(s, t, most, names, n, err))
			return -1;
	if (most && *n > most)
		dr_buf_addf(names, " and %" PRIu64 " more", *n - most);
	return names && (names->failed || s->text.failed) ? dr_err_nomem(err) : 0;
}

/* An output is not there, and who needs it. */
static void
explain_absent(struct dr_stale *s, uint32_t task, struct dr_buf *out)
{
	const struct dr_graph *g = s->plan->graph;
	uint32_t other = absent_output(g, task);

	if (other != DR_NONE) {
		dr_buf_reset(&s->text);
		dr_graph_path(g, other, &s->text);
		dr_buf_escape(out, dr_buf_str(&s->text));
	}
	dr_buf_adds(out, g->tasks[task].why == DR_WHY_LOST ? " is not there" : " was reclaimed");
	other = stale_consumer(g, task);
	if (other == DR_NONE)
		return;
	dr_buf_adds(out, ", and ");
	add_task(s, other, out);
	dr_buf_adds(out, " needs it");
}

int
dr_stale_explain(struct dr_stale *s, uint32_t task, struct dr_buf *out, struct dr_err *err)
{
	const struct dr_graph *g = s->plan->graph;
	uint32_t other;

	add_task(s, task, out);
	dr_buf_adds(out, ": ");
	switch ((enum dr_why)g->tasks[task].why) {
	case DR_WHY_FORCED:
		dr_buf_adds(out, "asked for with -B");
		break;
	case DR_WHY_NEVER:
		dr_buf_adds(out, g->tasks[task].n_out ? "not made yet" : "not run yet");
		break;
	case DR_WHY_COMMAND:
	case DR_WHY_INPUTS:
	case DR_WHY_INPUT:
	case DR_WHY_USES:
		if (explain_record(s, task, out, err))
			return -1;
		break;
	case DR_WHY_UPSTREAM:
		other = stale_input(g, task);
		if (other != DR_NONE)
			add_task(s, other, out);
		dr_buf_adds(out, " is made again");
		break;
	case DR_WHY_LOST:
	case DR_WHY_NEEDED:
		explain_absent(s, task, out);
		break;
	case DR_WHY_UNSYNCED:
		dr_buf_adds(out, "made before the machine was started anew, and not known to have reached the disk");
		break;
	default:
		if (is_changed(s, task)) {
			if (explain_changed(s, task, out, err))
				return -1;
			break;
		}
		dr_buf_adds(out, "up to date");
	}
	return out->failed || s->text.failed ? dr_err_nomem(err) : 0;
}
