#include "config.h"

#include "query.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "query-private.h"

struct choice {
	struct dr_query *q;
	const char *const *targets;
	uint32_t n;
	bool *found; /* by target */
};

static int
choose_planned(struct dr_query *q, uint32_t task, struct dr_err *err)
{
	struct dr_query_task *t = dr_query_by_id(q, q->o.plan->graph->tasks[task].id);

	if (t && (t->flags & (DR_QUERY_DONE | DR_QUERY_FAILED))) {
		t->flags |= DR_QUERY_CHOSEN;
		return 0;
	}
	if (dr_grow(&q->fresh, &q->cap_fresh, (size_t)q->n_fresh + 1, sizeof(*q->fresh)))
		return dr_err_nomem(err);
	q->fresh[q->n_fresh++] = task;
	return 0;
}

/* All of a stage; the one task of STAGE:ROW; the one that makes a file. */
static int
choose_in_plan(struct choice *c, uint32_t i, struct dr_err *err)
{
	const struct dr_plan *pl = c->q->o.plan;
	const char *target = c->targets[i];
	uint32_t file = dr_graph_find(pl->graph, dr_str(target));

	for (uint32_t s = 0; s < pl->pipeline->n_stages; s++) {
		const struct dr_plan_stage *ps = &pl->stages[s];
		struct dr_str name = pl->pipeline->stages[s].name;
		bool whole = dr_str_is(name, target);

		if (!whole && (strncmp(target, name.p, name.n) != 0 || (target[name.n] != ':' && target[name.n] != '/')))
			continue;
		for (uint32_t t = ps->first; t < ps->first + ps->n; t++) {
			if (!whole) {
				dr_buf_reset(&c->q->text);
				dr_plan_task_label(pl, t, &c->q->text);
				if (!dr_str_is(dr_buf_str(&c->q->text), target))
					continue;
			}
			c->found[i] = true;
			if (choose_planned(c->q, t, err))
				return -1;
		}
		if (whole)
			return 0;
	}
	if (!c->found[i] && file != DR_NONE && pl->graph->files[file].producer != DR_NONE) {
		c->found[i] = true;
		return choose_planned(c->q, pl->graph->files[file].producer, err);
	}
	return 0;
}

/* Behind `at`: /ROUND.INDEX of an inner node, and no more. A path may begin with a stage's name too. */
static bool
is_node(struct dr_str name, size_t at)
{
	uint32_t dots = 0;

	if (name.p[at++] != '/')
		return false;
	for (; at < name.n; at++) {
		dots += name.p[at] == '.';
		if (name.p[at] != '.' && (name.p[at] < '0' || name.p[at] > '9'))
			return false;
	}
	return dots == 1;
}

/* Is the task of a record called so, by its name or one of its outputs? Without a plan, that it is of the stage shows by its name only
 * where that begins with it. */
static bool
is_called(struct dr_record *r, const char *target, bool prefix)
{
	uint64_t n = (uint64_t)r->task.n_in + r->task.n_uses + r->task.n_out, skip = n - r->task.n_out;
	size_t len = strlen(target);
	struct dr_rec_file f;

	if (dr_str_is(r->task.name, target))
		return true;
	if (prefix && r->task.name.n > len && !memcmp(r->task.name.p, target, len) &&
	    (r->task.name.p[len] == ':' || is_node(r->task.name, len)))
		return true;
	for (uint64_t i = 0; dr_record_file(r, &f) == 1; i++)
		if (i >= skip && dr_str_is(f.path, target))
			return true;
	return false;
}

static int
on_record(void *arg, struct dr_record *r, struct dr_err *err)
{
	struct choice *c = arg;
	struct dr_query_task *t;

	(void)err;
	if (r->kind != DR_REC_DONE && r->kind != DR_REC_FAIL)
		return 0;
	t = dr_query_by_id(c->q, r->task.id);
	if (!t || !(t->flags & (DR_QUERY_DONE | DR_QUERY_FAILED)))
		return 0;
	/* One that holds no longer has nothing to say, but what failed last may have made the file before. */
	if (t->at != r->at && t->failed_at != r->at)
		return 0;
	for (uint32_t i = 0; i < c->n; i++) {
		struct dr_record again = *r; /* its files can be read once */

		if (is_called(&again, c->targets[i], !c->q->o.plan)) {
			c->found[i] = true;
			t->flags |= DR_QUERY_CHOSEN;
		}
	}
	return 0;
}

