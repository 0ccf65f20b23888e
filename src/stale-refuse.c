#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "lex.h"
#include "stale-private.h"

static uint32_t
consumer_in(const struct dr_graph *g, uint32_t file, bool stale)
{
	for (uint32_t c = g->first_consumer[file]; c < g->first_consumer[file + 1]; c++) {
		const struct dr_task *t = &g->tasks[g->consumers[c]];

		if (stale ? t->state == DR_WAITING : t->state != DR_UNWANTED)
			return g->consumers[c];
	}
	return DR_NONE;
}

static const char *
shown_path(struct dr_stale *s, uint32_t file)
{
	dr_buf_reset(&s->path);
	dr_buf_reset(&s->text);
	dr_graph_path(s->plan->graph, file, &s->path);
	dr_buf_escape(&s->text, dr_buf_str(&s->path));
	return dr_buf_cstr(&s->text);
}

static void
tell_input(struct dr_stale *s, uint32_t file, uint32_t task, const char *problem, struct dr_diags *diags)
{
	struct dr_buf name = { 0 }, shown = { 0 };
	const struct dr_stage *st = dr_plan_stage(s->plan, task);

	dr_plan_task_label(s->plan, task, &name);
	dr_buf_escape(&shown, dr_buf_str(&name));
	dr_lex_error(s->plan->pipeline, diags, st->pos, "input '%s' %s; %s needs it", shown_path(s, file), problem,
		     dr_buf_cstr(&shown));
	dr_buf_free(&name);
	dr_buf_free(&shown);
}

static void
refuse_inputs(struct dr_stale *s, struct dr_diags *diags)
{
	const struct dr_graph *g = s->plan->graph;

	for (uint32_t f = 0; f < g->n_files; f++) {
		bool absent = g->files[f].flags & DR_FILE_ABSENT;
		char problem[128];
		uint32_t task;

		if (g->files[f].producer != DR_NONE)
			continue;
		task = consumer_in(g, f, !absent);
		if (task == DR_NONE)
			continue;
		dr_buf_reset(&s->path);
		dr_graph_path(g, f, &s->path);
		/* A program may be there to be run and not to be read. */
		if (s->disk->access(s->disk, dr_buf_cstr(&s->path), g->files[f].flags & DR_FILE_USED ? F_OK : R_OK) == 0)
			continue;
		snprintf(problem, sizeof(problem), "cannot be read (%s)", strerror(errno));
		tell_input(s, f, task,
			   absent && (errno == ENOENT || errno == ENOTDIR) ? "is not there and no stage makes it" : problem,
			   diags);
	}
}

/* Directories that stale outputs go to, where these exist. */
static void
refuse_directories(struct dr_stale *s, struct dr_diags *diags)
{
	const struct dr_graph *g = s->plan->graph;
	uint32_t last = DR_NONE;

	for (uint32_t f = 0; f < g->n_files; f++) {
		uint32_t p = g->files[f].producer, dir = g->files[f].dir;
		const char *path = dr_graph_dir(g, dir).p;

		if (p == DR_NONE || dir == last || g->tasks[p].state != DR_WAITING)
			continue;
		last = dir; /* files of one directory mostly stand together */
		if (!*path)
			path = ".";
		if (s->disk->access(s->disk, path, F_OK) == 0 && s->disk->access(s->disk, path, W_OK | X_OK))
			dr_lex_error(s->plan->pipeline, diags, dr_plan_stage(s->plan, p)->pos,
				     "directory '%s' cannot be written to", path);
	}
}

/* A file cannot take the name of a directory that stands, nor a directory that of a file. */
static void
refuse_outputs(struct dr_stale *s, struct dr_diags *diags)
{
	const struct dr_graph *g = s->plan->graph;

	for (uint32_t f = 0; f < g->n_files; f++) {
		uint32_t p = g->files[f].producer;

		bool tree = g->files[f].flags & DR_FILE_TREE, dir = g->files[f].flags & DR_FILE_DIR;

		if (p != DR_NONE && tree != dir && !(g->files[f].flags & DR_FILE_ABSENT) && g->tasks[p].state == DR_WAITING)
			dr_lex_error(s->plan->pipeline, diags, dr_plan_stage(s->plan, p)->pos,
				     "output '%s' is %s; remove it, or give the output another name", shown_path(s, f),
				     dir ? "a directory" : "no directory");
	}
}

/* A directory that outputs go to, as it is on the disk. */
struct place {
	struct dr_stamp stamp;
	uint32_t dir;
};

static int
by_inode(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->stamp.ino != y->stamp.ino)
		return x->stamp.ino < y->stamp.ino ? -1 : 1;
	return x->dir < y->dir ? -1 : x->dir > y->dir;
}

