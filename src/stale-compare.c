#include "config.h"

#include "stale-compare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arena.h"
#include "err.h"
#include "plan-values.h"

bool
dr_stamp_same(const struct dr_stamp *a, const struct dr_stamp *b)
{
	return a->size == b->size && a->mtime == b->mtime;
}

void
dr_compare_free(struct dr_compare *c)
{
	dr_buf_free(&c->text);
	dr_buf_free(&c->path);
	dr_hasher_free(c->hasher);
	dr_contents_free(&c->contents);
}

static bool
path_is(struct dr_compare *c, uint32_t file, struct dr_str path)
{
	const struct dr_graph *g = c->plan->graph;
	struct dr_str dir = dr_graph_dir(g, g->files[file].dir), name = dr_graph_name(g, file);

	return path.n == dir.n + name.n && !memcmp(path.p, dir.p, dir.n) && !memcmp(path.p + dir.n, name.p, name.n);
}

static void
tell_time(struct dr_buf *out, int64_t ns)
{
	int64_t part = (ns % 1000000000 + 1000000000) % 1000000000; /* of a second; also before 1970 */
	time_t s = (time_t)((ns - part) / 1000000000);
	struct tm tm;
	char day[32];

	if (!localtime_r(&s, &tm) || !strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm))
		day[0] = '\0';
	dr_buf_addf(out, "%s.%09" PRId64, day, part);
}

static void
tell_stamp(struct dr_buf *out, const struct dr_stamp *was, const struct dr_file *file)
{
	const struct dr_stamp *is = &file->stamp;

	if (is->size == DR_ABSENT) {
		dr_buf_adds(out, "is not there");
	} else if (was->size == DR_ABSENT) {
		dr_buf_adds(out, "was not there");
	} else if (was->size != is->size) {
		dr_buf_addf(out, "size %" PRId64 " → %" PRId64, was->size, is->size);
	} else if (file->flags & DR_FILE_TREE) {
		dr_buf_adds(out, "what is in it changed");
	} else if (was->mtime == is->mtime) {
		dr_buf_adds(out, "its content changed");
	} else {
		dr_buf_adds(out, "time ");
		tell_time(out, was->mtime);
		dr_buf_adds(out, " → ");
		tell_time(out, is->mtime);
	}
}

/* Is a file as recorded? Equal stamps say so, but for one that was looked at within the grain of its time: it goes by content where that
 * is known, as `uses`, and inputs with `fresh = content`, do when their time differs. */
static bool
same_file(struct dr_compare *c, uint32_t file, const struct dr_rec_file *f, bool by_content)
{
	const struct dr_stamp *now = &c->plan->graph->files[file].stamp;
	bool same = dr_stamp_same(now, &f->stamp);
	const struct dr_hash128 *content;

	/* Run without it, as failures were ignored: its maker is still to succeed. */
	if (f->stamp.size == DR_ABSENT)
		return false;

	if (!(f->flags & DR_REC_HASHED) || now->size != f->stamp.size || (same ? !(f->flags & DR_REC_RECENT) : !by_content))
		return same;
	if (same) {
		c->marked = true;
		if (c->settled)
			return true;
		c->unsure |= c->looked - now->mtime < DR_REC_RECENT_NS && now->mtime - c->looked < DR_REC_RECENT_NS;
	}
	content = dr_content_of(&c->contents, file);
	c->unsure |= !content;
	return content ? dr_hash128_eq(*content, f->content) : same;
}

/* The next n files of the record against the task's; *same turns false at the first that differs, which is told. Reads all of
 * them whatever it finds: the record is a stream. */
static int
compare_files(struct dr_compare *c, struct dr_record *r, const uint32_t *files, uint32_t n_recorded, uint32_t n,
	      bool by_content, bool *listed, bool *same, struct dr_buf *tell)
{
	struct dr_rec_file f;

	*listed = n_recorded == n;
	*same = true;
	for (uint32_t i = 0; i < n_recorded; i++) {
		if (dr_record_file(r, &f) != 1)
			return -1;
		if (i >= n || !path_is(c, files[i], f.path)) {
			*listed = false;
			continue;
		}
		if (!*listed || !*same || same_file(c, files[i], &f, by_content))
			continue;
		*same = false;
		c->grave = c->plan->graph->files[files[i]].stamp.size != f.stamp.size;
		if (!tell)
			continue;
		dr_buf_escape(tell, f.path);
		dr_buf_adds(tell, ": ");
		tell_stamp(tell, &f.stamp, &c->plan->graph->files[files[i]]);
	}
	return 0;
}

static void
tell_graph_path(struct dr_compare *c, uint32_t file, struct dr_buf *out)
{
	dr_buf_reset(&c->path);
	dr_graph_path(c->plan->graph, file, &c->path);
	dr_buf_escape(out, dr_buf_str(&c->path));
}

/* The first file that a task reads no more, or else the first that it has not read before: `in/b: is an input and was none (3 inputs → 4)`.
 * r is a record whose files begin with those n_recorded. */
static void
tell_list(struct dr_compare *c, struct dr_record r, const uint32_t *files, uint32_t n_recorded, uint32_t n, bool uses,
	  struct dr_buf *out)
{
	const char *what = uses ? "used" : "an input";
	uint32_t at = 0, added = DR_NONE;
	struct dr_rec_file f;

