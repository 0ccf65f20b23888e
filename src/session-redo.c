#include "config.h"

#include <inttypes.h>

#include "session.h"

/* Less than that is no news: either so many tasks, or some that took so long. */
enum { MANY = 1000, SOME = 2, LONG_MS = 10 * 60 * 1000 };

/* A task that was done once and is to run. */
static bool
is_redone(const struct dr_task *t)
{
	return t->state == DR_WAITING && t->record != UINT64_MAX;
}

/* The commonest reason of its own that one of them has, and the first task that has it; DR_NONE: there is none. */
static uint32_t
example(const struct dr_graph *g)
{
	uint32_t n[DR_WHYS] = { 0 }, first[DR_WHYS], best = DR_WHY_NOT;

	for (uint32_t t = 0; t < g->n_tasks; t++) {
		unsigned why = g->tasks[t].why;

		/* Those follow from others; of a reclaimed one its consumer tells. */
		if (!is_redone(&g->tasks[t]) || why == DR_WHY_UPSTREAM || why == DR_WHY_NEEDED || why >= DR_WHYS)
			continue;
		if (!n[why]++)
			first[why] = t;
		if (n[why] > n[best])
			best = why;
	}
	return n[best] ? first[best] : DR_NONE;
}

void
dr_session_tell_redo(struct dr_session *s)
{
	const struct dr_graph *g = s->plan->graph;
	uint64_t n = 0, ms = 0;
	uint32_t task;

	for (uint32_t t = 0; t < g->n_tasks; t++) {
		if (!is_redone(&g->tasks[t]))
			continue;
		n++;
		ms += g->tasks[t].last_ms;
	}
	if (s->options.silent || (n < MANY && (n < SOME || ms < LONG_MS)))
		return;
	task = example(g);
	dr_buf_reset(&s->text);
	dr_buf_count(&s->text, n);
	dr_buf_adds(&s->text, " finished tasks are made again, which took ");
	dr_buf_duration(&s->text, (int64_t)ms * 1000000);
	dr_buf_adds(&s->text, " together last time");
	if (task != DR_NONE) {
		dr_buf_adds(&s->text, "; most of the reasons are like that of ");
		if (dr_stale_explain(s->stale, task, &s->text, NULL))
			return;
	}
	dr_session_message(s, DR_NOTICE, dr_buf_cstr(&s->text));
}

void
dr_session_tell_changed(struct dr_session *s)
{
	enum { NAMES = 3 };
	struct dr_buf names = { 0 };
	bool one = s->counts.changed == 1;
	uint64_t n;

	if (!s->counts.changed || dr_stale_changed(s->stale, NAMES, &names, &n, NULL))
		goto out;
	dr_buf_reset(&s->text);
	dr_buf_count(&s->text, n);
	dr_buf_adds(&s->text, one ? " output was changed since it was made, and is kept as it is: " :
				    " outputs were changed since they were made, and are kept as they are: ");
	dr_buf_addstr(&s->text, dr_buf_str(&names));
	dr_buf_adds(&s->text, one ? " (-B makes it again)" : " (-B makes them again)");
	dr_session_message(s, DR_NOTICE, dr_buf_cstr(&s->text));
out:
	dr_buf_free(&names);
}

void
dr_session_tell_dispute(struct dr_session *s)
{
	uint64_t n = s->counts.disputed;

	/* Of one-liners each is another Dagfile, also if it is the last one with another command. */
	if (!n || s->options.n_keys)
		return;
	dr_buf_reset(&s->path);
	dr_plan_task_name(s->plan, s->counts.dispute, &s->path);
	dr_buf_reset(&s->text);
	dr_buf_escape(&s->text, dr_buf_str(&s->path));
	if (n > 1)
		dr_buf_addf(&s->text, " and %" PRIu64 " more", n - 1);
	dr_buf_adds(&s->text, n > 1 ? " were" : " was");
	dr_buf_adds(&s->text, " last made by another Dagfile here, from other inputs or by another command: of the two, each makes ");
	dr_buf_adds(&s->text, n > 1 ? "them" : "it");
	dr_buf_adds(&s->text, " again after the other");
	dr_session_message(s, DR_NOTICE, dr_buf_cstr(&s->text));
}

void
dr_session_tell_left(struct dr_session *s)
{
	uint64_t n = 0, bytes = 0;

	/* Each time that there may be more of them is often enough. */
	if (!s->counts.stale || s->options.silent || dr_stale_left(s->stale, &n, &bytes, NULL) || !n)
		return;
	dr_buf_reset(&s->text);
	dr_buf_count(&s->text, n);
	dr_buf_adds(&s->text, n == 1 ? " inner node of a merge (" : " inner nodes of merges (");
	dr_buf_bytes(&s->text, bytes);
	dr_buf_adds(&s->text, n == 1 ? ") is in no tree any more, and stays: --clean --orphans removes it" :
				       ") are in no tree any more, and stay: --clean --orphans removes them");
	dr_session_message(s, DR_NOTICE, dr_buf_cstr(&s->text));
}
