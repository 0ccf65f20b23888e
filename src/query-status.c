#include "config.h"

#include "query.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os.h"
#include "query-private.h"

enum { LONGEST = 10 };

/* Tasks of a stage, or of all: as a run counted them, or (stale) as they are now. */
struct counts {
	uint64_t wanted, clean, done, failed, running, stale;
};

static struct counts
of_stage(const struct dr_ledger_stage *s)
{
	return (struct counts){ s->wanted, s->clean, s->done, s->failed, s->running, 0 };
}

static struct counts
of_run(const struct dr_ledger_image *run)
{
	struct counts all = { 0 };

	for (uint32_t i = 0; i < run->f.n_stages; i++) {
		struct counts c = of_stage(&run->stages[i]);

		all.wanted += c.wanted;
		all.clean += c.clean;
		all.done += c.done;
		all.failed += c.failed;
		all.running += c.running;
	}
	return all;
}

static uint64_t
waiting(const struct counts *c)
{
	uint64_t ended = c->clean + c->done + c->failed + c->running;

	return c->wanted > ended ? c->wanted - ended : 0;
}

static bool
has_failed(const struct dr_query *q, const struct dr_query_task *t)
{
	return (t->flags & (DR_QUERY_FAILED | DR_QUERY_CANCELLED)) == DR_QUERY_FAILED &&
	       (!q->o.plan || t->planned != DR_NONE);
}

/* Now: what the plan's tasks are, by stage. */
static struct counts
of_plan(const struct dr_plan *pl, uint32_t stage)
{
	const struct dr_plan_stage *ps = &pl->stages[stage];
	struct counts c = { 0 };

	for (uint32_t t = ps->first; t < ps->first + ps->n; t++) {
		c.wanted += pl->graph->tasks[t].state != DR_UNWANTED;
		c.clean += pl->graph->tasks[t].state == DR_CLEAN;
	}
	c.stale = c.wanted - c.clean;
	return c;
}

/* For programs. */

static void
json_counts(struct dr_json *j, const struct counts *c, bool now)
{
	dr_json_begin(j, "tasks");
	dr_json_uint(j, "wanted", c->wanted);
	dr_json_uint(j, "up_to_date", c->clean);
	if (now) {
		dr_json_uint(j, "stale", c->stale);
	} else {
		dr_json_uint(j, "done", c->done);
		dr_json_uint(j, "failed", c->failed);
		dr_json_uint(j, "running", c->running);
		dr_json_uint(j, "waiting", waiting(c));
	}
	dr_json_end(j);
}

static void
json_run(struct dr_query *q, const struct dr_ledger_image *run)
{
	struct dr_json *j = &q->json;
	struct counts all = of_run(run);
	char number[17];

	snprintf(number, sizeof(number), "%016" PRIx64, run->f.run);
	dr_json_begin(j, NULL);
	dr_json_word(j, "run", number);
	dr_json_word(j, "state", dr_query_alive(q, run) ? "running" : run->f.ended ? "ended" : "died");
	dr_json_uint(j, "pid", run->f.pid);
	dr_json_uint(j, "slots", run->f.slots);
	dr_json_time(j, "began", run->f.began);
	dr_json_time(j, "updated", run->f.updated);
	if (run->f.ended)
		dr_json_time(j, "ended", run->f.ended);
	else
		dr_json_null(j, "ended");
	dr_json_word(j, "signal", run->f.signal ? dr_signal_name((int)run->f.signal) : NULL);
	json_counts(j, &all, false);
	dr_json_begin_list(j, "stages");
	for (uint32_t i = 0; i < run->f.n_stages; i++) {
		struct counts c = of_stage(&run->stages[i]);

		if (!c.wanted)
			continue;
		dr_json_begin(j, NULL);
		dr_json_str(j, "stage", run->stages[i].name);
		json_counts(j, &c, false);
		dr_json_end(j);
	}
	dr_json_end_list(j);
	dr_json_begin_list(j, "running");
	for (uint32_t i = 0; i < run->f.n_tasks && dr_query_alive(q, run); i++) {
		const struct dr_ledger_task *t = &run->tasks[i];

		dr_json_begin(j, NULL);
		dr_json_str(j, "task", t->name);
		dr_json_str(j, "stage", run->stages[t->stage].name);
		dr_json_time(j, "since", t->since);
		dr_json_uint(j, "try", t->attempt);
		dr_json_uint(j, "slot", t->slot);
		dr_json_uint(j, "pid", t->pid);
		dr_json_end(j);
	}
	dr_json_end_list(j);
	dr_json_end(j);
}

