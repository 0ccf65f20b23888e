#include "config.h"

#include "query.h"

#include <string.h>

#include "plan-values.h"
#include "query-private.h"

/* As in --explain, for programs. */
static const char *const why_words[DR_WHYS] = {
	[DR_WHY_NOT] = NULL,
	[DR_WHY_FORCED] = "forced",
	[DR_WHY_NEVER] = "never-made",
	[DR_WHY_INPUTS] = "other-inputs",
	[DR_WHY_COMMAND] = "command-changed",
	[DR_WHY_INPUT] = "input-changed",
	[DR_WHY_USES] = "uses-changed",
	[DR_WHY_LOST] = "output-lost",
	[DR_WHY_UPSTREAM] = "input-to-be-made",
	[DR_WHY_NEEDED] = "needed-again",
	[DR_WHY_UNSYNCED] = "not-synced",
};

static void
add_files(struct dr_query *q, const char *key, const uint32_t *files, uint32_t n)
{
	dr_json_begin_list(&q->json, key);
	for (uint32_t i = 0; i < n; i++) {
		dr_buf_reset(&q->name);
		dr_graph_path(q->o.plan->graph, files[i], &q->name);
		dr_json_str(&q->json, NULL, dr_buf_str(&q->name));
	}
	dr_json_end_list(&q->json);
}

static int
add_task(struct dr_query *q, struct dr_stale *stale, uint32_t task, struct dr_err *err)
{
	const struct dr_task *t = &q->o.plan->graph->tasks[task];
	struct dr_json *j = &q->json;

	dr_json_begin(j, NULL);
	dr_buf_reset(&q->name);
	dr_plan_task_name(q->o.plan, task, &q->name);
	dr_json_str(j, "task", dr_buf_str(&q->name));
	dr_json_str(j, "stage", dr_plan_stage(q->o.plan, task)->name);
	dr_json_word(j, "why", why_words[t->why]);
	dr_buf_reset(&q->text);
	if (dr_stale_explain(stale, task, &q->text, err))
		return -1;
	dr_json_str(j, "reason", dr_buf_str(&q->text));
	dr_buf_reset(&q->text);
	if (dr_query_command(q, task, &q->text, err))
		return -1;
	dr_json_str(j, "command", dr_buf_str(&q->text));
	add_files(q, "inputs", dr_graph_inputs(q->o.plan->graph, task), t->n_in);
	add_files(q, "uses", dr_graph_uses(q->o.plan->graph, task), t->n_uses);
	add_files(q, "outputs", dr_graph_outputs(q->o.plan->graph, task), t->n_out);
	if (t->last_ms)
		dr_json_seconds(j, "last_seconds", (int64_t)t->last_ms * 1000000);
	else
		dr_json_null(j, "last_seconds");
	dr_json_end(j);
	return dr_query_flush(q, false, err);
}

static bool
is_wanted(const struct dr_query_plan *p, uint32_t task)
{
	const struct dr_task *t = &p->plan->graph->tasks[task];

	if (p->only)
		return p->only(p->arg, task);
	return t->state != DR_CLEAN && t->state != DR_UNWANTED;
}

int
dr_query_plan(const struct dr_query_plan *p, int fd, uint64_t *n, struct dr_err *err)
{
	struct dr_query q = { .o = { .plan = p->plan, .fd = fd, .json = true } };
	const struct dr_graph *g = p->plan->graph;
	int rc = 0;

	*n = 0;
	q.json.out = &q.out;
	dr_query_begin(&q, "plan");
	dr_json_begin_list(&q.json, "tasks");
	for (uint32_t i = 0; i < g->n_tasks && rc == 0; i++) {
		if (!is_wanted(p, g->order[i]))
			continue;
		++*n;
		rc = add_task(&q, p->stale, g->order[i], err);
	}
	if (rc == 0) {
		dr_json_end_list(&q.json);
		rc = dr_query_end(&q, err);
	}
	dr_buf_free(&q.out);
	dr_buf_free(&q.text);
	dr_buf_free(&q.name);
	return rc;
}
