#include "config.h"

#include "query.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "local.h"
#include "os.h"
#include "plan-values.h"
#include "query-private.h"

/* The table of tasks. */

static bool
id_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct dr_query *q = ctx;

	return dr_hash128_eq(q->tasks[value].id, *(const struct dr_hash128 *)key);
}

static uint64_t
id_hash(const void *ctx, uint32_t value)
{
	const struct dr_query *q = ctx;

	return q->tasks[value].id.lo;
}

static const struct dr_map_ops by_id = { .eq = id_eq, .hash = id_hash };

struct dr_query_task *
dr_query_by_id(const struct dr_query *q, struct dr_hash128 id)
{
	uint32_t i = dr_map_find(&q->map, &by_id, q, id.lo, &id);

	return i == DR_NONE ? NULL : &q->tasks[i];
}

uint64_t
dr_query_last(const struct dr_query_task *t)
{
	return t->flags & DR_QUERY_FAILED ? t->failed_at : t->at;
}

static struct dr_query_task *
add(struct dr_query *q, struct dr_hash128 id)
{
	struct dr_query_task *t = dr_query_by_id(q, id);

	if (t)
		return t;
	if (dr_grow(&q->tasks, &q->cap, (size_t)q->n + 1, sizeof(*q->tasks)))
		return NULL;
	q->tasks[q->n] = (struct dr_query_task){ .id = id, .planned = DR_NONE };
	if (q->o.plan)
		q->tasks[q->n].planned = dr_graph_by_id(q->o.plan->graph, id);
	if (dr_map_add(&q->map, &by_id, q, id.lo, q->n))
		return NULL;
	return &q->tasks[q->n++];
}

static int
on_record(void *arg, struct dr_record *r, struct dr_err *err)
{
	struct dr_query *q = arg;
	struct dr_query_task *t;

	if (r->kind == DR_REC_DONE || r->kind == DR_REC_FAIL) {
		if (q->o.origin && r->task.origin != q->o.origin)
			return 0;
		t = add(q, r->task.id);
		if (!t)
			return dr_err_nomem(err);
		if (r->kind == DR_REC_DONE) {
			t->at = r->at;
			t->flags = DR_QUERY_DONE;
		} else {
			t->failed_at = r->at;
			t->flags |= DR_QUERY_FAILED;
			t->flags &= ~(uint32_t)DR_QUERY_CANCELLED;
			t->flags |= r->task.how == DR_REC_CANCELLED ? DR_QUERY_CANCELLED : 0;
		}
	} else if (r->kind == DR_REC_FORGET) {
		t = dr_query_by_id(q, r->id);
		if (t)
			t->flags = 0;
	}
	return 0;
}

struct dr_query *
dr_query_new(const struct dr_query_options *o, struct dr_err *err)
{
	struct dr_query *q = calloc(1, sizeof(*q));

	if (!q) {
		dr_err_nomem(err);
		return NULL;
	}
	q->o = *o;
	q->json.out = &q->out;
	if (o->state_dir >= 0 && dr_ledger_read(o->state_dir, &q->runs, &q->n_runs, err))
		goto fail;
	if (o->journal) {
		dr_journal_rewind(o->journal);
		if (dr_journal_read(o->journal, true, on_record, q, NULL, err))
			goto fail;
	}
	return q;
fail:
	dr_query_free(q);
	return NULL;
}

void
dr_query_free(struct dr_query *q)
{
	if (!q)
		return;
	dr_ledger_free_images(q->runs, q->n_runs);
	dr_map_free(&q->map);
	free(q->tasks);
	free(q->fresh);
	free((void *)q->paths);
	dr_buf_free(&q->out);
	dr_buf_free(&q->text);
	dr_buf_free(&q->name);
	free(q);
}

/* Writing. */

int
dr_query_flush(struct dr_query *q, bool always, struct dr_err *err)
{
	if (q->out.failed || q->text.failed || q->name.failed)
		return dr_err_nomem(err);
	if (!always && q->out.n < DR_QUERY_FLUSH)
		return 0;
	if (q->out.n && dr_write_full(q->o.fd, q->out.p, q->out.n))
		return dr_err_sys(err, errno, "write");
	dr_buf_reset(&q->out);
	return 0;
}

void
dr_query_begin(struct dr_query *q, const char *kind)
{
	dr_json_begin(&q->json, NULL);
	dr_json_uint(&q->json, "version", DR_JSON_VERSION);
	dr_json_word(&q->json, "kind", kind);
}

int
dr_query_end(struct dr_query *q, struct dr_err *err)
{
	dr_json_end(&q->json);
	dr_buf_addc(&q->out, '\n');
	return dr_query_flush(q, true, err);
}

/* Runs. */

bool
dr_query_alive(const struct dr_query *q, const struct dr_ledger_image *run)
{
	return !run->f.ended && q->o.lock && dr_lock_attended(q->o.lock, run->f.run);
}

const struct dr_ledger_task *
dr_query_running(const struct dr_query *q, struct dr_hash128 id, const struct dr_ledger_image **run)
{
	for (uint32_t i = 0; i < q->n_runs; i++)
		for (uint32_t k = 0; k < q->runs[i].f.n_tasks; k++)
			if (dr_hash128_eq(q->runs[i].tasks[k].id, id) && dr_query_alive(q, &q->runs[i])) {
				*run = &q->runs[i];
				return &q->runs[i].tasks[k];
			}
	return NULL;
}

/* Words. */

void
dr_query_describe(const struct dr_rec_task *t, struct dr_buf *out)
{
	static const enum dr_how hows[] = {
		[DR_REC_BY_ITSELF] = DR_HOW_EXIT,
		[DR_REC_TIMEOUT] = DR_HOW_TIMEOUT,
		[DR_REC_CANCELLED] = DR_HOW_CANCELLED,
		[DR_REC_UNPUBLISHED] = DR_HOW_UNPUBLISHED,
		[DR_REC_NO_START] = DR_HOW_NO_START,
	};
	struct dr_task_end e = { .outcome = { .status = t->status }, .timeout = t->end - t->start };

	if (t->how < sizeof(hows) / sizeof(*hows))
		e.how = hows[t->how];
	if (e.how == DR_HOW_UNPUBLISHED)
		e.message = "exited 0, and its outputs could not be published";
	if (e.how == DR_HOW_NO_START)
		e.message = t->status >> 8 == 127 ? "its program was not found" : "the system refused";
	dr_outcome_describe(&e, out);
}

int
dr_query_command(struct dr_query *q, uint32_t planned, struct dr_buf *out, struct dr_err *err)
{
	struct dr_task_values tv;

	if (!q->o.plan || planned == DR_NONE)
		return 0;
	dr_task_values_init(&tv, q->o.plan, planned);
	return dr_command_show(&dr_plan_stage(q->o.plan, planned)->run, &tv.v, out, err);
}
