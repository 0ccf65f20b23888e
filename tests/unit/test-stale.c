#include "config.h"

#include "plan-place.h"

#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "hash.h"
#include "plan-values.h"
#include "stale.h"

/* A disk in memory. */

enum { FILES = 64 };

struct fake_file {
	char path[300]; /* "": free */
	char content[64];
	struct dr_stamp stamp;
	bool refused; /* access says no */
	bool dir;
};

struct fake_disk {
	struct dr_disk d;
	struct fake_file files[FILES];
	uint32_t hashed, renamed; /* how often */
	bool no_rename, no_hash;
	uint64_t ino;
	const char *refused_dir; /* that cannot be written to */
	void (*meanwhile)(void *arg); /* what happens before the next fake_stat; or NULL */
	void *arg;
};

static struct fake_file *
fake_find(struct fake_disk *k, const char *path)
{
	for (int i = 0; i < FILES; i++)
		if (k->files[i].path[0] && !strcmp(k->files[i].path, path))
			return &k->files[i];
	return NULL;
}

static int
fake_stat(struct dr_disk *d, const char *path, struct dr_stamp *st, bool *dir)
{
	struct fake_disk *k = (struct fake_disk *)d;
	void (*meanwhile)(void *arg) = k->meanwhile;
	const struct fake_file *f;

	k->meanwhile = NULL;
	if (meanwhile)
		meanwhile(k->arg);
	f = fake_find(k, path);
	*dir = f && f->dir;
	*st = f ? f->stamp : (struct dr_stamp){ .size = DR_ABSENT };
	return 0;
}

static int
fake_unlink(struct dr_disk *d, const char *path)
{
	struct fake_file *f = fake_find((struct fake_disk *)d, path);

	if (f)
		f->path[0] = '\0';
	return 0;
}

static int
fake_rename(struct dr_disk *d, const char *from, const char *to)
{
	struct fake_disk *k = (struct fake_disk *)d;
	struct fake_file *f = fake_find(k, from);

	if (!f || k->no_rename) {
		errno = f ? EISDIR : ENOENT;
		return -1;
	}
	fake_unlink(d, to);
	snprintf(f->path, sizeof(f->path), "%s", to);
	k->renamed++;
	return 0;
}

static int
fake_hash(struct dr_disk *d, const char *path, int64_t size, struct dr_hash128 *out)
{
	struct fake_disk *k = (struct fake_disk *)d;
	const struct fake_file *f = fake_find(k, path);

	(void)size;
	k->hashed++;
	if (!f || f->refused || k->no_hash) {
		errno = f ? EACCES : ENOENT;
		return -1;
	}
	*out = dr_hash128(f->content, strlen(f->content));
	return 0;
}

static int
fake_list(struct dr_disk *d, const char *dir, void (*fn)(void *arg, const char *name), void *arg)
{
	struct fake_disk *k = (struct fake_disk *)d;
	size_t n = strlen(dir);

	for (int i = 0; i < FILES; i++) {
		const char *path = k->files[i].path;
		char name[300];

		if (!path[0] || strncmp(path, dir, n) != 0 || strchr(path + n, '/'))
			continue;
		snprintf(name, sizeof(name), "%s", path + n);
		fn(arg, name);
	}
	return 0;
}

static int
fake_access(struct dr_disk *d, const char *path, int mode)
{
	struct fake_disk *k = (struct fake_disk *)d;
	const struct fake_file *f = fake_find(k, path);

	if (k->refused_dir && !strcmp(path, k->refused_dir)) {
		errno = EACCES;
		return mode & W_OK ? -1 : 0;
	}
	if (f && !f->refused)
		return 0;
	errno = f ? EACCES : ENOENT;
	return -1;
}

/* What a test has: a place for the Dagfile and the journal, a disk for all other files. */
struct world {
	struct place *p;
	struct fake_disk disk;
	struct dr_journal *journal;
	struct dr_lock *lock;
	struct dr_stale_options options;
	struct dr_stale *stale;
	struct dr_stale_counts counts;
	struct dr_buf shown;
	int64_t now; /* mtime of what is written next */
	bool hash_inputs; /* in records, as `fresh = content` does */
};

enum { RUN = 100 };

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	void *place = NULL;
	bool alone = false;

	assert_non_null(w);
	assert_int_equal(place_setup(&place), 0);
	w->p = place;
	w->disk.d = (struct dr_disk){
		.stat = fake_stat, .rename = fake_rename, .unlink = fake_unlink, .hash = fake_hash, .list = fake_list,
		.access = fake_access,
	};
	w->now = INT64_C(1700000000123456789);
	assert_int_equal(dr_journal_open(w->p->root, &w->journal, &w->p->err), 0);
	assert_int_equal(dr_lock_open(w->p->root, RUN, 0, &w->lock, &alone, &w->p->err), 0);
	w->options.lock = w->lock;
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	tzset();
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;
	void *place = w->p;

	dr_stale_free(w->stale);
	dr_journal_close(w->journal);
	dr_lock_close(w->lock);
	dr_buf_free(&w->shown);
	free(w);
	return place_teardown(&place);
}

/* Files. */

static struct fake_file *
put(struct world *w, const char *path, const char *content)
{
	struct fake_file *f = fake_find(&w->disk, path);

	for (int i = 0; !f && i < FILES; i++)
		if (!w->disk.files[i].path[0])
			f = &w->disk.files[i];
	assert_non_null(f);
	if (!f) /* for the compiler, which does not know that an assertion does not return */
		abort();
	snprintf(f->path, sizeof(f->path), "%s", path);
	snprintf(f->content, sizeof(f->content), "%s", content);
	f->stamp = (struct dr_stamp){ (int64_t)strlen(content), w->now++, ++w->disk.ino };
	f->refused = false;
	return f;
}

static struct fake_file *
get(struct world *w, const char *path)
{
	struct fake_file *f = fake_find(&w->disk, path);

	if (!f)
		fail_msg("no %s on the disk", path);
	return f;
}

static void
drop(struct world *w, const char *path)
{
	get(w, path);
	fake_unlink(&w->disk.d, path);
}

static const char *
path_of(struct world *w, uint32_t file)
{
	dr_buf_reset(&w->shown);
	dr_graph_path(w->p->plan->graph, file, &w->shown);
	return dr_buf_cstr(&w->shown);
}

/* Where a task writes its k-th output until it is published. */
static const char *
temp_of(struct world *w, uint32_t task, uint32_t k)
{
	struct dr_buf path = { 0 };

	dr_graph_path(w->p->plan->graph, dr_graph_outputs(w->p->plan->graph, task)[k], &path);
	dr_buf_reset(&w->shown);
	dr_temp_name(w->p->plan->graph->tasks[task].id, dr_buf_str(&path), &w->shown);
	dr_buf_free(&path);
	return dr_buf_cstr(&w->shown);
}

/* The journal. */

static void
say_run(struct world *w, enum dr_record_kind kind, uint64_t run, int64_t when)
{
	struct dr_rec_run r = { .run = run, .when = when };

	assert_int_equal(dr_journal_add_run(w->journal, kind, &r), 0);
	assert_int_equal(dr_journal_flush(w->journal, &w->p->err), 0);
}

static void
say_id(struct world *w, enum dr_record_kind kind, uint32_t task)
{
	assert_int_equal(dr_journal_add_id(w->journal, kind, w->p->plan->graph->tasks[task].id), 0);
	assert_int_equal(dr_journal_flush(w->journal, &w->p->err), 0);
}

/* What a test wants other than usual in a DONE. */
struct done {
	bool temporary;       /* outputs are under their temporary names */
	bool hashed;          /* and their contents are in the record */
	uint64_t run, origin; /* 0: RUN, 1 */
	uint32_t flags;       /* added to those of inputs and uses */
	int64_t ms;           /* how long it took */
};

static struct dr_stamp
stamp_of(struct world *w, const char *path)
{
	struct dr_stamp st;
	bool dir;

	fake_stat(&w->disk.d, path, &st, &dir);
	return st;
}

/* DONE of a task with its files as they are on the disk. */
static void
say_done(struct world *w, uint32_t task, struct done how)
{
	struct place *p = w->p;
	const struct dr_graph *g = p->plan->graph;
	const struct dr_task *t = &g->tasks[task];
	const uint32_t *file = dr_graph_inputs(g, task);
	struct dr_hasher *h = dr_hasher_new();
	struct dr_buf scratch = { 0 };
	struct dr_rec_task r = {
		.id = t->id, .run = how.run ? how.run : RUN, .start = 1000000, .end = 1000000 + (how.ms ? how.ms : 5) * 1000000,
		.tries = 1, .origin = how.origin ? how.origin : 1, .n_in = t->n_in, .n_uses = t->n_uses, .n_out = t->n_out,
		.name = DR_STR("whatever"),
	};

	assert_int_equal(dr_task_command_hash(p->plan, task, h, &scratch, &r.command, &p->err), 0);
	assert_int_equal(dr_journal_begin_task(w->journal, DR_REC_DONE, &r), 0);
	for (uint32_t i = 0; i < t->n_in + t->n_uses + t->n_out; i++) {
		struct dr_rec_file f = { 0 };
		bool out = i >= t->n_in + t->n_uses, uses = !out && i >= t->n_in;
		char path[300];

		snprintf(path, sizeof(path), "%s", path_of(w, file[i]));
		f.path = dr_str(path);
		f.stamp = stamp_of(w, out && how.temporary ? temp_of(w, task, i - t->n_in - t->n_uses) : path);
		if (!out)
			f.flags = how.flags;
		if ((uses || (w->hash_inputs && !out)) && fake_hash(&w->disk.d, path, f.stamp.size, &f.content) == 0)
			f.flags |= DR_REC_HASHED;
		if (out && how.hashed && fake_hash(&w->disk.d, path, f.stamp.size, &f.content) == 0)
			f.flags |= DR_REC_HASHED;
		assert_int_equal(dr_journal_add_file(w->journal, &f), 0);
	}
	assert_int_equal(dr_journal_end_task(w->journal), 0);
	assert_int_equal(dr_journal_flush(w->journal, &p->err), 0);
	dr_hasher_free(h);
	dr_buf_free(&scratch);
}

