#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "err.h"
#include "plan-values.h"
#include "stale-private.h"

/* A guardian ends even those who are deaf to it within a second or two. */
#define GUARDIAN_NS (INT64_C(10) * 1000000000)

static bool
is_dead(const struct dr_stale *s, uint64_t run)
{
	uint32_t i = 0;

	while (i < s->n_dead && s->dead[i] != run)
		i++;
	return i < s->n_dead;
}

static bool
lives(const struct dr_stale *s, uint64_t run)
{
	return s->options.lock && dr_lock_alive(s->options.lock, run);
}

int
dr_stale_find_dead(struct dr_stale *s, struct dr_err *err)
{
	for (uint32_t i = 0; i < s->n_runs; i++) {
		if (lives(s, s->runs[i].run) &&
		    (s->options.dry || !dr_lock_await_guardian(s->options.lock, s->runs[i].run, GUARDIAN_NS)))
			continue;
		if (dr_grow(&s->dead, &s->cap_dead, (size_t)s->n_dead + 1, sizeof(*s->dead)))
			return dr_err_nomem(err);
		s->dead[s->n_dead++] = s->runs[i].run;
	}
	return 0;
}

static bool
any_gone(const struct dr_stale *s)
{
	uint32_t i = 0;

	while (i < s->n_runs && lives(s, s->runs[i].run))
		i++;
	return i < s->n_runs;
}

int
dr_stale_gone(struct dr_stale *s, bool news, bool *died, struct dr_err *err)
{
	uint32_t kept = 0;

	*died = false;
	if (news && dr_stale_news(s, err))
		return -1;
	if (!any_gone(s))
		return 0;
	/* It says farewell before it gives up its lock, not behind. */
	if (dr_stale_news(s, err))
		return -1;
	for (uint32_t i = 0; i < s->n_runs; i++) {
		if (lives(s, s->runs[i].run))
			s->runs[kept++] = s->runs[i];
	}
	*died = kept < s->n_runs;
	s->n_runs = kept;
	return 1;
}

/* One output between record and name. 1: it has its name now, or counts as absent. */
static int
roll_output(struct dr_stale *s, uint32_t task, uint32_t file, const struct dr_rec_file *f)
{
	struct dr_graph *g = s->plan->graph;
	bool dir, tree = g->files[file].flags & DR_FILE_TREE;
	struct dr_stamp st;
	int rc = 0;

	if (!(g->files[file].flags & DR_FILE_ABSENT) && dr_stamp_same(&g->files[file].stamp, &f->stamp))
		return 0;
	dr_buf_reset(&s->path);
	dr_buf_reset(&s->text);
	dr_graph_path(g, file, &s->path);
	dr_temp_name(g->tasks[task].id, dr_buf_str(&s->path), &s->text);
	if (s->path.failed || s->text.failed)
		return -1;
	if (dr_disk_look(s->disk, dr_buf_cstr(&s->text), tree, &st, &dir) || dir != tree || !dr_stamp_same(&st, &f->stamp) ||
	    st.ino != f->stamp.ino)
		return 0;
	/* In a dry run it is looked at as if it had been done: that is what the real run will do first. */
	if (!s->options.dry)
		rc = dr_disk_publish(s->disk, dr_buf_cstr(&s->text), dr_buf_cstr(&s->path), tree);
	s->litter |= rc > 0;
	if (rc < 0) {
		/* What stands there is older than the record, and nobody's change by hand: as good as nothing. */
		g->files[file].stamp = (struct dr_stamp){ .size = DR_ABSENT };
		g->files[file].flags |= DR_FILE_ABSENT;
		return 1;
	}
	g->files[file].stamp = st;
	g->files[file].flags &= ~(uint32_t)DR_FILE_ABSENT;
	s->rolled++;
	return 1;
}