static int
not_found(const struct choice *c, uint32_t i, struct dr_err *err)
{
	struct dr_buf shown = { 0 };
	int rc;

	dr_buf_escape(&shown, dr_str(c->targets[i]));
	rc = dr_err_set(err, DR_USAGE, "there is no record of '%s'%s%s", dr_buf_cstr(&shown), c->q->o.no_plan ? "; " : "",
			c->q->o.no_plan ? c->q->o.no_plan : "");
	dr_buf_free(&shown);
	return rc;
}

/* Targets that are outputs' paths, and nothing more. */
static int
keep_paths(struct dr_query *q, const char *const *targets, uint32_t n, struct dr_err *err)
{
	const char **paths = calloc((size_t)n + 1, sizeof(*paths));
	const struct dr_pipeline *p = q->o.plan ? q->o.plan->pipeline : NULL;

	if (!paths)
		return dr_err_nomem(err);
	free((void *)q->paths);
	q->n_paths = 0;
	for (uint32_t i = 0; i < n; i++) {
		bool stage = false;

		for (uint32_t s = 0; p && s < p->n_stages; s++)
			stage |= dr_str_is(p->stages[s].name, targets[i]);
		if (!stage)
			paths[q->n_paths++] = targets[i];
	}
	q->paths = paths;
	return 0;
}

int
dr_query_choose(struct dr_query *q, const char *const *targets, uint32_t n, struct dr_err *err)
{
	struct choice c = { .q = q, .targets = targets, .n = n };
	int rc = -1;

	c.found = calloc((size_t)n + 1, sizeof(*c.found));
	if (!c.found)
		return dr_err_nomem(err);
	if (keep_paths(q, targets, n, err))
		goto out;
	for (uint32_t i = 0; q->o.plan && i < n; i++)
		if (choose_in_plan(&c, i, err))
			goto out;
	if (q->o.journal) {
		dr_journal_rewind(q->o.journal);
		if (dr_journal_read(q->o.journal, true, on_record, &c, NULL, err))
			goto out;
	}
	for (uint32_t r = 0; r < q->n_runs; r++)
		for (uint32_t k = 0; k < q->runs[r].f.n_tasks; k++)
			for (uint32_t i = 0; i < n; i++)
				c.found[i] |= dr_str_is(q->runs[r].tasks[k].name, targets[i]);
	for (uint32_t i = 0; i < n; i++) {
		if (!c.found[i]) {
			not_found(&c, i, err);
			goto out;
		}
	}
	rc = 0;
out:
	free(c.found);
	return rc;
}

int
dr_query_choose_all(struct dr_query *q, struct dr_err *err)
{
	(void)err;
	for (uint32_t i = 0; i < q->n; i++)
		q->tasks[i].flags |= DR_QUERY_CHOSEN;
	return 0;
}

/* Does the plan still make any of the record's outputs, or read it because somebody named it? What a glob finds was not named. */
static bool
is_in_use(const struct dr_query *q, struct dr_record *r)
{
	uint64_t skip = (uint64_t)r->task.n_in + r->task.n_uses;
	const struct dr_graph *g = q->o.plan->graph;
	struct dr_rec_file f;

	for (uint64_t i = 0; dr_record_file(r, &f) == 1; i++) {
		uint32_t file = i < skip ? DR_NONE : dr_graph_find(g, f.path);

		if (file != DR_NONE &&
		    (g->files[file].producer != DR_NONE || !(g->files[file].flags & DR_FILE_GLOB)))
			return true;
	}
	return false;
}

int
dr_query_choose_orphans(struct dr_query *q, struct dr_err *err)
{
	for (uint32_t i = 0; i < q->n; i++) {
		struct dr_query_task *t = &q->tasks[i];
		struct dr_record r;

		if (!(t->flags & DR_QUERY_DONE) || t->planned != DR_NONE)
			continue;
		if (dr_journal_at(q->o.journal, t->at, &r, err))
			return -1;
		if (!is_in_use(q, &r))
			t->flags |= DR_QUERY_CHOSEN;
	}
	return 0;
}
