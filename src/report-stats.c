#include "config.h"

#include "report-private.h"

#include <stdlib.h>
#include <string.h>

/* What runs now ends now: so far it has taken so long. */
static int
add_running(struct dr_report_view *v)
{
	struct dr_report *r = v->r;

	v->n = r->n_tries;
	if (dr_grow(&r->tries, &r->cap_tries, (size_t)r->n_tries + r->n_running + 1, sizeof(*r->tries)))
		return -1;
	for (uint32_t i = 0; i < r->n_running; i++) {
		const struct dr_report_running *was = &r->running[i];

		r->tries[v->n++] = (struct dr_report_try){
			.start = was->start - r->b.now,
			.end = v->now,
			.task = was->task,
			.slot = was->slot,
			.slots = (uint16_t)(was->slots < UINT16_MAX ? was->slots : UINT16_MAX),
			.result = DR_TRY_RUNNING,
		};
	}
	return 0;
}

static int
index_tries(struct dr_report_view *v)
{
	size_t n = (size_t)v->plan->graph->n_tasks + 1;

	v->first = malloc(n * sizeof(*v->first));
	v->last = malloc(n * sizeof(*v->last));
	if (!v->first || !v->last)
		return -1;
	memset(v->first, 0xff, n * sizeof(*v->first));
	memset(v->last, 0xff, n * sizeof(*v->last));
	for (uint32_t i = 0; i < v->n; i++) {
		uint32_t t = v->r->tries[i].task;

		if (v->first[t] == DR_NONE)
			v->first[t] = i;
		v->last[t] = i;
	}
	return 0;
}

static const struct dr_report_try *
last_of(const struct dr_report_view *v, uint32_t task)
{
	return v->last[task] == DR_NONE ? NULL : &v->r->tries[v->last[task]];
}

/* What the files of an edge list hold together, as far as it is known. */
static uint64_t
bytes_of(const struct dr_graph *g, const uint32_t *files, uint32_t n)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++)
		if (g->files[files[i]].stamp.size > 0)
			bytes += (uint64_t)g->files[files[i]].stamp.size;
	return bytes;
}

static int
compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* Times of a stage's tasks that are done, into room for all of its tasks; how many. */
static uint32_t
gather_times(const struct dr_report_view *v, uint32_t stage, int64_t *times)
{
	const struct dr_plan_stage *ps = &v->plan->stages[stage];
	uint32_t n = 0;

	for (uint32_t t = ps->first; t - ps->first < ps->n; t++) {
		const struct dr_report_try *last = last_of(v, t);

		if (last && last->result == DR_TRY_DONE)
			times[n++] = dr_try_took(last);
	}
	qsort(times, n, sizeof(*times), compare_times);
	return n;
}

static void
sum_task(const struct dr_report_view *v, uint32_t task)
{
	const struct dr_graph *g = v->plan->graph;
	const struct dr_task *t = &g->tasks[task];
	const struct dr_report_try *last = last_of(v, task);
	struct dr_stage_sum *s = &v->stages[t->stage];

	if (!last || last->result != DR_TRY_DONE)
		return;
	s->bytes_in += bytes_of(g, dr_graph_inputs(g, task), t->n_in);
	s->bytes_out += bytes_of(g, dr_graph_outputs(g, task), t->n_out);
}

static int
sum_stages(struct dr_report_view *v)
{
	const struct dr_plan *pl = v->plan;
	int64_t *times;

	v->stages = calloc((size_t)pl->pipeline->n_stages + 1, sizeof(*v->stages));
	v->times = times = malloc(((size_t)pl->graph->n_tasks + 1) * sizeof(*times));
	if (!v->stages || !times)
		return -1;
	for (uint32_t s = 0; s < pl->pipeline->n_stages; s++) {
		v->stages[s].times = times;
		v->stages[s].n = gather_times(v, s, times);
		times += v->stages[s].n;
	}
	for (uint32_t i = 0; i < v->n; i++) {
		const struct dr_report_try *t = &v->r->tries[i];
		struct dr_stage_sum *s = &v->stages[pl->graph->tasks[t->task].stage];

		s->failed += t->result == DR_TRY_FAILED;
		s->retried += t->result == DR_TRY_RETRIED;
		s->total += (double)dr_try_took(t);
		s->peak_kb = t->peak_kb > s->peak_kb ? t->peak_kb : s->peak_kb;
	}
	for (uint32_t t = 0; t < pl->graph->n_tasks; t++)
		sum_task(v, t);
	return 0;
}