/* Makes a task's outputs and records it. */
static void
make(struct world *w, uint32_t task, struct done how)
{
	const struct dr_graph *g = w->p->plan->graph;

	for (uint32_t k = 0; k < g->tasks[task].n_out; k++) {
		char path[300];

		snprintf(path, sizeof(path), "%s",
			 how.temporary ? temp_of(w, task, k) : path_of(w, dr_graph_outputs(g, task)[k]));
		put(w, path, how.temporary ? "made anew" : "made");
	}
	say_done(w, task, how);
}

/* A run that makes all that is wanted, and says good-bye. */
static void
make_all(struct world *w)
{
	const struct dr_graph *g = w->p->plan->graph;

	say_run(w, DR_REC_RUN, 1, 10);
	for (uint32_t i = 0; i < g->n_tasks; i++)
		if (g->tasks[g->order[i]].state != DR_UNWANTED)
			make(w, g->order[i], (struct done){ 0 });
	say_run(w, DR_REC_BYE, 1, 11);
}

/* Plans anew and looks. */
static int
try_check(struct world *w, const char *dagfile)
{
	int rc;

	dr_stale_free(w->stale);
	w->stale = NULL;
	place_plan(w->p, dagfile);
	dr_journal_close(w->journal);
	w->journal = NULL;
	assert_int_equal(dr_journal_open(w->p->root, &w->journal, &w->p->err), 0);
	w->disk.hashed = w->disk.renamed = 0;
	memset(&w->counts, 0xff, sizeof(w->counts));
	rc = dr_stale_check(w->p->plan, w->journal, &w->disk.d, &w->options, &w->stale, &w->counts, &w->p->diags, &w->p->err);
	assert_int_equal(rc == 0, w->stale != NULL);
	if (rc < 0) {
		dr_buf_reset(&w->p->shown);
		dr_diags_show(&w->p->diags, &w->p->shown);
		dr_buf_adds(&w->p->shown, w->p->diags.total ? "" : w->p->err.msg);
	}
	return rc;
}

static const char *const whys[DR_WHYS] = {
	[DR_WHY_NOT] = "NOT",	  [DR_WHY_FORCED] = "FORCED", [DR_WHY_NEVER] = "NEVER",	      [DR_WHY_COMMAND] = "COMMAND",
	[DR_WHY_INPUTS] = "INPUTS", [DR_WHY_INPUT] = "INPUT",	[DR_WHY_USES] = "USES",	      [DR_WHY_LOST] = "LOST",
	[DR_WHY_UPSTREAM] = "UPSTREAM", [DR_WHY_NEEDED] = "NEEDED",
	[DR_WHY_UNSYNCED] = "UNSYNCED",
};

/* The stale tasks, stage by stage, each with its reason: "m/a:INPUT all:UPSTREAM". */
static const char *
stale_tasks(struct world *w)
{
	const struct dr_plan *pl = w->p->plan;
	uint64_t stale = 0, wanted = 0;

	dr_buf_reset(&w->p->shown);
	for (uint32_t s = 0; s < pl->pipeline->n_stages; s++) {
		for (uint32_t i = 0; pl->stages[s].planned && i < pl->stages[s].n; i++) {
			uint32_t task = pl->stages[s].first + i;
			const struct dr_task *t = &pl->graph->tasks[task];

			wanted += t->state != DR_UNWANTED;
			if (t->state == DR_UNWANTED || t->state == DR_CLEAN) {
				assert_int_equal(t->state == DR_CLEAN ? t->why : DR_WHY_NOT, DR_WHY_NOT);
				continue;
			}
			assert_int_equal(t->state, DR_WAITING);
			stale++;
			dr_buf_adds(&w->p->shown, w->p->shown.n ? " " : "");
			dr_plan_task_name(pl, task, &w->p->shown);
			dr_buf_addf(&w->p->shown, ":%s", whys[t->why]);
		}
	}
	assert_true(w->counts.stale == stale);
	assert_true(w->counts.wanted == wanted);
	return dr_buf_cstr(&w->p->shown);
}

static void
expect(struct world *w, const char *dagfile, const char *tasks)
{
	int rc = try_check(w, dagfile);

	if (rc)
		fail_msg("%d: %s", rc, dr_buf_cstr(&w->p->shown));
	assert_string_equal(stale_tasks(w), tasks);
}

static void
refuse(struct world *w, const char *dagfile, const char *const *parts, uint32_t n)
{
	if (try_check(w, dagfile) != -1)
		fail_msg("taken: %s", stale_tasks(w));
	for (; *parts; parts++)
		if (!strstr(dr_buf_cstr(&w->p->shown), *parts))
			fail_msg("'%s' is not in '%s'", *parts, dr_buf_cstr(&w->p->shown));
	assert_int_equal(w->p->diags.total, n);
}

#define REFUSE(w, dagfile, n, ...) refuse((w), (dagfile), (const char *const[]){ __VA_ARGS__, NULL }, (n))

static void
explains(struct world *w, const char *stage, uint32_t i, const char *line)
{
	struct dr_buf b = { 0 };

	assert_int_equal(dr_stale_explain(w->stale, place_task(w->p, stage, i), &b, &w->p->err), 0);
	assert_string_equal(dr_buf_cstr(&b), line);
	dr_buf_free(&b);
}

/* Three files, each put through a tool, merged by two. */
#define HEAD(rows) "args n\n  list = " rows "\n"
#define MAP(run) "map m\n  each = n\n  in = in/{arg}\n  uses = tool\n  out = m/{arg}\n  run = " run "\n"
#define MERGE "merge all\n  each = m\n  out = all\n  run = cat {in} > {out}\n"

static const char base[] = HEAD("a b c") MAP("tool {in} > {out}") MERGE;
static const char everything[] = "m/a:NEVER m/b:NEVER m/c:NEVER all/1.1:NEVER all:NEVER";

static void
inputs(struct world *w)
{
	put(w, "in/a", "aaa");
	put(w, "in/b", "bbb");
	put(w, "in/c", "ccc");
	put(w, "tool", "#!/bin/sh");
}

/* All of a Dagfile made and clean. */
static void
made(struct world *w, const char *dagfile)
{
	place_plan(w->p, dagfile);
	make_all(w);
	expect(w, dagfile, "");
}

static const char *
inner(struct world *w)
{
	return path_of(w, *dr_graph_outputs(w->p->plan->graph, place_task(w->p, "all", 0)));
}

static void
nothing_made_yet(void **state)
{
	struct world *w = *state;

	inputs(w);
	expect(w, base, everything);
	explains(w, "m", 0, "m/a: not made yet");
	explains(w, "all", 0, "all/1.1: not made yet");
	assert_true(w->counts.records == 0 && w->counts.last_ms == 0 && w->counts.changed == 0 && w->counts.rolled == 0);
	/* No journal at all, in a directory without a state. */
	dr_stale_free(w->stale);
	w->stale = NULL;
	place_plan(w->p, base);
	w->options.lock = NULL;
	assert_int_equal(dr_stale_check(w->p->plan, NULL, &w->disk.d, &w->options, &w->stale, &w->counts, &w->p->diags, &w->p->err), 0);
	assert_string_equal(stale_tasks(w), everything);
}

static void
made_and_clean(void **state)
{
	struct world *w = *state;

	inputs(w);
	made(w, base);
	assert_true(w->counts.records == 5 && w->counts.wanted == 5 && w->counts.stale == 0 && w->counts.last_ms == 0);
	assert_int_equal(w->p->plan->graph->tasks[place_task(w->p, "m", 0)].last_ms, 5);
	assert_true(w->p->plan->graph->tasks[place_task(w->p, "m", 0)].record != UINT64_MAX);
	assert_int_equal(w->disk.hashed, 0);
	assert_true(w->p->plan->graph->files[place_file(w->p, "in/a")].stamp.size == 3);
	explains(w, "m", 0, "m/a: up to date");
}

static void
forced(void **state)
{
	struct world *w = *state;

	inputs(w);
	made(w, base);
	w->options.always = true;
	expect(w, base, "m/a:FORCED m/b:FORCED m/c:FORCED all/1.1:FORCED all:FORCED");
	assert_true(w->counts.last_ms == 25);
	explains(w, "all", 1, "all: asked for with -B");
}

static void
a_command_changed(void **state)
{
	struct world *w = *state;

	inputs(w);
	made(w, base);
	expect(w, HEAD("a b c") MAP("tool -x {in} > {out}") MERGE,
	       "m/a:COMMAND m/b:COMMAND m/c:COMMAND all/1.1:UPSTREAM all:UPSTREAM");
	explains(w, "m", 0, "m/a: its command, shell or environment changed");
	explains(w, "all", 0, "all/1.1: m/a is made again");
	explains(w, "all", 1, "all: all/1.1 is made again");
	expect(w, "env.A = 1\n" HEAD("a b c") MAP("tool {in} > {out}") MERGE,
	       "m/a:COMMAND m/b:COMMAND m/c:COMMAND all/1.1:COMMAND all:COMMAND");
	expect(w, base, "");
}