/* Does the output of a live run's record wait for its name, or has it got it since we looked? */
static int
is_in_flux(struct dr_stale *s, uint32_t task, uint32_t file, const struct dr_rec_file *f, bool alive)
{
	const struct dr_file *seen = &s->plan->graph->files[file];
	bool dir, tree = seen->flags & DR_FILE_TREE;
	struct dr_stamp st;

	dr_buf_reset(&s->path);
	dr_buf_reset(&s->text);
	dr_graph_path(s->plan->graph, file, &s->path);
	dr_temp_name(s->plan->graph->tasks[task].id, dr_buf_str(&s->path), &s->text);
	if (s->path.failed || s->text.failed)
		return -1;
	/* In this order: between the two it may get its name. */
	if (alive && dr_disk_look(s->disk, dr_buf_cstr(&s->text), tree, &st, &dir) == 0 && dr_stamp_same(&st, &f->stamp) &&
	    st.ino == f->stamp.ino)
		return 1;
	return dr_disk_look(s->disk, dr_buf_cstr(&s->path), tree, &st, &dir) == 0 && dr_stamp_same(&st, &f->stamp) &&
	       ((seen->flags & DR_FILE_ABSENT) || !dr_stamp_same(&st, &seen->stamp));
}

static int
roll_task(struct dr_stale *s, uint32_t task, bool ours, struct dr_err *err)
{
	const uint32_t *out = dr_graph_outputs(s->plan->graph, task);
	struct dr_record r;
	struct dr_rec_file f;
	uint32_t skip;
	int rolled = 0;
	bool alive;

	if (dr_journal_at(s->journal, s->plan->graph->tasks[task].record, &r, err))
		return -1;
	alive = !ours || (s->options.lock && dr_lock_alive(s->options.lock, r.task.run));
	skip = r.task.n_in + r.task.n_uses;
	for (uint32_t i = 0; dr_record_file(&r, &f) == 1; i++) {
		int one;

		if (i < skip || i - skip >= s->plan->graph->tasks[task].n_out)
			continue;
		one = is_in_flux(s, task, out[i - skip], &f, alive);
		if (one > 0)
			s->seen[task] |= SEEN_FLUX;
		else if (one == 0 && !alive)
			one = roll_output(s, task, out[i - skip], &f);
		if (one < 0)
			return dr_err_nomem(err);
		if (s->seen[task] & SEEN_FLUX)
			continue;
		rolled |= one;
	}
	return rolled;
}

int
dr_stale_roll_forward(struct dr_stale *s, struct dr_err *err)
{
	const struct dr_graph *g = s->plan->graph;
	int rolled = 0;

	/* Whether a run died is no matter here: where it did, another one may have been through since, which knew nothing of this task, and
	 * what stood before would be taken for an output changed by hand. */
	for (uint32_t t = 0; t < g->n_tasks; t++) {
		bool claim = !s->options.dry && s->options.lock;
		int one, ours = 1;

		if (!(s->seen[t] & (SEEN_ABSENT | SEEN_CHANGED)) || (s->seen[t] & SEEN_RECLAIMED))
			continue;
		/* The name of a task that another run has claimed is that run's to give. */
		if (claim && (ours = dr_lock_claim(s->options.lock, g->tasks[t].id, err)) < 0)
			return -1;
		one = roll_task(s, t, ours, err);
		if (claim && ours)
			dr_lock_release(s->options.lock, g->tasks[t].id);
		if (one < 0)
			return -1;
		rolled |= one;
	}
	return rolled;
}

/* A temporary file that nobody claims. */
struct leftover {
	uint64_t id; /* the low half of its task's */
	char *path;
	struct dr_stamp stamp;
	bool dir;
	bool recorded; /* the last record of its task says that this is an output of it */
};

struct sweep {
	struct dr_stale *s;
	const char *dir; /* with its '/' at the end, or empty */
	struct leftover *left;
	uint32_t n, cap;
	struct dr_buf names; /* each ended by a NUL */
	bool nomem;
};

