#include "config.h"

#include <inttypes.h>

#include "session.h"
#include "barrier.h"
#include "err.h"
#include "publish.h"

/* Does anybody miss its outputs when they are not there? Not those that are only between two stages. */
static bool
to_stay(const struct dr_plan *pl, uint32_t task)
{
	const uint32_t *out = dr_graph_outputs(pl->graph, task);

	return !pl->graph->tasks[task].n_out || (pl->graph->files[*out].flags & (DR_FILE_KEEP | DR_FILE_TARGET));
}

int
dr_session_adopt(struct dr_session *s, struct dr_err *err)
{
	const struct dr_graph *g = s->plan->graph;
	struct dr_publisher *p = dr_publisher_new(s->plan, s->disk, s->journal, s->lock, s->run, err);
	uint64_t adopted = 0, missing = 0;
	struct dr_barrier *b = NULL;
	int rc = p ? dr_session_record(s, DR_REC_RUN, err) : -1;

	/* They may stand for hours of work, and nobody knows since when. */
	if (rc == 0)
		rc = dr_session_barrier(s, dr_now(), 0, &b, err);
	if (rc == 0)
		rc = dr_session_record_durable(s, err);
	if (rc == 0)
		dr_publisher_endure(p, b, 0, s->options.durable);

	for (uint32_t i = 0; rc == 0 && i < g->n_tasks; i++) {
		uint32_t t = g->order[i];
		enum dr_verdict verdict;

		if (g->tasks[t].state != DR_WAITING)
			continue;
		rc = dr_publish_adopt(p, t, &verdict, err);
		adopted += rc == 0 && verdict == DR_PUBLISHED;
		missing += rc == 0 && verdict != DR_PUBLISHED && to_stay(s->plan, t);
	}
	if (rc == 0)
		rc = dr_publish_commit(p, NULL, NULL, err);
	while (rc == 0 && dr_barrier_last(b, dr_now()))
		dr_barrier_wait(b);
	if (rc == 0)
		rc = dr_session_record(s, DR_REC_BYE, err);
	dr_barrier_free(b);
	dr_publisher_free(p);
	if (rc == 0) {
		dr_buf_reset(&s->text);
		dr_buf_addf(&s->text, "%" PRIu64 " %s taken as done", adopted, adopted == 1 ? "task" : "tasks");
		if (missing)
			dr_buf_addf(&s->text, "; not %" PRIu64 " whose outputs or inputs are not there", missing);
		dr_session_message(s, DR_NOTICE, dr_buf_cstr(&s->text));
	}
	return rc;
}

/* Is there an output that only later stages read, of a task that is up to date? Mostly there is none, and nothing is opened for it. */
static bool
any_left(const struct dr_plan *pl)
{
	const struct dr_graph *g = pl->graph;

	for (uint32_t f = 0; f < g->n_files; f++)
		if (g->files[f].producer != DR_NONE && g->tasks[g->files[f].producer].state == DR_CLEAN &&
		    !(g->files[f].flags & (DR_FILE_KEEP | DR_FILE_TARGET | DR_FILE_ABSENT)))
			return true;
	return false;
}

int
dr_session_tidy(struct dr_session *s, struct dr_err *err)
{
	struct dr_publisher *p;
	int rc = -1;

	if (!s->journal || !any_left(s->plan))
		return 0;
	p = dr_publisher_new(s->plan, s->disk, s->journal, s->lock, s->run, err);
	if (p && dr_publish_reclaim_left(p, err) == 0)
		rc = dr_publish_commit(p, NULL, NULL, err);
	dr_publisher_free(p);
	return rc;
}
