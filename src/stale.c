#include "config.h"

#include "stale.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "err.h"
#include "lex.h"
#include "plan-values.h"
#include "stale-compare.h"
#include "stale-early.h"
#include "stale-private.h"

static bool
wanted(const struct dr_task *t)
{
	return t->state != DR_UNWANTED;
}

/* Files. */

static void
mark(struct dr_stale *s, uint32_t file)
{
	if (s->plan->graph->files[file].stamp.size == DR_UNKNOWN)
		s->to_look_at[file / 8] |= (uint8_t)(1U << file % 8);
}

/* Begins to look at what wanted tasks read and make. What a glob found and nobody reads is part of a value. */
static int
look_at_all(struct dr_stale *s, struct dr_err *err)
{
	struct dr_graph *g = s->plan->graph;

	s->compare.looked = dr_realtime();
	s->to_look_at = calloc((size_t)g->n_files / 8 + 1, 1);
	if (!s->to_look_at)
		return dr_err_nomem(err);
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		const uint32_t *file = dr_graph_inputs(g, t);
		uint32_t n = g->tasks[t].n_in + g->tasks[t].n_uses + g->tasks[t].n_out;

		for (uint32_t i = 0; wanted(&g->tasks[t]) && i < n; i++)
			mark(s, file[i]);
	}
	for (uint32_t f = 0; f < g->n_files; f++)
		if ((g->files[f].flags & DR_FILE_GLOB) && g->first_consumer[f] == g->first_consumer[f + 1])
			mark(s, f);
	if (s->options.early)
		dr_early_take(s->options.early, s->plan, s->to_look_at);
	s->look = dr_look_begin(s->disk, g, s->to_look_at, err);
	return s->look ? 0 : -1;
}

static void
need(struct dr_stale *s, uint32_t file)
{
	if (s->look)
		dr_look_need(s->look, file);
}

static void
need_all_of(struct dr_stale *s, uint32_t task)
{
	const struct dr_graph *g = s->plan->graph;
	const uint32_t *file = dr_graph_inputs(g, task);
	uint32_t n = g->tasks[task].n_in + g->tasks[task].n_uses + g->tasks[task].n_out;

	for (uint32_t i = 0; s->look && i < n; i++)
		dr_look_need(s->look, file[i]);
}

static int
end_look(struct dr_stale *s, struct dr_err *err)
{
	struct dr_look *look = s->look;

	s->look = NULL;
	return look ? dr_look_end(look, err) : 0;
}

/* The journal, record by record. */

/* A record whose task no row makes any more. If a glob found what it made, that is no input. */
static int
of_no_task(struct dr_stale *s, struct dr_record *r, struct dr_err *err)
{
	struct dr_graph *g = s->plan->graph;
	uint32_t n = r->task.n_in + r->task.n_uses + r->task.n_out;
	struct dr_rec_file f;

	if (r->task.origin != s->plan->options.origin)
		return 0;
	if (dr_stale_left_done(s, r))
		return dr_err_nomem(err);
	for (uint32_t i = 0; i < n && dr_record_file(r, &f) == 1; i++) {
		uint32_t file = i < n - r->task.n_out ? DR_NONE : dr_graph_find(g, f.path);

		if (file != DR_NONE)
			need(s, file);
		if (file != DR_NONE && g->files[file].producer == DR_NONE &&
		    (g->files[file].flags & DR_FILE_GLOB) && dr_stamp_same(&g->files[file].stamp, &f.stamp)) {
			g->files[file].flags |= DR_FILE_MADE;
			s->made_rows = true;
		}
	}
	return 0;
}

