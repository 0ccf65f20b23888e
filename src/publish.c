#include "config.h"

#include "publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "err.h"
#include "lock.h"
#include "plan-values.h"
#include "publish-private.h"

static uint64_t *
new_bits(uint32_t n)
{
	return calloc((size_t)n / 64 + 1, sizeof(uint64_t));
}

/* All of them set. */
static uint64_t *
set_bits(uint32_t n)
{
	uint64_t *bits = malloc(((size_t)n / 64 + 1) * sizeof(uint64_t));

	if (bits)
		memset(bits, 0xff, ((size_t)n / 64 + 1) * sizeof(uint64_t));
	return bits;
}

struct dr_publisher *
dr_publisher_new(struct dr_plan *pl, struct dr_disk *disk, struct dr_journal *j, struct dr_lock *lock,
		 uint64_t run, struct dr_err *err)
{
	struct dr_publisher *p = calloc(1, sizeof(*p));
	struct dr_graph *g = pl->graph;

	if (!p) {
		dr_err_nomem(err);
		return NULL;
	}
	*p = (struct dr_publisher){
		.plan = pl, .graph = g, .disk = disk, .journal = j, .lock = lock, .run = run
	};
	p->contents = (struct dr_contents){ .graph = g, .disk = disk };
	p->made = new_bits(g->n_dirs);
	p->fresh = new_bits(g->n_dirs);
	p->listed = new_bits(g->n_dirs);
	p->suspects = set_bits(g->n_files);
	p->due = new_bits(g->n_tasks);
	p->recent = new_bits(g->n_files);
	p->stays = new_bits(g->n_files);
	p->began = calloc((size_t)g->n_tasks + 1, sizeof(*p->began));
	p->changed = calloc((size_t)g->n_files + 1, sizeof(*p->changed));
	p->hasher = dr_hasher_new();
	if (!p->made || !p->fresh || !p->listed || !p->suspects || !p->due || !p->recent || !p->stays || !p->began || !p->changed ||
	    !p->hasher) {
		dr_err_nomem(err);
		dr_publisher_free(p);
		return NULL;
	}
	return p;
}

void
dr_publisher_free(struct dr_publisher *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; p->lock && i < p->n_reclaims; i++)
		dr_lock_release(p->lock, p->graph->tasks[p->reclaims[i]].id);
	dr_publish_share_stages(p);
	free(p->stages);
	free(p->made);
	free(p->fresh);
	free(p->listed);
	free(p->yet);
	free(p->suspects);
	free(p->due);
	free(p->recent);
	free(p->stays);
	free(p->began);
	free(p->changed);
	dr_contents_free(&p->contents);
	free(p->ended);
	free(p->left);
	free(p->reclaims);
	free(p->stamps);
	free(p->hashes);
	while (p->n_compares)
		dr_publish_stop_comparing(p, p->compares[0].task);
	free(p->compares);
	dr_hasher_free(p->hasher);
	dr_buf_free(&p->path);
	dr_buf_free(&p->temp);
	dr_buf_free(&p->text);
	free(p);
}

const char *
dr_publish_path(struct dr_publisher *p, uint32_t file, struct dr_err *err)
{
	dr_buf_reset(&p->path);
	dr_graph_path(p->graph, file, &p->path);
	if (!p->path.failed)
		return dr_buf_cstr(&p->path);
	dr_err_nomem(err);
	return NULL;
}

const char *
dr_publish_temp(struct dr_publisher *p, uint32_t task, uint32_t file, struct dr_err *err)
{
	if (!dr_publish_path(p, file, err))
		return NULL;
	dr_buf_reset(&p->temp);
	dr_temp_name(p->graph->tasks[task].id, dr_buf_str(&p->path), &p->temp);
	if (!p->temp.failed)
		return dr_buf_cstr(&p->temp);
	dr_err_nomem(err);
	return NULL;
}

