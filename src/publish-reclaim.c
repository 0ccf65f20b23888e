#include "config.h"

#include "publish.h"

#include <errno.h>
#include <stdlib.h>

#include "arena.h"
#include "err.h"
#include "lock.h"
#include "publish-private.h"

static bool
will_read(const struct dr_task *t)
{
	return t->state != DR_UNWANTED && t->state != DR_CLEAN && t->state != DR_DONE;
}

/* How often each file will be read yet. The consumer at hand counts still, whatever its state: it is taken
 * off next. */
static int
count_readers(struct dr_publisher *p, uint32_t consumer, struct dr_err *err)
{
	const struct dr_graph *g = p->graph;

	if (p->left)
		return 0;
	p->left = calloc((size_t)g->n_files + 1, sizeof(*p->left));
	if (!p->left)
		return dr_err_nomem(err);
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		const uint32_t *in = dr_graph_inputs(g, t);

		if (t != consumer && !will_read(&g->tasks[t]))
			continue;
		for (uint32_t i = 0; i < g->tasks[t].n_in + g->tasks[t].n_uses; i++)
			p->left[in[i]]++;
	}
	return 0;
}

/* Made, read by all who were to read it, and not to stay: all outputs of the task, as one record stands for them all. What nobody was to
 * read is no intermediate, but in a merge's inner node, where the one output goes with the other. */
static bool
is_spent(const struct dr_publisher *p, uint32_t task)
{
	const struct dr_task *t = &p->graph->tasks[task];
	const uint32_t *out = dr_graph_outputs(p->graph, task);
	uint32_t round;
	bool inner = dr_plan_inner(p->plan, task, &round);

	if (t->state != DR_DONE && t->state != DR_CLEAN)
		return false;
	for (uint32_t i = 0; i < t->n_out; i++) {
		uint32_t flags = p->graph->files[out[i]].flags;
		const uint32_t *readers = &p->graph->first_consumer[out[i]];

		if ((readers[0] == readers[1] && !inner) || p->left[out[i]] || (flags & (DR_FILE_KEEP | DR_FILE_TARGET | DR_FILE_RECLAIMED)))
			return false;
	}
	return true;
}

/* Whether the record of a task of an earlier run says this of its outputs. What somebody has changed by
 * hand is not ours to remove. */
static bool
is_as_recorded(struct dr_publisher *p, uint32_t task)
{
	const struct dr_task *t = &p->graph->tasks[task];
	const uint32_t *out = dr_graph_outputs(p->graph, task);
	struct dr_rec_file f;
	struct dr_record r;
	uint32_t skip;

	if (t->state != DR_CLEAN)
		return true;
	if (t->record == UINT64_MAX || dr_journal_at(p->journal, t->record, &r, NULL))
		return false;
	if (r.kind != DR_REC_DONE || r.task.n_out != t->n_out)
		return false;
	skip = r.task.n_in + r.task.n_uses;
	for (uint32_t i = 0; i < skip + t->n_out; i++) {
		const struct dr_stamp *st = i < skip ? NULL : &p->graph->files[out[i - skip]].stamp;

		if (dr_record_file(&r, &f) != 1 ||
		    (st && (st->size != f.stamp.size || st->mtime != f.stamp.mtime)))
			return false;
	}
	return true;
}

/* Whether the outputs on the disk are the ones that we know: 1, 0, -1 with err. */
static int
is_as_known(struct dr_publisher *p, uint32_t task, struct dr_err *err)
{
	const struct dr_task *t = &p->graph->tasks[task];
	const uint32_t *out = dr_graph_outputs(p->graph, task);

	for (uint32_t i = 0; i < t->n_out; i++) {
		const struct dr_stamp *known = &p->graph->files[out[i]].stamp;
		const char *path = dr_publish_path(p, out[i], err);
		bool dir, tree = p->graph->files[out[i]].flags & DR_FILE_TREE;
		struct dr_stamp st;

		if (!path)
			return -1;
		if (dr_disk_look(p->disk, path, tree, &st, &dir) || dir != tree || st.size != known->size ||
		    st.mtime != known->mtime)
			return 0;
	}
	return is_as_recorded(p, task);
}

/* Does nobody else use the stage of this task? If so, nobody can begin to until dr_publish_share_stages: 1; 0;
 * -1 with err. */
static int
is_alone(struct dr_publisher *p, uint32_t task, struct dr_err *err)
{
	uint32_t stage = p->graph->tasks[task].stage, i = 0;
	struct dr_publish_stage *s;

	while (i < p->n_stages && p->stages[i].stage != stage)
		i++;
	if (i == p->n_stages) {
		if (dr_grow(&p->stages, &p->cap_stages, (size_t)i + 1, sizeof(*p->stages)))
			return dr_err_nomem(err);
		p->stages[p->n_stages++] = (struct dr_publish_stage){ .stage = stage };
	}
	s = &p->stages[i];
	if (!s->alone && (!p->lock || dr_lock_use_alone(p->lock, dr_plan_stage_key(p->plan, stage))))
		s->alone = true;
	s->deferred |= !s->alone;
	return s->alone;
}

void
dr_publish_share_stages(struct dr_publisher *p)
{
	for (uint32_t i = 0; i < p->n_stages; i++) {
		if (p->stages[i].alone && p->lock)
			dr_lock_use_shared(p->lock, dr_plan_stage_key(p->plan, p->stages[i].stage));
		p->stages[i].alone = false;
	}
}