static void
json_now(struct dr_query *q, const struct dr_stale_counts *counts)
{
	const struct dr_plan *pl = q->o.plan;
	struct counts all = { .wanted = counts->wanted, .clean = counts->wanted - counts->stale, .stale = counts->stale };

	dr_json_begin(&q->json, "now");
	json_counts(&q->json, &all, true);
	dr_json_begin_list(&q->json, "stages");
	for (uint32_t s = 0; s < pl->pipeline->n_stages; s++) {
		struct counts c = of_plan(pl, s);

		if (!c.wanted)
			continue;
		dr_json_begin(&q->json, NULL);
		dr_json_str(&q->json, "stage", pl->pipeline->stages[s].name);
		json_counts(&q->json, &c, true);
		dr_json_end(&q->json);
	}
	dr_json_end_list(&q->json);
	dr_json_end(&q->json);
}

/* For people. */

static void
add_number(struct dr_buf *out, uint64_t n, const char *what)
{
	if (!n)
		return;
	dr_buf_adds(out, ", ");
	dr_buf_count(out, n);
	dr_buf_adds(out, what);
}

static void
add_counts(struct dr_buf *out, const struct counts *c, const char *rest)
{
	dr_buf_count(out, c->done);
	dr_buf_adds(out, " of ");
	dr_buf_count(out, c->wanted - c->clean);
	dr_buf_adds(out, " done");
	add_number(out, c->failed, " failed");
	add_number(out, c->running, " running");
	add_number(out, waiting(c), rest);
	add_number(out, c->clean, " up to date before");
	dr_buf_addc(out, '\n');
}

static int
by_age(const void *a, const void *b)
{
	const struct dr_ledger_task *x = a, *y = b;

	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	return x->slot < y->slot ? -1 : x->slot > y->slot;
}

static void
show_running(struct dr_query *q, const struct dr_ledger_image *run)
{
	int64_t now = dr_realtime();

	qsort(run->tasks, run->f.n_tasks, sizeof(*run->tasks), by_age);
	for (uint32_t i = 0; i < run->f.n_tasks && i < LONGEST; i++) {
		const struct dr_ledger_task *t = &run->tasks[i];

		dr_buf_adds(&q->out, "  ");
		dr_buf_escape(&q->out, t->name);
		dr_buf_adds(&q->out, " for ");
		dr_buf_duration(&q->out, now - t->since);
		if (t->attempt > 1)
			dr_buf_addf(&q->out, ", try %" PRIu32, t->attempt);
		dr_buf_addc(&q->out, '\n');
	}
	if (run->f.n_tasks > LONGEST)
		dr_buf_addf(&q->out, "  and %" PRIu32 " more\n", run->f.n_tasks - LONGEST);
}