/* Two names of one directory: is there an output that both have? */
static void
refuse_twins(struct dr_stale *s, uint32_t a, uint32_t b, struct dr_diags *diags)
{
	const struct dr_graph *g = s->plan->graph;
	struct dr_buf other = { 0 };

	for (uint32_t f = 0; f < g->n_files; f++) {
		uint32_t twin;

		if (g->files[f].dir != a || g->files[f].producer == DR_NONE)
			continue;
		dr_buf_reset(&s->path);
		dr_buf_addstr(&s->path, dr_graph_dir(g, b));
		dr_buf_addstr(&s->path, dr_graph_name(g, f));
		twin = dr_graph_find(g, dr_buf_str(&s->path));
		if (twin == DR_NONE || g->files[twin].producer == DR_NONE)
			continue;
		dr_buf_reset(&other);
		dr_buf_adds(&other, shown_path(s, twin));
		dr_lex_error(s->plan->pipeline, diags, dr_plan_stage(s->plan, g->files[f].producer)->pos,
			     "two tasks make one file: '%s' and '%s' are the same, through a link", shown_path(s, f),
			     dr_buf_cstr(&other));
	}
	dr_buf_free(&other);
}

/* `a/x` and `link/x` are one file where link leads to a: found by what the directories are. */
static int
refuse_links(struct dr_stale *s, struct dr_diags *diags, struct dr_err *err)
{
	const struct dr_graph *g = s->plan->graph;
	struct place *places = calloc((size_t)g->n_dirs + 1, sizeof(*places));
	uint8_t *makes = calloc((size_t)g->n_dirs + 1, 1); /* by directory: a stale output goes there */
	uint32_t n = 0;

	if (!places || !makes) {
		free(places);
		free(makes);
		return dr_err_nomem(err);
	}
	for (uint32_t f = 0; f < g->n_files; f++)
		if (g->files[f].producer != DR_NONE && g->tasks[g->files[f].producer].state == DR_WAITING)
			makes[g->files[f].dir] = 1;
	for (uint32_t d = 0; d < g->n_dirs; d++) {
		const char *path = dr_graph_dir(g, d).p;
		bool dir = false;

		places[n].dir = d;
		if (makes[d] && s->disk->stat(s->disk, *path ? path : ".", &places[n].stamp, &dir) == 0 && dir)
			n++;
	}
	qsort(places, n, sizeof(*places), by_inode);
	for (uint32_t i = 1; i < n; i++)
		if (places[i].stamp.ino == places[i - 1].stamp.ino &&
		    places[i].stamp.mtime == places[i - 1].stamp.mtime)
			refuse_twins(s, places[i - 1].dir, places[i].dir, diags);
	free(places);
	free(makes);
	return 0;
}

/* Does this output stand there though nobody has recorded its task? */
static bool
is_unrecorded(const struct dr_stale *s, uint32_t task, uint32_t file)
{
	const struct dr_file *f = &s->plan->graph->files[file];
	bool tree = f->flags & DR_FILE_TREE, dir = f->flags & DR_FILE_DIR;

	return !(s->seen[task] & (SEEN_RECORD | SEEN_FORGOTTEN)) && !(f->flags & DR_FILE_ABSENT) && tree == dir;
}

bool
dr_stale_any_unrecorded(const struct dr_stale *s)
{
	const struct dr_graph *g = s->plan->graph;

	for (uint32_t t = 0; t < g->n_tasks; t++)
		for (uint32_t i = 0; g->tasks[t].state != DR_UNWANTED && i < g->tasks[t].n_out; i++)
			if (is_unrecorded(s, t, dr_graph_outputs(g, t)[i]))
				return true;
	return false;
}

enum { SHOWN = 5 };

static void
refuse_unrecorded(struct dr_stale *s, struct dr_diags *diags)
{
	const struct dr_graph *g = s->plan->graph;
	uint64_t n = 0;
	struct dr_buf names = { 0 };

	for (uint32_t t = 0; t < g->n_tasks; t++) {
		const uint32_t *out = dr_graph_outputs(g, t);

		for (uint32_t i = 0; i < g->tasks[t].n_out; i++) {
			if (g->tasks[t].state != DR_WAITING || !is_unrecorded(s, t, out[i]))
				continue;
			if (n++ < SHOWN) {
				dr_buf_adds(&names, n > 1 ? ", " : "");
				dr_buf_adds(&names, shown_path(s, out[i]));
			}
		}
	}
	if (n)
		dr_diag_add(diags, NULL, 0, 0, NULL, 0,
			    "%" PRIu64 " output%s there that dagrun has no record of: %s%s; "
			    "--adopt takes %s as done, -B makes %s again",
			    n, n == 1 ? " is" : "s are", dr_buf_cstr(&names), n > SHOWN ? ", …" : "",
			    n == 1 ? "it" : "them", n == 1 ? "it" : "them");
	dr_buf_free(&names);
}

int
dr_stale_refuse(struct dr_stale *s, struct dr_diags *diags, struct dr_err *err)
{
	refuse_inputs(s, diags);
	refuse_directories(s, diags);
	refuse_outputs(s, diags);
	if (refuse_links(s, diags, err))
		return -1;
	/* After a crash, and where the journal was damaged, outputs without a record are ours, and simply made again. */
	if (!s->options.always && !s->options.adopt && !s->damaged && !s->n_dead)
		refuse_unrecorded(s, diags);
	if (s->path.failed || s->text.failed)
		return dr_err_nomem(err);
	if (!diags->total && dr_plan_check_arguments(s->plan, diags, err))
		return -1;
	return diags->total ? -1 : 0;
}