static const char parts[] = ".dagrun/parts/", tmps[] = ".dagrun/tmp/";

/* An output may be a directory that is recorded, and then its stamp is wanted (`tree`). */
static void
add_leftover(struct sweep *w, struct dr_hash128 id, const char *name, bool tree)
{
	struct dr_stale *s = w->s;
	struct leftover *l;

	if (s->options.lock && dr_lock_claimed(s->options.lock, id))
		return;
	dr_buf_reset(&s->path);
	dr_buf_adds(&s->path, w->dir);
	dr_buf_adds(&s->path, name);
	if (s->path.failed || dr_grow(&w->left, &w->cap, (size_t)w->n + 1, sizeof(*w->left))) {
		w->nomem = true;
		return;
	}
	l = &w->left[w->n];
	*l = (struct leftover){ .id = id.lo, .path = strdup(dr_buf_cstr(&s->path)) };
	w->nomem = w->nomem || !l->path;
	if (l->path && dr_disk_look(s->disk, l->path, tree, &l->stamp, &l->dir) == 0 && l->stamp.size != DR_ABSENT)
		w->n++;
	else
		free(l->path);
}

static void
collect_output(void *arg, const char *name)
{
	struct dr_hash128 id = { 0 };

	if (dr_temp_name_id(dr_str(name), &id.lo))
		add_leftover(arg, id, name, true);
}

static void
collect_tmp(void *arg, const char *name)
{
	struct dr_hash128 id;

	if (dr_hash128_parse(name, &id))
		add_leftover(arg, id, name, false);
}

static void
collect_name(void *arg, const char *name)
{
	struct sweep *w = arg;

	dr_buf_add(&w->names, name, strlen(name) + 1);
}

static void
list(struct sweep *w, const char *dir, void (*fn)(void *arg, const char *name))
{
	w->dir = dir;
	/* What is no directory holds nothing of ours. */
	if (w->s->disk->list(w->s->disk, dir, fn, w) && errno != ENOENT && errno != ENOTDIR)
		w->s->litter = true;
}

/* One level below .dagrun/parts, where inner nodes of merges are, also of those that the plan has no more. What is below may be outputs. */
static void
collect_parts(struct sweep *w)
{
	struct dr_buf dir = { 0 };

	list(w, parts, collect_name);
	for (size_t at = 0; !w->names.failed && at < w->names.n; at += strlen(w->names.p + at) + 1) {
		dr_buf_reset(&dir);
		dr_buf_adds(&dir, parts);
		dr_buf_adds(&dir, w->names.p + at);
		dr_buf_addc(&dir, '/');
		if (dir.failed)
			break;
		list(w, dr_buf_cstr(&dir), collect_output);
	}
	w->nomem |= w->names.failed || dir.failed;
	dr_buf_free(&dir);
}

static bool
is_part(struct dr_str dir)
{
	size_t n = sizeof(parts) - 1;

	return dir.n > n && !memcmp(dir.p, parts, n) && memchr(dir.p + n, '/', dir.n - n) == dir.p + dir.n - 1;
}