static void
an_input_changed(void **state)
{
	struct world *w = *state;
	struct dr_stamp was;

	inputs(w);
	made(w, base);
	was = get(w, "in/b")->stamp;
	put(w, "in/b", "bbbb");
	expect(w, base, "m/b:INPUT all/1.1:UPSTREAM all:UPSTREAM");
	explains(w, "m", 1, "m/b: in/b: size 3 → 4");
	/* Of one size, older or newer: equal or not is what counts. */
	get(w, "in/b")->stamp = (struct dr_stamp){ 3, was.mtime - 1, was.ino };
	expect(w, base, "m/b:INPUT all/1.1:UPSTREAM all:UPSTREAM");
	get(w, "in/b")->stamp = (struct dr_stamp){ 3, INT64_C(1700000001000000000), was.ino };
	was.mtime = INT64_C(1700000000123456790);
	expect(w, base, "m/b:INPUT all/1.1:UPSTREAM all:UPSTREAM");
	explains(w, "m", 1, "m/b: in/b: time 2023-11-14 22:13:20.123456790 → 2023-11-14 22:13:21.000000000");
	get(w, "in/b")->stamp.mtime = -1;
	expect(w, base, "m/b:INPUT all/1.1:UPSTREAM all:UPSTREAM");
	explains(w, "m", 1, "m/b: in/b: time 2023-11-14 22:13:20.123456790 → 1969-12-31 23:59:59.999999999");
	/* The inode alone decides nothing: a restored copy. */
	get(w, "in/b")->stamp = was;
	get(w, "in/b")->stamp.ino += 1000;
	expect(w, base, "");
}

static void
the_list_changed(void **state)
{
	struct world *w = *state;

	inputs(w);
	made(w, base);
	/* Taken away: the tree has other leaves, and what stays is not made again. */
	expect(w, HEAD("a b") MAP("tool {in} > {out}") MERGE, "all:INPUTS");
	put(w, "in/d", "ddd");
	/* c d is new; all reads that instead of c. */
	expect(w, HEAD("a b c d") MAP("tool {in} > {out}") MERGE, "m/d:NEVER all/1.2:NEVER all:INPUTS");
}

static void
inputs_of_a_task_changed(void **state)
{
	struct world *w = *state;
	static const char two[] = "task t\n  in = x y\n  out = o\n  run = make-it > {out}\n";

	put(w, "x", "x");
	put(w, "y", "y");
	put(w, "z", "z");
	made(w, two);
	expect(w, "task t\n  in = x y z\n  out = o\n  run = make-it > {out}\n", "o:INPUTS");
	explains(w, "t", 0, "o: z: is an input and was not (2 → 3)");
	expect(w, "task t\n  in = x\n  out = o\n  run = make-it > {out}\n", "o:INPUTS");
	explains(w, "t", 0, "o: y: was an input and is not any more (2 → 1)");
	expect(w, "task t\n  in = x z\n  out = o\n  run = make-it > {out}\n", "o:INPUTS");
	explains(w, "t", 0, "o: y: was an input and is not any more");
	expect(w, "task t\n  in = z x y\n  out = o\n  run = make-it > {out}\n", "o:INPUTS");
	explains(w, "t", 0, "o: z: is an input and was not (2 → 3)");
	expect(w, "task t\n  in = y x\n  out = o\n  run = make-it > {out}\n", "o:INPUTS");
	explains(w, "t", 0, "o: the order of its inputs changed");
	expect(w, "task t\n  in = x y\n  uses = z\n  out = o\n  run = make-it > {out}\n", "o:INPUTS");
	explains(w, "t", 0, "o: z: is used and was not (0 → 1)");
	expect(w, two, "");
	/* The first reason counts, in the order of the enumeration. */
	put(w, "x", "xx");
	drop(w, "o");
	expect(w, "task t\n  in = x z\n  out = o\n  run = make-it > {out}\n", "o:INPUTS");
	expect(w, two, "o:INPUT");
	explains(w, "t", 0, "o: x: size 1 → 2");
}

static void
a_used_file_goes_by_content(void **state)
{
	struct world *w = *state;
	static const char again[] = "m/a:USES m/b:USES m/c:USES all/1.1:UPSTREAM all:UPSTREAM";

	inputs(w);
	made(w, base);
	put(w, "tool", "#!/bin/sh"); /* written anew with the same bytes */
	expect(w, base, "");
	assert_int_equal(w->disk.hashed, 1); /* read once, whoever uses it */
	put(w, "tool", "#!/bin/ed"); /* others of the same length */
	expect(w, base, again);
	assert_int_equal(w->disk.hashed, 1);
	put(w, "tool", "#!/bin/bash");
	expect(w, base, again);
	assert_int_equal(w->disk.hashed, 0); /* the size says enough */
	explains(w, "m", 2, "m/c: tool: size 9 → 11");
	/* One that may be executed and not read cannot be compared. */
	put(w, "tool", "#!/bin/sh")->refused = true;
	assert_int_equal(try_check(w, base), -1);
}

static void
an_input_does_not_go_by_content(void **state)
{
	struct world *w = *state;

	inputs(w);
	made(w, base);
	put(w, "in/c", "ccc");
	expect(w, base, "m/c:INPUT all:UPSTREAM");
	assert_int_equal(w->disk.hashed, 0);
}

/* A file that was looked at within the grain of its mtime may have changed and look the same. */
static void
a_recent_used_file_is_read_again(void **state)
{
	struct world *w = *state;
	static const char text[] = "task t\n  in = x\n  uses = tool\n  out = o\n  run = tool > {out}\n";
	int64_t soon;
	bool done;

	put(w, "x", "x");
	put(w, "tool", "one");
	place_plan(w->p, text);
	say_run(w, DR_REC_RUN, 1, 10);
	make(w, 0, (struct done){ .flags = DR_REC_RECENT });
	say_run(w, DR_REC_BYE, 1, 11);
	w->options.dry = true;
	expect(w, text, "");
	w->options.dry = false;
	snprintf(get(w, "tool")->content, 4, "two");
	expect(w, text, "o:USES");
	explains(w, "t", 0, "o: tool: its content changed");
	/* As long as it is, each run looks; once it is what it was, and its time past, none does any more. */
	expect(w, text, "o:USES");
	snprintf(get(w, "tool")->content, 4, "one");
	expect(w, text, "");
	assert_int_equal(w->disk.hashed, 1);
	for (int i = 0; i < 2; i++) {
		expect(w, text, "");
		assert_int_equal(w->disk.hashed, 0);
		assert_int_equal(dr_journal_compact(w->journal, true, &done, &w->p->err), 0);
	}
	/* That is of this record alone. */
	say_done(w, place_task(w->p, "t", 0), (struct done){ .flags = DR_REC_RECENT });
	snprintf(get(w, "tool")->content, 4, "two");
	expect(w, text, "o:USES");
	/* And not where it could not be read. */
	snprintf(get(w, "tool")->content, 4, "one");
	say_done(w, place_task(w->p, "t", 0), (struct done){ .flags = DR_REC_RECENT });
	w->disk.no_hash = true;
	expect(w, text, "");
	w->disk.no_hash = false;
	snprintf(get(w, "tool")->content, 4, "two");
	expect(w, text, "o:USES");
	/* Nor where its time may still be that of another change. */
	soon = dr_realtime() + 15 * 1000000;
	get(w, "tool")->stamp.mtime = soon;
	say_done(w, place_task(w->p, "t", 0), (struct done){ .flags = DR_REC_RECENT });
	expect(w, text, "");
	expect(w, text, "");
	if (dr_realtime() - soon < DR_REC_RECENT_NS)
		assert_int_equal(w->disk.hashed, 1);
	snprintf(get(w, "tool")->content, 4, "one");
	/* Without the mark equal stamps are enough. */
	snprintf(get(w, "tool")->content, 4, "one");
	say_done(w, place_task(w->p, "t", 0), (struct done){ 0 });
	snprintf(get(w, "tool")->content, 4, "two");
	expect(w, text, "");
}

static void
tasks_without_outputs(void **state)
{
	struct world *w = *state;
	static const char text[] = HEAD("a b") "map m\n  each = n\n  in = in/{arg}\n  run = check {in}\n";

	inputs(w);
	expect(w, text, "m:a:NEVER m:b:NEVER");
	explains(w, "m", 1, "m:b: not run yet");
	make_all(w);
	expect(w, text, "");
	put(w, "in/a", "new");
	expect(w, text, "m:a:INPUT");
}

static void
a_changed_output_is_kept(void **state)
{
	struct world *w = *state;

	inputs(w);
	made(w, base);
	put(w, "m/c", "by hand");
	expect(w, base, "all:INPUT"); /* what depends on it is made again, it is not */
	explains(w, "all", 1, "all: m/c: size 4 → 7");
	explains(w, "m", 2, "m/c: m/c was changed since it was made: size 4 → 7; it is kept as it is, until -B or --forget");
	explains(w, "m", 1, "m/b: up to date");
	assert_true(w->counts.changed == 1);
	make(w, place_task(w->p, "all", 1), (struct done){ 0 });
	expect(w, base, "");
	assert_true(w->counts.changed == 1);
	put(w, "in/c", "new"); /* until there is another reason */
	expect(w, base, "m/c:INPUT all:UPSTREAM");
	assert_true(w->counts.changed == 0);
}

/* Each by its name, also of a task that made several. */
static void
changed_outputs_are_named(void **state)
{
	static const char two[] = "args r\n  list = a b c d\nmap m\n  each = r\n  in = in/{arg}\n  out = m/{arg}\n  out.log = m/{arg}.log\n"
				  "  run = make {out} {out.log}\n";
	struct world *w = *state;
	struct dr_buf names = { 0 };
	uint64_t n = 9;

	inputs(w);
	put(w, "in/d", "in/d");
	made(w, two);
	assert_int_equal(dr_stale_changed(w->stale, 3, &names, &n, &w->p->err), 0);
	assert_true(n == 0 && !names.n);
	put(w, "m/a.log", "by hand");
	put(w, "m/c", "by hand");
	expect(w, two, "");
	assert_true(w->counts.changed == 2);
	explains(w, "m", 0, "m/a: m/a.log was changed since it was made: size 4 → 7; it is kept as it is, until -B or --forget");
	assert_int_equal(dr_stale_changed(w->stale, 3, &names, &n, &w->p->err), 0);
	assert_true(n == 2);
	assert_string_equal(dr_buf_cstr(&names), "m/a.log, m/c");
	put(w, "m/c.log", "by hand");
	put(w, "m/d", "by hand");
	expect(w, two, "");
	assert_true(w->counts.changed == 4);
	dr_buf_reset(&names);
	assert_int_equal(dr_stale_changed(w->stale, 2, &names, &n, &w->p->err), 0);
	assert_true(n == 4);
	assert_string_equal(dr_buf_cstr(&names), "m/a.log, m/c and 2 more");
	dr_buf_free(&names);
}