static void
show_run(struct dr_query *q, const struct dr_ledger_image *run)
{
	bool on = dr_query_alive(q, run);
	struct counts all = of_run(run);
	int64_t now = dr_realtime();

	if (on) {
		dr_buf_adds(&q->out, "running for ");
		dr_buf_duration(&q->out, now - run->f.began);
		dr_buf_addf(&q->out, " (process %" PRIu32 ", %" PRIu32 " slot%s): ", run->f.pid, run->f.slots,
			    run->f.slots == 1 ? "" : "s");
	} else {
		int64_t end = run->f.ended ? run->f.ended : run->f.updated;

		dr_buf_adds(&q->out, run->f.ended ? "the last run ended " : "the last run died ");
		dr_buf_duration(&q->out, now - end);
		dr_buf_adds(&q->out, " ago");
		if (run->f.signal)
			dr_buf_addf(&q->out, " (%s)", dr_signal_name((int)run->f.signal));
		dr_buf_adds(&q->out, ", after ");
		dr_buf_duration(&q->out, end - run->f.began);
		dr_buf_adds(&q->out, ": ");
	}
	add_counts(&q->out, &all, on ? " waiting" : " not run");
	for (uint32_t i = 0; i < run->f.n_stages; i++) {
		struct counts c = of_stage(&run->stages[i]);

		if (!c.wanted || c.wanted == c.clean)
			continue;
		dr_buf_adds(&q->out, "  ");
		dr_buf_addstr(&q->out, run->stages[i].name);
		dr_buf_adds(&q->out, ": ");
		add_counts(&q->out, &c, on ? " waiting" : " not run");
	}
	if (on)
		show_running(q, run);
}

static void
show_now(struct dr_query *q, const struct dr_stale_counts *counts)
{
	const struct dr_plan *pl = q->o.plan;

	dr_buf_adds(&q->out, "now ");
	dr_buf_count(&q->out, counts->wanted - counts->stale);
	dr_buf_adds(&q->out, " of ");
	dr_buf_count(&q->out, counts->wanted);
	dr_buf_adds(&q->out, counts->wanted == 1 ? " task is up to date\n" : " tasks are up to date\n");
	for (uint32_t s = 0; s < pl->pipeline->n_stages; s++) {
		struct counts c = of_plan(pl, s);

		if (!c.stale)
			continue;
		dr_buf_adds(&q->out, "  ");
		dr_buf_addstr(&q->out, pl->pipeline->stages[s].name);
		dr_buf_adds(&q->out, ": ");
		dr_buf_count(&q->out, c.stale);
		dr_buf_adds(&q->out, " of ");
		dr_buf_count(&q->out, c.wanted);
		dr_buf_adds(&q->out, " to do\n");
	}
}

/* All runs that are on, or the last one of this Dagfile. NULL ends the list. */
static const struct dr_ledger_image *
next_run(const struct dr_query *q, uint32_t *at)
{
	const struct dr_ledger_image *last = NULL;
	bool any = *at > 0;

	while (*at < q->n_runs) {
		const struct dr_ledger_image *run = &q->runs[(*at)++];

		if (dr_query_alive(q, run))
			return run;
		if (!q->o.origin || run->f.origin == q->o.origin)
			last = run;
	}
	return any ? NULL : last;
}

int
dr_query_status(struct dr_query *q, const struct dr_stale_counts *counts, struct dr_err *err)
{
	const struct dr_ledger_image *run;
	uint64_t failed = 0;
	uint32_t at = 0, shown = 0;

	for (uint32_t i = 0; i < q->n; i++)
		failed += has_failed(q, &q->tasks[i]);
	if (q->o.json) {
		dr_query_begin(q, "status");
		dr_json_begin_list(&q->json, "runs");
	}
	for (; (run = next_run(q, &at)) != NULL; shown++) {
		if (q->o.json)
			json_run(q, run);
		else
			show_run(q, run);
		if (dr_query_flush(q, false, err))
			return -1;
	}
	if (q->o.json) {
		dr_json_end_list(&q->json);
		if (counts)
			json_now(q, counts);
		else
			dr_json_null(&q->json, "now");
		dr_json_uint(&q->json, "failed", failed);
		return dr_query_end(q, err);
	}
	if (!shown)
		dr_buf_adds(&q->out, "no run is known here\n");
	if (counts)
		show_now(q, counts);
	if (failed)
		dr_buf_addf(&q->out, "%" PRIu64 " failed; --failed lists them\n", failed);
	return dr_query_flush(q, true, err);
}

bool
dr_query_busy(const struct dr_query *q)
{
	for (uint32_t i = 0; i < q->n_runs; i++)
		if (dr_query_alive(q, &q->runs[i]))
			return true;
	return false;
}