/* So many percent of them took no longer. */
int64_t
dr_stage_quantile(const struct dr_stage_sum *s, unsigned percent)
{
	uint64_t rank = ((uint64_t)s->n * percent + 99) / 100;

	return s->n ? s->times[rank ? rank - 1 : 0] : 0;
}

/* The longest of all tries that were the last of their task, longest first. */
static int
find_slowest(struct dr_report_view *v)
{
	const struct dr_report_try *tries = v->r->tries;

	v->slowest = malloc((DR_REPORT_SLOWEST + 1) * sizeof(*v->slowest));
	if (!v->slowest)
		return -1;
	for (uint32_t i = 0; i < v->n; i++) {
		uint32_t at = v->n_slowest;

		if (v->last[tries[i].task] != i || !tries[i].slot)
			continue;
		while (at && dr_try_took(&tries[v->slowest[at - 1]]) < dr_try_took(&tries[i]))
			at--;
		if (at == DR_REPORT_SLOWEST)
			continue;
		memmove(&v->slowest[at + 1], &v->slowest[at], (v->n_slowest - at) * sizeof(*v->slowest));
		v->slowest[at] = i;
		v->n_slowest += v->n_slowest < DR_REPORT_SLOWEST;
	}
	return 0;
}

/* Of what a task reads and this run made, the one that was there last, and when the others were. */
static uint32_t
gate_of(const struct dr_report_view *v, uint32_t task, int64_t *others)
{
	const struct dr_graph *g = v->plan->graph;
	const uint32_t *in = dr_graph_inputs(g, task);
	uint32_t gate = DR_NONE;

	*others = 0;
	for (uint32_t i = 0; i < g->tasks[task].n_in + g->tasks[task].n_uses; i++) {
		uint32_t p = g->files[in[i]].producer;

		if (p == DR_NONE || p == gate || !last_of(v, p))
			continue;
		if (gate == DR_NONE || last_of(v, p)->end > last_of(v, gate)->end) {
			*others = gate == DR_NONE ? 0 : last_of(v, gate)->end;
			gate = p;
		} else if (last_of(v, p)->end > *others) {
			*others = last_of(v, p)->end;
		}
	}
	return gate;
}

/* From the task that ended last, back along what each had to wait for. */
static int
find_path(struct dr_report_view *v)
{
	uint32_t task = DR_NONE, cap = 0;
	int64_t slack = -1, others;

	for (uint32_t i = 0; i < v->n; i++)
		if (v->r->tries[i].slot && (task == DR_NONE || v->r->tries[i].end > last_of(v, task)->end))
			task = v->r->tries[i].task;
	while (task != DR_NONE) {
		uint32_t gate = gate_of(v, task, &others);
		int64_t ready = gate == DR_NONE ? 0 : last_of(v, gate)->end,
			start = v->r->tries[v->first[task]].start;

		if (dr_grow(&v->path, &cap, (size_t)v->n_path + 1, sizeof(*v->path)))
			return -1;
		v->path[v->n_path++] =
			(struct dr_path_step){ task, start > ready ? start - ready : 0, slack };
		slack = ready - others;
		task = gate;
	}
	for (uint32_t i = 0; i < v->n_path / 2; i++) {
		struct dr_path_step swap = v->path[i];

		v->path[i] = v->path[v->n_path - 1 - i];
		v->path[v->n_path - 1 - i] = swap;
	}
	return 0;
}

/* The picture shows the path that was, instead of the one that was to be expected. */
static int
show_path(struct dr_report_view *v)
{
	uint32_t *path = malloc(((size_t)v->n_path + 1) * sizeof(*path));

	if (!path)
		return -1;
	free(v->tree.layout.path);
	v->tree.layout.path = path;
	v->tree.layout.n_path = 0;
	v->tree.layout.seconds = (double)last_of(v, v->path[v->n_path - 1].task)->end / 1e9;
	for (uint32_t i = 0; i < v->n_path; i++)
		if (v->tree.place[v->path[i].task] != DR_NONE)
			path[v->tree.layout.n_path++] = v->path[i].task;
	return 0;
}

int
dr_report_view_make(struct dr_report_view *v, struct dr_err *err)
{
	if (dr_html_tree_make(v->plan, &v->tree, err))
		return -1;
	if (add_running(v) || index_tries(v) || sum_stages(v) || find_slowest(v) || find_path(v) ||
	    (v->n_path && show_path(v)))
		return dr_err_nomem(err);
	return 0;
}

void
dr_report_view_free(struct dr_report_view *v)
{
	dr_html_tree_free(&v->tree);
	free(v->first);
	free(v->last);
	free(v->stages);
	free(v->times);
	free(v->path);
	free(v->slowest);
}
