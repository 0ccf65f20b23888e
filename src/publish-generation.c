#include "config.h"

#include "publish.h"

#include "publish-private.h"

/* What was reclaimed may be wanted again, for the sake of one of those that read it. The others, and those of other Dagfiles, are to stay
 * up to date if it comes out with the same bytes. It cannot be compared with what is gone, so the record has the hash of its content; and
 * records go by stamps, so it gets the time back that it had.
 *
 * That costs reading what was just written, so only what it is likely for is hashed: what several tasks read, and what was made once,
 * reclaimed and had to be made again; up to 64 MB. Anything else counts as changed when it is made again. */

static bool
has_several_readers(const struct dr_graph *g, uint32_t file)
{
	uint32_t first = g->first_consumer[file], end = g->first_consumer[file + 1];

	for (uint32_t c = first + 1; c < end; c++)
		if (g->consumers[c] != g->consumers[first])
			return true;
	return false;
}

/* Is it gone, and is what the graph has of it what its record says? */
static bool
was_made(const struct dr_task *t, const struct dr_file *f)
{
	return t->record != UINT64_MAX && (f->flags & DR_FILE_ABSENT) && f->stamp.size >= 0;
}

static bool
is_worth_it(const struct dr_publisher *p, uint32_t task, uint32_t file, int64_t size)
{
	const struct dr_file *f = &p->graph->files[file];

	return !(f->flags & (DR_FILE_KEEP | DR_FILE_TARGET | DR_FILE_TREE)) && size <= DR_PUBLISH_HASH_MAX &&
	       (has_several_readers(p->graph, file) || was_made(&p->graph->tasks[task], f));
}

/* The i-th output of the task has the bytes that it had: now it has its time, too. What does not work out is another generation. */
static void
keep_time(struct dr_publisher *p, uint32_t task, uint32_t i, int64_t mtime)
{
	uint32_t file = dr_graph_outputs(p->graph, task)[i];
	const char *temp = dr_publish_temp(p, task, file, NULL);
	struct dr_stamp now;
	bool dir;

	if (!temp || p->disk->set_time(p->disk, temp, mtime))
		return;
	if (p->disk->stat(p->disk, temp, &now, &dir) || now.size != p->stamps[i].size)
		return;
	p->stamps[i] = now;
	if (now.mtime == mtime)
		p->graph->files[file].flags |= DR_FILE_SAME;
}

/* Holds what came out against the record of the time before. */
static void
compare_record(struct dr_publisher *p, uint32_t task)
{
	const struct dr_task *t = &p->graph->tasks[task];
	const uint32_t *out = dr_graph_outputs(p->graph, task);
	struct dr_rec_file f;
	struct dr_record r;
	uint32_t skip;

	if (dr_journal_at(p->journal, t->record, &r, NULL) || r.kind != DR_REC_DONE || r.task.n_out != t->n_out)
		return;
	skip = r.task.n_in + r.task.n_uses;
	for (uint32_t i = 0; dr_record_file(&r, &f) == 1; i++) {
		const struct dr_file *file = i < skip ? NULL : &p->graph->files[out[i - skip]];

		if (!file || !p->hashes[i - skip].valid || !was_made(t, file) || !(f.flags & DR_REC_HASHED))
			continue;
		if (f.stamp.size == p->stamps[i - skip].size && f.stamp.mtime == file->stamp.mtime &&
		    dr_hash128_eq(f.content, p->hashes[i - skip].hash))
			keep_time(p, task, i - skip, f.stamp.mtime);
	}
}

int
dr_publish_generations(struct dr_publisher *p, uint32_t task, struct dr_err *err)
{
	const struct dr_task *t = &p->graph->tasks[task];
	const uint32_t *out = dr_graph_outputs(p->graph, task);
	bool again = false;

	for (uint32_t i = 0; i < t->n_out; i++) {
		const char *temp;

		if (!is_worth_it(p, task, out[i], p->stamps[i].size))
			continue;
		temp = dr_publish_temp(p, task, out[i], err);
		if (!temp)
			return -1;
		p->hashes[i].valid = p->disk->hash(p->disk, temp, p->stamps[i].size, &p->hashes[i].hash) == 0;
		again |= p->hashes[i].valid && was_made(t, &p->graph->files[out[i]]);
	}
	if (again)
		compare_record(p, task);
	return 0;
}