static uint32_t
duration_ms(const struct dr_rec_task *t)
{
	int64_t ms = (t->end - t->start) / 1000000;

	return ms < 1 ? 1 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

static int
on_done(struct dr_stale *s, struct dr_record *r, struct dr_err *err)
{
	uint32_t task = dr_graph_by_id_near(s->plan->graph, r->task.id, s->near);
	struct dr_task *t;
	enum dr_why why;
	unsigned look;

	if (task == DR_NONE)
		return of_no_task(s, r, err);
	s->near = task;
	t = &s->plan->graph->tasks[task];
	if (!wanted(t))
		return 0;
	s->records++;
	t->record = r->at;
	t->last_ms = duration_ms(&r->task);
	need_all_of(s, task);
	/* Whether its marks count yet is told later. */
	s->compare.settled = true;
	if (dr_compare_record(&s->compare, task, r, &why, &look, NULL, err))
		return -1;
	t->why = (uint8_t)why;
	if (dr_stale_boot_done(s, task, r->task.run, err))
		return -1;
	s->seen[task] = (uint16_t)((s->seen[task] & SEEN_FLUX) | SEEN_RECORD | (look & DR_OUT_ABSENT ? SEEN_ABSENT : 0) |
				  (look & DR_OUT_CHANGED ? SEEN_CHANGED : 0) |
				   (s->compare.grave || why == DR_WHY_INPUTS ? SEEN_GRAVE : 0) |
				   (s->compare.hashed ? SEEN_HASHED : 0) |
				  (r->task.origin != s->plan->options.origin ? SEEN_ELSEWHERE : 0) |
				  (s->compare.marked ? SEEN_MARKED : 0));
	return 0;
}

static void
on_id(struct dr_stale *s, const struct dr_record *r)
{
	uint32_t task = dr_graph_by_id(s->plan->graph, r->id);

	if (task == DR_NONE) {
		dr_stale_left_gone(s, r->id);
		return;
	}
	if (r->kind == DR_REC_RECLAIM) {
		s->seen[task] |= SEEN_RECLAIMED;
	} else {
		s->seen[task] = SEEN_FORGOTTEN;
		s->plan->graph->tasks[task].record = UINT64_MAX;
	}
}

/* Runs without a farewell, so far. Others that ended well since need not have cleaned up behind them: they were still alive then, or
 * at work on other stages. Who does clean up says good-bye for them. */
static int
on_run(struct dr_stale *s, const struct dr_record *r, struct dr_err *err)
{
	uint32_t kept = 0;

	if (r->kind == DR_REC_RUN) {
		if (dr_grow(&s->runs, &s->cap_runs, (size_t)s->n_runs + 1, sizeof(*s->runs)))
			return dr_err_nomem(err);
		s->runs[s->n_runs++] = r->run;
		return 0;
	}
	for (uint32_t i = 0; i < s->n_runs; i++)
		if (s->runs[i].run != r->run.run)
			s->runs[kept++] = s->runs[i];
	s->n_runs = kept;
	return 0;
}

static int
on_record(void *arg, struct dr_record *r, struct dr_err *err)
{
	struct dr_stale *s = arg;

	switch (r->kind) {
	case DR_REC_DONE:
		return on_done(s, r, err);
	case DR_REC_RECLAIM:
	case DR_REC_FORGET:
		on_id(s, r);
		return 0;
	case DR_REC_RUN:
		if (dr_stale_boot_run(s, &r->run, err))
			return -1;
		return on_run(s, r, err);
	case DR_REC_BYE:
		return on_run(s, r, err);
	case DR_REC_BARRIER:
		dr_stale_boot_barrier(s, r);
		if (r->barrier.phase == DR_REC_SETTLED)
			dr_stale_settled(s, r->barrier.id);
		return 0;
	default:
		return 0;
	}
}

static int
stream(struct dr_stale *s, struct dr_err *err)
{
	struct dr_graph *g = s->plan->graph;

	for (uint32_t t = 0; t < g->n_tasks; t++)
		s->seen[t] &= SEEN_FLUX;
	dr_stale_boots_reset(s);
	dr_stale_left_reset(s);
	s->n_runs = 0;
	s->records = 0;
	s->near = DR_NONE;
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		g->tasks[t].record = UINT64_MAX;
		g->tasks[t].why = DR_WHY_NOT;
	}
	if (!s->journal)
		return 0;
	dr_journal_rewind(s->journal);
	/* Nobody goes on with a record that ends too early if nobody is there. */
	if (dr_journal_read(s->journal, !s->options.lock || dr_lock_shared(s->options.lock), on_record, s, &s->damaged, err))
		return -1;
	return dr_stale_settle(s, err) || dr_stale_look_back(s, err) ? -1 : 0;
}

/* Verdicts. */

static bool
is_clean(const struct dr_stale *s, uint32_t t)
{
	return s->plan->graph->tasks[t].state == DR_CLEAN;
}

/* An absent output matters by itself only where somebody asked for it; else it is made again when a stale task needs it. */
static bool
target_absent(const struct dr_stale *s, uint32_t task)
{
	const struct dr_graph *g = s->plan->graph;
	const uint32_t *out = dr_graph_outputs(g, task);
	uint32_t round;
	bool inner = dr_plan_inner(s->plan, task, &round);

	for (uint32_t i = 0; i < g->tasks[task].n_out; i++)
		if ((g->files[out[i]].flags & DR_FILE_ABSENT) &&
		    ((g->files[out[i]].flags & DR_FILE_TARGET) ||
		     (!inner && g->first_consumer[out[i]] == g->first_consumer[out[i] + 1])))
			return true;
	return false;
}

