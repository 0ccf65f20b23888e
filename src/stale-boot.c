#include "config.h"

#include <stdlib.h>

#include "arena.h"
#include "err.h"
#include "stale-private.h"

/* Whose the record of a task is: a place in the list of runs, or */
enum { NO_RUN = UINT32_MAX, HELD = UINT32_MAX - 1 /* that its outputs were compared since */ };

static bool
run_eq(const void *ctx, uint32_t value, const void *key)
{
	const struct dr_stale_boots *b = ctx;

	return b->runs[value].run == *(const uint64_t *)key;
}

static uint64_t
run_hash(const void *ctx, uint32_t value)
{
	const struct dr_stale_boots *b = ctx;

	return b->runs[value].run; /* random already */
}

static const struct dr_map_ops run_ops = { run_eq, run_hash };

static uint32_t
find_run(const struct dr_stale_boots *b, uint64_t run)
{
	if (b->n && b->runs[b->n - 1].run == run)
		return b->n - 1;
	return dr_map_find(&b->map, &run_ops, b, run, &run);
}

/* Is there anything to tell boots apart by? */
static bool
knows_boot(const struct dr_stale *s)
{
	return s->options.boot.id[0] || s->options.boot.id[1];
}

static bool
is_boot(const struct dr_stale *s, struct dr_hash128 boot)
{
	return boot.lo == s->options.boot.id[0] && boot.hi == s->options.boot.id[1];
}

void
dr_stale_boots_reset(struct dr_stale *s)
{
	struct dr_stale_boots *b = &s->boots;

	dr_map_free(&b->map);
	b->map = (struct dr_map){ 0 };
	b->n = 0;
	b->earlier = false;
	for (uint32_t t = 0; b->by && t < s->plan->graph->n_tasks; t++)
		b->by[t] = NO_RUN;
}

void
dr_stale_boots_free(struct dr_stale *s)
{
	dr_map_free(&s->boots.map);
	free(s->boots.runs);
	free(s->boots.by);
}

int
dr_stale_boot_run(struct dr_stale *s, const struct dr_rec_run *run, struct dr_err *err)
{
	struct dr_stale_boots *b = &s->boots;

	if (!knows_boot(s) || find_run(b, run->run) != DR_NONE)
		return 0;
	if (dr_grow(&b->runs, &b->cap, (size_t)b->n + 1, sizeof(*b->runs)))
		return dr_err_nomem(err);
	b->runs[b->n] = (struct dr_stale_run){
		.run = run->run,
		/* Written before there were boots in it: nothing is known, and it was good enough then. */
		.earlier = (run->boot.lo || run->boot.hi) && !is_boot(s, run->boot),
	};
	b->earlier |= b->runs[b->n].earlier;
	if (dr_map_add(&b->map, &run_ops, b, run->run, b->n))
		return dr_err_nomem(err);
	b->n++;
	return 0;
}

void
dr_stale_boot_barrier(struct dr_stale *s, const struct dr_record *r)
{
	struct dr_stale_boots *b = &s->boots;
	uint32_t i = find_run(b, r->barrier.run), task;

	switch ((enum dr_rec_phase)r->barrier.phase) {
	case DR_REC_BEGINS:
		if (i != DR_NONE)
			b->runs[i].begins = r->at;
		break;
	case DR_REC_HOLDS:
		if (i != DR_NONE)
			b->runs[i].holds = b->runs[i].begins;
		break;
	case DR_REC_ALWAYS:
		if (i != DR_NONE && !b->runs[i].always)
			b->runs[i].always = r->at;
		break;
	case DR_REC_READ:
		task = dr_graph_by_id(s->plan->graph, r->barrier.id);
		if (task != DR_NONE && b->by)
			b->by[task] = HELD;
		break;
	case DR_REC_SETTLED:
		break;
	}
}

int
dr_stale_boot_done(struct dr_stale *s, uint32_t task, uint64_t run, struct dr_err *err)
{
	struct dr_stale_boots *b = &s->boots;
	uint32_t n = s->plan->graph->n_tasks;

	/* While there is but this boot nobody asks. */
	if (!b->earlier)
		return 0;
	if (!b->by) {
		b->by = malloc(((size_t)n + 1) * sizeof(*b->by));
		for (uint32_t t = 0; b->by && t < n; t++)
			b->by[t] = NO_RUN;
	}
	if (!b->by)
		return dr_err_nomem(err);
	b->by[task] = find_run(b, run);
	return 0;
}