const char *
dr_publish_shown(struct dr_publisher *p, uint32_t file)
{
	dr_buf_reset(&p->path);
	dr_graph_path(p->graph, file, &p->path);
	dr_buf_reset(&p->text);
	dr_buf_escape(&p->text, dr_buf_str(&p->path));
	return dr_buf_cstr(&p->text);
}

/* Looks at what the command left under the temporary names (adopt: at what stands under the final ones),
 * into p->stamps. 0; 1 with *verdict and err; -1 with err. */
static int
look_at_outputs(struct dr_publisher *p, uint32_t task, bool adopt, enum dr_verdict *verdict,
		struct dr_err *err)
{
	const struct dr_task *t = &p->graph->tasks[task];
	const uint32_t *out = dr_graph_outputs(p->graph, task);

	if (dr_grow(&p->stamps, &p->cap_stamps, t->n_out, sizeof(*p->stamps)) ||
	    dr_grow(&p->hashes, &p->cap_hashes, t->n_out, sizeof(*p->hashes)))
		return dr_err_nomem(err);
	for (uint32_t i = 0; i < t->n_out; i++) {
		const char *name =
			adopt ? dr_publish_path(p, out[i], err) : dr_publish_temp(p, task, out[i], err);
		bool dir = false, tree = p->graph->files[out[i]].flags & DR_FILE_TREE;

		if (!name)
			return -1;
		*verdict = DR_NOT_PUBLISHED;
		p->hashes[i].valid = false;
		if (dr_disk_look(p->disk, name, tree, &p->stamps[i], &dir)) {
			dr_err_sys(err, errno, "look at %s", dr_publish_shown(p, out[i]));
			return 1;
		}
		if (p->stamps[i].size != DR_ABSENT && dir != tree) {
			dr_err_set(err, DR_FAILED,
				   dir ? "%s is a directory, which an output is only where its 'out' ends in '/'" :
					 "%s is no directory, though its 'out' ends in '/'",
				   dr_publish_shown(p, out[i]));
			return 1;
		}
		if (p->stamps[i].size == DR_ABSENT) {
			*verdict = DR_NO_OUTPUT;
			dr_err_set(err, DR_FAILED,
				   adopt ? "%s is not there" : "it ended well and did not make %s",
				   dr_publish_shown(p, out[i]));
			return 1;
		}
	}
	*verdict = DR_PUBLISHED;
	return 0;
}

static void
describe_output(const struct dr_publisher *p, uint32_t i, struct dr_rec_file *f)
{
	f->stamp = p->stamps[i];
	if (!p->hashes[i].valid)
		return;
	f->flags |= DR_REC_HASHED;
	f->content = p->hashes[i].hash;
}

static int
add_files(struct dr_publisher *p, uint32_t task, bool adopt, struct dr_err *err)
{
	const struct dr_task *t = &p->graph->tasks[task];
	const uint32_t *file = dr_graph_inputs(p->graph, task);
	uint32_t reads = t->n_in + t->n_uses;

	for (uint32_t i = 0; i < reads + t->n_out; i++) {
		struct dr_rec_file f = { .flags = 0 };

		if (i < t->n_in && dr_plan_missing(p->plan, task, file[i]))
			continue;
		if (i < reads)
			dr_publish_describe(p, task, i, &f);
		else
			describe_output(p, i - reads, &f);
		if (!(i < reads || adopt ? dr_publish_path(p, file[i], err) : dr_publish_temp(p, task, file[i], err)))
			return -1;
		if (i >= reads && !adopt && !(f.flags & DR_REC_HASHED))
			dr_publish_describe_output(p, file[i], dr_buf_cstr(&p->temp), &f);
		f.path = dr_buf_str(&p->path);
		if (dr_journal_add_file(p->journal, &f))
			return dr_err_nomem(err);
	}
	return 0;
}

/* A DONE with its files, or a FAIL without any: nobody compares what a failure looked like. o may be NULL. */
static int
add_record(struct dr_publisher *p, enum dr_record_kind kind, uint32_t task, const struct dr_outcome *o,
	   struct dr_err *err)
{
	const struct dr_task *t = &p->graph->tasks[task];
	struct dr_rec_task r = { .id = t->id, .run = p->run, .origin = p->plan->options.origin };

