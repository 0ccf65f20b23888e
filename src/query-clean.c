#include "config.h"

#include "query.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "query-private.h"
#include "stale-compare.h"

struct cleaning {
	struct dr_query *q;
	bool dry, forget;
	uint64_t removed, bytes, left;
	struct dr_err *err;
};

static bool
is_path(const struct dr_query *q, struct dr_str path)
{
	for (uint32_t i = 0; i < q->n_paths; i++)
		if (dr_str_is(path, q->paths[i]))
			return true;
	return false;
}

/* Was one of its outputs asked for by its path? Then the others stay. */
static bool
is_by_path(const struct dr_query *q, struct dr_record r)
{
	uint64_t skip = (uint64_t)r.task.n_in + r.task.n_uses;
	struct dr_rec_file f;

	for (uint64_t i = 0; q->n_paths && dr_record_file(&r, &f) == 1; i++)
		if (i >= skip && is_path(q, f.path))
			return true;
	return false;
}

static void
tell_left(struct cleaning *c, struct dr_str path)
{
	if (!c->q->o.notice || c->q->o.silent)
		return;
	dr_buf_adds(c->q->o.notice, "dagrun: ");
	dr_buf_escape(c->q->o.notice, path);
	dr_buf_adds(c->q->o.notice, " was changed since it was made, and stays\n");
}

/* 0, also when it stays; -1 with err. */
static int
clean_file(struct cleaning *c, const struct dr_rec_file *f)
{
	struct dr_query *q = c->q;
	struct dr_stamp now;
	bool dir = false;

	dr_buf_reset(&q->name);
	dr_buf_addstr(&q->name, f->path);
	if (q->name.failed)
		return dr_err_nomem(c->err);
	/* Of a directory, size and mtime stand for all that is in it: one that is as recorded was an output, and nothing was put there
	 * since. */
	if (dr_disk_look(q->o.disk, dr_buf_cstr(&q->name), true, &now, &dir))
		return dr_err_sys(c->err, errno, "look at %s", dr_buf_cstr(&q->name));
	if (now.size == DR_ABSENT)
		return 0;
	if (!dr_stamp_same(&now, &f->stamp)) {
		c->left++;
		tell_left(c, f->path);
		return 0;
	}
	if (!c->dry && (dir ? q->o.disk->remove_tree(q->o.disk, dr_buf_cstr(&q->name)) :
			      q->o.disk->unlink(q->o.disk, dr_buf_cstr(&q->name))))
		return dr_err_sys(c->err, errno, "remove %s", dr_buf_cstr(&q->name));
	c->removed++;
	c->bytes += (uint64_t)now.size;
	dr_buf_escape(&q->out, f->path);
	dr_buf_addc(&q->out, '\n');
	return dr_query_flush(q, false, c->err);
}

static int
clean_task(struct cleaning *c, const struct dr_query_task *t)
{
	struct dr_query *q = c->q;
	uint64_t before = c->left, skip;
	struct dr_rec_file f;
	struct dr_record r;
	bool by_path;

	if (dr_journal_at(q->o.journal, t->at, &r, c->err))
		return -1;
	by_path = is_by_path(q, r);
	skip = (uint64_t)r.task.n_in + r.task.n_uses;
	for (uint64_t i = 0; dr_record_file(&r, &f) == 1; i++)
		if (i >= skip && (!by_path || is_path(q, f.path)) && clean_file(c, &f))
			return -1;
	/* What stays is still ours to know of. */
	if (c->forget && !c->dry && c->left == before && dr_journal_add_id(q->o.journal, DR_REC_FORGET, t->id))
		return dr_err_nomem(c->err);
	return 0;
}

int
dr_query_clean(struct dr_query *q, bool dry, bool forget, uint64_t *left, struct dr_err *err)
{
	struct cleaning c = { .q = q, .dry = dry, .forget = forget, .err = err };

	for (uint32_t i = 0; i < q->n; i++)
		if ((q->tasks[i].flags & (DR_QUERY_CHOSEN | DR_QUERY_DONE)) == (DR_QUERY_CHOSEN | DR_QUERY_DONE) &&
		    clean_task(&c, &q->tasks[i]))
			return -1;
	*left = c.left;
	if (q->o.notice && !q->o.silent) {
		dr_buf_addf(q->o.notice, "dagrun: %" PRIu64 " output%s (", c.removed, c.removed == 1 ? "" : "s");
		dr_buf_bytes(q->o.notice, c.bytes);
		dr_buf_adds(q->o.notice, dry ? ") would be removed\n" : ") removed\n");
	}
	return dr_query_flush(q, true, err);
}

int
dr_query_forget(struct dr_query *q, uint64_t *n, struct dr_err *err)
{
	*n = 0;
	for (uint32_t i = 0; i < q->n; i++) {
		const struct dr_query_task *t = &q->tasks[i];

		if (!(t->flags & DR_QUERY_CHOSEN) || !(t->flags & (DR_QUERY_DONE | DR_QUERY_FAILED)))
			continue;
		if (dr_journal_add_id(q->o.journal, DR_REC_FORGET, t->id))
			return dr_err_nomem(err);
		++*n;
	}
	return 0;
}