/* Does a barrier vouch for the record, or was the machine not started anew since? */
static bool
is_vouched(const struct dr_stale *s, uint32_t task)
{
	const struct dr_stale_boots *b = &s->boots;
	const struct dr_stale_run *r;
	uint64_t at = s->plan->graph->tasks[task].record;

	if (b->by[task] >= b->n)
		return true;
	r = &b->runs[b->by[task]];
	if (!r->earlier || at < r->holds || (r->always && at > r->always))
		return true;
	/* On another machine, which has another boot, and shares the directory with ours. */
	return s->options.lock && dr_lock_alive(s->options.lock, r->run);
}

/* Is what stands there surely, or as good as, what the task wrote? Nobody vouches for the record: what
 * differs from it is torn, unless it is certain that somebody has changed it since: after the start of
 * the machine, and no run was cut off that could have been it. 1, 0, -1 without memory. */
static int
is_whole(struct dr_stale *s, uint32_t file, const struct dr_record *r, const struct dr_rec_file *f,
	 const struct dr_stale_lost *lost)
{
	const struct dr_file *now = &s->plan->graph->files[file];
	struct dr_hash128 content;

	if (now->flags & DR_FILE_ABSENT)
		return 1;
	if (!dr_stamp_same(&now->stamp, &f->stamp) && now->stamp.mtime < lost->first &&
	    dr_stale_since_boot(s, &now->stamp, now->flags & DR_FILE_TREE, r->task.end))
		return 1;
	if (!(f->flags & DR_REC_HASHED) || now->stamp.size != f->stamp.size)
		return 0;
	dr_buf_reset(&s->path);
	dr_graph_path(s->plan->graph, file, &s->path);
	if (s->path.failed)
		return -1;
	return s->disk->hash(s->disk, dr_buf_cstr(&s->path), now->stamp.size, &content) == 0 && dr_hash128_eq(content, f->content);
}

/* All outputs of a task. 1, 0, -1 with err. */
static int
are_whole(struct dr_stale *s, uint32_t task, const struct dr_stale_lost *lost, struct dr_err *err)
{
	const struct dr_task *t = &s->plan->graph->tasks[task];
	const uint32_t *out = dr_graph_outputs(s->plan->graph, task);
	struct dr_record r;
	struct dr_rec_file f;
	uint32_t skip;
	int rc = 1;

	if (dr_journal_at(s->journal, t->record, &r, err))
		return -1;
	skip = r.task.n_in + r.task.n_uses;
	for (uint32_t i = 0; rc > 0 && dr_record_file(&r, &f) == 1; i++)
		if (i >= skip && i - skip < t->n_out)
			rc = is_whole(s, out[i - skip], &r, &f, lost);
	return rc < 0 ? dr_err_nomem(err) : rc;
}

/* It need not be read again before the next start of the machine, nor after it: what was read came from the disk. */
static int
vouch(struct dr_stale *s, uint32_t task, struct dr_err *err)
{
	struct dr_rec_barrier rec = {
		.when = dr_realtime(),
		.id = s->plan->graph->tasks[task].id,
		.phase = DR_REC_READ,
	};

	if (s->options.dry)
		return 0;
	return dr_journal_add_barrier(s->journal, &rec) ? dr_err_nomem(err) : 0;
}

int
dr_stale_distrust(struct dr_stale *s, struct dr_err *err)
{
	struct dr_graph *g = s->plan->graph;
	struct dr_stale_lost lost = dr_stale_lost_runs(s);

	if (knows_boot(s) && dr_stale_forget_lost(s, &lost, err))
		return -1;
	for (uint32_t t = 0; s->boots.by && t < g->n_tasks; t++) {
		int whole;

		if ((s->seen[t] & SEEN_UNSYNCED) || !(s->seen[t] & SEEN_RECORD) || !g->tasks[t].n_out || g->tasks[t].record == UINT64_MAX ||
		    g->tasks[t].why != DR_WHY_NOT || is_vouched(s, t))
			continue;
		whole = are_whole(s, t, &lost, err);
		if (whole < 0 || (whole && vouch(s, t, err)))
			return -1;
		if (whole)
			continue;
		s->seen[t] |= SEEN_UNSYNCED;
		s->unsynced += g->tasks[t].n_out;
	}
	return 0;
}