	for (uint32_t i = 0; i < n_recorded && dr_record_file(&r, &f) == 1; i++) {
		uint32_t k = at, before = 0;

		while (k < n && !path_is(c, files[k], f.path))
			k++;
		if (k < n) {
			added = k > at && added == DR_NONE ? files[at] : added;
			at = k + 1;
			continue;
		}
		while (before < at && !path_is(c, files[before], f.path))
			before++;
		if (before < at) {
			dr_buf_addf(out, "the order of its %s changed", uses ? "uses" : "inputs");
			return;
		}
		dr_buf_escape(out, f.path);
		dr_buf_addf(out, ": was %s and is not any more", what);
		goto count;
	}
	if (added == DR_NONE && at < n)
		added = files[at];
	if (added == DR_NONE)
		return;
	tell_graph_path(c, added, out);
	dr_buf_addf(out, ": is %s and was not", what);
count:
	if (n != n_recorded)
		dr_buf_addf(out, " (%" PRIu32 " → %" PRIu32 ")", n_recorded, n);
}

/* Consumers whose records were read before and held against another stamp of this file. */
static void
consumers_differ(struct dr_graph *g, uint32_t file)
{
	for (uint32_t c = g->first_consumer[file]; c < g->first_consumer[file + 1]; c++)
		if (g->tasks[g->consumers[c]].record != UINT64_MAX)
			g->tasks[g->consumers[c]].why = DR_WHY_INPUT;
}

/* An output that is absent takes the record's stamp: if it was reclaimed, that is what its consumers must have read. */
static int
compare_outputs(struct dr_compare *c, uint32_t task, struct dr_record *r, unsigned *look)
{
	struct dr_graph *g = c->plan->graph;
	const uint32_t *out = dr_graph_outputs(g, task);
	struct dr_rec_file f;

	*look = 0;
	c->hashed = true;
	for (uint32_t i = 0; i < r->task.n_out; i++) {
		struct dr_file *now;

		if (dr_record_file(r, &f) != 1)
			return -1;
		c->hashed &= (f.flags & DR_REC_HASHED) != 0;
		if (i >= g->tasks[task].n_out)
			continue;
		now = &g->files[out[i]];
		if (now->flags & DR_FILE_ABSENT) {
			*look |= DR_OUT_ABSENT;
			if (now->stamp.size != DR_ABSENT && !dr_stamp_same(&now->stamp, &f.stamp))
				consumers_differ(g, out[i]);
			now->stamp = f.stamp;
		} else if (!dr_stamp_same(&now->stamp, &f.stamp)) {
			*look |= DR_OUT_CHANGED;
		}
	}
	return 0;
}

uint32_t
dr_compare_changed(struct dr_compare *c, uint32_t task, struct dr_record *r, uint32_t k, struct dr_buf *tell)
{
	const struct dr_graph *g = c->plan->graph;
	const uint32_t *out = dr_graph_outputs(g, task);
	uint32_t reads = k ? 0 : r->task.n_in + r->task.n_uses;
	struct dr_rec_file f;

	while (k < r->task.n_out && k < g->tasks[task].n_out && dr_record_file(r, &f) == 1) {
		const struct dr_file *now = &g->files[out[k]];

		if (reads) {
			reads--;
			continue;
		}
		if (!(now->flags & DR_FILE_ABSENT) && !dr_stamp_same(&now->stamp, &f.stamp)) {
			if (tell)
				tell_stamp(tell, &f.stamp, now);
			return k;
		}
		k++;
	}
	return DR_NONE;
}

int
dr_compare_record(struct dr_compare *c, uint32_t task, struct dr_record *r, enum dr_why *why, unsigned *outputs,
		  struct dr_buf *tell, struct dr_err *err)
{
	const struct dr_graph *g = c->plan->graph;
	const struct dr_task *t = &g->tasks[task];
	const uint32_t *in = dr_graph_inputs(g, task);
	struct dr_hash128 command;
	struct dr_record from; /* its files from there on */
	bool same_command, same_in, same_uses, listed_in, listed_uses;
	size_t told;

	*why = DR_WHY_NOT;
	*outputs = 0;
	c->grave = c->marked = c->unsure = false;
	if (dr_task_command_hash(c->plan, task, c->hasher, &c->text, &command, err))
		return -1;
	same_command = dr_hash128_eq(command, r->task.command);
	told = tell ? tell->n : 0;
	from = *r;
	if (compare_files(c, r, in, r->task.n_in, t->n_in, dr_plan_stage(c->plan, task)->fresh_content, &listed_in, &same_in,
			  tell))
		goto damaged;
	if (tell && !listed_in) {
		tell->n = told;
		tell_list(c, from, in, r->task.n_in, t->n_in, false, tell);
	}
	from = *r;
	if (compare_files(c, r, in + t->n_in, r->task.n_uses, t->n_uses, true, &listed_uses, &same_uses,
			  listed_in && same_in ? tell : NULL))
		goto damaged;
	if (tell && listed_in && !listed_uses) {
		tell->n = told;
		tell_list(c, from, in + t->n_in, r->task.n_uses, t->n_uses, true, tell);
	}
	if (compare_outputs(c, task, r, outputs))
		goto damaged;
	/* Other inputs are another command too, where their names stand in it: of the two they say more. */
	*why = !listed_in    ? DR_WHY_INPUTS :
	       !same_command ? DR_WHY_COMMAND :
	       !listed_uses  ? DR_WHY_INPUTS :
	       !same_in	     ? DR_WHY_INPUT :
	       !same_uses    ? DR_WHY_USES :
			       DR_WHY_NOT;
	if (tell && *why == DR_WHY_COMMAND) {
		tell->n = told;
		dr_buf_adds(tell, "its command, shell or environment changed");
	}
	return 0;
damaged: /* the checksum held and the content does not: as if it were not there */
	*why = DR_WHY_NEVER;
	return 0;
}
