#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "arena.h"
#include "err.h"
#include "stale-private.h"

/* A run that a power cut has ended may have put something in the place of outputs whose records hold,
 * and its own records are lost. The first run after that says its farewell, and from then on nobody
 * would know; so it forgets all such records first, also those of tasks that its plan does not want or
 * know. */

static bool
is_lost(const struct dr_stale *s, const struct dr_rec_run *r)
{
	bool known = r->boot.lo || r->boot.hi;
	bool ours = r->boot.lo == s->options.boot.id[0] && r->boot.hi == s->options.boot.id[1];

	return known && !ours && !(s->options.lock && dr_lock_alive(s->options.lock, r->run));
}

struct dr_stale_lost
dr_stale_lost_runs(const struct dr_stale *s)
{
	struct dr_stale_lost l = { INT64_MAX, INT64_MIN };

	for (uint32_t i = 0; i < s->n_runs; i++) {
		if (!is_lost(s, &s->runs[i]))
			continue;
		l.first = s->runs[i].when < l.first ? s->runs[i].when : l.first;
		l.last = s->runs[i].when > l.last ? s->runs[i].when : l.last;
	}
	return l;
}

bool
dr_stale_since_boot(const struct dr_stale *s, const struct dr_stamp *st, bool tree, int64_t known)
{
	int64_t began = s->options.boot.began;

	return !tree && began > known && st->mtime >= began;
}

/* Does an output that differs from its record come from such a run, rather than from somebody's hand? */
static bool
is_of_lost(const struct dr_stale *s, const struct dr_stamp *st, bool tree, const struct dr_stale_lost *lost)
{
	return tree || (st->mtime >= lost->first && !dr_stale_since_boot(s, st, tree, lost->last));
}

static int
forget(struct dr_stale *s, struct dr_hash128 id, struct dr_err *err)
{
	if (s->options.dry)
		return 0;
	return dr_journal_add_id(s->journal, DR_REC_FORGET, id) ? dr_err_nomem(err) : 0;
}

/* Of the plan. */

static bool
has_of_lost(const struct dr_stale *s, uint32_t task, const struct dr_stale_lost *lost)
{
	const struct dr_graph *g = s->plan->graph;
	const uint32_t *out = dr_graph_outputs(g, task);

	for (uint32_t i = 0; i < g->tasks[task].n_out; i++) {
		const struct dr_file *f = &g->files[out[i]];

		if (!(f->flags & DR_FILE_ABSENT) && is_of_lost(s, &f->stamp, f->flags & DR_FILE_TREE, lost))
			return true;
	}
	return false;
}

static int
forget_wanted(struct dr_stale *s, const struct dr_stale_lost *lost, struct dr_err *err)
{
	struct dr_graph *g = s->plan->graph;
	const unsigned differs = SEEN_RECORD | SEEN_CHANGED;

	for (uint32_t t = 0; t < g->n_tasks; t++) {
		if ((s->seen[t] & differs) != differs || !has_of_lost(s, t, lost))
			continue;
		s->seen[t] |= SEEN_UNSYNCED;
		s->unsynced += g->tasks[t].n_out;
		if (forget(s, g->tasks[t].id, err))
			return -1;
	}
	return 0;
}

/* Of others. */

struct other {
	struct dr_hash128 id;
	uint64_t at; /* of its DONE, or FORGET; the last one counts */
	bool done;
};

struct others {
	struct dr_stale *s;
	struct other *v;
	uint32_t n, cap;
};

static int
on_record(void *arg, struct dr_record *r, struct dr_err *err)
{
	struct others *o = arg;
	const struct dr_graph *g = o->s->plan->graph;
	bool done = r->kind == DR_REC_DONE;
	struct dr_hash128 id;
	uint32_t task;

	if (!done && r->kind != DR_REC_FORGET)
		return 0;
	id = done ? r->task.id : r->id;
	task = dr_graph_by_id(g, id);
	if (task != DR_NONE && g->tasks[task].state != DR_UNWANTED)
		return 0;
	if (dr_grow(&o->v, &o->cap, (size_t)o->n + 1, sizeof(*o->v)))
		return dr_err_nomem(err);
	o->v[o->n++] = (struct other){ id, r->at, done };
	return 0;
}

static int
by_id_and_place(const void *a, const void *b)
{
	const struct other *x = a, *y = b;

	if (x->id.hi != y->id.hi)
		return x->id.hi < y->id.hi ? -1 : 1;
	if (x->id.lo != y->id.lo)
		return x->id.lo < y->id.lo ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* 1: an output of the record at `at` is of a lost run; 0; -1 with err. */
static int
is_replaced(struct dr_stale *s, uint64_t at, const struct dr_stale_lost *lost, struct dr_err *err)
{
	struct dr_record r;
	struct dr_rec_file f;
	uint32_t skip;
	bool found = false;

	if (dr_journal_at(s->journal, at, &r, err))
		return -1;
	skip = r.task.n_in + r.task.n_uses;
	for (uint32_t i = 0; !found && dr_record_file(&r, &f) == 1; i++) {
		struct dr_stamp now;
		bool dir = false;

		if (i < skip)
			continue;
		dr_buf_reset(&s->path);
		dr_buf_add(&s->path, f.path.p, f.path.n);
		if (s->path.failed)
			return dr_err_nomem(err);
		/* What cannot be looked at cannot be what the run has made. */
		if (dr_disk_look(s->disk, dr_buf_cstr(&s->path), true, &now, &dir) || now.size == DR_ABSENT)
			continue;
		found = !dr_stamp_same(&now, &f.stamp) && is_of_lost(s, &now, dir, lost);
	}
	return found;
}

static int
forget_others(struct dr_stale *s, const struct dr_stale_lost *lost, struct dr_err *err)
{
	struct others o = { .s = s };
	int rc = -1;

	dr_journal_rewind(s->journal);
	if (dr_journal_read(s->journal, true, on_record, &o, NULL, err))
		goto out;
	if (o.n)
		qsort(o.v, o.n, sizeof(*o.v), by_id_and_place);
	for (uint32_t i = 0; i < o.n; i++) {
		bool last = i + 1 == o.n || !dr_hash128_eq(o.v[i].id, o.v[i + 1].id);
		int replaced = last && o.v[i].done ? is_replaced(s, o.v[i].at, lost, err) : 0;

		if (replaced < 0 || (replaced && forget(s, o.v[i].id, err)))
			goto out;
	}
	rc = 0;
out:
	free(o.v);
	return rc;
}

int
dr_stale_forget_lost(struct dr_stale *s, const struct dr_stale_lost *lost, struct dr_err *err)
{
	if (lost->first == INT64_MAX)
		return 0;
	if (forget_wanted(s, lost, err))
		return -1;
	if (s->options.dry)
		return 0;
	if (forget_others(s, lost, err))
		return -1;
	/* The farewell must not reach the disk without what was forgotten: another power cut may follow. */
	if (!dr_journal_pending(s->journal))
		return 0;
	if (dr_journal_flush(s->journal, err))
		return -1;
	return dr_journal_sync(s->journal) ? dr_err_sys(err, errno, "sync .dagrun/journal") : 0;
}