static void
a_target_is_lost(void **state)
{
	struct world *w = *state;

	inputs(w);
	made(w, base);
	drop(w, "all");
	expect(w, base, "all:LOST");
	explains(w, "all", 1, "all: all is not there");
	/* What is asked for by name is, whoever else reads it. */
	put(w, "all", "made");
	say_done(w, place_task(w->p, "all", 1), (struct done){ 0 });
	drop(w, "m/a");
	w->p->targets[0] = "m/a";
	expect(w, base, "m/a:LOST");
	w->p->targets[0] = NULL;
	expect(w, base, "");
}

static void
an_intermediate_is_lost(void **state)
{
	struct world *w = *state;

	inputs(w);
	made(w, base);
	drop(w, "m/a");
	drop(w, inner(w));
	expect(w, base, ""); /* its consumers are clean: nobody misses it */
	assert_false(w->p->plan->graph->files[place_file(w->p, "m/a")].flags & DR_FILE_RECLAIMED);
	assert_true(w->p->plan->graph->files[place_file(w->p, "m/a")].flags & DR_FILE_ABSENT);
	/* Somebody does: both, one for the other. */
	put(w, "in/c", "other");
	expect(w, base, "m/a:LOST m/c:INPUT all/1.1:LOST all:UPSTREAM");
	explains(w, "m", 0, "m/a: m/a is not there, and all/1.1 needs it");
}

static void
reclaimed_is_as_good_as_there(void **state)
{
	struct world *w = *state;
	char line[400], path[300];

	inputs(w);
	made(w, base);
	snprintf(path, sizeof(path), "%s", inner(w));
	say_id(w, DR_REC_RECLAIM, place_task(w->p, "all", 0));
	drop(w, path);
	expect(w, base, "");
	assert_true(w->p->plan->graph->files[place_file(w->p, path)].flags & DR_FILE_RECLAIMED);
	/* Changed behind it. */
	put(w, "in/a", "new");
	expect(w, base, "m/a:INPUT all/1.1:UPSTREAM all:UPSTREAM");
	/* Needed again beside what changed. */
	say_done(w, place_task(w->p, "m", 0), (struct done){ 0 });
	make(w, place_task(w->p, "all", 0), (struct done){ 0 });
	make(w, place_task(w->p, "all", 1), (struct done){ 0 });
	say_id(w, DR_REC_RECLAIM, place_task(w->p, "all", 0));
	drop(w, path);
	expect(w, base, "");
	put(w, "in/c", "new");
	expect(w, base, "m/c:INPUT all/1.1:NEEDED all:UPSTREAM");
	snprintf(line, sizeof(line), "all/1.1: %s was reclaimed, and all needs it", path);
	explains(w, "all", 0, line);
	/* Made again after that: the RECLAIM is of the time before. */
	make(w, place_task(w->p, "all", 0), (struct done){ 0 });
	drop(w, path);
	expect(w, base, "m/c:INPUT all/1.1:LOST all:INPUT");
}

/* It came out as it was when it was made again, so what had read it did not run: its only record stands behind theirs then. */
static void
reclaimed_and_recorded_behind_its_readers(void **state)
{
	struct world *w = *state;
	bool done = false;
	char path[300];

	inputs(w);
	made(w, base);
	snprintf(path, sizeof(path), "%s", inner(w));
	say_done(w, place_task(w->p, "all", 0), (struct done){ 0 });
	say_id(w, DR_REC_RECLAIM, place_task(w->p, "all", 0));
	drop(w, path);
	expect(w, base, "");
	assert_int_equal(dr_journal_compact(w->journal, true, &done, &w->p->err), 0);
	assert_true(done);
	expect(w, base, "");
	put(w, "in/c", "new");
	expect(w, base, "m/c:INPUT all/1.1:NEEDED all:UPSTREAM");
}

/* An input with a hash, in a stage that goes by content. */
static void
inputs_by_content(void **state)
{
	static const char by_time[] = HEAD("a") "map m\n  each = n\n  in = in/{arg}\n  out = m/{arg}\n  run = x {in} > {out}\n";
	static const char by_content[] =
		HEAD("a") "map m\n  each = n\n  in = in/{arg}\n  fresh = content\n  out = m/{arg}\n  run = x {in} > {out}\n";
	struct world *w = *state;

	inputs(w);
	w->hash_inputs = true;
	made(w, by_content);
	assert_int_equal(w->disk.hashed, 0);
	get(w, "in/a")->stamp.mtime++;
	expect(w, by_content, "");
	assert_int_equal(w->disk.hashed, 1);
	expect(w, by_time, "m/a:INPUT");
	assert_int_equal(w->disk.hashed, 0);
	put(w, "in/a", "aab");
	expect(w, by_content, "m/a:INPUT");
	put(w, "in/a", "longer");
	expect(w, by_content, "m/a:INPUT");
	assert_int_equal(w->disk.hashed, 0);
	put(w, "in/a", "aaa")->refused = true;
	assert_int_equal(try_check(w, by_content), -1); /* and it cannot be read by the command, either */
	/* Within the grain of its time: not even an equal one is believed. */
	put(w, "in/a", "aaa");
	say_done(w, place_task(w->p, "m", 0), (struct done){ .flags = DR_REC_RECENT });
	w->options.dry = true;
	expect(w, by_time, "");
	w->options.dry = false;
	assert_int_equal(w->disk.hashed, 1);
	snprintf(get(w, "in/a")->content, 4, "bbb");
	expect(w, by_time, "m/a:INPUT");
	w->hash_inputs = false;
	say_done(w, place_task(w->p, "m", 0), (struct done){ .flags = DR_REC_RECENT });
	snprintf(get(w, "in/a")->content, 4, "ccc");
	expect(w, by_content, ""); /* nothing to hold it against */
}

/* The stale tasks that will run whatever becomes of the others. */
static const char *
certain_tasks(struct world *w)
{
	const struct dr_plan *pl = w->p->plan;

	dr_buf_reset(&w->p->shown);
	for (uint32_t t = 0; t < pl->graph->n_tasks; t++) {
		if (pl->graph->tasks[t].state != DR_WAITING || !pl->graph->tasks[t].certain)
			continue;
		dr_buf_adds(&w->p->shown, w->p->shown.n ? " " : "");
		dr_plan_task_name(pl, t, &w->p->shown);
	}
	return dr_buf_cstr(&w->p->shown);
}

/* What is gone waits for word on whether it is needed, if that may yet turn out not to be so. */
static void
what_is_certain(void **state)
{
	struct world *w = *state;
	struct dr_graph *g;
	uint32_t m, in, all;

	inputs(w);
	made(w, base);
	put(w, "in/b", "touched"); /* in truth of another size, so that all above it will be new, too */
	expect(w, base, "m/b:INPUT all/1.1:UPSTREAM all:UPSTREAM");
	assert_string_equal(certain_tasks(w), "m/b");
	put(w, "in/b", "bbb");
	say_id(w, DR_REC_RECLAIM, place_task(w->p, "all", 0));
	drop(w, inner(w));
	put(w, "in/b", "bbb");
	get(w, "in/c")->stamp.mtime++;
	expect(w, base, "m/b:INPUT m/c:INPUT all/1.1:NEEDED all:UPSTREAM");
	say_done(w, place_task(w->p, "m", 1), (struct done){ 0 });
	expect(w, base, "m/c:INPUT all/1.1:NEEDED all:UPSTREAM");
	assert_string_equal(certain_tasks(w), "m/c");
	put(w, "in/c", "longer");
	expect(w, base, "m/c:INPUT all/1.1:NEEDED all:UPSTREAM");
	assert_string_equal(certain_tasks(w), "m/c all/1.1");
	put(w, "in/c", "ccc");
	expect(w, base, "m/c:INPUT all/1.1:NEEDED all:UPSTREAM");
	/* m/c came out as it was, and so nothing above it runs; or it did not. */
	g = w->p->plan->graph;
	m = place_task(w->p, "m", 2);
	in = place_task(w->p, "all", 0);
	all = place_task(w->p, "all", 1);
	assert_int_equal(dr_stale_fresh(w->stale, in), DR_FRESH_GONE);
	g->tasks[m].state = DR_DONE;
	g->files[place_file(w->p, "m/c")].flags |= DR_FILE_SAME;
	assert_int_equal(dr_stale_fresh(w->stale, all), DR_FRESH_YES);
	g->tasks[m].partial = 1;
	assert_int_equal(dr_stale_fresh(w->stale, all), DR_FRESH_NO);
	g->tasks[m].partial = 0;
	g->files[place_file(w->p, "m/c")].flags &= ~(uint32_t)DR_FILE_SAME;
	assert_int_equal(dr_stale_fresh(w->stale, all), DR_FRESH_NO);
	/* What is not there and was not reclaimed is no different. */
	made(w, base);
	drop(w, inner(w));
	get(w, "in/c")->stamp.mtime++;
	expect(w, base, "m/c:INPUT all/1.1:LOST all:UPSTREAM");
	assert_string_equal(certain_tasks(w), "m/c");
	/* Others that it needs are certain as soon as it is. */
	put(w, "m/c", "by hand");
	expect(w, base, "m/c:INPUT all/1.1:LOST all:INPUT");
	assert_string_equal(certain_tasks(w), "m/c all/1.1 all");
}