	if (o) {
		r.start = o->start;
		r.end = o->end;
		r.user_us = o->user_us;
		r.sys_us = o->sys_us;
		r.peak_kb = o->peak_kb;
		r.log_at = o->log_at;
		r.log_len = o->log_len;
		r.status = o->status;
		r.how = kind == DR_REC_FAIL ? (uint32_t)o->how : 0;
		r.tries = o->tries;
	}
	if (kind == DR_REC_DONE) {
		/* One without an input has not seen them all: its record never holds against the plan. */
		r.n_in = dr_plan_count_there(p->plan, task);
		r.n_uses = t->n_uses;
		r.n_out = t->n_out;
	}
	dr_buf_reset(&p->text);
	if (dr_task_command_hash(p->plan, task, p->hasher, &p->text, &r.command, err))
		return -1;
	dr_buf_reset(&p->text);
	dr_plan_task_name(p->plan, task, &p->text);
	if (p->text.failed)
		return dr_err_nomem(err);
	r.name = dr_buf_str(&p->text);
	if (dr_journal_begin_task(p->journal, kind, &r))
		return dr_err_nomem(err);
	if (kind == DR_REC_DONE && add_files(p, task, !o, err))
		return -1;
	return dr_journal_end_task(p->journal) ? dr_err_nomem(err) : 0;
}

static int
add_done(struct dr_publisher *p, uint32_t task, const struct dr_outcome *o, struct dr_err *err)
{
	const uint32_t *out = dr_graph_outputs(p->graph, task);

	if (add_record(p, DR_REC_DONE, task, o, err))
		return -1;
	for (uint32_t i = 0; i < p->graph->tasks[task].n_out; i++) {
		struct dr_file *f = &p->graph->files[out[i]];

		f->stamp = p->stamps[i];
		f->flags &= ~(uint32_t)(DR_FILE_ABSENT | DR_FILE_RECLAIMED);
	}
	return 0;
}

int
dr_publish_end(struct dr_publisher *p, uint32_t task, const struct dr_outcome *o, enum dr_verdict *verdict,
	       struct dr_err *err)
{
	int rc;

	if (dr_grow(&p->ended, &p->cap_ended, (size_t)p->n_ended + 1, sizeof(*p->ended)))
		return dr_err_nomem(err);
	rc = look_at_outputs(p, task, false, verdict, err);
	if (rc)
		return rc < 0 ? -1 : 0;
	/* What changes while we compare has not changed while the command ran. */
	rc = dr_publish_is_compared(p, task) ? 0 : dr_publish_look_after(p, task, err);
	if (rc) {
		*verdict = rc == DR_LOOK_CHANGED ? DR_INPUT_CHANGED : DR_NOT_PUBLISHED;
		return rc < 0 ? -1 : 0;
	}
	if (!dr_publish_cutoff(p, task)) {
		*verdict = DR_NOT_COMPARED;
		return 0;
	}
	if (dr_publish_sync_outputs(p, task, err)) {
		*verdict = DR_NOT_PUBLISHED;
		return 0;
	}
	if (dr_publish_generations(p, task, err) || add_done(p, task, o, err))
		return -1;
	p->graph->tasks[task].partial = dr_plan_partial(p->plan, task);
	p->ended[p->n_ended++] = task;
	dr_publish_set(p->due, task, true);
	p->n_due++;
	return 0;
}

int
dr_publish_adopt(struct dr_publisher *p, uint32_t task, enum dr_verdict *verdict, struct dr_err *err)
{
	int rc = look_at_outputs(p, task, true, verdict, err);

	if (rc)
		return rc < 0 ? -1 : 0;
	rc = dr_publish_look_before(p, task, err);
	if (rc) {
		*verdict = rc == DR_LOOK_CHANGED ? DR_INPUT_CHANGED : DR_NOT_PUBLISHED;
		return rc < 0 ? -1 : 0;
	}
	if (add_done(p, task, NULL, err))
		return -1;
	for (uint32_t i = 0; i < p->graph->tasks[task].n_out; i++)
		if (dr_publish_sync_name(p, dr_graph_outputs(p->graph, task)[i], err))
			return -1;
	return 0;
}

