#include "config.h"

#include "publish.h"

#include <errno.h>
#include <stdlib.h>

#include "err.h"
#include "os.h"
#include "publish-private.h"

static bool
same_stamp(const struct dr_stamp *a, const struct dr_stamp *b)
{
	/* Not the inode: a restored copy is the same file to whoever reads it. */
	return a->size == b->size && a->mtime == b->mtime;
}

static bool
is_recent(const struct dr_stamp *st)
{
	int64_t age = dr_realtime() - st->mtime;

	return st->size >= 0 && age < DR_REC_RECENT_NS && age > -DR_REC_RECENT_NS;
}

/* Puts the file's stamp into the graph. Whether it changed since the last look can be told from
 * p->changed. */
static int
look(struct dr_publisher *p, uint32_t file, struct dr_err *err)
{
	const char *path = dr_publish_path(p, file, err);
	struct dr_file *f = &p->graph->files[file];
	struct dr_stamp st;
	bool dir, recent;

	if (!path)
		return -1;
	if (dr_disk_look(p->disk, path, f->flags & DR_FILE_TREE, &st, &dir)) {
		dr_err_sys(err, errno, "look at %s", dr_publish_shown(p, file));
		return DR_LOOK_FAILED;
	}
	recent = is_recent(&st);
	if (!same_stamp(&st, &f->stamp)) {
		p->changed[file] = p->now;
		dr_publish_set(p->recent, file, recent);
	} else if (recent) {
		dr_publish_set(p->recent, file, true);
	}
	f->stamp = st;
	f->flags = (f->flags & ~(uint32_t)DR_FILE_ABSENT) |
		   (st.size == DR_ABSENT ? (uint32_t)DR_FILE_ABSENT : 0);
	return 0;
}

/* Does the content of the i-th file that a task reads count, and not only its stamp? That of what our tasks made never changes unseen. */
static bool
counts(const struct dr_publisher *p, uint32_t task, uint32_t i)
{
	const struct dr_task *t = &p->graph->tasks[task];
	const struct dr_file *f = &p->graph->files[dr_graph_inputs(p->graph, task)[i]];

	if (f->stamp.size < 0)
		return false;
	if (i >= t->n_in)
		return f->stamp.size <= DR_PUBLISH_HASH_MAX;
	return f->producer == DR_NONE && f->stamp.size <= DR_PUBLISH_FRESH_MAX && dr_plan_stage(p->plan, task)->fresh_content;
}

/* The content of a file as a task is about to read it. One that was looked at within the grain of its time is read once more when that is past,
 * so that not all the tasks of a run mark it, however long ago that was. */
static void
know_content(struct dr_publisher *p, uint32_t file)
{
	int rc;

	if (!dr_publish_bit(p->recent, file) || is_recent(&p->graph->files[file].stamp)) {
		(void)dr_content_of(&p->contents, file);
		return;
	}
	rc = dr_content_again(&p->contents, file);
	if (rc >= 0)
		dr_publish_set(p->recent, file, false);
	/* Those that have begun before read something else. */
	if (rc == 0)
		p->changed[file] = p->now;
}

int
dr_publish_look_before(struct dr_publisher *p, uint32_t task, struct dr_err *err)
{
	const struct dr_task *t = &p->graph->tasks[task];
	const uint32_t *in = dr_graph_inputs(p->graph, task);
	int rc;

	p->now++;
	for (uint32_t i = 0; i < t->n_in + t->n_uses; i++) {
		const struct dr_file *f = &p->graph->files[in[i]];

		/* What our tasks made is as it was published. */
		if (f->producer != DR_NONE && (f->stamp.size != DR_UNKNOWN || dr_plan_missing(p->plan, task, in[i])))
			continue;
		rc = look(p, in[i], err);
		if (rc)
			return rc;
		if (f->stamp.size == DR_ABSENT) {
			dr_err_set(err, DR_FAILED, "%s is not there any more", dr_publish_shown(p, in[i]));
			return DR_LOOK_CHANGED;
		}
	}
	/* Before the start, as what is there after the end is the same if its stamp is: hashed then, it could have changed within the
	 * mtime's grain after the command had read it. What has no hash (a program that may only be executed) goes by its stamp. */
	for (uint32_t i = 0; i < t->n_in + t->n_uses; i++)
		if (counts(p, task, i))
			know_content(p, in[i]);
	p->began[task] = p->now;
	return 0;
}

int
dr_publish_look_after(struct dr_publisher *p, uint32_t task, struct dr_err *err)
{
	const struct dr_task *t = &p->graph->tasks[task];
	const uint32_t *in = dr_graph_inputs(p->graph, task);
	int rc;

	p->now++;
	for (uint32_t i = 0; i < t->n_in + t->n_uses; i++) {
		if (p->graph->files[in[i]].producer != DR_NONE)
			continue;
		rc = look(p, in[i], err);
		if (rc)
			return rc;
		if (p->changed[in[i]] > p->began[task]) {
			dr_err_set(err, DR_FAILED, "%s changed while the command ran",
				   dr_publish_shown(p, in[i]));
			return DR_LOOK_CHANGED;
		}
	}
	return 0;
}

void
dr_publish_describe(struct dr_publisher *p, uint32_t task, uint32_t i, struct dr_rec_file *f)
{
	uint32_t file = dr_graph_inputs(p->graph, task)[i];
	const struct dr_file *file_of = &p->graph->files[file];
	const struct dr_hash128 *content = counts(p, task, i) ? dr_content_known(&p->contents, file) : NULL;

	f->stamp = file_of->stamp;
	f->flags = 0;
	if (file_of->producer == DR_NONE && dr_publish_bit(p->recent, file))
		f->flags |= DR_REC_RECENT;
	if (content) {
		f->flags |= DR_REC_HASHED;
		f->content = *content;
	}
}