/* What is needed again drags its other consumers along. */
static void
needed_again_and_its_consumers(void **state)
{
	struct world *w = *state;
	static const char text[] = HEAD("a") "map one\n  each = n\n  in = in/{arg}\n  out = one/{arg}\n  keep = no\n  run = x {in} > {out}\n"
				   "task p\n  in = one x\n  out = p\n  run = cat {in} > {out}\n"
				   "task q\n  in = one\n  out = q\n  run = cat {in} > {out}\n"
				   "task r\n  in = q\n  out = r\n  run = cat {in} > {out}\n";

	inputs(w);
	put(w, "x", "x");
	made(w, text);
	say_id(w, DR_REC_RECLAIM, place_task(w->p, "one", 0));
	drop(w, "one/a");
	expect(w, text, "");
	put(w, "x", "xx");
	expect(w, text, "one/a:NEEDED p:INPUT q:UPSTREAM r:UPSTREAM");
	w->p->targets[0] = "p"; /* those that nobody asks for stay as they are */
	expect(w, text, "one/a:NEEDED p:INPUT");
}

static void
the_last_record_wins(void **state)
{
	struct world *w = *state;

	inputs(w);
	made(w, base);
	put(w, "in/a", "first");
	say_done(w, place_task(w->p, "m", 0), (struct done){ .ms = 70 });
	put(w, "in/a", "second one");
	say_done(w, place_task(w->p, "m", 0), (struct done){ .ms = 90 });
	expect(w, base, "");
	assert_int_equal(w->p->plan->graph->tasks[place_task(w->p, "m", 0)].last_ms, 90);
	put(w, "in/a", "first");
	expect(w, base, "m/a:INPUT all/1.1:UPSTREAM all:UPSTREAM");
	explains(w, "m", 0, "m/a: in/a: size 10 → 5");
	assert_true(w->counts.last_ms == 100);
}

static void
forgotten(void **state)
{
	struct world *w = *state;

	inputs(w);
	made(w, base);
	say_id(w, DR_REC_FORGET, place_task(w->p, "m", 2));
	expect(w, base, "m/c:NEVER all:UPSTREAM"); /* made again: that it stands is no surprise */
	assert_true(w->p->plan->graph->tasks[place_task(w->p, "m", 2)].record == UINT64_MAX);
	make(w, place_task(w->p, "m", 2), (struct done){ 0 });
	make(w, place_task(w->p, "all", 1), (struct done){ 0 });
	expect(w, base, "");
}

/* Runs that died. */

static void
rolled_forward_after_a_crash(void **state)
{
	struct world *w = *state;
	char temp[300];

	inputs(w);
	made(w, base);
	/* Changed, made anew and recorded; then the power of the process ended. */
	put(w, "in/c", "new");
	say_run(w, DR_REC_RUN, 2, 20);
	snprintf(temp, sizeof(temp), "%s", temp_of(w, place_task(w->p, "m", 2), 0));
	make(w, place_task(w->p, "m", 2), (struct done){ .temporary = true, .run = 2 });
	w->options.dry = true; /* as if it had been done, without doing it */
	expect(w, base, "all:INPUT");
	assert_int_equal(w->disk.renamed, 0);
	get(w, temp);
	w->options.dry = false;
	expect(w, base, "all:INPUT");
	assert_true(w->counts.rolled == 1 && w->counts.changed == 0);
	assert_string_equal(get(w, "m/c")->content, "made anew");
	assert_null(fake_find(&w->disk, temp));
	/* Once is enough. */
	expect(w, base, "all:INPUT");
	assert_true(w->counts.rolled == 0);
}

static void
rolled_forward_where_nothing_stood(void **state)
{
	struct world *w = *state;
	static const char text[] = "task t\n  in = x\n  out = o/1\n  out.b = o/2\n  run = make {out} {out.b}\n";

	put(w, "x", "x");
	place_plan(w->p, text);
	say_run(w, DR_REC_RUN, 2, 20);
	make(w, 0, (struct done){ .temporary = true, .run = 2 });
	/* The first of its outputs already had its name. */
	assert_int_equal(fake_rename(&w->disk.d, temp_of(w, 0, 0), "o/1"), 0);
	expect(w, text, "");
	assert_true(w->counts.rolled == 1);
	get(w, "o/1");
	get(w, "o/2");
}

static void
what_does_not_match_is_not_rolled(void **state)
{
	struct world *w = *state;
	static const char text[] = "task t\n  in = x\n  out = o\n  run = make {out}\n";
	struct fake_file *f;

	put(w, "x", "x");
	place_plan(w->p, text);
	say_run(w, DR_REC_RUN, 2, 20);
	make(w, 0, (struct done){ .temporary = true, .run = 2 });
	f = get(w, temp_of(w, 0, 0));
	f->stamp.size++; /* another attempt is at it, or was */
	w->options.dry = true;
	expect(w, text, "o:LOST");
	f->stamp.size--;
	f->stamp.mtime++;
	expect(w, text, "o:LOST");
	f->stamp.mtime--;
	f->stamp.ino++;
	expect(w, text, "o:LOST");
	f->stamp.ino--;
	expect(w, text, "");
	f->stamp.ino++;
	w->options.dry = false;
	expect(w, text, "o:LOST");
	assert_null(fake_find(&w->disk, "o"));
	assert_null(fake_find(&w->disk, temp_of(w, 0, 0))); /* nobody's now */
}

static struct dr_lock *
other_lock(struct world *w, uint64_t run)
{
	struct dr_lock *other = NULL;
	bool alone;

	assert_int_equal(dr_lock_open(w->p->root, run, 0, &other, &alone, &w->p->err), 0);
	if (alone) {
		dr_lock_close(other);
		skip();
	}
	return other;
}

static void
not_rolled_under_those_who_live(void **state)
{
	struct world *w = *state;
	static const char text[] = "task t\n  in = x\n  out = o\n  run = make {out}\n";
	struct dr_lock *other;
	struct dr_hash128 id;

	put(w, "x", "x");
	place_plan(w->p, text);
	id = w->p->plan->graph->tasks[0].id;
	say_run(w, DR_REC_RUN, 2, 20);
	make(w, 0, (struct done){ .temporary = true, .run = 2 });
	other = other_lock(w, 2); /* it is alive: between its record and its rename */
	assert_int_equal(dr_lock_claim(other, id, &w->p->err), 1);
	expect(w, text, "o:LOST");
	get(w, temp_of(w, 0, 0));
	dr_lock_release(other, id);
	expect(w, text, "o:LOST"); /* about to, or it could not */
	get(w, temp_of(w, 0, 0));
	dr_lock_close(other);

	other = other_lock(w, 3); /* it is dead, and a third one has the task now */
	assert_int_equal(dr_lock_claim(other, id, &w->p->err), 1);
	expect(w, text, "o:LOST");
	get(w, temp_of(w, 0, 0));
	assert_int_equal(w->disk.renamed, 0);
	dr_lock_close(other);
	expect(w, text, "");
	get(w, "o");
}

/* The dead one began before another that ended well: that one could not clean up behind it. */
static void
rolled_forward_behind_a_run_that_ended_well(void **state)
{
	struct world *w = *state;

	inputs(w);
	made(w, base);
	say_run(w, DR_REC_RUN, 2, 20);
	say_run(w, DR_REC_RUN, 3, 21);
	put(w, "in/c", "new");
	say_run(w, DR_REC_BYE, 3, 22);
	make(w, place_task(w->p, "m", 2), (struct done){ .temporary = true, .run = 2 });
	/* Else what stands would be taken for changed by hand, and be wrong for good. */
	expect(w, base, "all:INPUT");
	assert_true(w->counts.rolled == 1 && w->counts.changed == 0);
	assert_string_equal(get(w, "m/c")->content, "made anew");
}

/* An output that cannot get its name is not what stands there. */
static void
what_cannot_be_rolled_is_made_again(void **state)
{
	struct world *w = *state;

	inputs(w);
	made(w, base);
	say_run(w, DR_REC_RUN, 2, 20);
	put(w, "in/a", "new");
	make(w, place_task(w->p, "m", 0), (struct done){ .temporary = true, .run = 2 });
	w->disk.no_rename = true;
	expect(w, base, "m/a:LOST all/1.1:INPUT all:UPSTREAM");
	assert_true(w->counts.rolled == 0 && w->counts.changed == 0);
	w->p->targets[0] = "m/a";
	expect(w, base, "m/a:LOST");
}

/* Whoever has cleaned up behind a dead run says so, and the next one need not. */
static void
dead_runs_get_a_farewell(void **state)
{
	struct world *w = *state;
	char temp[300];
	struct dr_lock *alive;

	inputs(w);
	made(w, base);
	snprintf(temp, sizeof(temp), "%s", temp_of(w, place_task(w->p, "m", 0), 0));
	say_run(w, DR_REC_RUN, 2, 20);
	say_run(w, DR_REC_RUN, 3, 21);
	say_run(w, DR_REC_RUN, 4, 21);
	say_run(w, DR_REC_BYE, 4, 22); /* which saw that 2 was alive, and does not count for it */
	alive = other_lock(w, 3);
	put(w, temp, "half");
	w->options.dry = true; /* who only looks cleans nothing up */
	expect(w, base, "");
	get(w, temp);
	w->options.dry = false;
	drop(w, "in/c"); /* nor who has to give up */
	assert_int_equal(try_check(w, base), -1);
	w->now = get(w, "in/b")->stamp.mtime + 1;
	put(w, "in/c", "ccc");
	put(w, temp, "half");
	expect(w, base, "");
	assert_null(fake_find(&w->disk, temp));
	put(w, temp, "somebody's");
	expect(w, base, "");
	get(w, temp);
	dr_lock_close(alive); /* 3 is dead now, too */
	expect(w, base, "");
	assert_null(fake_find(&w->disk, temp));
	put(w, temp, "somebody's");
	expect(w, base, "");
	get(w, temp);
}