int
dr_publish_abort(struct dr_publisher *p, uint32_t task, const struct dr_outcome *o, struct dr_err *err)
{
	const uint32_t *out = dr_graph_outputs(p->graph, task);

	dr_publish_stop_comparing(p, task);
	for (uint32_t i = 0; i < p->graph->tasks[task].n_out && !dr_publish_bit(p->due, task); i++) {
		/* Also if it can be removed now: what the command has left running may make it once more. */
		if (dr_publish_remove_temp(p, task, out[i], NULL))
			p->litter = true;
		dr_publisher_suspect(p, out[i]);
		dr_publish_set(p->made, p->graph->files[out[i]].dir, false);
	}
	return o ? add_record(p, DR_REC_FAIL, task, o, err) : 0;
}

bool
dr_publisher_owes(const struct dr_publisher *p)
{
	return p->n_due > 0;
}

bool
dr_publisher_litters(const struct dr_publisher *p)
{
	return p->litter;
}

static void
settle(struct dr_publisher *p, uint32_t task)
{
	dr_publish_set(p->due, task, false);
	p->n_due--;
}

/* Gives the outputs of a recorded task their names. -1 with err: those that have not got theirs stay as
 * they are, and the next run tries again, since their record holds; unless somebody has removed them: then
 * it does not. */
static int
give_names(struct dr_publisher *p, uint32_t task, struct dr_err *err)
{
	const uint32_t *out = dr_graph_outputs(p->graph, task);

	for (uint32_t i = 0; i < p->graph->tasks[task].n_out; i++) {
		uint32_t flags = p->graph->files[out[i]].flags;
		const char *temp;
		int rc, e;

		/* What stands is the same, and recorded: if this one cannot be removed, it only takes room. */
		if (dr_publish_bit(p->stays, out[i])) {
			dr_publisher_suspect(p, out[i]);
			if (dr_publish_remove_temp(p, task, out[i], NULL))
				p->litter = true;
			if (dr_publish_sync_name(p, out[i], err))
				return -1;
			continue;
		}
		temp = dr_publish_temp(p, task, out[i], err);
		if (!temp)
			return -1;
		rc = dr_disk_publish(p->disk, temp, dr_buf_cstr(&p->path), flags & DR_FILE_TREE);
		if (rc >= 0) {
			p->litter |= rc > 0;
			if (dr_publish_sync_name(p, out[i], err))
				return -1;
			continue;
		}
		e = errno;
		if (e == ENOENT &&
		    dr_journal_add_id(p->journal, DR_REC_FORGET, p->graph->tasks[task].id) == 0)
			settle(p, task);
		return dr_err_sys(err, e, "give %s its name", dr_publish_shown(p, out[i]));
	}
	settle(p, task);
	return 0;
}

int
dr_publish_commit(struct dr_publisher *p, dr_published_fn fn, void *arg, struct dr_err *err)
{
	/* What fn adds to the batch is written by the next commit, and only then acted on. */
	uint32_t n = p->n_ended, n_reclaims = p->n_reclaims;
	struct dr_err error;

	if (dr_journal_pending(p->journal) && (dr_journal_flush(p->journal, err) || (n && dr_publish_sync_journal(p, err))))
		return -1;
	if (n)
		dr_barrier_ready(p->barrier);
	for (uint32_t i = 0; i < n; i++) {
		int rc = give_names(p, p->ended[i], &error);

		if (fn)
			fn(arg, p->ended[i], rc ? &error : NULL);
	}
	p->n_ended -= n;
	for (uint32_t i = 0; i < p->n_ended; i++)
		p->ended[i] = p->ended[i + n];
	dr_publish_unlink_reclaimed(p, n_reclaims);
	return 0;
}