/* 0: recorded, or left alone; -1 with err. */
static int
record(struct dr_publisher *p, uint32_t task, struct dr_err *err)
{
	struct dr_hash128 id = p->graph->tasks[task].id;
	int rc = is_alone(p, task, err);

	if (rc > 0)
		rc = is_as_known(p, task, err);
	if (rc <= 0)
		return rc;
	/* Another run that makes it has a use for it. */
	rc = p->lock ? dr_lock_claim(p->lock, id, err) : 1;
	if (rc <= 0)
		return rc;
	if (dr_grow(&p->reclaims, &p->cap_reclaims, (size_t)p->n_reclaims + 1, sizeof(*p->reclaims)) ||
	    dr_journal_add_id(p->journal, DR_REC_RECLAIM, id)) {
		if (p->lock)
			dr_lock_release(p->lock, id);
		return dr_err_nomem(err);
	}
	p->reclaims[p->n_reclaims++] = task;
	for (uint32_t i = 0; i < p->graph->tasks[task].n_out; i++)
		p->graph->files[dr_graph_outputs(p->graph, task)[i]].flags |= DR_FILE_RECLAIMED;
	return 0;
}

static int
read_once(struct dr_publisher *p, uint32_t consumer, struct dr_err *err)
{
	const struct dr_task *t = &p->graph->tasks[consumer];
	const uint32_t *in = dr_graph_inputs(p->graph, consumer);

	if (count_readers(p, consumer, err))
		return -1;
	for (uint32_t i = 0; i < t->n_in + t->n_uses; i++)
		p->left[in[i]] -= p->left[in[i]] > 0;
	return 0;
}

int
dr_publish_read_elsewhere(struct dr_publisher *p, uint32_t consumer, struct dr_err *err)
{
	p->elsewhere = true;
	return read_once(p, consumer, err);
}

bool
dr_publisher_defers(const struct dr_publisher *p)
{
	bool defers = p->elsewhere;

	for (uint32_t i = 0; i < p->n_stages; i++)
		defers |= p->stages[i].deferred;
	return defers;
}

/* What had to stay while others used its stage. */
static int
reclaim_deferred(struct dr_publisher *p, struct dr_err *err)
{
	for (uint32_t i = 0; i < p->n_stages; i++) {
		const struct dr_plan_stage *ps = &p->plan->stages[p->stages[i].stage];

		if (!p->stages[i].alone || !p->stages[i].deferred)
			continue;
		p->stages[i].deferred = false;
		for (uint32_t t = ps->first; t < ps->first + ps->n; t++)
			if (p->graph->tasks[t].n_out && is_spent(p, t) && record(p, t, err))
				return -1;
	}
	return 0;
}

int
dr_publish_reclaim(struct dr_publisher *p, uint32_t consumer, struct dr_err *err)
{
	const struct dr_task *t = &p->graph->tasks[consumer];
	const uint32_t *in = dr_graph_inputs(p->graph, consumer);

	int rc;

	/* It is to be made again, from what is there now too. */
	if (t->partial)
		return 0;
	rc = read_once(p, consumer, err);
	for (uint32_t i = 0; i < t->n_in + t->n_uses && rc == 0; i++) {
		uint32_t producer = p->graph->files[in[i]].producer;

		if (producer != DR_NONE && !p->left[in[i]] && is_spent(p, producer))
			rc = record(p, producer, err);
	}
	if (rc == 0)
		rc = reclaim_deferred(p, err);
	if (!p->n_reclaims)
		dr_publish_share_stages(p);
	return rc;
}

int
dr_publish_reclaim_left(struct dr_publisher *p, struct dr_err *err)
{
	int rc = count_readers(p, DR_NONE, err);

	for (uint32_t t = 0; t < p->graph->n_tasks && rc == 0; t++)
		if (p->graph->tasks[t].n_out && is_spent(p, t))
			rc = record(p, t, err);
	if (!p->n_reclaims)
		dr_publish_share_stages(p);
	return rc;
}

void
dr_publish_unlink_reclaimed(struct dr_publisher *p, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++) {
		const struct dr_task *t = &p->graph->tasks[p->reclaims[k]];
		const uint32_t *out = dr_graph_outputs(p->graph, p->reclaims[k]);

		for (uint32_t i = 0; i < t->n_out; i++) {
			struct dr_file *f = &p->graph->files[out[i]];
			const char *path = dr_publish_path(p, out[i], NULL);

			/* One that cannot be removed stands, and is as its record says: it only takes
			 * room. */
			if (!path || (f->flags & DR_FILE_TREE ? p->disk->remove_tree(p->disk, path) :
								p->disk->unlink(p->disk, path))) {
				f->flags &= ~(uint32_t)DR_FILE_RECLAIMED;
				continue;
			}
			f->stamp = (struct dr_stamp){ .size = DR_ABSENT };
			f->flags |= DR_FILE_ABSENT;
		}
		if (p->lock)
			dr_lock_release(p->lock, t->id);
	}
	p->n_reclaims -= n;
	for (uint32_t k = 0; k < p->n_reclaims; k++)
		p->reclaims[k] = p->reclaims[k + n];
	if (!p->n_reclaims)
		dr_publish_share_stages(p);
}