static void
sweeping(void **state)
{
	struct world *w = *state;
	char temps[3][300], other_dir[310];
	struct dr_lock *other;

	inputs(w);
	made(w, base);
	for (uint32_t i = 0; i < 3; i++) {
		snprintf(temps[i], sizeof(temps[i]), "%s", temp_of(w, place_task(w->p, "m", i), 0));
		put(w, temps[i], "half");
	}
	put(w, "m/.dagrun-0000000000000001-x", "of a row that is gone");
	put(w, "m/.dagrun-nonsense", "not ours");
	put(w, "m/.hidden", "not ours");
	snprintf(other_dir, sizeof(other_dir), "in/%.299s", temps[0] + 2);
	put(w, other_dir, "where we make nothing");
	/* Of a merge that is gone, or makes no inner nodes any more. */
	put(w, ".dagrun/parts/old", "")->dir = true;
	put(w, ".dagrun/parts/old/.dagrun-0000000000000002-x", "half");
	put(w, ".dagrun/parts/old/.dagrun-0000000000000003-x", "half");
	put(w, ".dagrun/parts/old/0123456789abcdef", "an inner node");
	put(w, ".dagrun/parts/old/deep", "")->dir = true;
	put(w, ".dagrun/parts/old/deep/.dagrun-0000000000000002-x", "in an output");
	/* {tmp} */
	put(w, ".dagrun/tmp/00000000000000010000000000000002", "half");
	put(w, ".dagrun/tmp/00000000000000010000000000000003", "half");
	put(w, ".dagrun/tmp/nonsense", "not ours");
	expect(w, base, ""); /* nobody died */
	get(w, ".dagrun/parts/old/.dagrun-0000000000000002-x");
	get(w, ".dagrun/tmp/00000000000000010000000000000002");
	get(w, temps[0]);

	say_run(w, DR_REC_RUN, 2, 20);
	other = other_lock(w, 2);
	expect(w, base, ""); /* nobody died yet */
	get(w, temps[0]);
	dr_lock_close(other);

	w->options.dry = true;
	expect(w, base, "");
	get(w, temps[0]);
	w->options.dry = false;

	other = other_lock(w, 3);
	assert_int_equal(dr_lock_claim(other, w->p->plan->graph->tasks[place_task(w->p, "m", 1)].id, &w->p->err), 1);
	assert_int_equal(dr_lock_claim(other, (struct dr_hash128){ .lo = 3 }, &w->p->err), 1);
	expect(w, base, "");
	assert_null(fake_find(&w->disk, ".dagrun/parts/old/.dagrun-0000000000000002-x"));
	assert_null(fake_find(&w->disk, ".dagrun/tmp/00000000000000010000000000000002"));
	get(w, ".dagrun/parts/old/.dagrun-0000000000000003-x");
	get(w, ".dagrun/parts/old/0123456789abcdef");
	get(w, ".dagrun/parts/old/deep/.dagrun-0000000000000002-x");
	get(w, ".dagrun/tmp/00000000000000010000000000000003");
	get(w, ".dagrun/tmp/nonsense");
	assert_null(fake_find(&w->disk, temps[0]));
	get(w, temps[1]); /* somebody writes to it */
	assert_null(fake_find(&w->disk, temps[2]));
	assert_null(fake_find(&w->disk, "m/.dagrun-0000000000000001-x"));
	get(w, "m/.dagrun-nonsense");
	get(w, "m/.hidden");
	get(w, other_dir);
	get(w, "m/a");
	dr_lock_close(other);
}

/* What a dead run recorded of tasks that this one is not about is still to come: sweeping must not take it for a leftover. */
static void
sweeping_spares_what_is_recorded(void **state)
{
	struct world *w = *state;
	static const char second[] = "task u\n  in = in/a\n  out = m/u\n  run = make {out}\n";
	char temp[300], unwanted[300];

	inputs(w);
	place_plan(w->p, second); /* another Dagfile in the same directory */
	make_all(w);
	say_run(w, DR_REC_RUN, 2, 20);
	put(w, "in/a", "newer");
	snprintf(temp, sizeof(temp), "%s", temp_of(w, 0, 0));
	make(w, 0, (struct done){ .temporary = true, .run = 2, .origin = 2 });
	place_plan(w->p, base);
	for (uint32_t i = 0; i < w->p->plan->graph->n_tasks; i++)
		make(w, w->p->plan->graph->order[i], (struct done){ .run = 2 });
	put(w, "in/b", "newer");
	make(w, place_task(w->p, "m", 1), (struct done){ .temporary = true, .run = 2 });
	snprintf(unwanted, sizeof(unwanted), "%s", temp_of(w, place_task(w->p, "m", 1), 0));
	put(w, "m/.dagrun-0000000000000001-x", "a leftover");

	w->p->targets[0] = "m/a"; /* wants neither of the two */
	expect(w, base, "");
	assert_null(fake_find(&w->disk, "m/.dagrun-0000000000000001-x"));
	w->p->targets[0] = NULL;
	say_run(w, DR_REC_RUN, 4, 40);
	say_run(w, DR_REC_BYE, 4, 41);
	expect(w, base, "all/1.1:INPUT all:UPSTREAM");
	assert_string_equal(get(w, "m/b")->content, "made anew");
	assert_null(fake_find(&w->disk, unwanted));
	expect(w, second, "");
	assert_string_equal(get(w, "m/u")->content, "made anew");
	assert_null(fake_find(&w->disk, temp));
}

/* Refusals. */

static void
outputs_without_a_record(void **state)
{
	struct world *w = *state;

	inputs(w);
	put(w, "m/a", "whose?");
	REFUSE(w, base, 1, "1 output is there that dagrun has no record of: m/a; ", "--adopt takes it as done", "-B makes it again");
	put(w, "m/b", "whose?");
	put(w, "all", "whose?");
	REFUSE(w, base, 1, "3 outputs are there", "m/a, m/b, all; ", "--adopt takes them", "-B makes them");
	/* Those of tasks that nobody asks for are nobody's business. */
	w->p->targets[0] = "m/c";
	expect(w, base, "m/c:NEVER");
	w->p->targets[0] = NULL;

	w->options.always = true;
	expect(w, base, "m/a:FORCED m/b:FORCED m/c:FORCED all/1.1:FORCED all:FORCED");
	w->options.always = false;
	w->options.adopt = true;
	expect(w, base, everything);
	w->options.adopt = false;
	w->options.dry = true; /* told before anything runs, also when nothing is to */
	REFUSE(w, base, 1, "3 outputs are there");
	w->options.dry = false;

	say_run(w, DR_REC_RUN, 2, 20);
	expect(w, base, everything); /* after a crash they are ours */
	say_run(w, DR_REC_BYE, 2, 21);
	REFUSE(w, base, 1, "3 outputs are there");
}

static void
many_outputs_without_a_record(void **state)
{
	struct world *w = *state;

	for (int i = 1; i <= 9; i++) {
		char path[16];

		snprintf(path, sizeof(path), "o%d", i);
		put(w, path, "?");
	}
	REFUSE(w, "args n\n  range = 1..9\nmap m\n  each = n\n  out = o{arg}\n  run = x > {out}\n", 1, "9 outputs are there",
	       "o1, o2, o3, o4, o5, …");
}

static void
missing_inputs_are_all_told(void **state)
{
	struct world *w = *state;

	inputs(w);
	drop(w, "in/a");
	drop(w, "in/c");
	drop(w, "tool");
	REFUSE(w, base, 3, "input 'in/a' is not there and no stage makes it; m:a needs it", "'in/c'", "m:c", "'tool'");
	inputs(w);
	made(w, base);
	drop(w, "in/c"); /* also when all was made */
	REFUSE(w, base, 1, "'in/c'");
	w->p->targets[0] = "m/a"; /* but not what nobody asks for */
	expect(w, base, "");
}

static void
unreadable_inputs(void **state)
{
	struct world *w = *state;

	inputs(w);
	get(w, "in/b")->refused = true;
	REFUSE(w, base, 1, "input 'in/b' cannot be read (Permission denied); m:b needs it");
	get(w, "in/b")->refused = false;
	made(w, base);
	get(w, "in/b")->refused = true; /* nobody is going to read it */
	expect(w, base, "");
}

static void
directories_that_cannot_be_written_to(void **state)
{
	struct world *w = *state;

	inputs(w);
	w->disk.refused_dir = "m/";
	REFUSE(w, base, 1, "directory 'm/' cannot be written to");
	w->disk.refused_dir = ".";
	REFUSE(w, base, 1, "directory '.' cannot be written to");
	w->disk.refused_dir = NULL;
	made(w, base);
	w->disk.refused_dir = "m/"; /* nothing is to be made in it */
	expect(w, base, "");
}

static void
outputs_that_are_directories(void **state)
{
	struct world *w = *state;

	inputs(w);
	put(w, "m/b", "")->dir = true;
	REFUSE(w, base, 1, "output 'm/b' is a directory");
	w->options.always = true;
	REFUSE(w, base, 1, "output 'm/b' is a directory");
	w->p->targets[0] = "m/a";
	expect(w, base, "m/a:FORCED");
}

static void
one_file_through_a_link(void **state)
{
	struct world *w = *state;
	static const char text[] = "task s\n  out = d/x\n  run = make {out}\ntask t\n  out = link/x\n  run = make {out}\n"
				   "task u\n  out = link/y\n  run = make {out}\n";
	struct fake_file *d = put(w, "d/", ""), *link = put(w, "link/", "");

	d->dir = link->dir = true;
	expect(w, text, "d/x:NEVER link/x:NEVER link/y:NEVER");
	link->stamp = d->stamp;
	REFUSE(w, text, 1, "'d/x'", "'link/x'", "two tasks make one file");
	w->p->targets[0] = "s";
	w->p->targets[1] = "u";
	expect(w, text, "d/x:NEVER link/y:NEVER");
}

/* Rows. */