/* What only others read, and is not there, is made when one of them is. */
static bool
only_between(const struct dr_stale *s, uint32_t task)
{
	const struct dr_graph *g = s->plan->graph;
	const uint32_t *out = dr_graph_outputs(g, task);

	for (uint32_t i = 0; i < g->tasks[task].n_out; i++)
		if (!(g->files[out[i]].flags & DR_FILE_ABSENT))
			return false;
	return g->tasks[task].n_out && !target_absent(s, task);
}

static enum dr_why
own_reason(const struct dr_stale *s, uint32_t task)
{
	if (s->options.always)
		return DR_WHY_FORCED;
	if (s->seen[task] & SEEN_UNSYNCED)
		return DR_WHY_UNSYNCED;
	if (s->seen[task] & SEEN_FLUX)
		return DR_WHY_LOST;
	if (!(s->seen[task] & SEEN_RECORD))
		return only_between(s, task) ? DR_WHY_NOT : DR_WHY_NEVER;
	if (s->plan->graph->tasks[task].why != DR_WHY_NOT)
		return s->plan->graph->tasks[task].why;
	return target_absent(s, task) ? DR_WHY_LOST : DR_WHY_NOT;
}

static void
becomes_stale(struct dr_stale *s, uint32_t task, enum dr_why why, uint32_t *todo, uint32_t *n)
{
	struct dr_task *t = &s->plan->graph->tasks[task];

	t->state = DR_WAITING;
	t->why = (uint8_t)why;
	t->certain = false;
	todo[(*n)++] = task;
}

/* What a stale task drags along: the makers of inputs that are not there, and all that read what it makes. Each task comes by once. */
static void
spread(struct dr_stale *s, uint32_t task, uint32_t *todo, uint32_t *n)
{
	struct dr_graph *g = s->plan->graph;
	const uint32_t *in = dr_graph_inputs(g, task), *out = dr_graph_outputs(g, task);

	for (uint32_t i = 0; i < g->tasks[task].n_in + g->tasks[task].n_uses; i++) {
		uint32_t p = g->files[in[i]].producer;

		if (p == DR_NONE || !is_clean(s, p) || !(g->files[in[i]].flags & DR_FILE_ABSENT))
			continue;
		becomes_stale(s, p,
			      !(s->seen[p] & SEEN_RECORD)   ? DR_WHY_NEVER :
			      s->seen[p] & SEEN_RECLAIMED ? DR_WHY_NEEDED :
							    DR_WHY_LOST,
			      todo, n);
		g->tasks[p].certain = !(s->seen[p] & SEEN_RECORD);
	}
	for (uint32_t i = 0; i < g->tasks[task].n_out; i++)
		for (uint32_t c = g->first_consumer[out[i]]; c < g->first_consumer[out[i] + 1]; c++)
			if (is_clean(s, g->consumers[c]))
				becomes_stale(s, g->consumers[c], DR_WHY_UPSTREAM, todo, n);
}

static int
decide(struct dr_stale *s, struct dr_err *err)
{
	struct dr_graph *g = s->plan->graph;
	uint32_t *todo = malloc(((size_t)g->n_tasks + 1) * sizeof(*todo)), n = 0;

	if (!todo)
		return dr_err_nomem(err);
	for (uint32_t t = 0; t < g->n_tasks; t++)
		if (wanted(&g->tasks[t]))
			g->tasks[t].state = DR_CLEAN;
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		enum dr_why why = is_clean(s, t) ? own_reason(s, t) : DR_WHY_NOT;

		if (why != DR_WHY_NOT) {
			becomes_stale(s, t, why, todo, &n);
			g->tasks[t].certain = true;
		}
	}
	while (n)
		spread(s, todo[--n], todo, &n);
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		const uint32_t *out = dr_graph_outputs(g, t);

		for (uint32_t i = 0; (s->seen[t] & SEEN_RECLAIMED) && is_clean(s, t) && i < g->tasks[t].n_out; i++)
			if (g->files[out[i]].flags & DR_FILE_ABSENT)
				g->files[out[i]].flags |= DR_FILE_RECLAIMED;
	}
	free(todo);
	return dr_stale_certain(s, err);
}

int
dr_stale_check(struct dr_plan *pl, struct dr_journal *j, struct dr_disk *disk, const struct dr_stale_options *o,
	       struct dr_stale **out, struct dr_stale_counts *counts, struct dr_diags *diags, struct dr_err *err)
{
	struct dr_stale *s = calloc(1, sizeof(*s));
	int rc = -1;