static int
by_id(const void *a, const void *b)
{
	const struct leftover *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* The first leftover of a task, or w->n. */
static uint32_t
first_of(const struct sweep *w, uint64_t id)
{
	uint32_t lo = 0, hi = w->n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (w->left[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < w->n && w->left[lo].id == id ? lo : w->n;
}

static int
on_record(void *arg, struct dr_record *r, struct dr_err *err)
{
	struct sweep *w = arg;
	struct dr_stale *s = w->s;
	struct dr_hash128 id = r->kind == DR_REC_DONE ? r->task.id : r->id;
	uint32_t first, skip;
	struct dr_rec_file f;

	if (r->kind != DR_REC_DONE && r->kind != DR_REC_FORGET)
		return 0;
	first = first_of(w, id.lo);
	for (uint32_t i = first; i < w->n && w->left[i].id == id.lo; i++)
		w->left[i].recorded = false;
	if (first == w->n || r->kind != DR_REC_DONE)
		return 0;
	skip = r->task.n_in + r->task.n_uses;
	for (uint32_t k = 0; dr_record_file(r, &f) == 1; k++) {
		if (k < skip)
			continue;
		dr_buf_reset(&s->text);
		dr_temp_name(id, f.path, &s->text);
		if (s->text.failed)
			return dr_err_nomem(err);
		for (uint32_t i = first; i < w->n && w->left[i].id == id.lo; i++)
			if (dr_str_is(dr_buf_str(&s->text), w->left[i].path) && dr_stamp_same(&w->left[i].stamp, &f.stamp) &&
			    w->left[i].stamp.ino == f.stamp.ino)
				w->left[i].recorded = true;
	}
	return 0;
}

/* Unlinks what was collected, but for what is recorded: outputs of tasks that this plan does not want or know, which get their names
 * when a run wants them. */
static int
remove_leftovers(struct sweep *w, struct dr_err *err)
{
	struct dr_stale *s = w->s;

	if (!w->n)
		return 0;
	qsort(w->left, w->n, sizeof(*w->left), by_id);
	dr_journal_rewind(s->journal);
	if (dr_journal_read(s->journal, true, on_record, w, NULL, err))
		return -1;
	for (uint32_t i = 0; i < w->n; i++) {
		struct dr_hash128 id = { .lo = w->left[i].id };
		int ours = !w->left[i].recorded;

		/* Another run may have begun to make it since we looked. */
		if (ours && s->options.lock && (ours = dr_lock_claim(s->options.lock, id, err)) < 0)
			return -1;
		if (!ours)
			continue;
		if (w->left[i].dir ? s->disk->remove_tree(s->disk, w->left[i].path) : s->disk->unlink(s->disk, w->left[i].path))
			s->litter = true;
		if (s->options.lock)
			dr_lock_release(s->options.lock, id);
	}
	return 0;
}

int
dr_stale_sweep(struct dr_stale *s, struct dr_err *err)
{
	const struct dr_graph *g = s->plan->graph;
	struct sweep w = { .s = s };
	uint8_t *makes; /* by directory: outputs are made in it */
	int rc;

	if (s->options.dry || (!s->n_dead && !s->litter))
		return 0;
	s->litter = false;
	makes = calloc((size_t)g->n_dirs + 1, 1);
	if (!makes)
		return dr_err_nomem(err);
	for (uint32_t f = 0; f < g->n_files; f++)
		if (g->files[f].producer != DR_NONE)
			makes[g->files[f].dir] = 1;
	for (uint32_t d = 0; d < g->n_dirs; d++)
		if (makes[d] && !is_part(dr_graph_dir(g, d)))
			list(&w, dr_graph_dir(g, d).p, collect_output);
	collect_parts(&w);
	list(&w, tmps, collect_tmp);
	rc = w.nomem ? dr_err_nomem(err) : remove_leftovers(&w, err);
	for (uint32_t i = 0; i < w.n; i++)
		free(w.left[i].path);
	free(w.left);
	dr_buf_free(&w.names);
	free(makes);
	return rc;
}

void
dr_stale_farewell(struct dr_stale *s)
{
	struct dr_err err;
	uint32_t kept = 0;
	bool said = false;

	if (s->options.dry || !s->options.lock)
		return;
	for (uint32_t i = 0; i < s->n_runs; i++) {
		if (is_dead(s, s->runs[i].run))
			said |= !s->litter && dr_journal_add_run(s->journal, DR_REC_BYE, &s->runs[i]) == 0;
		else
			s->runs[kept++] = s->runs[i];
	}
	s->n_runs = kept;
	/* Where it cannot be written, the next run only looks once more. */
	if (said || dr_journal_pending(s->journal))
		dr_journal_flush(s->journal, &err);
}