static void
rows_that_were_made(void **state)
{
	struct world *w = *state;
	static const char first[] = HEAD("a b") "map m\n  each = n\n  in = in/{arg}\n  out = t/{arg}.txt\n  run = x {in} > {out}\n";
	static const char second[] = "args f\n  glob = t/*.txt\nmap k\n  each = f\n  out = k/{stem}\n  run = y {in} > {out}\n";

	inputs(w);
	made(w, first);
	put(w, "t/own.txt", "mine");
	place_files(w->p, "t/a.txt t/b.txt t/own.txt"); /* for the glob, which looks at the real disk */
	/* What an earlier form of this Dagfile made is no input. */
	assert_int_equal(try_check(w, second), 1);
	assert_true(w->p->plan->graph->files[place_file(w->p, "t/a.txt")].flags & DR_FILE_MADE);
	assert_false(w->p->plan->graph->files[place_file(w->p, "t/own.txt")].flags & DR_FILE_MADE);
	assert_int_equal(dr_plan_again(w->p->plan, &w->p->diags, &w->p->err), 0);
	assert_int_equal(dr_stale_check(w->p->plan, w->journal, &w->disk.d, &w->options, &w->stale, &w->counts, &w->p->diags,
					&w->p->err), 0);
	assert_string_equal(stale_tasks(w), "k/own:NEVER");
	/* But what somebody has put in its place since is. */
	put(w, "t/a.txt", "mine, too");
	assert_int_equal(try_check(w, second), 1);
	assert_false(w->p->plan->graph->files[place_file(w->p, "t/a.txt")].flags & DR_FILE_MADE);
	assert_true(w->p->plan->graph->files[place_file(w->p, "t/b.txt")].flags & DR_FILE_MADE);
}

static void
rows_that_another_dagfile_made(void **state)
{
	struct world *w = *state;
	static const char first[] = HEAD("a") "map m\n  each = n\n  in = in/{arg}\n  out = t/{arg}.txt\n  run = x {in} > {out}\n";

	inputs(w);
	made(w, first);
	place_files(w->p, "t/a.txt");
	w->p->options.origin = 2;
	expect(w, "args f\n  glob = t/*.txt\nmap k\n  each = f\n  out = k/{stem}\n  run = y {in} > {out}\n", "k/a:NEVER");
	assert_true(w->counts.records == 0);
}

/* While the run is on. */

/* It ended well without what an ignored failure had not made: that is still to be made. */
static void
run_without_an_input(void **state)
{
	struct world *w = *state;
	static const char text[] = "task t\n  in = x\n  out = o\n  run = make {out}\n"
				   "task u\n  in = t\n  out = p\n  run = try {in} {out}\n";

	put(w, "x", "x");
	place_plan(w->p, text);
	make(w, place_task(w->p, "u", 0), (struct done){ 0 });
	expect(w, text, "o:NEVER p:INPUT");
	make(w, place_task(w->p, "t", 0), (struct done){ 0 });
	make(w, place_task(w->p, "u", 0), (struct done){ 0 });
	expect(w, text, "");
}

/* Another run gives an output its name after we looked at the file and before we read its record. */
static void
published_while_we_looked(void **state)
{
	struct world *w = *state;
	static const char text[] = "task t\n  in = x\n  out = o\n  run = make {out}\n"
				   "task u\n  in = t\n  out = p\n  run = make {out}\n";
	struct dr_lock *other;
	struct dr_err err;

	put(w, "x", "x");
	made(w, text);
	say_run(w, DR_REC_RUN, 2, 20);
	put(w, "x", "new");
	make(w, place_task(w->p, "t", 0), (struct done){ .temporary = true, .run = 2 });
	other = other_lock(w, 2);
	assert_int_equal(dr_lock_claim(other, w->p->plan->graph->tasks[place_task(w->p, "t", 0)].id, &err), 1);
	/* What stands is not somebody's change by hand. */
	expect(w, text, "o:LOST p:UPSTREAM");
	assert_true(w->counts.changed == 0 && w->counts.flux == 1);
	assert_int_equal(dr_stale_look(w->stale, place_task(w->p, "t", 0), &err), 0);
	assert_int_equal(fake_rename(&w->disk.d, temp_of(w, place_task(w->p, "t", 0), 0), "o"), 0);
	assert_int_equal(dr_stale_look(w->stale, place_task(w->p, "t", 0), &err), 1);
	assert_int_equal(dr_stale_look(w->stale, place_task(w->p, "u", 0), &err), 0);
	dr_lock_close(other);
}

static void
what_another_run_made_meanwhile(void **state)
{
	struct world *w = *state;
	struct dr_journal *ours;
	struct dr_err err;
	uint32_t a, b, c;

	inputs(w);
	expect(w, base, everything);
	a = place_task(w->p, "m", 0);
	b = place_task(w->p, "m", 1);
	c = place_task(w->p, "m", 2);
	assert_int_equal(dr_stale_look(w->stale, a, &err), 0);
	/* The other run has the journal open on its own. */
	ours = w->journal;
	w->journal = NULL;
	assert_int_equal(dr_journal_open(w->p->root, &w->journal, &err), 0);
	make(w, a, (struct done){ .run = 3 });
	make(w, b, (struct done){ .run = 3 });
	put(w, "m/b", "but then somebody changed it");
	make(w, c, (struct done){ .run = 3 });
	put(w, "in/c", "newer than that");
	assert_int_equal(dr_stale_look(w->stale, a, &err), 1);
	assert_true(w->p->plan->graph->files[place_file(w->p, "m/a")].stamp.size == 4);
	assert_false(w->p->plan->graph->files[place_file(w->p, "m/a")].flags & DR_FILE_ABSENT);
	assert_int_equal(dr_stale_look(w->stale, b, &err), 0);
	assert_int_equal(dr_stale_look(w->stale, c, &err), 0);
	assert_int_equal(dr_stale_look(w->stale, place_task(w->p, "all", 0), &err), 0);
	dr_journal_close(w->journal);
	w->journal = ours;
}

/* As another run that has the journal open on its own. */
static void
another_makes_the_first(void *arg)
{
	struct world *w = arg;
	struct dr_journal *ours = w->journal;

	w->journal = NULL;
	assert_int_equal(dr_journal_open(w->p->root, &w->journal, &w->p->err), 0);
	make(w, place_task(w->p, "m", 0), (struct done){ .run = 2 });
	dr_journal_close(w->journal);
	w->journal = ours;
}

/* Another run gives an output its name between our look at the journal and that at the file. */
static void
recorded_while_we_looked(void **state)
{
	struct world *w = *state;
	struct dr_lock *other;

	inputs(w);
	place_plan(w->p, base);
	say_run(w, DR_REC_RUN, 2, 20);
	other = other_lock(w, 2);
	w->disk.meanwhile = another_makes_the_first;
	w->disk.arg = w;
	/* It is nobody's unrecorded file, and need not be made. */
	expect(w, base, "m/b:NEVER m/c:NEVER all/1.1:NEVER all:NEVER");
	assert_null(w->disk.meanwhile);
	dr_lock_close(other);
}

/* A journal that is damaged costs work and nothing else. */
static void
a_damaged_record(void **state)
{
	struct world *w = *state;
	struct stat st;
	int fd;

	inputs(w);
	made(w, base);
	fd = openat(w->p->root, "journal", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(dr_pwrite_full(fd, "!!!!", 4, (off_t)st.st_size / 2), 0);
	dr_close(&fd);
	assert_int_equal(try_check(w, base), 0);
	assert_true(w->counts.damaged > 0);
	assert_true(w->counts.records == 4);
	assert_true(w->counts.stale > 0); /* and its output is no stranger's */
	/* The same where all but the beginning is gone: nobody is there who could still be writing it. */
	fd = openat(w->p->root, "journal", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 40), 0);
	dr_close(&fd);
	assert_int_equal(try_check(w, base), 0);
	assert_true(w->counts.damaged > 0 && w->counts.records == 0);
}

/* Another start of the machine. */

enum { OLD_BOOT = 5, NEW_BOOT = 6 };

static void
say_boot(struct world *w, uint64_t run, uint64_t boot)
{
	struct dr_rec_run r = { .run = run, .when = 10, .boot = { boot, 0 } };

	assert_int_equal(dr_journal_add_run(w->journal, DR_REC_RUN, &r), 0);
}

static void
say_barrier(struct world *w, uint64_t run, enum dr_rec_phase phase)
{
	struct dr_rec_barrier b = { .run = run, .phase = phase };

	assert_int_equal(dr_journal_add_barrier(w->journal, &b), 0);
}

static void
boots(struct world *w, uint64_t boot)
{
	w->options.boot = (struct dr_boot){ .id = { boot }, .began = w->now };
}

static void
records_of_another_boot(void **state)
{
	static const char *const late = "m/c:UNSYNCED all/1.1:UNSYNCED all:UNSYNCED";
	struct world *w = *state;
	uint64_t at;

	inputs(w);
	place_plan(w->p, base);
	say_boot(w, 1, OLD_BOOT);
	make(w, place_task(w->p, "m", 0), (struct done){ .run = 1 });
	say_barrier(w, 1, DR_REC_BEGINS);
	make(w, place_task(w->p, "m", 1), (struct done){ .run = 1 });
	say_barrier(w, 1, DR_REC_BEGINS); /* this one is cut off */
	make(w, place_task(w->p, "m", 2), (struct done){ .run = 1 });
	make(w, place_task(w->p, "all", 0), (struct done){ .run = 1 });
	make(w, place_task(w->p, "all", 1), (struct done){ .run = 1 });
	say_run(w, DR_REC_BYE, 1, 11);
	boots(w, OLD_BOOT);
	expect(w, base, "");
	boots(w, NEW_BOOT);
	expect(w, base, "m/a:UNSYNCED m/b:UNSYNCED m/c:UNSYNCED all/1.1:UNSYNCED all:UNSYNCED");
	assert_true(w->counts.unsynced == 5);
	explains(w, "m", 0, "m/a: made before the machine was started anew, and not known to have reached the disk");
	say_barrier(w, 1, DR_REC_HOLDS);
	assert_int_equal(dr_journal_flush(w->journal, &w->p->err), 0);
	expect(w, base, late);
	assert_int_equal(w->disk.hashed, 0);
	/* A run of which nothing else is known, and one that is alive: where two machines share a directory. */
	make(w, place_task(w->p, "m", 2), (struct done){ .run = 99 });
	say_boot(w, RUN, OLD_BOOT);
	make(w, place_task(w->p, "all", 0), (struct done){ 0 });
	make(w, place_task(w->p, "all", 1), (struct done){ 0 });
	expect(w, base, "");
	/* Nobody can tell boots apart. */
	say_boot(w, 3, OLD_BOOT);
	make(w, place_task(w->p, "all", 1), (struct done){ .run = 3 });
	expect(w, base, "all:UNSYNCED");
	boots(w, 0);
	expect(w, base, "");
	/* Synced before it was recorded; and as often as one looks, nothing is added. */
	boots(w, NEW_BOOT);
	say_boot(w, 4, OLD_BOOT);
	say_barrier(w, 4, DR_REC_ALWAYS);
	make(w, place_task(w->p, "all", 1), (struct done){ .run = 4 });
	expect(w, base, "");
	at = w->p->plan->graph->tasks[place_task(w->p, "all", 1)].record;
	expect(w, base, "");
	assert_true(at == w->p->plan->graph->tasks[place_task(w->p, "all", 1)].record);
}