	*out = NULL;
	if (!s)
		return dr_err_nomem(err);
	*s = (struct dr_stale){ .plan = pl, .journal = j, .disk = disk, .options = *o };
	s->compare = (struct dr_compare){ .plan = pl, .disk = disk, .hasher = dr_hasher_new() };
	s->compare.contents = (struct dr_contents){ .graph = pl->graph, .disk = disk };
	s->seen = calloc((size_t)pl->graph->n_tasks + 1, sizeof(*s->seen));
	if (!s->seen || !s->compare.hasher) {
		dr_err_nomem(err);
		goto out;
	}
	if (look_at_all(s, err) || stream(s, err) || end_look(s, err))
		goto out;
	/* What another run has given its name between the two is recorded by now, as that comes first. */
	if (j && dr_stale_any_unrecorded(s) && dr_journal_grown(j) && stream(s, err))
		goto out;
	if (s->made_rows) {
		rc = 1;
		goto out;
	}
	if (dr_stale_find_dead(s, err) || (!o->dry && o->crashed && s->n_dead && o->crashed(o->arg, err)))
		goto out;
	rc = dr_stale_roll_forward(s, err);
	if (rc > 0) /* names changed: hold the records against them once more */
		rc = stream(s, err);
	if (rc || dr_stale_sweep(s, err) || dr_stale_distrust(s, err) || decide(s, err) || dr_stale_refuse(s, diags, err)) {
		rc = -1;
		goto out;
	}
	dr_stale_farewell(s);
	if (dr_stale_count(s, counts, err)) {
		rc = -1;
		goto out;
	}
	*out = s;
	return 0;
out:
	dr_stale_free(s);
	return rc;
}

void
dr_stale_free(struct dr_stale *s)
{
	struct dr_err unheard;

	if (!s)
		return;
	if (s->look)
		(void)dr_look_end(s->look, &unheard);
	free(s->to_look_at);
	dr_compare_free(&s->compare);
	dr_buf_free(&s->path);
	dr_buf_free(&s->text);
	dr_stale_boots_free(s);
	dr_stale_left_reset(s);
	free(s->left);
	free(s->seen);
	free(s->runs);
	free(s->dead);
	free(s);
}

/* Only tasks that another run has recorded since are worth another look. */
static int
on_news(void *arg, struct dr_record *r, struct dr_err *err)
{
	struct dr_stale *s = arg;
	uint32_t task;

	if (r->kind == DR_REC_RUN || r->kind == DR_REC_BYE)
		return on_run(s, r, err);
	if (r->kind != DR_REC_DONE)
		return 0;
	task = dr_graph_by_id(s->plan->graph, r->task.id);
	if (task != DR_NONE && wanted(&s->plan->graph->tasks[task])) {
		s->seen[task] |= SEEN_NEWS | SEEN_MARKED;
		s->plan->graph->tasks[task].record = r->at;
	}
	return 0;
}

int
dr_stale_news(struct dr_stale *s, struct dr_err *err)
{
	return dr_journal_read(s->journal, true, on_news, s, NULL, err);
}

int
dr_stale_look(struct dr_stale *s, uint32_t task, struct dr_err *err)
{
	struct dr_graph *g = s->plan->graph;
	const uint32_t *file = dr_graph_inputs(g, task);
	uint32_t reads = g->tasks[task].n_in + g->tasks[task].n_uses;
	struct dr_record r;
	enum dr_why why;
	unsigned look;

	if (dr_stale_news(s, err))
		return -1;
	/* A record from before will do for those that only seemed to be out of date: they, or what they read, were just being made. */
	if (!(s->seen[task] & SEEN_NEWS) && (s->options.always || !(s->seen[task] & SEEN_RECORD)))
		return 0;
	for (uint32_t i = 0; i < reads + g->tasks[task].n_out; i++) {
		uint32_t p = i < reads ? g->files[file[i]].producer : DR_NONE;

		/* What we made ourselves is as we made it, unless another run has made it once more. */
		if ((p == DR_NONE || (s->seen[p] & SEEN_NEWS)) && dr_look_at(s->disk, g, file[i], &s->path, err))
			return -1;
	}
	if (dr_journal_at(s->journal, g->tasks[task].record, &r, err) ||
	    dr_stale_compare(s, task, &r, &why, &look, NULL, err))
		return -1;
	return why == DR_WHY_NOT && !look;
}