static void
contents_after_another_boot(void **state)
{
	struct world *w = *state;

	inputs(w);
	place_plan(w->p, base);
	say_boot(w, 1, OLD_BOOT);
	for (uint32_t i = 0; i < 3; i++)
		make(w, place_task(w->p, "m", i), (struct done){ .run = 1, .hashed = true });
	make(w, place_task(w->p, "all", 0), (struct done){ .run = 1, .hashed = true });
	make(w, place_task(w->p, "all", 1), (struct done){ .run = 1, .hashed = true });
	say_run(w, DR_REC_BYE, 1, 11);
	boots(w, NEW_BOOT);
	/* The same length and time, and zeros. */
	snprintf(get(w, "m/b")->content, sizeof(w->disk.files[0].content), "?%s", "ade");
	/* Cut: no change by hand, although it differs from its record. */
	get(w, "m/c")->content[0] = '\0';
	get(w, "m/c")->stamp.size = 0;
	w->options.dry = true;
	expect(w, base, "m/b:UNSYNCED m/c:UNSYNCED all/1.1:UPSTREAM all:INPUT");
	assert_false(dr_journal_pending(w->journal));
	w->options.dry = false;
	expect(w, base, "m/b:UNSYNCED m/c:UNSYNCED all/1.1:UPSTREAM all:INPUT");
	assert_int_equal(w->disk.hashed, 3);
	/* What was read, and was right, is not read again. */
	expect(w, base, "m/b:UNSYNCED m/c:UNSYNCED all/1.1:UPSTREAM all:INPUT");
	assert_int_equal(w->disk.hashed, 1);
	/* But for what somebody has written since, which is kept. */
	make(w, place_task(w->p, "m", 1), (struct done){ .run = 1, .hashed = true });
	put(w, "m/b", "by hand");
	make(w, place_task(w->p, "m", 2), (struct done){ .run = 1, .hashed = true });
	expect(w, base, "all/1.1:INPUT all:INPUT");
	assert_true(w->counts.changed == 1);
}

/* What differs from a record that nobody vouches for is torn, unless it is certain that it is not. */
static void
torn_whatever_the_clock_says(void **state)
{
	struct world *w = *state;
	struct done how = { .run = 1, .hashed = true };

	inputs(w);
	place_plan(w->p, base);
	say_boot(w, 1, OLD_BOOT);
	/* The clock was set back: the machine seems to have been up when this was made. */
	boots(w, NEW_BOOT);
	how.ms = w->now / 1000000;
	for (uint32_t i = 0; i < 3; i++)
		make(w, place_task(w->p, "m", i), how);
	make(w, place_task(w->p, "all", 0), how);
	make(w, place_task(w->p, "all", 1), how);
	say_run(w, DR_REC_BYE, 1, 11);
	put(w, "m/b", "");
	expect(w, base, "m/b:UNSYNCED all/1.1:INPUT all:UPSTREAM");
	assert_int_equal(w->disk.hashed, 3);
	expect(w, base, "m/b:UNSYNCED all/1.1:INPUT all:UPSTREAM");
	assert_int_equal(w->disk.hashed, 0);
	/* A right clock, and a run that was cut off: it may have been that. */
	how.ms = 0;
	make(w, place_task(w->p, "m", 1), how);
	make(w, place_task(w->p, "all", 0), how);
	make(w, place_task(w->p, "all", 1), how);
	say_boot(w, 2, OLD_BOOT);
	assert_int_equal(dr_journal_flush(w->journal, &w->p->err), 0);
	boots(w, NEW_BOOT);
	put(w, "m/b", "");
	w->options.dry = true;
	expect(w, base, "m/b:UNSYNCED all/1.1:INPUT all:UPSTREAM");
	w->options.dry = false;
	/* And none was: it is somebody's. */
	say_run(w, DR_REC_BYE, 2, 12);
	assert_int_equal(dr_journal_flush(w->journal, &w->p->err), 0);
	expect(w, base, "all/1.1:INPUT all:UPSTREAM");
	assert_true(w->counts.changed == 1);
}

/* A run of which the power cut has left nothing but its beginning has put something in the place of what is recorded. */
static void
lose_a_run(struct world *w)
{
	struct dr_rec_run lost = { .run = 2, .boot = { OLD_BOOT, 0 } };

	inputs(w);
	place_plan(w->p, base);
	say_boot(w, 1, OLD_BOOT);
	say_barrier(w, 1, DR_REC_ALWAYS);
	for (uint32_t i = 0; i < 3; i++)
		make(w, place_task(w->p, "m", i), (struct done){ .run = 1 });
	make(w, place_task(w->p, "all", 0), (struct done){ .run = 1 });
	make(w, place_task(w->p, "all", 1), (struct done){ .run = 1 });
	say_run(w, DR_REC_BYE, 1, 11);
	put(w, "m/b", "by hand");
	lost.when = w->now;
	assert_int_equal(dr_journal_add_run(w->journal, DR_REC_RUN, &lost), 0);
	assert_int_equal(dr_journal_flush(w->journal, &w->p->err), 0);
}

static void
written_by_a_lost_run(void **state)
{
	struct world *w = *state;
	int64_t lost;

	lose_a_run(w);
	lost = w->now;
	w->now++;
	boots(w, NEW_BOOT);
	put(w, "m/a", "torn");
	w->options.dry = true;
	/* Written since the start of the machine, if the clock is right; if not, nothing is known. */
	expect(w, base, "all/1.1:INPUT all:UPSTREAM");
	assert_true(w->counts.changed == 2);
	w->options.boot.began = lost;
	expect(w, base, "m/a:UNSYNCED all/1.1:INPUT all:UPSTREAM");
	w->options.boot.began = w->now;
	expect(w, base, "m/a:UNSYNCED all/1.1:INPUT all:UPSTREAM");
	w->options.dry = false;
	expect(w, base, "m/a:UNSYNCED all/1.1:INPUT all:UPSTREAM");
	assert_true(w->counts.unsynced == 1 && w->counts.changed == 1);
	/* The farewell has been said, and it is not forgotten. */
	expect(w, base, "m/a:NEVER all/1.1:INPUT all:UPSTREAM");
}

/* The run that says the farewell knows nothing of the tasks whose outputs the lost one has replaced. */
static void
forgotten_for_others(void **state)
{
	static const char third[] = HEAD("c") MAP("tool {in} > {out}");
	struct world *w = *state;

	lose_a_run(w);
	put(w, "m/a", "torn");
	boots(w, NEW_BOOT);
	w->options.dry = true;
	expect(w, third, "");
	assert_false(dr_journal_pending(w->journal));
	w->options.dry = false;
	expect(w, third, "");
	expect(w, base, "m/a:NEVER all/1.1:INPUT all:UPSTREAM");
	assert_true(w->counts.changed == 1);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nothing_made_yet),
		TEST(made_and_clean),
		TEST(forced),
		TEST(a_command_changed),
		TEST(an_input_changed),
		TEST(the_list_changed),
		TEST(inputs_of_a_task_changed),
		TEST(a_used_file_goes_by_content),
		TEST(an_input_does_not_go_by_content),
		TEST(a_recent_used_file_is_read_again),
		TEST(tasks_without_outputs),
		TEST(a_changed_output_is_kept),
		TEST(changed_outputs_are_named),
		TEST(a_target_is_lost),
		TEST(an_intermediate_is_lost),
		TEST(reclaimed_is_as_good_as_there),
		TEST(reclaimed_and_recorded_behind_its_readers),
		TEST(inputs_by_content),
		TEST(what_is_certain),
		TEST(needed_again_and_its_consumers),
		TEST(the_last_record_wins),
		TEST(forgotten),
		TEST(rolled_forward_after_a_crash),
		TEST(rolled_forward_where_nothing_stood),
		TEST(what_does_not_match_is_not_rolled),
		TEST(not_rolled_under_those_who_live),
		TEST(rolled_forward_behind_a_run_that_ended_well),
		TEST(what_cannot_be_rolled_is_made_again),
		TEST(dead_runs_get_a_farewell),
		TEST(sweeping),
		TEST(sweeping_spares_what_is_recorded),
		TEST(outputs_without_a_record),
		TEST(many_outputs_without_a_record),
		TEST(missing_inputs_are_all_told),
		TEST(unreadable_inputs),
		TEST(directories_that_cannot_be_written_to),
		TEST(outputs_that_are_directories),
		TEST(one_file_through_a_link),
		TEST(rows_that_were_made),
		TEST(rows_that_another_dagfile_made),
		TEST(run_without_an_input),
		TEST(published_while_we_looked),
		TEST(what_another_run_made_meanwhile),
		TEST(recorded_while_we_looked),
		TEST(a_damaged_record),
		TEST(records_of_another_boot),
		TEST(contents_after_another_boot),
		TEST(torn_whatever_the_clock_says),
		TEST(written_by_a_lost_run),
		TEST(forgotten_for_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
